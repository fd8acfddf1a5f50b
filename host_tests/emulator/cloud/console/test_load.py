"""20,000 devices and a full journal: each page comes, and none holds the cloud's loop for long."""

import asyncio
import gc
import time

import pytest

from host_tests.emulator.cloud.console.test_looks import ID2, IPK, NAMES, XPK, put_batch, put_board
from host_tests.support.cloud.client import DN, PK, settings
from host_tests.support.cloud.console import Visitor
from host_tests.support.cloud.thing import TSL
from host_tests.support.cloud.x509 import CA, Factory
from tools.emulator.cloud.console import page
from tools.emulator.cloud.id2.identities import Identity
from tools.emulator.cloud.registry import new_device
from tools.emulator.cloud.x509.association import HEADER
from tools.emulator.cloud.x509.certificates import Binding

CLOUD = settings()
CLOUD["product"] += [
    {"product_key": XPK, "auth": "x509"},
    {"product_key": IPK, "auth": "id2", "identity": [{"id2": ID2}]},
]
DEVICES, ENTRIES, POINTS = 20_000, 50_000, 2_000
TURN = 0.005  # seconds of the processor's time between two turns of others
TRIES = 3  # the best of them counts: the machine has other work
PATHS = sorted({one.path for found in page.found() for one in found.routes if one.method == "GET"})
QUERIES = [f"/products/{PK}?search=19999", f"/products/{PK}?status=online", f"/products/{PK}?page=400",
           f"/products/{PK}/devices/{DN}/messages?topic=nothing", "/log?text=nowhere",
           "/log?show=wrong&pk=a1&code=4", f"/certificates/{CA}?search=9999", "/id2?search=meter-9999"]  # fmt: skip


@pytest.fixture(scope="module")
def loaded(cloud, tmp_path_factory):
    """A visitor of a cloud that has much."""
    Factory(cloud, tmp_path_factory.mktemp("factory")).register()
    put_board(cloud)
    cloud.admin("POST", f"/products/{PK}/tsl", TSL)
    names = [f"many_{number:05}" for number in range(DEVICES)]
    # without a row in the store each, which takes ten times as long
    cloud.instance.registry.products[PK].devices.update((one, new_device(PK, one, None)) for one in names)
    put_batch(cloud)

    async def fill():
        journal, store = cloud.instance.journal, cloud.instance.store
        for number in range(ENTRIES):
            names = PK, DN if number % 100 == 0 else f"many_{number % 500:05}"
            topic = "/sys/{}/{}/thing/event/property/post".format(*names)
            journal.message("up", *names, topic, b'{"id":"1","params":{"Temp":21.5,"Switch":1}}', qos=1)
            journal.event("online", pk=names[0], dn=names[1], code=200)
        moments = [1_796_000_000_000 + 1000 * second for second in range(POINTS)]
        store.add_points(PK, DN, "property", [("Temp", one, one % 7) for one in moments], 0)
        store.save_state(PK, DN, "properties", {"Temp": [21, moments[-1]]})

        for number in range(DEVICES):
            bound = f"{number:024X}", f"meter-{number:05}"
            cloud.instance.certificates.keep(Binding(CA, f"{number + 1:X}", XPK, bound[1]))
            cloud.instance.id2.identities.enter(
                Identity(bound[0], "00" * 16, "AES_128", IPK, "active", bound[1])
            )

    cloud.call(fill())
    return Visitor(cloud).enter()


@pytest.fixture
def turns(monkeypatch):
    """The processor's time of each turn of the loop so far."""
    found, run = [], asyncio.Handle._run

    def timed(handle):
        start = time.thread_time()
        run(handle)
        found.append(time.thread_time() - start)

    monkeypatch.setattr(asyncio.Handle, "_run", timed)
    gc.disable()  # a collection strikes anywhere, and has nothing to do with the page
    yield found
    gc.enable()


@pytest.mark.parametrize("path", [one for one in PATHS if "{dn}/subdevices" not in one] + QUERIES)
def test_no_page_holds_the_loop(cloud, loaded, turns, path):
    worst = []
    for _ in range(TRIES):
        turns.clear()
        assert loaded.get(path.format(**NAMES)).status == 200
        cloud.call(asyncio.sleep(0))  # the turn that answered has come to its end
        worst.append(max(turns))
    assert min(worst) < TURN, [f"{1000 * one:.1f} ms" for one in worst]


def test_the_secrets_of_all_devices_do_not_hold_the_loop_either(cloud, loaded, turns):
    worst = []
    for _ in range(TRIES):
        turns.clear()
        body = loaded.send(f"/products/{PK}/devices.csv", which="all").body
        assert len(body.splitlines()) == 1 + DEVICES + 1
        cloud.call(asyncio.sleep(0))
        worst.append(max(turns))
    assert min(worst) < TURN, [f"{1000 * one:.1f} ms" for one in worst]


ROWS = 2_000  # of an association file, and identities of a batch


def test_no_form_of_many_rows_holds_the_loop(cloud, loaded, turns):
    """A file of serials is associated, refused when it comes again, and deleted with its CA; identities are created."""
    names = [f"sensor-{number:05}" for number in range(ROWS)]
    cloud.instance.registry.products[XPK].devices.update((one, new_device(XPK, one, None)) for one in names)
    rows = [f"{XPK},{name},{number:X}" for number, name in enumerate(names, 0x100000)]
    file = "\r\n".join([",".join(HEADER), *rows]).encode()
    worst = {}

    def send(what, path, **fields):
        turns.clear()
        assert loaded.send(path, **fields).status == 303
        cloud.call(asyncio.sleep(0))
        worst[what] = 1000 * max(turns)

    at = f"/certificates/{CA}"
    for what in ("associate", "refuse"):
        send(what, at + "/association", files={"csv": ("association.csv", file)})
    assert (
        sum(one.product_key == XPK for one in cloud.instance.certificates.bindings.values()) == DEVICES + ROWS
    )
    send("create", "/id2", product_key=IPK, count=str(ROWS), key_type="AES_128")
    send("delete", at + "/delete")
    assert not cloud.instance.certificates.bindings
    assert max(worst.values()) < TRIES * 1000 * TURN, worst
