"""Requests over HTTPS: the parts of a call, its form, and the codes with their texts (direct.md 2.4, 6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from tools.emulator.cloud.registry import Product, Registry

T = TypeVar("T", bound="Asked")
# code -> text; 6288, 6292, 6600 and 6100 in a registration, 5001 and 6200 are inferred (direct.md 2.4, 11)
MESSAGES = {
    200: "success",
    400: "request error",
    401: "request auth error",
    429: "too many requests",
    460: "request parameter error",
    500: "internal error",
    5001: "device metadata not found",
    5005: "product not found",
    6100: "device not found",
    6200: "auth type mismatch",
    6204: "device is disabled",
    6250: "product not found",
    6288: "dynamic registration is not allowed",
    6289: "device is already active",
    6292: "sign method is not supported",
    6600: "sign check failed",
}


@dataclass(frozen=True)
class Call:
    """One request that the platform takes; `stage` is its name for faults.

    `read(request, centre, instance)` gives what was asked, an object with
    `names`, `product` and `device`; `verdict(asked, instance)` the code, changing
    nothing; `carry_out(asked, instance, link)` the data of a good answer.
    `events` are the log's words for a good and a refused one, `kind` what they say of the registration.
    """

    stage: str
    method: str
    read: Callable
    verdict: Callable
    carry_out: Callable
    events: tuple[str, str]
    kind: str | None = None


@dataclass
class Asked:
    """The form of one request, the product and device that it names, and the centre that was asked."""

    fields: dict[str, str]
    well_formed: bool  # a form in which each name is once
    product: Any = None
    device: Any = None
    centre: str | None = None

    @property
    def names(self) -> tuple[str | None, str | None]:
        return self.fields.get("productKey"), self.fields.get("deviceName")

    def complete(self, needed: Iterable[str], known: Iterable[str]) -> bool:
        """Whether it has all that is `needed`, nothing but what is `known`, and nothing empty."""
        fields = self.fields
        return self.well_formed and set(needed) <= set(fields) <= set(known) and all(fields.values())


def read_form(
    body: bytes,
    registry: Registry,
    served: Callable[[Product], bool],
    centre: str | None = None,
    *,
    kind: type[T],
) -> T:
    """The request in a form-encoded `body`; `served(product)` tells whether devices of a product may make it."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=20)
    except ValueError:
        pairs = []
    asked = kind(dict(pairs), 0 < len(pairs) == len(dict(pairs)), centre=centre)
    product = registry.products.get(asked.names[0])
    if product is not None and served(product):
        asked.product, asked.device = product, product.devices.get(asked.names[1])
    return asked


def message(code: int) -> str:
    return MESSAGES.get(code, "request error")
