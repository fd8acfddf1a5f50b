"""What goes wrong on the host, in words for the person at the keyboard."""


class UserError(Exception):
    """One line: what is wrong and what to do about it.

    The command line prints it as `error: ...` and exits with `status`. Never
    put a secret into it.
    """

    def __init__(self, message: object, status: int = 1) -> None:
        super().__init__("\n".join(map(printable, str(message).split("\n"))))
        self.status = status


def printable(text: str) -> str:
    """Text from a board or a file as a terminal may have it: what would steer one is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
