"""What can go wrong, as one small tree.

Every error has a `code` (text, for programs), a `detail` (text, for people, never with a secret in it) and
a `retry` class: "now" (after the usual back-off), "later" (after minutes) or "never" (a person has to do
something; the device still asks again once in a long while). `advice` is one sentence of what to do; its
tables (aliot.advice) are read only when an error is shown.

What the platform itself answers with is in aliot.refusals.
"""

from aliot import load


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
        """One sentence of what to do; empty where its table does not fit the heap."""
        try:
            return load("advice").advice(self.code)
        except MemoryError:
            return ""


class CredentialError(AliotError):
    """No identity is burned, or what is burned cannot be one; codes `credential`, `endpoint`."""

    code = "credential"
    retry = "never"


class StoreError(AliotError):
    """A credential could not be kept; `health` says of each medium what is wrong."""

    code = "store"
    retry = "later"
    health = {}


class LinkError(AliotError):
    """The way to the platform failed; codes `dns`, `connect`, `wifi`, `offline`, `twin`, those of the subclasses."""

    code = "connect"


class TimedOut(LinkError):
    """The whole operation had not ended at its deadline."""

    code = "timeout"


class Closed(LinkError):
    """The peer ended the connection, perhaps in the middle of a message."""

    code = "closed"


class Reset(LinkError):
    """The peer, or the network, broke the connection off."""

    code = "reset"


class TlsError(LinkError):
    """TLS was refused by either side; codes `tls`, `tls.alert`, `tls.memory`."""

    code = "tls"


class CertificateError(TlsError):
    """The peer's certificate was refused; codes `certificate.` and name, untrusted, expired, clock, future, root."""

    code = "certificate"


class ProtocolError(AliotError):
    """The peer sent what its protocol does not allow."""

    code = "protocol"


class RegistrationError(AliotError):
    """Registration gave no usable answer; nothing was stored."""

    code = "register.answer"
