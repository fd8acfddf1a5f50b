"""What can go wrong, as one small tree.

Every error has a `code` (text, for programs), a `detail` (text, for people, never with a secret in it) and
a `retry` class: NOW (after the usual back-off), LATER (after minutes) or NEVER (a person has to do
something; the device still asks again once in a long while). `advice` is one sentence of what to do; its
table is read only when somebody asks.
"""

NOW = "now"
LATER = "later"
NEVER = "never"


class AliotError(Exception):
    code = "error"
    retry = NOW

    def __init__(self, detail="", code=None):
        super().__init__(detail)
        self.detail = detail
        if code:
            self.code = code

    def __str__(self):
        return "%s: %s" % (self.code, self.detail) if self.detail else self.code

    @property
    def advice(self):
        """What to do about it, in one sentence; empty when there is nothing special."""
        from aliot.advice import advice

        return advice(self.code)


class CredentialError(AliotError):
    """No identity is burned, or what is burned cannot be one."""

    code = "credential"
    retry = NEVER


class StoreError(AliotError):
    """A credential could not be kept; `detail` names the medium."""

    code = "store"
    retry = LATER


class LinkError(AliotError):
    """The way to the platform failed."""

    code = "link"


class DnsError(LinkError):
    code = "dns"


class ConnectError(LinkError):
    code = "connect"


class TimedOut(LinkError):
    """The whole operation had not ended at its deadline."""

    code = "timeout"


class Closed(LinkError):
    """The peer ended the connection, perhaps in the middle of a message."""

    code = "closed"


class Reset(LinkError):
    code = "reset"


class TlsError(LinkError):
    """TLS was refused by either side; codes `tls`, `tls.memory`, `tls.alert`."""

    code = "tls"


class CertificateError(TlsError):
    """The peer's certificate was refused; codes `certificate.name`, `.untrusted`, `.expired`, `.clock`."""

    code = "certificate"


class ProtocolError(AliotError):
    """The peer sent what its protocol does not allow."""

    code = "protocol"


class Offline(AliotError):
    """Asked to send while there is no connection."""

    code = "offline"


class ConnectRefused(AliotError):
    """CONNACK with a return code other than 0; direct.md 1.7."""

    retry = LATER

    def __init__(self, number):
        super().__init__(_CONNACK.get(number, "unknown code"), "mqtt.%d" % number)
        self.number = number
        if number == 3:
            self.retry = NOW


class SubscribeRefused(AliotError):
    """SUBACK 0x80: not an own topic, or more than 100 subscriptions; direct.md 1.5."""

    code = "suback"
    retry = NEVER


class RegistrationError(AliotError):
    """Registration gave no usable answer; nothing was stored."""

    code = "register.answer"


class RegistrationRefused(RegistrationError):
    """The platform answered with a code of direct.md 2.4; `number` is that code."""

    def __init__(self, number, message=""):
        from aliot.advice import registration

        self.retry, meaning = registration(number)
        super().__init__(message or meaning, "register.%d" % number)
        self.number = number


_CONNACK = {
    1: "protocol version refused",
    2: "identifier rejected",
    3: "server unavailable",
    4: "bad user name or password",
    5: "not authorized",
}
