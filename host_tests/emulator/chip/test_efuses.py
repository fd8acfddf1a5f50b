"""eFuses: read and burned by espefuse over the wire, and the same as its own virtual ones afterwards."""

import hashlib
import hmac
import json
import re
import shutil

import esptool.cmds as api
import pytest

from tools.emulator.chip.efuses import Efuses, parse_mac
from tools.emulator.chip.models import MODELS
from tools.errors import UserError
from tools.image import flash_image

BURNS = {
    "esp32": [
        ("burn-custom-mac", "24:0a:c4:11:22:34"),
        ("burn-key", "flash_encryption", "KEY"),
        ("burn-efuse", "FLASH_CRYPT_CNT", "1", "JTAG_DISABLE", "1"),
    ],
    "esp32s3": [
        ("burn-custom-mac", "24:0a:c4:11:22:34"),
        ("burn-key", "BLOCK_KEY0", "KEY", "XTS_AES_128_KEY"),
    ],
    "esp32c3": [
        ("burn-custom-mac", "24:0a:c4:11:22:34"),
        ("write-protect-efuse", "SECURE_BOOT_EN"),
        ("burn-key", "BLOCK_KEY3", "KEY", "HMAC_UP"),
    ],
}


def _summary(result):
    """{name: (value, readable, writeable)} of `espefuse summary --format json`."""
    text = re.search(r"^\{.*^\}", result, re.DOTALL | re.MULTILINE).group()
    return {
        name: (field["value"], field["readable"], field["writeable"])
        for name, field in json.loads(text).items()
    }


@pytest.mark.parametrize("chip", BURNS)
def test_burning_over_the_wire_gives_what_espefuse_itself_makes_of_the_same_burns(
    bench, espefuse, tmp_path, chip
):
    (tmp_path / "key").write_bytes(bytes(range(32)))
    board = bench(chip=chip, efuses=tmp_path / "wire.bin")
    shutil.copy(tmp_path / "wire.bin", tmp_path / "virtual.bin")
    for command in BURNS[chip]:
        command = [tmp_path / "key" if word == "KEY" else word for word in command]
        result = espefuse(board, "--do-not-confirm", *command)
        assert result.status == 0 and "Successful" in result, result
        result = espefuse(
            None, "--chip", chip, "--path-efuse-file", tmp_path / "virtual.bin", "--do-not-confirm", *command
        )
        assert result.status == 0, result
    wire = espefuse(board, "summary", "--format", "json")
    virtual = espefuse(
        None, "--chip", chip, "--path-efuse-file", tmp_path / "virtual.bin", "summary", "--format", "json"
    )
    assert _summary(wire) == _summary(virtual)
    assert "24:0a:c4:11:22:34" in str(_summary(wire)["CUSTOM_MAC"])


SIGNER = """
from machine import mem32
from struct import pack
base = 0x6003E000
mem32[{clock}] |= 0x34
mem32[{reset}] = 0x34
mem32[{reset}] = 0
def write(at, value):
    mem32[base + at] = value
    while mem32[base + 0x6C]:
        pass
write(0x40, 1)
mem32[base + 0x44] = 8
mem32[base + 0x48] = 3
write(0x4C, 1)
mem32[base + 0x80] = 0x80636261
for at in range(0x84, 0xBC, 4):
    mem32[base + at] = 0
mem32[base + 0xBC] = int.from_bytes((512 + 24).to_bytes(4, "big"), "little")
write(0x50, 1)
write(0xF4, 1)
print("signed " + b"".join([pack("<I", mem32[base + 0xC0 + at]) for at in range(0, 32, 4)]).hex())
print("read", sum([mem32[{fuses} + 0x9C + 96 + at] for at in range(0, 32, 4)]))
"""
PLACES = {
    "esp32c3": {"clock": 0x600C0014, "reset": 0x600C001C, "fuses": 0x60008800},
    "esp32s3": {"clock": 0x600C001C, "reset": 0x600C0024, "fuses": 0x60007000},
}


@pytest.mark.parametrize("chip", PLACES)
@pytest.mark.parametrize("kept", [True, False], ids=["in a file", "in memory"])
def test_what_espefuse_burned_over_the_wire_signs_and_cannot_be_read(bench, espefuse, tmp_path, chip, kept):
    key = b"an eFuse key of thirty-two bytes"
    (tmp_path / "key").write_bytes(key)
    program = SIGNER.format(**PLACES[chip]).encode()
    (tmp_path / "flash.bin").write_bytes(flash_image.build(files={"/main.py": program}, with_firmware=False))
    fuses = tmp_path / "efuses" if kept else None
    board = bench(chip=chip, efuses=fuses, software=True, boot_blank=True)
    burned = espefuse(
        board, "--do-not-confirm", "burn-key", "BLOCK_KEY3", tmp_path / "key", "HMAC_UP"
    )  # which resets it
    assert burned.status == 0, burned
    board.call(board.chip.power_off)
    board.call(board.chip.power_on)
    run = board.software.board
    wanted = hmac.new(key, b"abc", hashlib.sha256).hexdigest()
    assert run.wait_line("signed ") == f"signed {wanted}" and run.wait_line("read") == "read 0"
    assert board.chip.efuses.read(PLACES[chip]["fuses"] + 0x9C + 96) == 0
    if kept:
        assert key in fuses.read_bytes()[::-1] and fuses.stat().st_mode & 0o77 == 0
        again = Efuses(MODELS[chip], path=fuses)  # after a reset it is as it was
        assert again.read(PLACES[chip]["fuses"] + 0x9C + 96) == 0 and key in again.image()[::-1]


def test_a_burn_lasts_and_a_write_protected_field_stays(bench, espefuse, tmp_path):
    board = bench(efuses=tmp_path / "efuses")
    assert espefuse(board, "--do-not-confirm", "write-protect-efuse", "ABS_DONE_0").status == 0
    with api.detect_chip(board.url) as esp:  # past espefuse, which would refuse it by itself
        esp.write_reg(0x3FF5A000 + 0x1C + 24, 1 << 4)
        esp.write_reg(0x3FF5A000 + 0xFC, 0x5A5A)
        esp.write_reg(0x3FF5A000 + 0x104, 2)
        esp.write_reg(0x3FF5A000 + 0xFC, 0x5AA5)
        esp.write_reg(0x3FF5A000 + 0x104, 1)
        assert esp.read_reg(0x3FF5A000 + 24) & 1 << 4 == 0
    again = Efuses(MODELS["esp32"], path=tmp_path / "efuses")
    assert again.read(0x3FF5A000) & 1 << 12  # its WR_DIS bit
    assert again.mac == parse_mac("24:0a:c4:00:00:01")


@pytest.mark.parametrize("chip", MODELS)
def test_the_mac_is_burned_at_the_factory_and_kept(chip, tmp_path):
    mac = parse_mac("7c:df:a1:0b:0c:0d")
    Efuses(MODELS[chip], mac, tmp_path / "efuses")
    assert Efuses(MODELS[chip], path=tmp_path / "efuses").mac == mac


@pytest.mark.parametrize(
    "text", ["24:0a:c4:00:00", "25:0a:c4:00:00:01", "24:0a:c4:00:00:0g", "240ac4000001", ""]
)
def test_what_is_no_mac_is_refused(text):
    with pytest.raises(UserError):
        parse_mac(text)


def test_a_file_of_another_chip_is_refused(tmp_path):
    Efuses(MODELS["esp32"], path=tmp_path / "efuses")
    with pytest.raises(UserError, match="the eFuses of an esp32c3 take 512"):
        Efuses(MODELS["esp32c3"], path=tmp_path / "efuses")


@pytest.mark.parametrize(
    ("chip", "burns", "word"),
    [
        ("esp32s3", [(0, 2, 1 << 18)], "Flash Encryption: Enabled"),
        ("esp32s3", [(0, 3, 1 << 20)], "Secure Boot: Enabled"),
        ("esp32c3", [(0, 3, 3 << 20), (0, 2, 1 << 22)], "Secure Boot Key1 is Revoked"),
        ("esp32c3", [(0, 1, 1 << 19)], "JTAG: Permanently Disabled"),
        ("esp32c3", [(0, 2, 5 << 24)], "BLOCK_KEY0 - HMAC_DOWN_ALL"),
    ],
)
def test_security_is_told_as_it_was_burned(bench, esptool, chip, burns, word):
    board = bench(chip=chip)
    for burn in burns:
        board.chip.efuses.burn(*burn)
    result = esptool(board, "get-security-info")
    assert result.status == 0 and word in result


def test_secure_download_mode_answers_nothing_but_what_it_may(bench, esptool, tmp_path):
    board = bench(chip="esp32c3")
    board.chip.efuses.burn(0, 4, 1 << 5)
    (tmp_path / "data").write_bytes(b"plain" * 100)
    result = esptool(board, "read-mac")
    assert "Secure Download Mode" in result or result.status == 2
    result = esptool(board, "--no-stub", "write-flash", "--flash-size", "4MB", "0x10000", tmp_path / "data")
    assert result.status == 0, result
    assert board.nor.read(0x10000, 500) == b"plain" * 100


def test_download_mode_can_be_switched_off_for_good(bench, esptool):
    board = bench()
    board.chip.efuses.burn(0, 0, 1 << 27)
    result = esptool(board, "--connect-attempts", "1", "read-mac")
    assert result.status == 2 and "Wrong boot mode detected (0x13)" in result


def test_esptool_refuses_plain_data_where_flash_encryption_is_locked_in(bench, esptool, tmp_path):
    board = bench()
    board.chip.efuses.burn(0, 0, 1 << 20)
    board.chip.efuses.burn(0, 6, 1 << 7)
    (tmp_path / "data").write_bytes(b"plain" * 100)
    result = esptool(board, "write-flash", "0x10000", tmp_path / "data")
    assert result.status == 2 and "encrypted" in result
