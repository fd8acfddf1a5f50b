"""Gateways: sub-devices online again after the connection was lost, with the platform's rates on.

The board registers, attaches and logs them in first. Then the cloud ends its connection; the time runs from
the board's next `connected` to the login of the last. Heap is what is in use, garbage collected, when all are
online, against a gateway without sub-devices.
"""

import json
from contextlib import contextmanager

from host_tests.bench.report import Bound, Column, Report, Table
from host_tests.support.fleet import INSTANCE, REGION, Fleet

GATEWAYS, SENSORS = "a1BenchGate", "a1BenchSens"
COUNTS = (100, 1500)
SECONDS, HEAP, RAM = 10, 48, 16
PATIENCE = 120
REST, LONGEST = (
    90,
    330,
)  # bytes of a login request beside its items, and of the largest item; aliot.gateway.login
LOGINS = 200  # sub-devices a second, gateway.md 12
MAIN = """
import gc
import json
import time
from aliot.device import Device
COUNT = {count}
gc.threshold(16384)
device = Device({{"ssid": "bench", "password": "password"}})
device.start()
gateway = None
if COUNT is not None:
    from aliot.gateway import Gateway
    gateway = Gateway(device, spread=0)
serve = gateway or device
since = [0, 0]
again = []
def watch(state, fields):
    if state == "connected":
        again.append(state)
        since[:] = [time.ticks_ms(), gateway.id if gateway else 0]
device.watch(watch)
def measure(name):
    took = time.ticks_diff(time.ticks_ms(), since[0])
    serve.poll(50)  # nothing is left to be done
    gc.collect()
    said = {{"bench": name, "heap": gc.mem_alloc(), "ms": took}}
    if gateway:
        rows = gateway.rows
        tables = sum([len(chunk) for chunk in rows.chunks])
        said.update(file=rows.size, trips=gateway.id - since[1], tables=tables, payload=gateway.payload)
    print(json.dumps(said))
def names(numbers):
    return [({sensors!r}, "%d-sensor-%04d" % (COUNT, number)) for number in numbers]
while not serve.poll(10):
    pass
for at in range(0, COUNT or 0, 150):
    some = names(range(at, min(at + 150, COUNT)))
    assert not gateway.register(some) and not gateway.attach(some) and not gateway.login(some)
some = None
measure("ready")
again.clear()
while True:
    serve.poll(10)
    if gateway and again and gateway.online == COUNT:
        again.clear()
        measure("again")
"""


def report(scale=1.0):
    with BenchGateways.started() as fleet:
        plain = fleet.ready(None)["heap"]
        empty = fleet.ready(0)["heap"]
        found = {count: fleet.reconnect(count, max(1, round(scale))) for count in COUNTS}
    return Report([table(found, plain, empty)], bounds(found, empty))


def table(found, plain, empty):
    shown = Table(
        "Sub-devices online again after a reconnect",
        [
            Column("sub-devices"),
            Column("seconds", ".2f"),
            Column("at the platform's rate", ".2f"),
            Column("round trips"),
            Column("at least"),
            Column("heap growth, KB", ".1f"),
            Column("RAM a sub-device, bytes", ".1f"),
            Column("flash a sub-device, bytes", ".1f"),
        ],
    )
    for count, one in found.items():
        shown.add(
            count,
            one["ms"] / 1000,
            (count - 1) // LOGINS * 1.0,
            one["trips"],
            least(count, one),
            (one["heap"] - empty) / 1024,
            one["tables"] / count,
            one["file"] / count,
        )
    shown.add(0, None, None, None, None, 0.0, None, None)
    shown.title += f" (a gateway itself takes {(empty - plain) / 1024:.1f} KB more than a device)"
    return shown


def bounds(found, empty):
    most = found[max(COUNTS)]
    return [
        Bound(f"{max(COUNTS)} sub-devices online after a reconnect", most["ms"] / 1000, SECONDS, " s"),
        Bound(f"heap growth of {max(COUNTS)} sub-devices", (most["heap"] - empty) / 1024, HEAP, " KB"),
        Bound("RAM a sub-device", most["tables"] / max(COUNTS), RAM, " bytes"),
        Bound("round trips above what the batches allow", most["trips"] - least(max(COUNTS), most), 0),
    ]


def least(count, one):
    """Round trips that the size of a request allows: another item goes in as long as the largest would; 50 at most."""
    name = f"{count}-sensor-0000"
    item = {
        "productKey": SENSORS,
        "deviceName": name,
        "cleanSession": "true",
        "timestamp": "1" * 13,
        "sign": "1" * 64,
    }
    item["clientId"] = f"{SENSORS}.{name}|_ss=1|"
    length = len(json.dumps(item, separators=(",", ":"))) + 1
    batch = (one["payload"] - REST - LONGEST + 1) // length + 1
    return -(-count // min(batch, 50))


class BenchGateways(Fleet):
    """Boards whose application is a gateway of a number of sub-devices, or none."""

    @staticmethod
    def config():
        names = [
            {"device_name": f"{count}-sensor-{number:04}"} for count in COUNTS for number in range(count)
        ]
        return {
            **Fleet.config(),
            "switches": {"login_rate": "refuse", "uplink_rate": "drop"},
            "product": [
                {
                    "product_key": GATEWAYS,
                    "node": "gateway",
                    "device": [{"device_name": f"gateway-{count}"} for count in (None, 0, *COUNTS)],
                },
                {"product_key": SENSORS, "node": "subdevice", "dynamic_registration": True, "device": names},
            ],
        }

    def ready(self, count):
        """The figures of a board that has its sub-devices online for the first time."""
        with self._on(count) as board:
            return printed(board, "ready")

    def reconnect(self, count, times):
        """The figures of the fastest of some reconnects."""
        with self._on(count) as board:
            printed(board, "ready")
            found = []
            for _ in range(times):
                self.cloud.act(GATEWAYS, board.device_name, "kick", {})
                found.append(printed(board, "again"))
            return min(found, key=lambda one: one["ms"])

    @contextmanager
    def _on(self, count):
        name = f"gateway-{count}"
        secret = self.cloud.device(GATEWAYS, name, secret=True)["device_secret"]
        fields = {
            "product_key": GATEWAYS,
            "device_name": name,
            "device_secret": secret,
            "region": REGION,
            "instance": INSTANCE,
        }
        program = self.inside(MAIN.format(count=count, sensors=SENSORS))
        board = self.add(self.image(self.loaded(fields), program), GATEWAYS, name, heap="512K")
        board.start()
        try:
            yield board
        finally:
            board.power_off()


def printed(board, name):
    return json.loads(board.wait_line(f'"bench": "{name}"', PATIENCE))
