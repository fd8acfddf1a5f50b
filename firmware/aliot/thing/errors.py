"""The one error of what follows the connection: the thing model and the platform's services."""

from aliot.errors import AliotError


class ThingError(AliotError):
    """What the platform, a handler or the model refused; application.md 1.1 and 1.2.

    `what` is the platform's number or a word; `code` is `thing.` and `what`, and has its advice in advice.txt.
    `number` is the code as a number, 0 where it is a word. `retry` is "never" where the same message would be refused
    again.
    """

    def __init__(self, what, detail="", retry=None):
        self.number = what if isinstance(what, int) else 0
        if not retry:
            retry = "later" if what in (400, 429, 500, 6760, "silent") else "never"
        super().__init__(detail, "thing.%s" % what, retry)
