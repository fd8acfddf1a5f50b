"""The port's esp32.NVS on both interpreters, on a whole flash: the same bytes, read by the host's reader."""

import zlib

import pytest

from tools.emulator.board.boot import Board
from tools.image import flash_image, nvs

SCRIPT = """
import esp32

nvs = esp32.NVS("app")
for i in range(120):
    nvs.set_blob("k%d" % (i % 7), bytes([i]) * (i * 37 % 900))
    nvs.set_i32("n", i * 77 - 4000)
    if i % 11 == 0:
        nvs.erase_key("k%d" % (i % 7))
"""
FOREIGN = (
    nvs.Entry("misc", "note", "string", "höflich"),
    nvs.Entry("app", "count", "i64", -7),
    nvs.Entry("app", "flag", "u8", 1),
)


def expected():
    values = {}
    for i in range(120):
        values[f"k{i % 7}"] = bytes([i]) * (i * 37 % 900)
        if i % 11 == 0:
            del values[f"k{i % 7}"]
    return {("app", key): value for key, value in values.items()} | {("app", "n"): 119 * 77 - 4000}


def booted(interpreter, folder):
    image = flash_image.assemble(
        flash_image.layout_of("ESP32_GENERIC"), FOREIGN, {"/main.py": SCRIPT.encode()}
    )
    path = folder / "flash.bin"
    path.write_bytes(image)
    boot = Board(path, interpreter=interpreter).boot(timeout=60)
    assert boot.reason == "exit", boot.lines
    data = path.read_bytes()
    return flash_image.region(data, flash_image.layout_in(data).nvs), boot.operations


@pytest.fixture(scope="module")
def flashes(tmp_path_factory):
    return [booted(which, tmp_path_factory.mktemp("board")) for which in ("cpython", None)]


def test_both_interpreters_leave_the_same_bytes_by_the_same_operations(flashes):
    assert flashes[0] == flashes[1]


def test_the_hosts_reader_finds_what_the_board_wrote(flashes):
    found = nvs.read(flashes[1][0])
    assert found.faults == () and found.traces == ()
    assert {(e.namespace, e.key): e.value for e in found.entries if e not in FOREIGN} == expected()
    assert set(found.entries) >= set(FOREIGN)


def test_pages_went_round(flashes):
    assert max(page.sequence or 0 for page in nvs.read(flashes[1][0]).pages) >= 6


@pytest.mark.parametrize("page", ["no free page", "newer version"])
def test_the_boot_erases_nvs_exactly_when_the_chips_does(page, tmp_path):
    layout = flash_image.layout_of("ESP32_GENERIC")
    image = bytearray(
        flash_image.assemble(layout, [nvs.Entry("app", "flag", "u8", 1)], {"/main.py": b"pass\n"})
    )
    part = layout.nvs
    first = bytes(image[part.offset : part.offset + 4096])
    if page == "no free page":
        for at in range(part.offset, part.end, 4096):
            image[at : at + 4096] = numbered(first, (at - part.offset) // 4096)
    else:
        image[part.offset + 8] = 0xFD
        image[part.offset + 28 : part.offset + 32] = crc(image[part.offset + 4 : part.offset + 28])
    path = tmp_path / "flash.bin"
    path.write_bytes(image)
    assert Board(path).boot(timeout=60).reason == "exit"
    after = path.read_bytes()
    assert not after[part.offset : part.end].strip(b"\xff")
    assert after[part.end :] == bytes(image[part.end :])


def test_the_boot_leaves_nvs_alone_otherwise(tmp_path):
    image = flash_image.assemble(flash_image.layout_of("ESP32_GENERIC"), FOREIGN, {"/main.py": b"pass\n"})
    path = tmp_path / "flash.bin"
    path.write_bytes(image)
    assert Board(path).boot(timeout=60).reason == "exit"
    assert path.read_bytes() == image


def crc(data):
    return zlib.crc32(data, 0xFFFFFFFF).to_bytes(4, "little")


def numbered(page, sequence):
    """The page with another sequence number."""
    head = sequence.to_bytes(4, "little") + page[8:28]
    return page[:4] + head + crc(head) + page[32:]
