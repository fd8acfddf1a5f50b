"""The eFuse plan, on espefuse's virtual eFuses."""

import os

import pytest

from tools.chips import CHIPS
from tools.errors import UserError
from tools.line import efuses, security


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "flash.key"
    path.write_bytes(os.urandom(32))
    return str(path)


def fuses(chip, tmp_path):
    return efuses.Fuses(chip, virt=str(tmp_path / f"{chip}.efuse"))


@pytest.mark.parametrize("chip", CHIPS)
def test_jtag_is_closed_and_verified(chip, tmp_path):
    with fuses(chip, tmp_path) as chip_fuses:
        made = security.plan(chip, chip_fuses.mac, ["jtag"])
        assert efuses.verify(chip_fuses, made), "nothing is burned by planning"
        efuses.burn(chip_fuses, made)
    with fuses(chip, tmp_path) as again:
        assert efuses.verify(again, made) == []


@pytest.mark.parametrize("chip", CHIPS)
def test_encryption_in_release_mode_burns_the_key_and_every_switch(chip, tmp_path, key):
    with fuses(chip, tmp_path) as chip_fuses:
        made = security.plan(chip, chip_fuses.mac, ["encryption"], own_build=True, flash_key=key)
        efuses.burn(chip_fuses, made, flash_key=key)
    with fuses(chip, tmp_path) as again:
        assert efuses.verify(again, made) == []
        block = made.steps[0][1]
        assert again.key_used(block)
        with pytest.raises(UserError, match="holds a key already"):
            efuses.burn(again, made, flash_key=key)


@pytest.mark.parametrize("chip", [chip for chip in CHIPS if chip != "esp32"])
def test_download_mode_is_burned_last(chip, tmp_path, key):
    with fuses(chip, tmp_path) as chip_fuses:
        made = security.plan(
            chip, chip_fuses.mac, ["download", "jtag", "encryption"], own_build=True, flash_key=key
        )
        assert made.measures == ("encryption", "jtag", "download")
        assert "no cable flashes the chip again" in made.warnings[0]
        efuses.burn(chip_fuses, made, flash_key=key)
    with fuses(chip, tmp_path) as again:
        assert efuses.verify(again, made) == []


def test_an_old_esp32_is_refused_what_it_does_not_have(tmp_path):
    with fuses("esp32", tmp_path) as chip_fuses:
        made = security.plan("esp32", chip_fuses.mac, ["download"])
        with pytest.raises(UserError, match="begin with revision 3"):
            efuses.burn(chip_fuses, made)
        assert chip_fuses.value("UART_DOWNLOAD_DIS") == 0


@pytest.fixture
def signed(tmp_path):
    """(public key file, an image signed with it, an unsigned image), made by espsecure."""
    import espsecure

    private, public = str(tmp_path / "sign.pem"), str(tmp_path / "sign.pub.pem")
    image, out = tmp_path / "app.bin", tmp_path / "app.signed.bin"
    image.write_bytes(os.urandom(4096))
    with security.quiet():
        espsecure.generate_signing_key("2", "rsa3072", private)
        with open(private, "rb") as key, open(image, "rb") as data:
            espsecure.sign_data("2", [key], str(out), False, False, None, None, None, data)
        with open(private, "rb") as key, open(public, "wb") as file:
            espsecure.extract_public_key("2", key, file)
    return public, str(out), str(image)


@pytest.mark.parametrize("chip", [chip for chip in CHIPS if chip != "esp32"])
def test_secure_boot_needs_an_image_that_the_key_signed(chip, tmp_path, signed):
    public, image, unsigned = signed
    with fuses(chip, tmp_path) as chip_fuses:
        with pytest.raises(UserError, match="stock MicroPython images are not signed"):
            security.plan(chip, chip_fuses.mac, ["secure-boot"], signing_key=public)
        with pytest.raises(UserError, match="is not signed with"):
            security.plan(chip, chip_fuses.mac, ["secure-boot"], signing_key=public, signed_image=unsigned)
        made = security.plan(chip, chip_fuses.mac, ["secure-boot"], signing_key=public, signed_image=image)
        efuses.burn(chip_fuses, made, signing_key=public)
    with fuses(chip, tmp_path) as again:
        assert efuses.verify(again, made) == []


def test_encryption_on_stock_images_is_refused_in_plain_words():
    with pytest.raises(UserError, match="stock MicroPython images are built without flash encryption"):
        security.plan("esp32", "24:0a:c4:00:00:01", ["encryption"])


def test_a_plan_fits_one_chip_and_one_key_only(tmp_path, key):
    with fuses("esp32c3", tmp_path) as chip_fuses:
        other = security.plan("esp32c3", "24:0a:c4:00:00:01", ["jtag"])
        with pytest.raises(UserError, match="the plan is for esp32c3 24:0a:c4:00:00:01"):
            efuses.burn(chip_fuses, other)
        made = security.plan("esp32c3", chip_fuses.mac, ["encryption"], own_build=True, flash_key=key)
        with open(key, "wb") as file:
            file.write(bytes(32))
        with pytest.raises(UserError, match="is not the file that the plan was made with"):
            efuses.burn(chip_fuses, made, flash_key=key)
        assert not chip_fuses.key_used("BLOCK_KEY0")


def test_an_encrypted_image_decrypts_to_itself_at_its_offset(tmp_path, key):
    import espsecure

    image = tmp_path / "app.bin"
    image.write_bytes(os.urandom(4096))
    for chip in CHIPS:
        out, back = str(tmp_path / f"{chip}.enc"), tmp_path / f"{chip}.dec"
        security.encrypt(str(image), 0x10000, key, out, chip)
        assert open(out, "rb").read() != image.read_bytes()
        with security.quiet(), open(out, "rb") as data, open(key, "rb") as secret:
            espsecure.decrypt_flash_data(secret, open(back, "wb"), 0x10000, 0xF, chip != "esp32", data)
        assert back.read_bytes() == image.read_bytes()


def test_what_is_typed_names_chip_and_plan(tmp_path, key):
    first = security.plan("esp32c3", "24:0a:c4:00:00:01", ["jtag"])
    second = security.plan("esp32c3", "24:0a:c4:00:00:01", ["jtag", "download"])
    assert first.word.startswith("BURN 24:0a:c4:00:00:01 ") and first.word != second.word
    security.save(first, tmp_path / "plan.json")
    assert security.load(tmp_path / "plan.json").word == first.word


@pytest.mark.parametrize("chip", CHIPS)
def test_the_same_plan_is_burned_into_an_emulated_chip_over_the_wire(chip, tmp_path):
    from tools.emulator.chip.thread import Bench

    with Bench(tmp_path / "flash.bin", chip=chip, size=4 << 20, efuses=tmp_path / "efuses.bin") as bench:
        with efuses.Fuses(chip, port=bench.url) as chip_fuses:
            assert chip_fuses.mac == "24:0a:c4:00:00:01"
            made = security.plan(chip, chip_fuses.mac, ["jtag"])
            efuses.burn(chip_fuses, made)
        with efuses.Fuses(chip, port=bench.url) as again:
            assert efuses.verify(again, made) == []
