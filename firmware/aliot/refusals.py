"""The branch of the error tree that the platform itself answers with; imported when it happens."""

from aliot import part
from aliot.errors import AliotError, RegistrationError


class ConnectRefused(AliotError):
    """CONNACK with a return code other than 0, as `number`; direct.md 1.7."""

    def __init__(self, number):
        meaning = part("advice").CONNACK.get(number, "unknown code")
        super().__init__(meaning, "mqtt.%d" % number, "now" if number == 3 else "later")
        self.number = number


class SubscribeRefused(AliotError):
    """SUBACK 0x80: not an own topic, or more than 100 subscriptions; direct.md 1.5."""

    code = "suback"
    retry = "never"


class RegistrationRefused(RegistrationError):
    """The platform refused a registration: `number` is a code of direct.md 2.4."""

    def __init__(self, number, message=""):
        retry, meaning = part("advice").registration(number)
        super().__init__(message or meaning, "register.%d" % number, retry)
        self.number = number
