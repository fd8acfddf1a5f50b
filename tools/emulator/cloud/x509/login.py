"""Whether a CONNECT of a client with a certificate is let in (x509.md 4). Pure, as `cloud.login` is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.emulator.cloud import login
from tools.emulator.cloud.identifier import CLIENT_ID_MAX, parse_client_identifier, parse_username
from tools.emulator.cloud.login import KEEP_ALIVE, Refused, Verdict
from tools.emulator.cloud.x509.certificates import DELETED, DISABLED

if TYPE_CHECKING:
    from tools.emulator.cloud.codec import Connect
    from tools.emulator.cloud.x509.certificates import Certificates
    from tools.emulator.cloud.x509.mutual import Proof

NAMELESS = (None, "", "&")  # user names of the first CONNECT


def decide(connect: Connect, proof: Proof, certificates: Certificates, now: float) -> Verdict:
    """The `login.Verdict` on a CONNECT over a connection with `proof`."""
    return login.judge(Case(connect, proof, certificates, now))


class Case(login.Case):
    """One CONNECT under examination. Who it is rests on the certificate alone."""

    kind = "x509"

    def __init__(self, connect, proof, certificates, now):
        instance = certificates.instance
        super().__init__(connect, "tls", None, instance.registry, instance.config, now)
        self.authority = certificates.authorities.get(proof.authority)
        self.binding = certificates.bindings.get((proof.authority, proof.serial))
        if self.binding is not None:
            self.product_key, self.device_name = self.binding.device
        self.device = self.registry.find(self.product_key, self.device_name)

    def check(self) -> None:
        self.check_protocol()
        self.check_identifier()
        self.check_keep_alive()
        self.check_binding()
        self.check_identity()
        self.check_device()

    def check_identifier(self) -> None:
        """No list is needed; what there is of one must be good."""
        text, bad = self.connect.client_id, self.switches.bad_client_id
        try:
            if "|" in text:
                parsed = parse_client_identifier(text)
                self.client_id, self.extra = parsed.client_id, parsed.extra
            elif len(text) > CLIENT_ID_MAX:
                raise ValueError(f"the clientId is longer than {CLIENT_ID_MAX} characters")
            else:
                self.client_id = text
        except ValueError as error:
            raise Refused(bad, str(error)) from None
        self.check_securemode()
        if self.extra.get("authType") and self.switches.x509_auth_type == "refused":
            raise Refused(bad, "there is no authType for X.509")

    def check_securemode(self) -> None:
        rule, mode = self.switches.x509_securemode, self.extra.get("securemode")
        if rule != "ignored" and mode != "2" and not (mode is None and rule == "if_present"):
            raise Refused(self.switches.bad_client_id, "securemode must be 2")

    def check_keep_alive(self) -> None:
        (low, high), rule = KEEP_ALIVE, self.switches.x509_keep_alive
        if not low <= self.keep_alive <= high and rule != "clamp":
            raise Refused(rule, f"keep alive {self.keep_alive} is not from {low} to {high} s")
        self.keep_alive = min(max(self.keep_alive, low), high)

    def refused(self, switch: str, reason: str) -> Refused:
        code = getattr(self.switches, switch)
        return Refused(None if code == "close" else code, reason)

    def check_binding(self) -> None:
        if self.authority is None or not self.authority.active:
            # with "alert" only a CA that went between handshake and CONNECT comes here
            switch = "x509_unknown" if self.switches.x509_inactive_ca == "alert" else "x509_inactive_ca"
            raise self.refused(switch, "the CA is not active")
        if self.binding is None:
            raise self.refused("x509_unknown", "the certificate is bound to no device")
        if self.binding.state == DISABLED:
            raise self.refused("x509_revoked", "the certificate is disabled")
        if self.binding.state == DELETED or self.device is None:
            raise self.refused("x509_disabled", "the device was deleted")
        if self.registry.products[self.product_key].auth != "x509":
            raise self.refused("x509_unknown", "the product does not authenticate by X.509")

    def check_identity(self) -> None:
        """A user name, if there is one, must be that of the certificate's device."""
        username, rule = self.connect.username, self.switches.x509_identity
        if username in NAMELESS or rule == "ignored":
            return
        try:
            claimed = parse_username(username)[::-1]
        except ValueError as error:
            raise Refused(rule, str(error)) from None
        if claimed != self.binding.device:
            raise Refused(rule, "the certificate is another device's")

    def check_device(self) -> None:
        if self.device.disabled:
            raise self.refused("x509_disabled", "the device is disabled")
