"""What can go wrong, as one small tree.

Every error has a `code` (text, for programs), a `detail` (text, for people, never with a secret in it) and
a `retry` class: "now" (after the usual back-off), "later" (after minutes) or "never" (a person has to do
something; the device still asks again once in a long while). `advice` is one sentence of what to do. The
tables of meanings and advice (aliot.advice) are read only when an error needs them.

The branches that only a fault needs are where the fault is: Reset, TlsError and CertificateError in
aliot.transport.faults, what the platform refuses in aliot.refusals.
"""

from aliot import part


class AliotError(Exception):
    code = "error"
    retry = "now"

    def __init__(self, detail="", code=None, retry=None):
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.code
        self.retry = retry or self.retry

    @property
    def advice(self):
        return part("advice").advice(self.code)


class CredentialError(AliotError):
    """No identity is burned, or what is burned or configured cannot be one; codes `credential`, `endpoint`."""

    code = "credential"
    retry = "never"


class StoreError(AliotError):
    """A credential could not be kept; `detail` names the media."""

    code = "store"
    retry = "later"


class LinkError(AliotError):
    """The way to the platform failed; codes `dns`, `connect`, `wifi`, `offline`, `twin`, and those of the subclasses."""

    code = "connect"


class TimedOut(LinkError):
    """The whole operation had not ended at its deadline."""

    code = "timeout"


class Closed(LinkError):
    """The peer ended the connection, perhaps in the middle of a message."""

    code = "closed"


class ProtocolError(AliotError):
    """The peer sent what its protocol does not allow."""

    code = "protocol"


class RegistrationError(AliotError):
    """Registration gave no usable answer; nothing was stored."""

    code = "register.answer"
