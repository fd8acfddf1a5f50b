"""Identities and licences, and their changes; every change is in the store when the call returns."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from tools.emulator.cloud.id2.keys import KEY_TYPES, NUMBERS, Key

if TYPE_CHECKING:
    from tools.emulator.cloud.config import ProductSeed

STATES = ("active", "inactive", "suspended", "discarded")
DAY, BEIJING = 86_400, 8 * 3600  # a day of the quota is one of Beijing's calendar


@dataclass(eq=False)
class Identity:
    """One ID² and its key as hex. `seed` is its place among its product's in the configuration, from 1,
    if its ID was generated for that.

    `device_name` is what it is bound to; `fingerprint` that of the device it was provisioned to.
    """

    id2: str
    key_hex: str = field(repr=False)
    key_type: str
    product_key: str
    state: str = "active"
    device_name: str | None = None
    seed: int | None = None
    fingerprint: str | None = None
    day: int = 0
    authentications: int = 0

    @property
    def key(self) -> Key:
        return Key(self.key_type, bytes.fromhex(self.key_hex))

    def today(self, now: float) -> int:
        """How many authentications it has had on the day of `now`, Unix seconds."""
        return self.authentications if self.day == day(now) else 0


@dataclass
class Licence:
    """What an ID² product may do: identities left to provision (None: no limit), the white list."""

    left: int | None
    whitelist: bool


def day(now: float) -> int:
    return int(now + BEIJING) // DAY


class Identities:
    """All identities by ID and all licences by ProductKey; `random(n)` gives n bytes."""

    def __init__(self, config, store, random):
        self.store, self.random = store, random
        self.by_id, self.by_name, self.by_fingerprint = {}, {}, {}
        for id2, body in store.identities():
            self.enter(Identity(id2=id2, **body))
        kept = {pk: Licence(**body) for pk, body in store.licences()}
        self.licences: dict[str, Licence] = {}
        for seed in config.products:
            self.license(seed, kept.get(seed.product_key))

    def license(self, seed: ProductSeed, kept: Licence | None = None) -> None:
        """Takes in the product of `seed` if it is one with ID²."""
        if seed.auth == "id2":
            self.licences[seed.product_key] = kept or Licence(seed.provisioning_quota, seed.whitelist)
            self.sow(seed)

    def sow(self, product: ProductSeed) -> None:
        """Creates what the configuration names and the store has never seen."""
        pk = product.product_key
        known = {one.seed for one in self.of(pk)}
        for number, seed in enumerate(product.identities, 1):
            if (number in known) if seed.id2 is None else (seed.id2 in self.by_id):
                continue
            made = self.make(pk, seed.key_type, seed.id2, seed.key)
            made.seed, made.state = None if seed.id2 else number, seed.state
            made.device_name = None if self.bound(pk, seed.device_name) else seed.device_name
            self.save(made)

    def make(
        self, product_key: str, key_type: str, id2: str | None = None, key: bytes | None = None
    ) -> Identity:
        """An `Identity`, with a fresh ID and key where none is given; not saved yet."""
        while id2 is None or id2 in self.by_id:
            id2 = self.random(12).hex().upper()
        key = key or self.random(KEY_TYPES[key_type].size)
        return Identity(id2, key.hex(), key_type, product_key)

    def of(self, product_key: str) -> list[Identity]:
        return [one for one in self.by_id.values() if one.product_key == product_key]

    def provisioned(self, product_key: str, fingerprint: str) -> Identity | None:
        """The identity that a device with `fingerprint` has got, or None."""
        return self.by_fingerprint.get((product_key, fingerprint))

    def bound(self, product_key: str, device_name: str | None) -> Identity | None:
        """The identity that is bound to a DeviceName, or None."""
        return self.by_name.get((product_key, device_name))

    def issue(self, product_key: str, number: int, fingerprint: str) -> Identity:
        """Provisions one more identity of the key type `number`; takes it off the quota."""
        made = self.make(product_key, NUMBERS[number])
        made.fingerprint = fingerprint
        licence = self.licences[product_key]
        with self.store.transaction():
            if licence.left is not None:
                licence.left -= 1
                self.save_licence(product_key)
            self.save(made)
        return made

    def create(self, product_key: str, key_type: str, count: int) -> list[Identity]:
        """`count` fresh identities, in one transaction."""
        with self.store.transaction():
            made = [self.make(product_key, key_type) for _ in range(count)]
            for one in made:
                self.save(one)
        return made

    def count(self, identity: Identity, now: float) -> None:
        """Count one more authentication of an identity."""
        self.set_count(identity, now, identity.today(now) + 1)

    def set_count(self, identity: Identity, now: float, count: int) -> None:
        identity.day, identity.authentications = day(now), count
        self.save(identity)

    def set_state(self, identity: Identity, state: str) -> None:
        identity.state = state
        self.save(identity)

    def bind(self, identity: Identity, device_name: str | None) -> None:
        """Binds `identity`, and no other of its product, to a DeviceName; None unbinds it."""
        with self.store.transaction():
            for one in (identity, self.bound(identity.product_key, device_name)):
                if one is not None and one.device_name is not None:
                    self.by_name.pop((one.product_key, one.device_name), None)
                    one.device_name = None
                    self.save(one)
            identity.device_name = device_name
            self.save(identity)

    def release(self, product_key: str, device_name: str) -> None:
        """Unbind the identity of a device that was deleted."""
        identity = self.bound(product_key, device_name)
        if identity is not None:
            self.bind(identity, None)

    def enter(self, identity: Identity) -> None:
        """Add `identity` to the tables by which it is found."""
        self.by_id[identity.id2] = identity
        if identity.device_name is not None:
            self.by_name[identity.product_key, identity.device_name] = identity
        if identity.fingerprint is not None:
            self.by_fingerprint.setdefault((identity.product_key, identity.fingerprint), identity)

    def save(self, identity: Identity) -> None:
        self.enter(identity)
        body = asdict(identity)
        self.store.save_identity(body.pop("id2"), body)

    def save_licence(self, product_key: str) -> None:
        self.store.save_licence(product_key, asdict(self.licences[product_key]))
