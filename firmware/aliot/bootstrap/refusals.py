"""What can go wrong when the platform is asked where to connect; imported when it does."""

from aliot.errors import AliotError, LinkError

# Codes of direct.md 6.1 that a person has to mend.
_NEVER = (401, 460, 5001, 6200)
_ADVICE = """\
|401|check that the burned DeviceSecret is this device's, and the region
|460|check the burned ProductKey and DeviceName, and the sign method
|500|token|moved|nothing to do: the board asks again
|5001|check that the device exists under this ProductKey and DeviceName in the region that is asked
|6200|this product does not authenticate by DeviceSecret: set auth to mqtt, or burn the way of the product
|host|the answer leads off the platform: check register_host, and who answers in its place
|answer|check the endpoint; nothing was kept and the board asks again
"""


class GuideError(AliotError):
    """No usable answer; nothing of it is kept."""

    code = "auth.answer"

    @property
    def advice(self):
        at = _ADVICE.find("|" + self.code[5:] + "|")
        if at < 0:
            at = _ADVICE.find("|answer|")
        end = _ADVICE.find("\n", at)
        return _ADVICE[_ADVICE.rfind("|", at, end) + 1 : end]


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
    advice = GuideError.advice
