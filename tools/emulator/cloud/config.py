"""cloud.toml: read, checked, and turned into `Config`. Every fault in it is one line with key and line."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tools import toml_table
from tools.emulator.cloud.id2.identities import STATES
from tools.emulator.cloud.id2.keys import KEY_TYPES
from tools.emulator.cloud.id2.provisioning import provisioning_key
from tools.emulator.cloud.identifier import DEVICE_NAME, PRODUCT_KEY
from tools.emulator.cloud.switches import LIMITS, PRODUCT_KEYS, SWITCHES, TIMING, OrderOf, SomeOf
from tools.errors import UserError
from tools.host_names import REGIONS
from tools.toml_table import Table

if TYPE_CHECKING:
    from tools.emulator.cloud.setting import Figure, Switch

AUTHS = ("secret", "x509", "id2")
NODES = ("direct", "gateway", "subdevice")
ID2 = re.compile(r"(?!F+\Z)[0-9A-F]{24,48}")
OF_ID2 = ("identity", "whitelist", "provisioning_quota")
OF_PRODUCT = (
    "product_key",
    "name",
    "product_secret",
    "auth",
    "node",
    "dynamic_registration",
    "preregistration_free",
    "centre",
    "device",
    *OF_ID2,
    "private_ca",
)
OF_DEVICE = ("device_name", "device_secret", "centre")
OF_IDENTITY = ("id2", "id2_key", "id2_type", "state", "device_name")
SECRET = re.compile(r"[\x21-\x7e]{1,64}")
FIGURE_MAX = 10**9  # 31 years, or 1 GB: what no limit or time needs to be above
PRODUCT_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,30}")
INSTANCE_ID = re.compile(r"[A-Za-z0-9\-]{1,64}")


@dataclass(frozen=True)
class DeviceSeed:
    device_name: str
    device_secret: str | None = field(repr=False)
    centre: str | None


@dataclass(frozen=True)
class IdentitySeed:
    """One ID2; what is None is generated. `device_name` is what it is bound to from the start."""

    id2: str | None
    key: bytes | None = field(repr=False)
    key_type: str
    state: str
    device_name: str | None


@dataclass(frozen=True)
class ProductSeed:
    product_key: str
    product_secret: str | None = field(repr=False)
    auth: str
    node: str
    dynamic_registration: bool
    preregistration_free: bool
    centre: str | None
    devices: tuple[DeviceSeed, ...]
    identities: tuple[IdentitySeed, ...] = ()
    whitelist: bool = False
    provisioning_quota: int | None = None
    private_ca: bool = True
    name: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)  # what the keys of PRODUCT_KEYS were read to


@dataclass(frozen=True)
class Config:
    """What cloud.toml says, defaults filled in. `switches`, `timing` and `limits` by attribute.

    `region` is the instance's own, the first of `centres`.
    """

    kind: str
    instance_id: str | None
    region: str
    centres: tuple[str, ...]
    products: tuple[ProductSeed, ...]
    switches: SimpleNamespace
    timing: SimpleNamespace
    limits: SimpleNamespace


PRODUCT_NAME_RULE = "must be 1 to 30 visible characters"
NAME_RULE = "must be 4 to 32 characters out of letters, digits and - _ @ . :"


def load(path: Path) -> Config:
    """The `Config` of the file at `path`; raises UserError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; name a cloud.toml with --config") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text") from None
    return parse(text, path.name, path.parent)


def parse(text: str, name: str = "cloud.toml", folder: Path | None = None) -> Config:
    """The `Config` that `text` says; raises UserError naming key and line. Paths in it begin at `folder`."""
    top = toml_table.parse(text, name, ("instance", "product", "switches", "timing", "limits"))
    kind, instance_id, region, centres = instance(top)
    seen: dict[str, Any] = {}
    products = tuple(
        product(table, seen, centres, folder or Path())
        for table in top.tables("product", (*OF_PRODUCT, *PRODUCT_KEYS))
    )
    return Config(
        kind,
        instance_id,
        region,
        centres,
        products,
        SimpleNamespace(**switch_values(top)),
        SimpleNamespace(**figure_values(top, "timing", TIMING)),
        SimpleNamespace(**figure_values(top, "limits", LIMITS)),
    )


def instance(top: Table) -> tuple[str, str | None, str, tuple[str, ...]]:
    table = top.table("instance", ("kind", "id", "region", "centres"))
    kind = table.choice("kind", ("enterprise", "public"), "public")
    instance_id = table.matching(
        "id", INSTANCE_ID, "must be letters, digits and - only, such as iot-06z00abc"
    )
    if kind == "enterprise" and instance_id is None:
        raise table.error("id", "is missing; an Enterprise instance has one, such as iot-06z00abc")
    region = table.choice("region", REGIONS, "cn-shanghai")
    others = some_of(table, "centres", REGIONS, table.values.get("centres", ()))
    return kind, instance_id, region, tuple(dict.fromkeys((region, *others)))


def centre(table: Table, centres: Collection[str]) -> str | None:
    """Where devices are at home, or None: one of the centres of the instance."""
    region = table.get("centre", str)
    if region not in (None, *centres):
        raise table.error("centre", f"{region!r} is no centre of this instance, see [instance] centres")
    return region


def product(table: Table, seen: dict[str, Any], centres: Collection[str], folder: Path) -> ProductSeed:
    key = table.matching("product_key", PRODUCT_KEY, "must be 1 to 20 letters and digits", needed=True)
    if key in seen:
        raise table.error("product_key", f"{key} is there twice")
    names: set[str] = set()
    seen[key] = names
    auth = table.choice("auth", AUTHS, "secret")
    dynamic = table.get("dynamic_registration", bool, False)
    free = table.get("preregistration_free", bool, False)
    if auth != "secret" and (dynamic or free):
        raise table.error(
            "dynamic_registration" if dynamic else "preregistration_free",
            f'needs auth = "secret", not {auth!r}',
        )
    if auth != "id2" and (wrong := next((name for name in OF_ID2 if name in table.values), None)):
        raise table.error(wrong, f'needs auth = "id2", not {auth!r}')
    secret = table.matching("product_secret", SECRET, "must be 1 to 64 visible ASCII characters")
    if auth == "id2" and secret is not None:
        check_token(table, secret)
    devices = tuple(device(one, names, centres) for one in table.tables("device", OF_DEVICE))
    bound: set[str] = set()
    identities = tuple(identity(one, seen, bound) for one in table.tables("identity", OF_IDENTITY))
    quota = table.get("provisioning_quota", int)
    if quota is not None and quota < 0:
        raise table.error("provisioning_quota", "must be at least 0")
    private = table.get("private_ca", bool, True)
    if auth != "x509" and "private_ca" in table.values:
        raise table.error("private_ca", f'needs auth = "x509", not {auth!r}')
    return ProductSeed(
        key,
        secret,
        auth,
        table.choice("node", NODES, "direct"),
        dynamic,
        free,
        centre(table, centres),
        devices,
        identities,
        table.get("whitelist", bool, False),
        quota,
        private,
        table.matching("name", PRODUCT_NAME, PRODUCT_NAME_RULE) or "",
        {name: read(table, name, folder) for name, read in PRODUCT_KEYS.items()},
    )


def check_token(table: Table, secret: str) -> None:
    try:
        provisioning_key(secret)
    except ValueError as error:
        raise table.error("product_secret", str(error)) from None


def identity(table: Table, seen: dict[str, Any], bound: set[str]) -> IdentitySeed:
    id2 = table.matching("id2", ID2, "must be 24 to 48 digits 0-9 A-F, not all of them F")
    if id2 is not None and id2 in seen:
        raise table.error("id2", f"{id2} is there twice")
    seen[id2] = None
    key_type = table.choice("id2_type", tuple(KEY_TYPES), "AES_128")
    size = KEY_TYPES[key_type].size
    key = table.matching(
        "id2_key",
        re.compile(f"[0-9a-fA-F]{{{2 * size}}}"),
        f"must be {2 * size} hex digits, the {size} bytes of a key of type {key_type}",
    )
    name = table.matching("device_name", DEVICE_NAME, NAME_RULE)
    if name in bound:
        raise table.error("device_name", f"{name} is bound to another identity of this product")
    bound |= {name} - {None}
    return IdentitySeed(
        id2, key and bytes.fromhex(key), key_type, table.choice("state", STATES, "active"), name
    )


def device(table: Table, names: set[str], centres: Collection[str]) -> DeviceSeed:
    name = table.matching("device_name", DEVICE_NAME, NAME_RULE, needed=True)
    if name in names:
        raise table.error("device_name", f"{name} is there twice in this product")
    names.add(name)
    return DeviceSeed(
        name,
        table.matching("device_secret", SECRET, "must be 1 to 64 visible ASCII characters"),
        centre(table, centres),
    )


def switch_values(top: Table) -> dict[str, Any]:
    table = top.table("switches", tuple(SWITCHES))
    return {name: switch_value(table, name, switch) for name, switch in SWITCHES.items()}


def switch_value(table: Table, name: str, switch: Switch) -> Any:
    value = table.values.get(name, switch.default)
    if isinstance(switch.allowed, OrderOf):
        if not isinstance(value, (list, tuple)) or sorted(map(str, value)) != sorted(switch.allowed.names):
            raise table.error(name, f"must list each of {', '.join(switch.allowed.names)} once")
        return tuple(value)
    if isinstance(switch.allowed, SomeOf):
        return some_of(table, name, switch.allowed.names, value)
    if isinstance(switch.allowed, range):
        if type(value) is not int or value not in switch.allowed:
            low, high = switch.allowed[0], switch.allowed[-1]
            raise table.error(name, f"must be a whole number from {low} to {high}")
    elif not any(type(value) is type(one) and value == one for one in switch.allowed):
        raise table.error(name, f"{value!r} is not one of {', '.join(map(repr, switch.allowed))}")
    return value


def some_of(table: Table, name: str, allowed: Collection[str], value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not set(map(str, value)) <= set(allowed):
        raise table.error(name, f"must be a list out of {', '.join(allowed)}")
    return tuple(value)


def figure_values(top: Table, name: str, figures: Mapping[str, Figure]) -> dict[str, Any]:
    table = top.table(name, tuple(figures))
    return {key: figure_value(table, key, figure) for key, figure in figures.items()}


def figure_value(table: Table, key: str, figure: Figure) -> Any:
    value = table.values.get(key, figure.default)
    fits = type(value) in ((int,) if figure.whole else (int, float)) and figure.low <= value < float("inf")
    if not fits:
        kind = "a whole number" if figure.whole else "a number"
        raise table.error(key, f"must be {kind} of at least {figure.low}")
    if value > FIGURE_MAX:
        raise table.error(key, f"must be at most {FIGURE_MAX}")
    return value
