"""What can go wrong when the platform is asked where to connect; imported when it does."""

from aliot.errors import AliotError, LinkError

# Codes of direct.md 6.1 that a person has to mend.
_NEVER = (401, 460, 5001, 6200)


class GuideError(AliotError):
    """No usable answer; nothing of it is kept."""

    code = "auth.answer"


class AuthRefused(GuideError):
    """The platform refused: `number` is a code of direct.md 6.1."""

    def __init__(self, number, message=""):
        retry = "never" if number in _NEVER else "now" if number == 500 else "later"
        super().__init__(message or "authentication refused", "auth.%d" % number, retry)
        self.number = number


class StaleToken(GuideError):
    """CONNACK 3 to a token that was taken before: it is thrown away, and asked for anew."""

    code = "auth.token"


class RedirectRefused(GuideError):
    """An answer that names a host outside the platform's domains, or no port of it."""

    code = "auth.host"
    retry = "later"


class Moved(LinkError):
    """The platform asks for a new bootstrap: this connection ends."""

    code = "auth.moved"
