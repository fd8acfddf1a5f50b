"""esptool 5, its command line and its API, on the three chips, with the stub and without."""

import hashlib
import os
import re
import subprocess
import sys

import esptool.cmds as api
import pytest
import serial
from esptool.util import FatalError

CHIPS = ("esp32", "esp32s3", "esp32c3")
NAMES = {
    "esp32": "ESP32-D0WD-V3 (revision v3.1)",
    "esp32s3": "ESP32-S3 (QFN56) (revision v0.2)",
    "esp32c3": "ESP32-C3 (QFN32) (revision v0.3)",
}
MODES = {"stub": (), "no stub": ("--no-stub",)}


@pytest.fixture(params=CHIPS)
def chip(request, bench):
    return bench(chip=request.param, mac="24:0a:c4:aa:bb:0c")


@pytest.fixture(params=MODES)
def mode(request):
    return MODES[request.param]


def test_write_verify_read_and_erase(chip, mode, esptool, tmp_path):
    """The commands of issue 3 in a row, and the flash file looked at after each."""
    data = os.urandom(9000) + bytes(20000)
    (tmp_path / "data").write_bytes(data)
    chip.nor.program(0x20000, b"\0" * 0x3000)

    result = esptool(chip, *mode, "write-flash", "0x20000", tmp_path / "data")
    assert result.status == 0 and "Hash of data verified" in result
    assert chip.nor.read(0x20000, len(data)) == data

    result = esptool(chip, *mode, "verify-flash", "0x20000", tmp_path / "data")
    assert result.status == 0 and "digest matched" in result

    result = esptool(chip, *mode, "read-flash", "0x22000", "0x500", tmp_path / "back")
    assert result.status == 0 and (tmp_path / "back").read_bytes() == data[0x2000:0x2500]

    chip.nor.program(0x21000, b"\0" * 16)
    result = esptool(chip, *mode, "verify-flash", "0x20000", tmp_path / "data")
    assert result.status == 2 and "verification failed" in result.lower()

    result = esptool(chip, *mode, "erase-region", "0x21000", "0x1000")
    assert result.status == 0
    assert chip.nor.read(0x21000, 0x1000) == b"\xff" * 0x1000
    assert chip.nor.read(0x20000, 0x1000) == data[:0x1000]


def test_identification(chip, mode, esptool):
    name = chip.chip.model.name
    result = esptool(chip, *mode, "flash-id")
    assert result.status == 0
    assert NAMES[name] in result and "24:0a:c4:aa:bb:0c" in result
    assert "Manufacturer: ef" in result and "Device: 4016" in result and "Detected flash size: 4MB" in result
    assert "Crystal frequency:  40MHz" in result
    for command in ("read-mac", "chip-id"):
        result = esptool(chip, *mode, command)
        assert result.status == 0 and result.count("24:0a:c4:aa:bb:0c") >= 2
    result = esptool(chip, *mode, "get-security-info")
    if name == "esp32":
        assert result.status == 2 and "Failed to get security info" in result
    else:
        assert (
            result.status == 0
            and f"Chip ID: {chip.chip.model.chip.image_id}" in result
            and "Secure Boot: Disabled" in result
        )


def test_erase_flash(chip, esptool):
    chip.nor.program(0x0, b"\0" * 100)
    chip.nor.program(chip.nor.size - 100, b"\0" * 100)
    assert esptool(chip, "erase-flash").status == 0
    assert not chip.nor.read(0, chip.nor.size).strip(b"\xff")
    result = esptool(chip, "--no-stub", "erase-flash")
    assert result.status == 2  # the ROM has no such command


@pytest.mark.parametrize("options", [("-u",), ("-z",)])
def test_compressed_and_plain_leave_what_lies_behind_the_file_alone(chip, mode, esptool, tmp_path, options):
    """Without the stub the last block is padded with 0xFF over what follows in its sector: NOR keeps that."""
    (tmp_path / "data").write_bytes(b"front" * 100)
    result = esptool(
        chip, *mode, "write-flash", *options, "0x30000", tmp_path / "data", "0x31000", tmp_path / "data"
    )
    assert result.status == 0
    for at in (0x30000, 0x31000):
        assert chip.nor.read(at, 500) == b"front" * 100
        assert not chip.nor.read(at + 500, 0x1000 - 500).strip(b"\xff")


@pytest.mark.parametrize("baud", [230400, 921600])
def test_the_rate_changes_and_the_data_arrives(chip, mode, esptool, tmp_path, baud):
    (tmp_path / "data").write_bytes(os.urandom(5000))
    result = esptool(chip, "--baud", baud, *mode, "write-flash", "0x10000", tmp_path / "data")
    assert (
        result.status == 0 and f"Changing baud rate to {baud}" in result and "Hash of data verified" in result
    )


def test_a_host_at_another_rate_than_the_chip_is_not_understood(bench):
    chip = bench()
    with api.detect_chip(chip.url) as esp:
        esp.command(esp.ESP_CMDS["CHANGE_BAUDRATE"], b"\0\x10\x0e\0" + bytes(4))
        with pytest.raises(FatalError):
            esp.command(esp.ESP_CMDS["READ_REG"], b"\0\x10\0\x40", timeout=0.2)
        esp._port.baudrate = 921600
        esp.flush_input()
        assert esp.read_reg(0x40001000) == 0x00F01D83


@pytest.mark.parametrize(
    ("emulated", "asked"), [("esp32", "esp32c3"), ("esp32s3", "esp32"), ("esp32c3", "esp32s3")]
)
def test_a_wrong_chip_is_found_out(bench, esptool, emulated, asked):
    result = esptool(bench(chip=emulated), "--chip", asked, "read-mac")
    assert result.status == 2 and "Wrong chip argument?" in result


def test_a_hash_that_does_not_match_is_an_error(chip, mode, esptool, tmp_path):
    (tmp_path / "data").write_bytes(b"hello" * 500)
    chip.chip.faults["bad-md5"] = 1
    result = esptool(chip, *mode, "write-flash", "0x10000", tmp_path / "data")
    assert result.status == 2 and "MD5 of file does not match data in flash" in result


def test_a_file_that_does_not_fit_is_refused(bench, esptool, tmp_path):
    chip = bench(size=2 << 20)
    (tmp_path / "data").write_bytes(b"x" * 0x2000)
    result = esptool(chip, "write-flash", "0x1ff000", tmp_path / "data")
    assert result.status == 2 and "will not fit in 2097152 bytes of flash" in result


@pytest.mark.parametrize("size", [1, 2, 8, 16])
def test_the_flash_is_as_large_as_its_file(bench, esptool, size):
    assert f"Detected flash size: {size}MB" in esptool(bench(size=size << 20), "flash-id")


def test_watchdog_and_usb_resets(bench, esptool):
    chip = bench(chip="esp32c3")
    assert esptool(chip, "--no-stub", "--after", "watchdog-reset", "read-mac").status == 0
    assert esptool(chip, "read-mac").status == 0
    usb = bench("usb.bin", chip="esp32s3", style="usb")
    result = esptool(usb, "--before", "usb-reset", "--after", "no-reset", "read-mac")
    assert result.status == 0 and "reset into the ROM loader" in usb.log


def test_native_usb_goes_away_when_the_application_takes_over(bench):
    usb = bench(chip="esp32s3", style="usb", renumber=True)
    before = usb.url
    with api.detect_chip(usb.url, connect_mode="usb-reset") as esp:
        try:
            api.reset_chip(esp)
        except OSError:
            pass
        with pytest.raises(OSError):
            esp._port.timeout = 0.5
            while esp._port.read(100):
                pass
            esp._port.dtr = True
            esp._port.dtr = False
    assert usb.url != before
    serial.serial_for_url(usb.url).close()


def test_registers_hold_what_was_written(bench):
    with api.detect_chip(bench(chip="esp32s3").url) as esp:
        esp.write_reg(0x3FC90000, 0x12345678)
        esp.write_reg(0x3FC90000, 0xFFFFFFFF, mask=0x0000FF00)
        assert esp.read_reg(0x3FC90000) == 0x1234FF78
        assert esp.read_reg(0x40001000) == 9


def test_what_is_wrong_on_the_line_is_refused(bench):
    """Checksum, length, order and commands that are none: an error status each, and the chip goes on."""
    chip = bench()
    with api.detect_chip(chip.url) as esp:
        esp = api.run_stub(esp)
        block = b"\x04\0\0\0" + bytes(12) + b"data"
        for name, data, checksum, error in [
            ("FLASH_DATA", block, 0, b"\xc1"),  # wrong checksum
            ("FLASH_DATA", block, esp.checksum(b"data"), b"\xc6"),  # nothing was begun
            ("FLASH_DATA", block[:-1], esp.checksum(b"dat"), b"\xc3"),  # shorter than it says
            ("SPI_NAND_ATTACH", b"", 0, b"\xc3"),  # no such command here
            ("FLASH_BEGIN", b"\0" * 12 + b"\0\0\0\x7f", 0, b"\xc4"),  # beyond the end
            ("ERASE_REGION", b"\1\0\0\0" + b"\0\x10\0\0", 0, b"\xff"),  # not a sector
        ]:
            _, status = esp.command(esp.ESP_CMDS[name], data, checksum)
            assert status[:1] == error, name
        esp.flash_begin(100, 0x10000)
        _, status = esp.command(esp.ESP_CMDS["FLASH_DEFL_DATA"], block, esp.checksum(b"data"))
        assert status[:1] == b"\xc6"
        esp.flash_defl_begin(100, 20, 0x10000)
        _, status = esp.command(esp.ESP_CMDS["FLASH_DEFL_DATA"], block, esp.checksum(b"data"))
        assert status[:1] == b"\xc7"
        assert esp.read_reg(0x40001000) == 0x00F01D83


def test_reading_with_the_stub_streams_and_hashes(bench):
    chip = bench()
    data = os.urandom(70_000)
    chip.nor.program(0x40000, data)
    with api.detect_chip(chip.url) as esp:
        esp = api.run_stub(esp)
        assert esp.read_flash(0x40000, len(data)) == data
        assert esp.flash_md5sum(0x40000, len(data)) == hashlib.md5(data).hexdigest()


def test_staying_in_the_stub_and_leaving_it(bench, esptool):
    chip = bench()
    assert esptool(chip, "--after", "no-reset-stub", "read-mac").status == 0
    result = esptool(chip, "--before", "no-reset", "--after", "no-reset", "read-mac")
    assert result.status == 0 and "already running" in result
    result = esptool(chip, "--before", "no-reset", "read-mac")
    assert result.status == 0 and "Uploading stub flasher" in result


# --- what goes wrong on a bench


def test_power_that_goes_in_mid_flash_leaves_a_torn_page_and_a_dead_port(bench):
    chip = bench(cut_at=37)
    data = bytes(range(1, 255)) * 200
    with api.detect_chip(chip.url) as esp:
        esp = api.run_stub(esp)
        esp.WRITE_FLASH_ATTEMPTS = 1
        with pytest.raises((OSError, FatalError)):
            api.write_flash(esp, [(0x10000, data)], no_compress=True)
    assert chip.chip.cut and chip.chip.state == "off"
    with pytest.raises(serial.SerialException):
        serial.serial_for_url(chip.url + "?timeout=0.3")
    written = chip.nor.read(0x10000, len(data))
    assert data.startswith(written[:0x1000]) or written[:0x100] == data[:0x100]
    assert written != data
    chip.nor.cut_at = None
    chip.call(chip.chip.power_on)
    with api.detect_chip(chip.url) as esp:
        esp = api.run_stub(esp)
        api.write_flash(esp, [(0x10000, data)])
    assert chip.nor.read(0x10000, len(data)) == data


def test_a_connection_lost_in_mid_write_is_an_error_in_time(bench):
    chip = bench(faults={"disconnect": 2})
    with api.detect_chip(chip.url) as esp:
        esp = api.run_stub(esp)
        esp.WRITE_FLASH_ATTEMPTS = 1
        with pytest.raises((OSError, FatalError)):
            api.write_flash(esp, [(0x10000, os.urandom(60000))])


def test_a_chip_that_falls_silent_is_an_error_in_time(bench):
    chip = bench(faults={"stall": 2})
    with api.detect_chip(chip.url) as esp:
        esp = api.run_stub(esp)
        esp.flash_begin(0x8000, 0x10000)
        esp.flash_block(b"\0" * 0x4000, 0, timeout=0.2)
        with pytest.raises(FatalError):
            esp.flash_block(b"\0" * 0x4000, 1, timeout=0.2)


def test_a_port_that_somebody_else_has_cannot_be_opened(bench):
    chip = bench(busy=True)
    with pytest.raises((FatalError, serial.SerialException)):
        api.detect_chip(chip.url + "?timeout=0.3")


def test_a_limited_wire_still_carries_everything(bench):
    chip = bench(limit=2_000_000)
    data = os.urandom(20_000)
    with api.detect_chip(chip.url) as esp:
        esp = api.run_stub(esp)
        esp.change_baud(2_000_000)
        api.write_flash(esp, [(0x10000, data)])
        assert esp.read_flash(0x10000, len(data)) == data


def test_the_stock_image_of_micropython_goes_over_the_wire(bench, esptool, stock_image):
    path, image = stock_image
    chip = bench()
    result = esptool(chip, "--baud", "921600", "write-flash", "0x1000", path)
    assert result.status == 0 and "Hash of data verified" in result
    assert chip.nor.read(0x1000, len(image)) == image
    assert chip.chip.state == "running"  # bootloader, table and application are found


UNTOUCHED = {
    "esp32": (("write-flash", "0x10000", "DATA"), r"Wrote 2700 bytes .*at 0x00010000"),
    "esp32s3": (("--no-stub", "flash-id"), r"Chip type: +ESP32-S3 \(QFN56\)"),
    "esp32c3": (("--no-stub", "read-mac"), r"MAC: +24:0a:c4:00:00:01"),
}


@pytest.mark.parametrize("name", CHIPS)
def test_untouched(bench, name, tmp_path):
    """The command as a person types it, with nothing of it or of pyserial changed."""
    chip = bench(chip=name)
    (tmp_path / "data").write_bytes(b"as typed " * 300)
    arguments, message = UNTOUCHED[name]
    arguments = [str(tmp_path / "data") if word == "DATA" else word for word in arguments]
    command = [sys.executable, "-m", "esptool", "--port", chip.url, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(message, done.stdout)
    if name == "esp32":
        assert "Hash of data verified" in done.stdout
        assert chip.nor.read(0x10000, 2700) == b"as typed " * 300
