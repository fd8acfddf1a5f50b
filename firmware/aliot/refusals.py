"""The branch of the error tree that the platform itself answers with; imported when it happens."""

from aliot.errors import AliotError, RegistrationError

# 1 to 5; direct.md 1.7
_CONNACK = (
    "protocol version refused",
    "identifier rejected",
    "server unavailable",
    "bad user name or password",
    "not authorized",
)
# Registration codes of direct.md 2.4 that a person has to mend; 500 is a fault of the moment.
_NEVER = (400, 401, 460, 5005, 6100, 6204, 6250, 6280, 6287, 6288, 6289, 6292, 6600, 6619)


class ConnectRefused(AliotError):
    """CONNACK with a return code other than 0, as `number`; direct.md 1.7."""

    def __init__(self, number):
        meaning = _CONNACK[number - 1] if number <= len(_CONNACK) else "unknown code"
        super().__init__(meaning, "mqtt.%d" % number, "now" if number == 3 else "later")
        self.number = number


class SubscribeRefused(AliotError):
    """SUBACK 0x80: not an own topic, or more than 100 subscriptions; direct.md 1.5."""

    code = "suback"
    retry = "never"


class RegistrationRefused(RegistrationError):
    """The platform refused a registration: `number` is a code of direct.md 2.4."""

    def __init__(self, number, message=""):
        retry = "never" if number in _NEVER else "now" if number == 500 else "later"
        super().__init__(message or "registration refused", "register.%d" % number, retry)
        self.number = number
