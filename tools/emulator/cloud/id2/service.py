"""What the ID² service says to a hello: an identity, a challenge, yes, or an alert (id2.md 1.4, 4.8, 10.4)."""

from __future__ import annotations

import hmac
import os
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.emulator.cloud.id2 import codes, provisioning
from tools.emulator.cloud.id2.identities import Identities, Identity
from tools.emulator.cloud.id2.keys import NUMBERS
from tools.emulator.cloud.identifier import PRODUCT_KEY
from tools.emulator.cloud.itls import alerts
from tools.emulator.cloud.itls.alerts import Alert

if TYPE_CHECKING:
    from tools.emulator.cloud.registry import Product

CHALLENGE_SIZE = 32
FINGERPRINT_MAX = 128
PRINTABLE = "".join(sorted(set(string.digits + string.ascii_letters + string.punctuation) - {"~"}))
STATES = {"inactive": alerts.INACTIVE, "suspended": alerts.SUSPENDED, "discarded": alerts.DISCARDED}


@dataclass(frozen=True)
class Claim:
    """The claim in a hello: ProductKey, ID, and a device code or a provisioning request."""

    product_key: bytes
    id2: bytes
    code: bytes

    @property
    def unprovisioned(self) -> bool:
        return bool(self.id2) and not self.id2.strip(b"F")


@dataclass(frozen=True)
class Provisioned:
    """`response` is what the device gets."""

    response: bytes
    id2: str


@dataclass(frozen=True)
class Challenged:
    challenge: bytes


@dataclass(frozen=True)
class Accepted:
    """`device_signature` is what the device's code was signed with."""

    identity: Identity
    device_signature: bytes


class Conversation:
    """One connection's hellos: what it was asked, and when."""

    def __init__(self):
        self.challenge = None
        self.asked_at = 0.0
        self.asked_id = b""
        self.provisioned = False


class Service:
    """`random(n)` gives n bytes, `wall` and `monotonic` are clocks."""

    def __init__(self, config, store, registry, wall, monotonic, random=os.urandom):
        self.config, self.registry, self.random = config, registry, random
        self.wall, self.monotonic = wall, monotonic
        self.greetings = {}  # the last ServerHello by ID, for the fault that replays it
        self.identities = Identities(config, store, lambda size: self.random(size))

    def hear(self, talk: Conversation, claim: Claim) -> Provisioned | Challenged | Accepted:
        """`Provisioned`, `Challenged` or `Accepted`; raises `Alert`."""
        if claim.unprovisioned:
            return self.provision(talk, claim)
        asks = not claim.code and self.config.switches.itls_hello_verify == "sent"
        case = Case(self, talk, claim)
        for name in self.config.switches.id2_order:
            if claim.code or name not in OF_CODES or name == "quota" and not asks:
                getattr(case, name)()
        if asks:
            return self.ask(talk, claim)
        talk.challenge = None
        self.identities.count(case.known, self.wall())
        return Accepted(case.known, case.code.signature if claim.code else b"")

    def ask(self, talk: Conversation, claim: Claim) -> Challenged:
        if talk.challenge is not None:
            raise Alert(alerts.UNEXPECTED, "a second hello without a code")
        if self.config.switches.id2_challenge == "hex":
            talk.challenge = self.random(CHALLENGE_SIZE // 2).hex().upper()
        else:
            talk.challenge = "".join(PRINTABLE[one % len(PRINTABLE)] for one in self.random(CHALLENGE_SIZE))
        talk.asked_at, talk.asked_id = self.monotonic(), claim.id2
        return Challenged(talk.challenge.encode())

    def product(self, claim: Claim) -> Product:
        """The product of a hello; raises `Alert` where it is none of ID²."""
        name = claim.product_key.decode("ascii", "replace")
        if not PRODUCT_KEY.fullmatch(name):
            raise Alert(alerts.BAD_PRODUCT, "the ProductKey is malformed")
        product = self.registry.products.get(name)
        if product is None or product.auth != "id2":
            raise Alert(alerts.UNKNOWN_PRODUCT, "the ProductKey is unknown or not of an ID2 product")
        return product

    # ---- provisioning

    def provision(self, talk: Conversation, claim: Claim) -> Provisioned:
        product = self.product(claim)
        wish = self.wish(product, claim.code)
        if talk.provisioned:
            raise Alert(alerts.UNEXPECTED, "a second provisioning on one connection")
        name = wish.fingerprint.decode("ascii", "replace")
        if not 0 < len(wish.fingerprint) <= FINGERPRINT_MAX or not name.isascii() or not name.isprintable():
            raise Alert(alerts.BAD_FINGERPRINT, "the fingerprint is malformed")
        identity = self.again(product, name) or self.fresh(product, wish, name)
        talk.provisioned = True
        return Provisioned(provisioning.answer(wish, identity.id2, identity.key), identity.id2)

    def wish(self, product: Product, request: bytes) -> provisioning.Wish:
        key = provisioning.provisioning_key(product.secret)
        if not provisioning.is_of(request, key):
            raise Alert(alerts.GENERAL, "no provisioning request, or one of another product secret")
        try:
            wish = provisioning.read(request, key)
        except provisioning.Malformed as error:
            raise Alert(alerts.GENERAL, str(error)) from None
        if wish.key_type != provisioning.key_type(product.secret) or wish.key_type not in NUMBERS:
            raise Alert(alerts.BAD_KEY_TYPE, f"key type {wish.key_type} is not what the product provisions")
        return wish

    def again(self, product: Product, fingerprint: str) -> Identity | None:
        """The identity that was provisioned to this fingerprint before, if the switch gives it out again."""
        policy = self.config.switches.id2_fingerprint_again
        found = self.identities.provisioned(product.product_key, fingerprint) if policy != "fresh" else None
        if found is None or policy == "same":
            return found
        raise Alert(policy, "the fingerprint has an identity already")

    def fresh(self, product: Product, wish: provisioning.Wish, fingerprint: str) -> Identity:
        licence = self.identities.licences[product.product_key]
        if licence.left is not None and licence.left <= 0:
            raise Alert(alerts.NO_QUOTA, "no licence is left")
        return self.identities.issue(product.product_key, wish.key_type, fingerprint)


OF_CODES = ("type", "challenge", "hash", "signature", "quota")


class Case:
    """One hello of a device with an identity; each check of `id2_order` raises `Alert` or passes.

    A check that needs what an earlier one finds looks it up for itself, so that any order goes.
    """

    def __init__(self, service, talk, claim):
        self.service, self.talk, self.claim = service, talk, claim
        self.found_code = None

    @property
    def known(self) -> Identity:
        found = self.service.identities.by_id.get(self.claim.id2.decode("ascii", "replace"))
        if found is None:
            raise Alert(alerts.UNKNOWN_ID, "no such identity")
        return found

    @property
    def code(self) -> codes.DeviceCode:
        if self.found_code is None:
            try:
                self.found_code = codes.parse(self.claim.code)
            except ValueError:
                raise Alert(alerts.BAD_CODE, "the device code is malformed") from None
        return self.found_code

    def product(self) -> None:
        self.service.product(self.claim)

    def identity(self) -> Identity:
        return self.known

    def match(self) -> None:
        if self.known.product_key.encode() != self.claim.product_key:
            raise Alert(alerts.OTHER_PRODUCT, "the identity is bound to another product")

    def state(self) -> None:
        if self.known.state in STATES:
            raise Alert(STATES[self.known.state], f"the identity is {self.known.state}")

    def type(self) -> None:
        if self.code.type != codes.CHALLENGE:
            raise Alert(alerts.UNSUPPORTED, f"a device code of type {self.code.type}")

    def challenge(self) -> None:
        service, talk, given = self.service, self.talk, self.code.server_random
        if len(given) != CHALLENGE_SIZE:
            raise Alert(alerts.BAD_RANDOM, f"a challenge of {len(given)} characters")
        late = service.monotonic() - talk.asked_at > service.config.timing.challenge_seconds
        if (
            talk.challenge is None
            or talk.asked_id != self.claim.id2
            or late
            or not hmac.compare_digest(talk.challenge.encode(), given.encode())
        ):
            raise Alert(alerts.BAD_CHALLENGE, "the challenge is not this connection's, used, or too old")

    def hash(self) -> None:
        if self.code.digit != self.known.key.kind.digit:
            raise Alert(alerts.BAD_HASH, f"hash type {self.code.digit} is not that of the identity's key")

    def signature(self) -> None:
        if not self.code.holds(self.known.id2, self.known.key):
            raise Alert(alerts.BAD_CODE, "the device code is signed with another key")

    def quota(self) -> None:
        policy, limit = self.service.config.switches.id2_authentications, self.service.config.limits
        if policy != "off" and self.known.today(self.service.wall()) >= limit.authentications_per_day:
            raise Alert(policy, f"{limit.authentications_per_day} authentications on one day")
