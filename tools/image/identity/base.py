"""What every kind of identity has."""

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tools.errors import UserError
from tools.firmware import record
from tools.image.identity import availability, endpoint
from tools.secrets import mask


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A checked identity. Secrets do not show when it is printed. NAMES: its fields in JSON, in
    order; NEEDED: those that no identity of the kind is without.
    """

    NAMES: ClassVar[tuple[str, ...]] = endpoint.ENDPOINT
    NEEDED: ClassVar[tuple[str, ...]] = ()
    TITLE: ClassVar[str] = "an identity"
    if TYPE_CHECKING:  # a kind has them as fields or as something it works out

        @property
        def kind(self) -> str: ...
        @property
        def product_key(self) -> str | None: ...
        @property
        def device_name(self) -> str | None: ...
        @property
        def method(self) -> str | None: ...
        @property
        def name_rule(self) -> str | None: ...
    else:
        product_key = device_name = method = name_rule = None  # where a kind does not have them

    region: str | None = None
    instance: str | None = None
    host: str | None = None
    port: int | None = None
    register_host: str | None = None
    sign_method: str | None = None
    auth: str | None = None
    bootstrap: str | None = None

    @classmethod
    def checked(cls, values: dict[str, Any]) -> dict[str, Any]:
        """`values` themselves when each is a field of this kind and right by itself, and none is missing."""
        for name, value in values.items():
            if name not in cls.NAMES:
                raise UserError(
                    f"'{name}' is not a field of {cls.TITLE}; there are {', '.join(sorted(cls.NAMES))}"
                )
            cls.check(name, value)
        for name in cls.NEEDED:
            if name not in values:
                raise UserError(f"{name} is missing")
        return values

    @classmethod
    def check(cls, name: str, value: object) -> None:
        endpoint.check(name, value)

    def fields(self) -> dict[int, bytes]:
        """The fields of its burned record, by tag."""
        texts = {name: getattr(self, name) for name in self.NAMES if name in endpoint.TAGS}
        values = {record.KIND: self.kind.encode(), **endpoint.encoded(texts)}
        if self.port is not None:
            values[record.PORT] = struct.pack("<H", self.port)
        return values

    def to_record(self, generation: int) -> bytes:
        """The burned record's bytes, to go onto both media."""
        return record.encode(record.BURNED, generation, self.fields())

    def warning(self) -> str | None:
        """One line when the documents do not have this kind in its region and edition, else None."""
        own = (self.host or "").removesuffix(".mqtt.iothub.aliyuncs.com")
        instance = self.instance or (own if own != self.host else None)
        if self.host and not self.region:
            return None  # where that host is cannot be known
        return availability.warning(self.kind, self.method, self.region, instance)

    def masked(self) -> dict[str, object]:
        """What may be shown of it, by field name."""
        shown = {name: getattr(self, name) for name in self.NAMES if getattr(self, name) is not None}
        return {
            "way": self.kind,
            **{name: mask(v) if name in endpoint.SECRETS else v for name, v in shown.items()},
        }


def name_from_mac(rule: str, mac: str) -> str:
    """The DeviceName that a name rule makes of a MAC (12 hex digits, with or without colons)."""
    digits = mac.replace(":", "").lower()
    if rule.endswith(":"):
        digits = ":".join(digits[i : i + 2] for i in range(0, 12, 2))
    return digits.upper() if rule.startswith("MAC") else digits


def named(values: dict[str, Any]) -> dict[str, Any]:
    """`values` with the rule "mac" where they have no DeviceName; UserError when they have both."""
    if "device_name" in values and "name_rule" in values:
        raise UserError("device_name and name_rule exclude each other: the rule makes the name from the MAC")
    return values if "device_name" in values or "name_rule" in values else {**values, "name_rule": "mac"}
