"""The ledger tests run on both databases: SQLite in a file, and a real PostgreSQL server."""

import csv
import datetime
import io

import pytest

from host_tests.support import pairs
from host_tests.support.postgres import Server
from host_tests.support.scripted_board import ScriptedWire
from tools.line import job, job_signature
from tools.line.intake import tables
from tools.line.job import Job
from tools.line.ledger.connection import Patience
from tools.line.ledger.entries import Product, Who
from tools.line.ledger.ledger import Ledger
from tools.line.ledger.seal import Key
from tools.line.station.visit import visit

PRODUCT = "a1B2c3D4e5F"
WHO = Who("bay-1", "lin")
X509, ID2 = "a1X509Prod1", "a1ID2Produ1"
CA = "1EDEE04550A06DA29661"
LAMP_JOB = f"""
name = "lamp-2026-11"
product_key = "{PRODUCT}"
board = "ESP32_GENERIC"
firmware = "micropython.bin"
files = "app"
roots = ["lab.der"]
ledger = "postgresql+psycopg://line:OpenSesame99@ledger.example/line"

[endpoint]
region = "cn-shanghai"
instance = "iot-06z00abc"

[self_test]
until = "connected"
seconds = 45
wifi = true
"""
BOM = "\ufeff"


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


@pytest.fixture
def issued(tmp_path):
    """A folder with the pairs of three devices."""
    folder = tmp_path / "issued"
    folder.mkdir()
    for number in range(3):
        pair(folder, number)
    (folder / ".issuing").write_text("")
    (folder / "association.csv").write_text("ProductKey,DeviceName,CertSN\n")
    return folder


@pytest.fixture
def plain(tmp_path):
    with Ledger.create(f"sqlite:///{tmp_path}/plain.db", plain=True) as made:
        yield made


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "job.toml").write_text(LAMP_JOB)
    (tmp_path / "micropython.bin").write_bytes(b"firmware" * 100)
    (tmp_path / "lab.der").write_bytes(b"root")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text("print('hello')\n")
    job_signature.keygen(str(tmp_path / "line.key"))
    return tmp_path


@pytest.fixture
def public(folder):
    return job_signature.private_key(str(folder / "line.key")).public_key()


X509_JOB = Job("x", X509, "ESP32_GENERIC", endpoint={"region": "cn-shanghai"})


IDS = [(ID2, f"meter{n:03d}", f"{n:024X}", f"{n:032x}", "AES_128") for n in range(1, 4)]


def pair(folder, number, name=None, product=X509, **facts):
    """What `ca issue` writes for one device."""
    facts = {"serial": 0x1000 + number, **facts}
    pairs.write(folder, f"{product}_{(name or f'sensor-{number}').replace(':', '%3A')}_{CA}", **facts)


def take_folder(ledger, folder, **how):
    return tables.take(ledger, tables.read_folder(folder), WHO, str(folder), **how)


def sheet(header, rows):
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *rows])
    return text.getvalue().encode()


def take_ids(ledger, rows=IDS, header=("ProductKey", "DeviceName", "ID", "Key", "KeyType"), **how):
    return tables.take_csv(ledger, sheet(header, rows), WHO, **how)


def bring(target, ledger, job=X509_JOB):
    return visit(ScriptedWire(target), ledger, job, WHO, lambda step, **facts: None, chip_name="esp32")


def signed(folder, name="job.signed.toml"):
    data = job_signature.sign(str(folder / "job.toml"), job_signature.private_key(str(folder / "line.key")))
    (folder / name).write_bytes(data)
    return str(folder / name)
