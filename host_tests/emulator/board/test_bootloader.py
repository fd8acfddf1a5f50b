"""The bootloader of a board with OTA slots: its choice, its rollback, the images that it skips; `esp32.Partition`."""

import hashlib
import struct
import zlib

import pytest

from host_tests.support.app_images import SLOT, app_image, with_slots
from tools.emulator.board.boot import Board

NEW, PENDING, VALID, INVALID, ABORTED, UNDEFINED = 0, 1, 2, 3, 4, 0xFFFFFFFF
STATES = (NEW, PENDING, VALID, INVALID, ABORTED, UNDEFINED)
SEQUENCES = (0xFFFFFFFF, 1, 2, 3)
BOTH = pytest.mark.parametrize("interpreter", ["cpython", None], ids=["cpython", "micropython"])

SWEEP = """
import struct, binascii, hashlib
import bootloader
done = hashlib.sha256()
def entries():
    for seq in {sequences}:
        for state in {states}:
            for bad in (0, 1):
                crc = binascii.crc32(struct.pack("<I", seq), 0xFFFFFFFF) ^ bad
                yield struct.pack("<I20sII", seq, b"\\xff" * 20, state, crc)
rows = list(entries())
for one in rows:
    for other in rows:
        for count in (1, 2):
            for factory in (False, True):
                slot, left, initial = bootloader.choose([one, other], count, factory)
                left = [struct.unpack("<I20sII", data)[2] for data in left]
                done.update(b"%d %d %d %d\\n" % (slot, left[0], left[1], initial))
print("".join(["%02x" % byte for byte in done.digest()]))
"""


def expected():
    """The digest of the sweep, by the rules of ESP-IDF's page written out."""
    done = hashlib.sha256()
    rows = [(seq, state, good) for seq in SEQUENCES for state in STATES for good in (True, False)]
    for one in rows:
        for other in rows:
            for count in (1, 2):
                for factory in (False, True):
                    slot, left, initial = by_rules([one, other], count, factory)
                    done.update(b"%d %d %d %d\n" % (slot, *left, initial))
    return done.hexdigest()


def by_rules(rows, count, factory):
    left = [ABORTED if state == PENDING else state for _, state, _ in rows]
    written = [seq != 0xFFFFFFFF and state not in (INVALID, ABORTED) for (seq, *_), state in zip(rows, left)]
    if not any(written):
        blank = all(seq == 0xFFFFFFFF or not good for seq, _, good in rows)
        return (-1, left, False) if factory else (0, left, blank)
    chosen = [at for at in (0, 1) if written[at] and rows[at][2]]
    if not chosen:
        return -1, left, False
    at = max(chosen, key=lambda at: (rows[at][0], -at))
    if left[at] == NEW:
        left[at] = PENDING
    return (rows[at][0] - 1) % count, left, False


@BOTH
def test_every_state_of_both_sectors(prints, interpreter):
    main = SWEEP.format(sequences=SEQUENCES, states=STATES)
    assert prints(main, interpreter=interpreter, heap="1M") == [expected()]


def entry(sequence, state):
    crc = zlib.crc32(struct.pack("<I", sequence), 0xFFFFFFFF)
    return struct.pack("<I20sII", sequence, b"\xff" * 20, state, crc)


def otadata(*entries):
    return b"".join(data.ljust(4096, b"\xff") for data in entries)


def test_an_entry_is_as_espressif_s_tool_writes_it():
    assert entry(1, UNDEFINED)[-4:] == struct.pack("<I", 0x4743989A)


LIFE = """
import esp32, machine, struct
P = esp32.Partition
here = P(P.RUNNING)
with open("/steps") as file:
    steps = file.read().split()
with open("/steps", "w") as file:
    file.write(" ".join(steps[1:]))
data = bytearray(32)
shown = []
for sector in (0, 1):
    P.find(P.TYPE_DATA, 0)[0].readblocks(sector, data)
    sequence, _, state, _ = struct.unpack("<I20sII", data)
    shown.append("-" if sequence == 0xFFFFFFFF else "%d%s" % (sequence, ("npvia" + "?" * 9)[min(state, 9)]))
print(here.info()[4], steps[0], *shown)
if steps[0] == "next":
    here.get_next_update().set_boot()
    assert P(P.BOOT).info() == here.get_next_update().info()
if steps[0] == "valid":
    P.mark_app_valid_cancel_rollback()
if steps[0] == "soft":
    machine.soft_reset()
if steps[0] == "sleep":
    machine.deepsleep(1)
if steps[0] != "end":
    machine.reset()
"""
LIVES = [
    ("reset end", ["ota_0 reset 1v -", "ota_0 end 1v -"]),
    (
        "next reset next end",
        ["ota_0 next 1v -", "ota_1 reset 1v 2p", "ota_0 next 1v 2a", "ota_1 end 1v 2p"],
    ),
    (
        "next valid next valid end",
        ["ota_0 next 1v -", "ota_1 valid 1v 2p", "ota_1 next 1v 2v", "ota_0 valid 3p 2v", "ota_0 end 3v 2v"],
    ),
    ("next soft end", ["ota_0 next 1v -", "ota_1 soft 1v 2p", "ota_1 end 1v 2p"]),
    ("next sleep end", ["ota_0 next 1v -", "ota_1 sleep 1v 2p", "ota_0 end 1v 2a"]),
]


def slots(tmp_path, images, main, interpreter=None, files=None, data=b""):
    flash = with_slots(images, {"/main.py": main.encode(), **(files or {})}, data, with_firmware=False)
    return Board(flash, folder=tmp_path / "board", interpreter=interpreter)


@BOTH
@pytest.mark.parametrize("steps, lines", LIVES, ids=[row[0] for row in LIVES])
def test_a_slot_is_tried_once_and_taken_back_unless_it_is_marked(tmp_path, interpreter, steps, lines):
    images = app_image("v1"), app_image("v2")
    board = slots(tmp_path, images, LIFE, interpreter, {"/steps": steps.encode()})
    board.start(follow=True)
    assert board.wait(30) == "exit"
    assert board.run.lines == lines


@BOTH
def test_a_power_on_takes_back_as_any_reset_does(tmp_path, interpreter):
    images = app_image("v1"), app_image("v2")
    board = slots(tmp_path, images, LIFE, interpreter, {"/steps": b"next end end"})
    board.start(follow=True)
    assert board.wait(30) == "exit"
    assert board.run.lines[-1] == "ota_1 end 1v 2p"
    assert board.boot(timeout=20).lines == ["ota_0 end 1v 2a"]


def spoiled(change):
    data = bytearray(app_image("v2"))
    change(data)
    return bytes(data)


def _replace(at, *values):
    return lambda data: data.__setitem__(slice(at, at + len(values)), bytes(values))


BAD = {
    "blank": b"\xff" * 64,
    "magic": spoiled(_replace(0, 0xEA)),
    "another chip": app_image("v2", "esp32c3"),
    "segments": spoiled(_replace(1, 17)),
    "a segment's length": spoiled(_replace(28, 0, 0, 1, 0)),
    "a byte of code": spoiled(lambda data: data.__setitem__(500, data[500] ^ 1)),
    "digest": spoiled(lambda data: data.__setitem__(-1, data[-1] ^ 1)),
    "cut short": app_image("v2")[:-40],
    "too long": app_image("v2", size=SLOT)[:SLOT],
}
SKIPS = """
import esp32
P = esp32.Partition
print(P(P.RUNNING).info()[4])
try:
    P("ota_1").set_boot()
except OSError as problem:
    print(*problem.args)
"""


@pytest.mark.parametrize("image", BAD.values(), ids=BAD)
def test_a_slot_without_a_whole_image_is_skipped_and_never_set(tmp_path, image):
    data = otadata(entry(1, VALID), entry(2, VALID))
    board = slots(tmp_path, (app_image(), image), SKIPS, data=data)
    assert board.boot(timeout=20).lines == ["ota_0", "-5379 ESP_ERR_OTA_VALIDATE_FAILED"]
    assert board.flash.read_bytes()[0xD000:0xF000] == data


def test_a_checksum_without_a_digest_is_enough(tmp_path):
    image = bytearray(app_image("v2")[:-32])
    image[23] = 0
    board = slots(
        tmp_path, (app_image(), bytes(image)), SKIPS, data=otadata(entry(1, VALID), entry(2, VALID))
    )
    assert board.boot(timeout=20).lines == ["ota_1"]


@BOTH
def test_without_a_whole_image_nothing_starts(tmp_path, interpreter):
    board = slots(tmp_path, (BAD["magic"], BAD["digest"]), SKIPS, interpreter)
    boot = board.boot(timeout=20)
    assert (
        boot.lines == ["boot: No bootable app partitions in the partition table"] and boot.reason == "reset"
    )


REACHES = """
import esp32
P = esp32.Partition
one = P("ota_1")
for call in (
    lambda: one.writeblocks(6, b"x", 0),
    lambda: one.readblocks(5, bytearray(5000)),
    lambda: one.ioctl(6, 7),
    lambda: one.writeblocks(5, bytes(5000)),
    lambda: P("vfs").set_boot(),
):
    try:
        call()
    except OSError as problem:
        print(*problem.args)
one.ioctl(6, 0)
one.writeblocks(0, b"ab", 2)
one.writeblocks(0, b"cd", 4)
data = bytearray(8)
one.readblocks(0, data)
print(data, one.ioctl(4, 0), one.ioctl(5, 0))
P(P.RUNNING).ioctl(6, 0)
print("never")
"""


@BOTH
def test_a_partition_ends_where_it_ends_and_the_running_one_is_not_written(tmp_path, interpreter):
    boot = slots(tmp_path, (app_image(),), REACHES, interpreter).boot(timeout=20)
    assert boot.lines == [
        "-260 ESP_ERR_INVALID_SIZE",
        "-260 ESP_ERR_INVALID_SIZE",
        "-258 ESP_ERR_INVALID_ARG",
        "-260 ESP_ERR_INVALID_SIZE",
        "-258 ESP_ERR_INVALID_ARG",
        r"bytearray(b'\xff\xffabcd\xff\xff') 6 4096",
        "abort() was called",
    ]
    assert boot.reason == "reset"


PLAIN = """
import esp32
P = esp32.Partition
here = P(P.RUNNING)
print(here.info()[4])
for call in (lambda: P(P.BOOT), here.get_next_update, P.mark_app_valid_cancel_rollback):
    try:
        call()
    except OSError as problem:
        print(*problem.args)
"""


def test_a_board_without_slots_says_so(prints):
    assert prints(PLAIN) == ["factory", "2", "2", "-261 ESP_ERR_NOT_FOUND"]


@pytest.mark.parametrize("cut", range(1, 8))
def test_power_that_goes_while_ota_data_is_written_leaves_a_slot_that_runs(tmp_path, cut):
    board = slots(tmp_path, (app_image("v1"), app_image("v2")), LIFE, files={"/steps": b"next valid end"})
    board.boot(timeout=20)  # asks for the other slot
    board.boot(timeout=20, cut_at=cut, torn=True)
    assert board.boot(timeout=20).lines[0].split()[0] in ("ota_0", "ota_1")
