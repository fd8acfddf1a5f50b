"""TLS that asks for a client certificate and ends the handshake as x509.md 4.4 says for one that will not do.

OpenSSL checks chain, dates and purpose, and says unknown_ca,
certificate_expired or handshake_failure itself. What it cannot be told is
checked at the end of the handshake, before the server's last flight is sent.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools import serials
from tools.emulator.cloud.certificates import Contexts
from tools.emulator.cloud.link import Alert, Listener

if TYPE_CHECKING:
    from tools.emulator.cloud.x509.certificates import Authority

BAD_CERTIFICATE, UNSUPPORTED_CERTIFICATE, UNKNOWN_CA = 42, 43, 48


@dataclass(frozen=True)
class Proof:
    """What a client has shown to hold the key of: the certificate `serial` of the CA `authority`."""

    authority: str
    serial: str


class Mutual(Contexts):
    """Contexts as `Contexts` has them, made anew for each connection: so no session is taken up again
    past its certificate's dates, and a CA counts from the moment it is registered."""

    def __init__(self, folder, names, tls13, certificates):
        super().__init__(folder, names, tls13)
        self.certificates, self.switches = certificates, certificates.config.switches

    def get(self, kind: str | None = None) -> ssl.SSLContext:
        return self.context(self.chain(kind))

    def trusted(self) -> list[Authority]:
        deferred = self.switches.x509_inactive_ca != "alert"
        return [one for one in self.certificates.authorities.values() if one.active or deferred]

    def context(self, chain: Path) -> ssl.SSLContext:
        context = super().context(chain)
        context.verify_mode = ssl.CERT_REQUIRED
        # a registered CA is an anchor whoever has signed it (x509.md 2), and needs no keyUsage (x509.md 8)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        trusted = b"".join(authority.der for authority in self.trusted())
        if trusted:
            context.load_verify_locations(cadata=trusted)
        return context

    def examine(self, tls: Any) -> Proof:
        """The `Proof` of a finished handshake; raises `Alert`."""
        from tools.emulator.cloud.x509 import reading

        try:
            found = reading.certificate(tls.getpeercert(binary_form=True))
            serial = serials.text(found.serial_number)
        except ValueError as error:
            raise Alert(BAD_CERTIFICATE, f"the client's certificate {error}") from None
        if not reading.is_rsa(found):
            raise Alert(UNSUPPORTED_CERTIFICATE, "the key of the client's certificate is not RSA")
        chain = verified_chain(tls)
        if len(chain) > 2 and not self.switches.x509_intermediates:
            raise Alert(UNKNOWN_CA, "no registered CA has signed the client's certificate itself")
        for authority in self.trusted():
            if authority.der == chain[-1]:
                return Proof(authority.name, serial)
        raise Alert(UNKNOWN_CA, "the CA was removed meanwhile")


class MutualListener(Listener):
    """A port with `Mutual` contexts."""

    @property
    def alerts(self) -> bool:  # type: ignore[override]  # a constant of other ports, a switch here
        return self.contexts.switches.x509_refusal == "alert"

    def examine(self, tls: Any) -> Proof:
        return self.contexts.examine(tls)


def verified_chain(tls: Any) -> list[bytes]:
    """The DER of each certificate from the client's to the anchor's."""
    if hasattr(tls, "get_verified_chain"):  # public since Python 3.13
        return tls.get_verified_chain()
    return [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in tls._sslobj.get_verified_chain()]
