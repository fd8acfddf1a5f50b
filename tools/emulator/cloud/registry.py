"""Products, devices and units, and their changes of state (direct.md 1.8, 2.5, 4).

No sockets and no clock here: times come in as arguments. Every change is in
the store before the call returns.
"""

from __future__ import annotations

import hashlib
import secrets
import string
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.centres.homes import Homes
from tools.emulator.cloud.centres.tokens import Tokens

if TYPE_CHECKING:
    from tools.emulator.cloud.config import ProductSeed

ALPHANUMERIC = string.ascii_letters + string.digits


def alphanumeric(n: int) -> str:
    return "".join(secrets.choice(ALPHANUMERIC) for _ in range(n))


def new_secret(auth: str) -> str:
    """A product secret; that of an ID2 product holds the key its devices are provisioned with, AES-128."""
    return "i11" + alphanumeric(29) if auth == "id2" else alphanumeric(16)


@dataclass
class Unit:
    """One physical unit of a preregistration-free DeviceName: its ClientID and token (direct.md 4)."""

    client_id: str
    token: str = field(repr=False)
    issued_at: float
    activated_at: float | None = None
    blocked: bool = False


@dataclass(eq=False)
class Device:
    """One DeviceName. ResetThing opens `registration_closed` again; activation stays (direct.md 2.5).

    `gateway` is the (ProductKey, DeviceName) of the gateway that a sub-device is attached to, `centre`
    the region it was assigned to (None: as configured), `tokens` a list of [iotToken, Unix seconds of its issue].
    """

    product_key: str
    device_name: str
    secret: str = field(repr=False)
    first_secret: str = field(repr=False)
    activated_at: float | None = None
    registration_closed: bool = False
    issued: int = 0
    disabled: bool = False
    free: bool = False
    gateway: tuple[str, str] | None = None
    centre: str | None = None
    tokens: list[Any] = field(default_factory=list, repr=False)
    units: dict[str, Unit] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        return self.product_key, self.device_name

    @property
    def iot_id(self) -> str:
        """The opaque id that the platform has for it, the same each time."""
        return hashlib.sha256("\0".join(self.key).encode()).hexdigest()[:32]

    def active_units(self) -> list[Unit]:
        return [unit for unit in self.units.values() if unit.activated_at is not None]


@dataclass
class Product:
    """A product and its devices by DeviceName."""

    product_key: str
    secret: str = field(repr=False)
    auth: str = "secret"
    node: str = "direct"
    dynamic_registration: bool = False
    preregistration_free: bool = False
    private_ca: bool = True
    name: str = ""
    devices: dict[str, Device] = field(default_factory=dict)


class Registry:
    """All products of the instance. `switches` and `limits` are those of the configuration."""

    def __init__(self, config, store):
        self.store = store
        self.on_change = lambda action, device: None  # "create", "delete", "enable" or "disable"
        self.switches, self.limits = config.switches, config.limits
        kept = store.products()
        self.products = {
            seed.product_key: self.product(seed, kept.get(seed.product_key)) for seed in config.products
        }
        self.deleted = self.load()
        self.seed(config.products)
        self.tokens, self.homes = Tokens(self, config), Homes(config)

    def product(self, seed: ProductSeed, kept: dict[str, Any] | None) -> Product:
        kept = kept or {}
        secret = seed.product_secret or kept.get("secret") or new_secret(seed.auth)
        product = Product(
            seed.product_key,
            secret,
            seed.auth,
            seed.node,
            kept.get("dynamic_registration", seed.dynamic_registration),
            kept.get("preregistration_free", seed.preregistration_free),
            seed.private_ca,
            seed.name,
        )
        if kept.get("secret") != secret:
            self.save_product(product)
        return product

    def save_product(self, product: Product) -> None:
        self.store.save_product(
            product.product_key,
            {
                "secret": product.secret,
                "dynamic_registration": product.dynamic_registration,
                "preregistration_free": product.preregistration_free,
            },
        )

    def load(self) -> set[tuple[str, str]]:
        """Takes the stored devices of known products in; returns the (pk, dn) that were deleted."""
        deleted = set()
        for pk, dn, body in self.store.devices():
            if body is None:
                deleted.add((pk, dn))
            elif pk in self.products:
                units = {key: Unit(**unit) for key, unit in body.pop("units").items()}
                gateway = tuple(body.pop("gateway", None) or ()) or None
                self.products[pk].devices[dn] = Device(pk, dn, units=units, gateway=gateway, **body)
        return deleted

    def seed(self, products: Iterable[ProductSeed]) -> None:
        """Creates what the configuration names and the store has never seen."""
        rows = []
        for product in products:
            devices = self.products[product.product_key].devices
            for seed in product.devices:
                key = product.product_key, seed.device_name
                if seed.device_name not in devices and key not in self.deleted:
                    device = new_device(product.product_key, seed.device_name, seed.device_secret)
                    devices[seed.device_name] = device
                    rows.append(row(device))
        if rows:
            self.store.save_devices(rows)

    def find(self, product_key: str, device_name: str) -> Device | None:
        """The device, or None."""
        product = self.products.get(product_key)
        return product.devices.get(device_name) if product else None

    def find_subdevice(self, product_key: str, device_name: str) -> Device | None:
        """The sub-device, or None; a device of a product with another node type is none."""
        product = self.products.get(product_key)
        return product.devices.get(device_name) if product and product.node == "subdevice" else None

    def node(self, product_key: str) -> str | None:
        """The node type of a product, or None."""
        product = self.products.get(product_key)
        return product and product.node

    def save(self, device: Device) -> None:
        self.store.save_device(*row(device))

    def save_all(self, devices: Iterable[Device]) -> None:
        """Writes several devices in one transaction."""
        self.store.save_devices([row(device) for device in devices])

    def add(self, product: Product, names: Sequence[str]) -> list[Device]:
        """Creates devices with fresh secrets as the console's batch creation does; returns them."""
        devices = [new_device(product.product_key, name, None) for name in names]
        self.store.save_devices([row(device) for device in devices])
        product.devices.update((device.device_name, device) for device in devices)
        self.deleted.difference_update(device.key for device in devices)
        for device in devices:
            self.on_change("create", device)
        return devices

    def delete(self, device: Device) -> None:
        self.store.save_device(device.product_key, device.device_name, None)
        del self.products[device.product_key].devices[device.device_name]
        self.deleted.add(device.key)
        self.on_change("delete", device)

    def set_dynamic_registration(self, product: Product, enabled: bool) -> None:
        product.dynamic_registration = enabled
        self.save_product(product)

    def set_preregistration_free(self, product: Product, enabled: bool) -> None:
        product.preregistration_free = enabled
        self.save_product(product)

    def set_disabled(self, device: Device, disabled: bool) -> None:
        device.disabled = disabled
        self.save(device)
        self.on_change("disable" if disabled else "enable", device)

    def assign(self, device: Device, region: str) -> None:
        """Set the centre of a device to `region`."""
        device.centre = region
        self.save(device)

    def reset(self, device: Device) -> None:
        """ResetThing: registration is open again; the activation status stays (direct.md 2.5)."""
        device.registration_closed, device.issued = False, 0
        self.save(device)

    def may_register(self, device: Device) -> bool:
        """Whether a registration for this device's secret is open (direct.md 2.5)."""
        if device.free or device.registration_closed:
            return False
        return not (self.switches.repeat_registration == "once" and device.issued)

    def issue(self, device: Device) -> str:
        """Gives out the DeviceSecret of an open registration: by default a fresh one; the last wins."""
        keeps = self.switches.repeat_registration == "same"
        device.secret = device.first_secret if keeps else secrets.token_hex(16)
        device.issued += 1
        self.save(device)
        return device.secret

    def issue_to_subdevices(self, devices: list[Device]) -> None:
        """Gives each of `devices` a fresh DeviceSecret, as gateway.md 4 has it; the one before is void."""
        for device in devices:
            device.secret = alphanumeric(32)
            device.issued += 1
        self.save_all(devices)

    def activate(self, device: Device, now: float) -> None:
        """A connect with the DeviceSecret was accepted."""
        if device.activated_at is None or not device.registration_closed:
            device.activated_at = device.activated_at or now
            device.registration_closed = True
            self.save(device)

    def may_issue_unit(self, product: Product, device_name: str) -> bool:
        """Whether `device_name`, known or not, may have one more unit (direct.md 4)."""
        device = product.devices.get(device_name)
        if device is None:
            return True
        if device.registration_closed:
            return False
        return len(self.counted(device)) < self.limits.units

    def counted(self, device: Device) -> list[Unit]:
        return (
            device.active_units() if self.switches.units_counted == "connect" else list(device.units.values())
        )

    def issue_unit(self, product: Product, device_name: str, now: float) -> tuple[Device, Unit]:
        """Registers one more unit; returns (device, unit). The device is created if it is new."""
        device = product.devices.get(device_name)
        if device is None:
            device = new_device(product.product_key, device_name, None)
            device.free = True
            product.devices[device_name] = device
            self.on_change("create", device)
        unit = Unit(alphanumeric(24), alphanumeric(32), now)
        device.units[unit.client_id] = unit
        self.save(device)
        return device, unit

    def may_connect_unit(self, device: Device, unit: Unit) -> bool:
        """Whether `unit` may connect: not blocked, and active or with room for one more."""
        if unit.blocked:
            return False
        return unit.activated_at is not None or len(device.active_units()) < self.limits.units

    def activate_unit(self, device: Device, unit: Unit, now: float) -> None:
        if unit.activated_at is None:
            unit.activated_at = now
            device.activated_at = device.activated_at or now
            self.save(device)

    def keep_unit(self, device: Device, client_id: str) -> None:
        """The console's Switch: this ClientID is the valid one, the others are blocked."""
        for unit in device.units.values():
            unit.blocked = unit.client_id != client_id
        self.save(device)

    def clear_units(self, device: Device) -> None:
        """The console's Clear: no ClientID is valid any more and five may come again."""
        device.units.clear()
        self.save(device)


def new_device(product_key: str, device_name: str, secret: str | None) -> Device:
    secret = secret or secrets.token_hex(16)
    return Device(product_key, device_name, secret, secret)


def row(device: Device) -> tuple[str, str, dict[str, Any]]:
    body = asdict(device)
    return body.pop("product_key"), body.pop("device_name"), body
