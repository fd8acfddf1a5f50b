"""The CAs of the account and the serials bound to devices; every change is in the store before it returns."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cryptography import x509

from tools import serials

if TYPE_CHECKING:
    from tools.emulator.cloud.registry import Product
    from tools.emulator.cloud.turns import Steps
    from tools.emulator.cloud.x509.association import Row
    from tools.emulator.cloud.x509.mutual import Proof
    from tools.emulator.cloud.x509.registering import Asked

ACTIVE, DISABLED, DELETED = "active", "disabled", "deleted"
CODE_BYTES = 32  # a registration code is 64 hex digits
REGION = "cn-shanghai"
PIECE = 25  # rows of an association file that are bound at a time


@dataclass(eq=False)
class Authority:
    """A registered CA; `der` is its certificate, `serial` in normal form, times in Unix seconds."""

    name: str
    serial: str
    subject: str
    not_after: float
    registered_at: float
    der: bytes
    active: bool = True

    @cached_property
    def certificate(self) -> x509.Certificate:
        from tools.emulator.cloud.x509 import reading

        return reading.certificate(self.der)

    def show(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "serial": self.serial,
            "subject": self.subject,
            "active": self.active,
            "not_after": self.not_after,
            "registered_at": self.registered_at,
        }


@dataclass(eq=False)
class Binding:
    """One serial of a CA and its device; `state` says whether a connection with it is let in."""

    authority: str
    serial: str
    product_key: str
    device_name: str
    state: str = ACTIVE

    @property
    def key(self) -> tuple[str, str]:
        return self.authority, self.serial

    @property
    def device(self) -> tuple[str, str]:
        return self.product_key, self.device_name

    def show(self) -> dict[str, str]:
        return asdict(self)


class Conflict(Exception):
    """What is asked does not fit what there is; the text says why."""


class Certificates:
    """All of `instance`. `authorities` by name, `bindings` by (name of the CA, serial)."""

    def __init__(self, instance):
        self.instance, self.store, self.config = instance, instance.store, instance.config
        self.authorities = {}
        for name, body in self.store.authorities():
            self.authorities[name] = Authority(name, **body | {"der": base64.b64decode(body["der"])})
        self.bindings, self.by_device = {}, {}
        for name, serial, body in self.store.bindings():
            self.keep(Binding(name, serial, **body))

    def keep(self, binding: Binding) -> None:
        self.bindings[binding.key] = binding
        self.by_device.setdefault(binding.device, {})[binding.key] = binding

    def drop(self, binding: Binding) -> None:
        if self.bindings.pop(binding.key, None) is not None:
            del self.by_device[binding.device][binding.key]

    def of(self, device: tuple[str, str]) -> list[Binding]:
        """The bindings of a (ProductKey, DeviceName)."""
        return list(self.by_device.get(device, {}).values())

    # ---- CAs

    def kept_code(self) -> str | None:
        """The registration code that is good, or None where there is none or it is too old."""
        code, made = self.store.setting("registration_code") or (None, 0)
        life = self.config.timing.registration_code_seconds
        return None if code is None or life and self.instance.wall() > made + life else code

    def code(self) -> str:
        """The registration code that the console shows: the same until it is used up, or too old."""
        return self.kept_code() or self.fresh_code()

    def fresh_code(self) -> str:
        code = secrets.token_hex(CODE_BYTES)
        self.store.save_setting("registration_code", [code, self.instance.wall()])
        return code

    def register(self, asked: Asked) -> Authority:
        """Registers the CA of a `registering.Asked`; raises `registering.Refused`. The code is used up."""
        from cryptography.hazmat.primitives.serialization import Encoding

        from tools.emulator.cloud.x509 import reading, registering

        if REGION not in self.config.centres:
            raise registering.Refused("region", f"private CAs are supported in {REGION} only")
        now = self.instance.wall()
        found = registering.check(asked, self.authorities, self.code(), self.config, now)
        made = Authority(
            asked.name,
            serials.text(found.serial_number),
            found.subject.rfc4514_string(),
            reading.validity(found)[1],
            now,
            found.public_bytes(Encoding.DER),
        )
        with self.store.transaction():
            self.save_authority(made)
            self.fresh_code()
        self.authorities[made.name] = made
        return made

    def save_authority(self, authority: Authority) -> None:
        body = asdict(authority) | {"der": base64.b64encode(authority.der).decode()}
        self.store.save_authority(body.pop("name"), body)

    def set_active(self, authority: Authority, active: bool) -> None:
        """Deactivating ends the connections that rest on the CA."""
        authority.active = active
        self.save_authority(authority)
        if not active:
            self.end(lambda proof: proof.authority == authority.name, "its CA was deactivated")

    def remove(self, authority: Authority) -> Steps[None]:
        """The CA and all that was bound under it are gone; others may have their turn in between."""
        authority.active = False
        self.end(lambda proof: proof.authority == authority.name, "its CA was removed")
        for _ in range(2):  # again, for what was bound meanwhile
            bound = [one for one in self.bindings.values() if one.authority == authority.name]
            for at in range(0, len(bound), PIECE):
                piece = bound[at : at + PIECE]
                self.store.drop_bindings([one.key for one in piece])
                for one in piece:
                    self.drop(one)
                yield
        self.store.drop_authority(authority.name)
        self.authorities.pop(authority.name, None)

    # ---- bindings

    def product(self, product_key: str) -> Product:
        """A product whose devices may be bound; raises ValueError."""
        product = self.instance.registry.products.get(product_key)
        if product is None:
            raise ValueError(f"there is no product {product_key!r}")
        if product.auth != "x509" or not product.private_ca:
            how = product.auth if product.auth != "x509" else "certificates of the platform"
            raise ValueError(f"product {product_key} authenticates by {how}, not by X.509 with a private CA")
        return product

    def taken(self, authority: Authority, serial: str) -> str | None:
        """Why `serial` of `authority` is not free to be bound, or None."""
        wide = self.config.switches.x509_serial_unique == "account"
        for name in self.authorities if wide else (authority.name,):
            taken = self.bindings.get((name, serial))
            if taken is not None and taken.state != DELETED:
                where = "" if name == authority.name else f" under CA {name}"
                return f"CertSN {serial} is bound to {taken.device_name}{where} already"
        return None

    def refusal(self, authority: Authority, device: tuple[str, str], serial: str) -> str | None:
        """Why a row of an association file may not bind `serial` to `device`, or None."""
        if self.config.switches.x509_second_serial == "refuse":
            for other in self.of(device):
                if other.state != DELETED:
                    return f"device {device[1]} has the certificate {other.serial} already"
        return self.taken(authority, serial)

    def associate(self, authority: Authority, text: str) -> Steps[int]:
        """Binds all rows of an association file, or none if one is bad; raises `association.Unusable`; their number.

        The rows are checked one by one and bound some at a time; others may have their turn in between.
        """
        from tools.emulator.cloud.x509 import association

        rows = yield from association.check(
            text,
            self.config.limits.association_rows,
            self.product,
            lambda pk, dn, serial: self.refusal(authority, (pk, dn), serial),
        )
        for at in range(0, len(rows), PIECE):
            self.bind(authority, rows[at : at + PIECE])
            yield
        return len(rows)

    def bind(self, authority: Authority, rows: list[Row]) -> None:
        """Binds rows that were checked; raises `association.Unusable` if one has become bad meanwhile."""
        from tools.emulator.cloud.x509 import association

        for row in rows:
            reason = self.refusal(authority, (row.product_key, row.device_name), row.serial)
            if authority.name not in self.authorities:
                reason = f"CA {authority.name} was removed"
            elif self.instance.registry.find(row.product_key, row.device_name) is None:
                reason = f"device {row.device_name} was deleted"
            if reason:
                raise association.Unusable(
                    f"line {row.line}: {reason} meanwhile; rows before it were applied"
                )
        replaced = []
        if self.config.switches.x509_second_serial == "replace":
            replaced = [one for row in rows for one in self.of((row.product_key, row.device_name))]
        made = [Binding(authority.name, row.serial, row.product_key, row.device_name) for row in rows]
        self.exchange(replaced, made)

    def exchange(self, old: Iterable[Binding], new: Iterable[Binding]) -> None:
        """Takes bindings out and puts others in, in one step."""
        with self.store.transaction():
            self.store.drop_bindings([one.key for one in old])
            self.store.save_bindings([row(one) for one in new])
        for one in old:
            self.drop(one)
        for one in new:
            if one.key in self.bindings:
                self.drop(self.bindings[one.key])
            self.keep(one)
        for one in old:
            self.end_of(one, "another certificate was bound in its place")

    def replace(self, binding: Binding, serial: str) -> Binding:
        """Another serial of the same CA for the device of `binding`; raises `Conflict`."""
        if binding.state == DELETED:
            raise Conflict(f"device {binding.device_name} was deleted")
        reason = self.taken(self.authorities[binding.authority], serial)
        if reason:
            raise Conflict(reason)
        made = Binding(binding.authority, serial, *binding.device)
        self.exchange([binding], [made])
        return made

    def set_state(self, binding: Binding, state: str) -> None:
        """Disabling a binding ends the connection that was made with its certificate."""
        if binding.state == DELETED:
            raise Conflict(f"device {binding.device_name} was deleted")
        binding.state = state
        self.store.save_bindings([row(binding)])
        if state == DISABLED:
            self.end_of(binding, "its certificate was disabled")

    def deleted(self, device: tuple[str, str]) -> None:
        """The device is gone: its serials are free, and open nothing until they are bound anew."""
        found = self.of(device)
        for binding in found:
            binding.state = DELETED
        if found:
            self.store.save_bindings([row(binding) for binding in found])

    # ---- connections

    def end_of(self, binding: Binding, reason: str) -> None:
        self.end(lambda proof: (proof.authority, proof.serial) == binding.key, reason)

    def end(self, fits: Callable[[Proof], bool], reason: str) -> None:
        """Ends the connections whose `Proof` fits; sub-devices go with their gateway."""
        for session in self.instance.sessions.live():
            proof = session.peer.link.proof if session.peer and session.gateway is None else None
            if proof is not None and fits(proof):
                session.peer.kick(reason)


def row(binding: Binding) -> tuple[str, str, dict[str, Any]]:
    body = asdict(binding)
    return body.pop("authority"), body.pop("serial"), body
