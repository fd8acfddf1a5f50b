"""A signature by the HMAC peripheral beside one by software, on the same interpreter: time, garbage, and what stays.

The registers are Python in the emulated board: the time is mostly theirs, and says nothing about a chip, where the
peripheral was measured at 0.3 to 0.8 ms (hardware_hmac.md 4). The garbage is the firmware's and theirs together.
"""

import json

from host_tests.bench.report import Bound, Column, Report, Table
from host_tests.support import key_blocks
from tools.emulator.board.boot import Board
from tools.firmware import record
from tools.image import flash_image, release

SECRET = "0123456789abcdef0123456789abcdef"
TEXT = "clientIdlamp-0001deviceNamelamp-0001productKeya1MZxOdcBnOtimestamp1700000000000"
BLOCK = 3
GARBAGE = 24 * 1024  # bytes; a connect has 30 KB and more
STAYS = 6 * 1024  # in objects of 64 bits; 2.4 KB were seen on a chip's model
FIELDS = {
    record.KIND: b"device",
    record.PRODUCT_KEY: b"a1",
    record.DEVICE_NAME: b"name",
    record.KEY_BLOCK: bytes([BLOCK]),
}
PROGRAM = f"""
import gc, json, time
import aliot
from aliot.sign import hmac_hex

def measure(sign, count):
    gc.collect()
    gc.disable()
    before, began = gc.mem_alloc(), time.ticks_us()
    for _ in range(count):
        made = sign("hmacsha256", {TEXT!r})
    found = time.ticks_diff(time.ticks_us(), began) / count / 1000, (gc.mem_alloc() - before) // count
    gc.enable()
    return made, found

gc.collect()
before = gc.mem_alloc()
key = aliot.load("rare.efuse").burned({FIELDS!r}, bytes(6)).device_secret
aliot.drop("start")
gc.collect()
stays = gc.mem_alloc() - before
hard, by_hardware = measure(key.sign, 1)
soft, by_software = measure(lambda method, text: hmac_hex(method, {SECRET!r}, text), 1)
gc.collect()
times = [0, 0]
for _ in range(COUNT):
    for number, sign in enumerate((key.sign, lambda method, text: hmac_hex(method, {SECRET!r}, text))):
        gc.collect()
        began = time.ticks_us()
        sign("hmacsha256", {TEXT!r})
        times[number] += time.ticks_diff(time.ticks_us(), began)
print(json.dumps([hard == soft, stays, by_hardware[1], by_software[1], [one / COUNT / 1000 for one in times]]))
"""


def report(scale=1.0):
    same, stays, hard, soft, times = measured(max(10, int(100 * scale)))
    if not same:
        raise RuntimeError("the peripheral signs something else")
    table = Table(
        "One signature of a login",
        [Column("by"), Column("ms", ".2f"), Column("garbage, bytes"), Column("stays, bytes")],
    )
    table.add("the HMAC peripheral, two runs", times[0], hard, stays)
    table.add("software, the secret in flash", times[1], soft, 0)
    return Report(
        [table],
        [
            Bound("garbage of a signature by the peripheral", hard, GARBAGE, " bytes"),
            Bound("what a board with a key in eFuse holds beside another", stays, STAYS, " bytes"),
        ],
    )


def measured(count):
    """[signatures alike, bytes that stay, garbage by hardware and by software, ms of each]."""
    program = release.build().shortened(PROGRAM.replace("COUNT", str(count)))
    image = flash_image.build(files={"/main.py": program.encode()})
    fuses = key_blocks.fuses({BLOCK: SECRET.encode()})
    boot = Board(image, chip="esp32c3", efuses=fuses.image).boot(timeout=120)
    if boot.reason != "exit":
        raise RuntimeError("\n".join(boot.lines))
    return json.loads(boot.lines[-1])
