"""The ledger's tables, as the newest migration leaves them, and times as they are written there."""

import datetime
from collections.abc import Callable

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

VERSION = "0004"  # the newest file in migrations/versions
TIME = String(24)  # UTC, 2026-11-21T07:04:39.123Z: sorts as text, and a person can read it
NUMBER = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up by itself for INTEGER only

Clock = Callable[[], datetime.datetime]
metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("name", String(32), primary_key=True),  # ledger_id, cipher, key_id, key_check, made
    Column("value", Text, nullable=False),
)

products = Table(
    "products",
    metadata,
    Column("product_key", String(20), primary_key=True),
    Column("way", String(10), nullable=False),  # device, product, x509, id2: record tag KIND
    Column("product_secret", LargeBinary),  # sealed
    Column("name_rule", String(10)),  # mac, MAC, mac:, MAC:, serial
    Column("listed", Boolean, nullable=False),  # only DeviceNames that were taken in may be used
    Column("sub_products", LargeBinary),  # sealed JSON: a gateway's products of sub-devices
)

identities = Table(
    "identities",
    metadata,
    Column("id", NUMBER, primary_key=True),
    Column("product_key", String(20), ForeignKey("products.product_key"), nullable=False),
    Column("device_name", String(32), nullable=False),
    Column("secret", LargeBinary),  # sealed JSON of the device's own secret fields
    Column("state", String(10), nullable=False),
    Column("mac", String(12), unique=True),  # twelve lower-case hex digits
    Column("last_mac", String(12), index=True),  # the board a void identity was taken from
    Column("touched", Boolean, nullable=False),  # a station began to write it to a board
    Column(
        "attempt", Integer, nullable=False
    ),  # counts the boards' visits; an older visit may change nothing
    Column("station", String(64)),
    Column("operator", String(64)),
    Column("firmware", String(64)),  # SHA-256
    Column("image", String(64)),  # SHA-256
    Column("changed", TIME, nullable=False),
    Column("issuer", String(64)),  # of a certificate: SHA-256 of its CA's name and key identifier
    Column("serial", String(40)),  # normal form: upper-case hex
    Column("expires", TIME),
    Column("id2", String(24)),
    UniqueConstraint("product_key", "device_name", name="one_device_name"),
)
Index("one_certificate", identities.c.issuer, identities.c.serial, unique=True)
Index("one_id2", identities.c.id2, unique=True)
Index("next_free", identities.c.product_key, identities.c.state, identities.c.id)

events = Table(  # append-only: triggers refuse UPDATE and DELETE
    "events",
    metadata,
    Column("id", NUMBER, primary_key=True),
    Column(
        "token", String(32), nullable=False, unique=True
    ),  # one call writes one event, however often it retries
    Column("at", TIME, nullable=False, index=True),
    Column("action", String(16), nullable=False),
    Column("identity_id", NUMBER, index=True),
    Column("product_key", String(20)),
    Column("device_name", String(32)),
    Column("mac", String(12), index=True),
    Column("from_state", String(10)),
    Column("to_state", String(10)),
    Column("station", String(64), nullable=False),
    Column("operator", String(64), nullable=False),
    Column("firmware", String(64)),
    Column("image", String(64)),
    Column("note", Text),
)

issued = Table(
    "issued",
    metadata,
    Column("identity_id", NUMBER, ForeignKey("identities.id"), primary_key=True),
    Column("backup", LargeBinary, nullable=False),  # sealed JSON: what registration gave this device
    Column("taken", TIME, nullable=False),
)

replaced = Table(
    "replaced",
    metadata,
    Column("mark", String(130), primary_key=True),  # certificate/SERIAL/ISSUER or ID/ID2
    Column("identity_id", NUMBER, ForeignKey("identities.id"), nullable=False),
)


def utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def stamp(moment: datetime.datetime) -> str:
    """The text of TIME: UTC to the millisecond, which sorts as text."""
    return moment.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:23] + "Z"
