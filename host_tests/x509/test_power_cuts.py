"""Power goes at every flash operation while the identity is kept, and while a new certificate takes over.

The platform is played on the board, so that all operations can be cut; the whole way is in test_end_to_end.py.
After any cut the next boot connects: with the identity or asking for it, with the old certificate or the new one.
"""

import json
import random

import pytest

from host_tests.x509.conftest import hexed
from tools.emulator.board.boot import Board
from tools.firmware import record
from tools.image import firmware, flash, littlefs, nvs

MAIN = """
import json
import machine
import tls
from aliot import log
from aliot.credentials import burned
from aliot.store import Store
from aliot.x509 import TOPIC, renewal

class Device:
    clean = True
    server = None
    timeout = 1000
    config = {}
    def __init__(self):
        self.store = Store()
        self.generation, fields = self.store.burned()
        fields[0] = self.generation
        self.credential = burned(fields, machine.unique_id())
    def on(self, topic, handler):
        self.handler = handler
    def feed(self):
        pass
    def state(self, name, told):
        log.state(name, told)

class Client:
    def connect(self, clean):
        return 0
    def poll(self, ms):
        device.handler(TOPIC, b'{"productKey":"a1X509Board","deviceName":"sensor-01"}')

def connect():
    credential = device.credential
    credential.login(None, "hmacsha256")
    credential.present(tls.SSLContext(tls.PROTOCOL_TLS_CLIENT))
    credential.join(device, Client())
    print(json.dumps({"aliot": "connected", "who": credential.device_name, "serial": credential.current.serial}))

device = Device()
connect()
try:
    with open("/new", "rb") as file:
        new = file.read()
except OSError:
    new = None
if new and device.credential.current.slot == "burned":
    renewal.offer(device, new[2 : 2 + new[0] * 256 + new[1]], new[2 + new[0] * 256 + new[1] :])
    log.state("offered", {})
    connect()
print("end")
"""


def image(old, new=None):
    fields = {record.WAY: b"x509", record.CERTIFICATE: bytes.fromhex(old[0]), record.PRIVATE_KEY: bytes.fromhex(old[1])}
    burned = record.encode(record.BURNED, 1_800_000_000, fields)
    files = {"/main.py": MAIN.encode(), "/aliot/burned": burned}
    if new:
        files["/new"] = packed(new)
    burned_entry = nvs.Entry("aliot", "burned", "blob", burned)
    return flash.assemble(flash.layout_of("ESP32_GENERIC"), [burned_entry], firmware.compile_tree() | files)


def packed(pair):
    certificate, key = (bytes.fromhex(part) for part in pair)
    return len(certificate).to_bytes(2, "big") + certificate + key


def ended(boot):
    assert boot.reason == "exit" and boot.lines[-1] == "end", "\n".join(boot.lines)
    return [state for state in boot.states if state["aliot"] == "connected"]


def cuts(whole, campaign):
    """(operation, torn) of all operations, each before it or in its middle; of long campaigns both."""
    rounds = campaign(1)
    first = random.randrange(2)
    for turn in range(min(rounds, 2)):
        for operation in range(1, whole + 1):
            yield operation, bool((operation + first + turn) % 2)


@pytest.fixture(scope="module")
def pairs(maker):
    return {"old": hexed(*maker.pair(serial=0xA)), "new": hexed(*maker.pair(serial=0xB))}


def test_while_the_identity_is_kept(pairs, tmp_path, campaign, tally):
    burned = image(pairs["old"])
    board = Board(burned, folder=tmp_path)
    whole = board.boot()
    assert whole.state("stored") and ended(whole)[-1]["who"] == "sensor-01"
    again = board.boot()
    assert ended(again) and again.operations == 0 and not again.state("stored")
    for operation, torn in cuts(whole.operations, campaign):
        board.flash.write_bytes(burned)
        cut = board.boot(cut_at=operation, torn=torn)
        assert cut.reason == "power cut" and not cut.state("stored"), "\n".join(cut.lines)
        assert ended(board.boot())[-1]["who"] == "sensor-01"
        tally("power cuts")


def test_while_a_new_certificate_takes_over(pairs, tmp_path, campaign, tally):
    """From a board that knows who it is: the operations of the offer, and those of the switch."""
    board = Board(image(pairs["old"]), folder=tmp_path / "first", heap="256K")
    ended(board.boot())
    data = bytearray(board.flash.read_bytes())
    layout = flash.layout_in(bytes(data))
    tree = littlefs.read(bytes(data[layout.vfs.offset :]))
    tree["/new"] = packed(pairs["new"])
    data[layout.vfs.offset :] = littlefs.build(tree, layout.vfs.size)
    start = bytes(data)
    board = Board(start, folder=tmp_path / "second", heap="256K")
    whole = board.boot()
    assert [state["serial"] for state in ended(whole)] == ["A", "B"]
    seen = set()
    for operation, torn in cuts(whole.operations, campaign):
        board.flash.write_bytes(start)
        cut = board.boot(cut_at=operation, torn=torn)
        assert cut.reason == "power cut", "\n".join(cut.lines)
        after = ended(board.boot())
        assert after[-1]["serial"] == "B" and after[-1]["who"] == "sensor-01", json.dumps(after)
        seen.add((len(after), cut.state("offered") is not None))
        tally("power cuts")
    assert {(2, False), (1, True)} <= seen, "cuts before the offer, and cuts after which the new one is in use"


def test_after_the_switch_nothing_is_written(pairs, tmp_path):
    board = Board(image(pairs["old"], pairs["new"]), folder=tmp_path, heap="256K")
    ended(board.boot())
    again = board.boot()
    assert [state["serial"] for state in ended(again)] == ["B"] and again.operations == 0
