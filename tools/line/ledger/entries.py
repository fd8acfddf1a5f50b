"""The arguments and results of the ledger's calls: who works, a product, an identity, the counts of an intake."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tools.line.ledger.seal import Secret

Fields = dict[str, str]  # an identity's secret fields, as text
Rows = Sequence[tuple[str, Fields]]  # (DeviceName, its secret fields)


@dataclass(frozen=True)
class Who:
    """Who works: the station's name and the operator."""

    station: str
    operator: str


@dataclass(frozen=True)
class Product:
    """`kind`: device (own secrets), product (registers itself), x509 or id2.

    `secret` is None and `sub_products` ((ProductKey, Secret or None), ...) of a
    gateway is empty unless asked for.
    """

    product_key: str
    kind: str = "device"
    name_rule: str | None = None
    listed: bool = False
    secret: Secret | None = None
    sub_products: tuple[tuple[str, Secret | None], ...] = ()


@dataclass(frozen=True)
class Identity:
    """One row. `secrets` (field name -> Secret) is empty unless the call opens them."""

    id: int
    product_key: str
    device_name: str
    state: str
    mac: str | None
    touched: bool
    attempt: int
    station: str | None
    operator: str | None
    firmware: str | None
    image: str | None
    changed: str
    last_mac: str | None = None
    serial: str | None = None
    expires: str | None = None
    id2: str | None = None
    secrets: dict[str, Secret] = field(default_factory=dict, repr=False, compare=False)


Identities = list[Identity]
Events = list[dict[str, Any]]  # rows of schema.events by column


@dataclass
class Taken:
    """What an intake did: counts of identities."""

    new: int = 0
    known: int = 0
    renewed: int = 0
