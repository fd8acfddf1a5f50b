"""Power goes at every flash operation while the identity is kept, and while a new certificate takes over.

The platform is played on the board, so that all operations can be cut; the whole way is in test_end_to_end.py.
The firmware is the release, in a heap as every board has it. After any cut the next boot connects:
with the identity or asking for it, with the old certificate or the new one.
"""

import random

import pytest

from host_tests.system.x509.conftest import hexed
from tools.emulator.board.boot import Board
from tools.firmware import record
from tools.image import device_files, flash_image, littlefs, nvs

# the platform, in the place of the modules that lead to it; above them runs all of the firmware
PLAYED = """
import sys

import tls

PUSH = b'{"productKey":"a1X509Board","deviceName":"sensor-01"}'
TOPIC = b"/ext/auth/identity/response"


class Played:
    data = b""

    def write(self, data):
        if data[0] == 0x10:
            self.data = b"\\x20\\x02\\0\\0" + bytes([0x30, len(TOPIC) + len(PUSH) + 2, 0, len(TOPIC)]) + TOPIC + PUSH
        return len(data)

    def readinto(self, view):
        count = min(len(view), len(self.data))
        view[:count] = self.data[:count]
        self.data = self.data[count:]
        return count or None

    def close(self):
        pass

    settimeout = connect = setblocking = setsockopt = register = modify = lambda self, *ignored: None
    poll = ipoll = lambda self, ms: []


class Context:
    def __init__(self, protocol):
        self.load_cert_chain = real(protocol).load_cert_chain

    def load_verify_locations(self, root):
        pass

    def wrap_socket(self, *ignored, **more):
        return Played()


class Modules:
    POLLIN = POLLOUT = 1
    socket = poll = lambda self: Played()
    getaddrinfo = lambda self, *ignored: [("address",)]


real = tls.SSLContext
for name in ("socket", "select"):
    sys.modules[name] = sys.modules["u" + name] = Modules()
tls.SSLContext = Context
"""
MAIN = """
import played
from aliot.device import Device
from aliot.wired import Wired

slots = []


def online(count):
    while len(slots) < count:
        device.poll(20)


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


device = Device({"timeout": 1000, "ntp": ["nowhere.example"]}, Wired())
device.watch(lambda state, fields: state == "certificate" and slots.append(fields["slot"]))
device.start()
online(1)
new = read("/new.cer")
if new and slots == ["burned"]:
    from aliot.x509 import renewal
    renewal.offer(device, new, read("/new.key"))
    new = None
    print('{"aliot":"offered"}')
    device.stop()
    online(2)
print('{"aliot":"who","who":"%s"}' % device.device_name)
print("end")
"""


def image(old, new=None):
    fields = {
        record.KIND: b"x509",
        record.CERTIFICATE: bytes.fromhex(old[0]),
        record.PRIVATE_KEY: bytes.fromhex(old[1]),
    }
    burned = record.encode(record.BURNED, 1_800_000_000, fields)
    files = {
        "/main.py": MAIN.encode(),
        "/played.mpy": device_files.compile_module(PLAYED.encode(), "played"),
        "/aliot/burned": burned,
        **(offered(new) if new else {}),
    }
    burned_entry = nvs.Entry("aliot", "burned", "blob", burned)
    return flash_image.assemble(
        flash_image.layout_of("ESP32_GENERIC"), [burned_entry], device_files.compile_tree() | files
    )


def offered(pair):
    """The files of a new certificate."""
    return dict(zip(("/new.cer", "/new.key"), map(bytes.fromhex, pair)))


def ended(boot):
    assert boot.reason == "exit" and boot.lines[-1] == "end", "\n".join(boot.lines)
    assert boot.state("who")["who"] == "sensor-01"
    return [state["serial"] for state in boot.states if state["aliot"] == "certificate"]


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
    assert whole.state("stored") and ended(whole) == ["A"]
    again = board.boot()
    assert ended(again) and again.operations == 0 and not again.state("stored")
    for operation, torn in cuts(whole.operations, campaign):
        board.flash.write_bytes(burned)
        cut = board.boot(cut_at=operation, torn=torn)
        assert cut.reason == "power cut" and not cut.state("stored"), "\n".join(cut.lines)
        assert ended(board.boot()) == ["A"]
        tally("power cuts")


def test_while_a_new_certificate_takes_over(pairs, tmp_path, campaign, tally):
    """From a board that knows who it is: the operations of the offer, and those of the switch."""
    # whether 112 KB are enough hangs on a few names of the release: a table of names that doubles takes 7
    board = Board(image(pairs["old"]), folder=tmp_path / "first", heap="116K")
    ended(board.boot())
    data = bytearray(board.flash.read_bytes())
    layout = flash_image.layout_in(bytes(data))
    tree = littlefs.read(bytes(data[layout.vfs.offset :]))
    tree |= offered(pairs["new"])
    data[layout.vfs.offset :] = littlefs.build(tree, layout.vfs.size)
    start = bytes(data)
    board = Board(start, folder=tmp_path / "second", heap="116K")
    whole = board.boot()
    assert ended(whole) == ["A", "B"]
    seen = set()
    for operation, torn in cuts(whole.operations, campaign):
        board.flash.write_bytes(start)
        cut = board.boot(cut_at=operation, torn=torn)
        assert cut.reason == "power cut", "\n".join(cut.lines)
        after = ended(board.boot())
        assert after[-1] == "B", after
        seen.add((len(after), cut.state("offered") is not None))
        tally("power cuts")
    assert {(2, False), (1, True)} <= seen, (
        "cuts before the offer, and cuts after which the new one is in use"
    )


def test_after_the_switch_nothing_is_written(pairs, tmp_path):
    board = Board(image(pairs["old"], pairs["new"]), folder=tmp_path)
    ended(board.boot())
    again = board.boot()
    assert ended(again) == ["B"] and again.operations == 0
