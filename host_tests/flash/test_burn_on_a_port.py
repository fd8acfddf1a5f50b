"""The verb burn over esptool's API against the emulated chip: burned, kept, cut at each flash operation."""

import json
import time
import types

import pytest
import serial.rfc2217

from host_tests.support.nor_board import BoardFlash, Booted
from tools import cli
from tools.emulator.chip.thread import Bench
from tools.image import burn, flash_image, identity, inspection, journal

PRODUCT = {"product_key": "a1MZxOdcBnO", "product_secret": "h4I4dneEFp7EImTv"}
ELSEWHERE = {**PRODUCT, "method": "mqtt"}
MAC = "24:0a:c4:00:00:01"
SECRET = "2b" * 16


@pytest.fixture(autouse=True)
def quick_client(monkeypatch):
    """pyserial's RFC 2217 client looks for an answer every 50 ms; here every 2."""
    quick = types.SimpleNamespace(**{name: getattr(time, name) for name in dir(time) if name[0] != "_"})
    quick.sleep = lambda seconds: time.sleep(min(seconds, 0.002))
    monkeypatch.setattr(serial.rfc2217, "time", quick)


@pytest.fixture
def registered(tmp_path):
    """The bytes of a board that was burned with PRODUCT and holds an issued secret on both media."""
    made = BoardFlash(flash_image.build(with_firmware=False, files={"/main.py": b"#", "/aliot/a.mpy": b"x"}))
    burn.burn(made, made.layout, identity.parse(PRODUCT).fields(), MAC, tmp_path / "j", now=1000)
    Booted(made).register(SECRET)
    for name, values in (("product", PRODUCT), ("elsewhere", ELSEWHERE)):
        (tmp_path / f"{name}.json").write_text(json.dumps(values))
    return bytes(made.data)


def burned(folder, url, cert, *more):
    where = ["--cert", str(folder / cert), "--port", url, "--journal", str(folder / "j")]
    return cli.main(["burn", *where, *more])


def test_other_settings_go_onto_a_board_that_keeps_its_secret(tmp_path, registered, capsys):
    path = tmp_path / "flash.bin"
    path.write_bytes(registered)
    with Bench(path) as bench:
        assert burned(tmp_path, bench.url, "elsewhere.json") == 0
        assert burned(tmp_path, bench.url, "elsewhere.json") == 0
    out = capsys.readouterr().out
    assert "burned a1MZxOdcBnO/240ac4000001" in out and "nothing to do" in out
    assert out.count("its issued secret was kept") == 2
    found = Booted(BoardFlash(path.read_bytes()))
    assert (found.fields, found.secret) == (identity.parse(ELSEWHERE).fields(), SECRET)


def test_a_secret_in_efuse_leaves_no_other_in_flash_and_backups_say_where_it_is(tmp_path, registered, capsys):
    path = tmp_path / "flash.bin"
    path.write_bytes(registered)
    sealed = {"product_key": PRODUCT["product_key"], "device_name": MAC.replace(":", ""), "key_block": 3}
    (tmp_path / "sealed.json").write_text(json.dumps(sealed))
    with Bench(path) as bench:
        assert burned(tmp_path, bench.url, "sealed.json") == 1
        assert "holds the issued secret of a1MZxOdcBnO/240ac4000001, which is lost" in capsys.readouterr().err
        assert Booted(BoardFlash(path.read_bytes())).secret == SECRET
        assert cli.main(["backup", "--port", bench.url, "--backups", str(tmp_path / "first")]) == 0
        assert "cannot be read" not in capsys.readouterr().out
        assert burned(tmp_path, bench.url, "sealed.json", "--replace") == 0
        where = ["--port", bench.url, "--backups", str(tmp_path / "b")]
        assert cli.main(["backup", *where]) == 0
        assert capsys.readouterr().out.endswith("; the secret is in KEY3 and cannot be read\n")
        (saved,) = (tmp_path / "b").glob("*.identity")
        assert SECRET not in saved.read_text()
        back = ["restore", "--port", bench.url, "--from", str(saved), "--journal", str(tmp_path / "j")]
        assert cli.main(back) == 0
        assert "it is in this chip, and was never in the backup" in capsys.readouterr().out
    found = inspection.look(path.read_bytes())
    for medium in (found["nvs"], found["vfs"]):
        assert (
            medium["records"]["burned"]["fields"]["key_block"] == "the secret is in KEY3 and cannot be read"
        )
        assert medium["records"]["issued"] is None


def test_a_board_without_a_table_is_told_to_be_flashed_first(tmp_path, registered, capsys):
    with Bench(tmp_path / "blank.bin", size=4 << 20) as bench:
        assert burned(tmp_path, bench.url, "product.json") == 1
    assert "there is no partition table on this board: flash it first" in capsys.readouterr().err


def test_cut_at_every_operation_of_the_chip_the_next_burn_finishes_it(tmp_path, registered, capsys):
    path = tmp_path / "flash.bin"
    path.write_bytes(registered)
    with Bench(path) as bench:
        assert burned(tmp_path, bench.url, "elsewhere.json") == 0
        count = bench.nor.operations
    assert count
    for operation in range(1, count + 1):
        path.write_bytes(registered)
        with Bench(path, cut_at=operation) as bench:
            assert burned(tmp_path, bench.url, "elsewhere.json") == 1
        assert journal.load(tmp_path / "j", MAC)
        between = Booted(BoardFlash(path.read_bytes()))
        assert between.fields in (identity.parse(PRODUCT).fields(), identity.parse(ELSEWHERE).fields())
        assert between.secret == SECRET
        with Bench(path) as bench:
            assert burned(tmp_path, bench.url, "elsewhere.json") == 0
        assert journal.load(tmp_path / "j", MAC) is None
        found = Booted(BoardFlash(path.read_bytes()))
        assert (found.fields, found.secret) == (identity.parse(ELSEWHERE).fields(), SECRET)
    print(f"{count} operations")
