"""The ledger tests run on both databases: SQLite in a file, and a real PostgreSQL server."""

import datetime

import pytest

from host_tests.support.postgres import Server
from tools.line.ledger.connection import Patience
from tools.line.ledger.entries import Product, Who
from tools.line.ledger.ledger import Ledger
from tools.line.ledger.seal import Key

PRODUCT = "a1B2c3D4e5F"
WHO = Who("bay-1", "lin")


class Clock:
    """A clock that moves only when told."""

    def __init__(self):
        self.now = datetime.datetime(2026, 11, 21, 7, 0, tzinfo=datetime.timezone.utc)

    def __call__(self):
        return self.now

    def forward(self, **time):
        self.now += datetime.timedelta(**time)


@pytest.fixture(scope="session")
def postgres():
    with Server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request, tmp_path):
    """An empty place for a ledger, on each database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    return request.getfixturevalue("postgres").fresh()


@pytest.fixture
def key():
    return Key(bytes(range(32)))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ledger(ledger_url, key, clock):
    """A sealed ledger with one product whose devices have their own secrets."""
    with Ledger.create(ledger_url, key=key, patience=Patience(limit=5.0), clock=clock) as made:
        made.add_product(Product(PRODUCT), WHO)
        yield made


def secret(number):
    return f"{number:032x}"


def stock(ledger, count, product_key=PRODUCT):
    """Take `count` identities in: dev00000 and on."""
    ledger.add_identities(
        product_key, [(f"dev{i:05d}", {"device_secret": secret(i)}) for i in range(count)], WHO
    )


def board(number):
    """The MAC of the n-th board."""
    return f"240ac4{number:06x}"
