"""A secret in eFuse on the line: planned, burned by espefuse, finished after a cut, and verified by a signature."""

import io
import json

import pytest

from host_tests.line.conftest import PRODUCT as LINE_PRODUCT
from host_tests.line.conftest import WHO, stock
from host_tests.support import key_blocks
from tools.chips import CHIPS
from tools.cli import main
from tools.emulator.chip.efuses import Efuses
from tools.emulator.chip.nor import PowerCut
from tools.emulator.chip.thread import Bench
from tools.errors import UserError
from tools.image import flash_image, identity
from tools.line import efuses, security, signature

SECRET = "0123456789abcdef0123456789abcdef"
DEVICE = {"product_key": "a1MZxOdcBnO", "device_name": "lamp-0001", "device_secret": SECRET}
PRODUCT = {"product_key": "a1MZxOdcBnO", "product_secret": "h4I4dneEFp7EImTv"}
SIGNERS = [chip for chip in CHIPS if "secret" in CHIPS[chip].security]


def fuses(chip, tmp_path):
    return efuses.Fuses(chip, virt=str(tmp_path / f"{chip}.efuse"))


def secret_of(values):
    return security.key_of(identity.parse(values))


def sealing(chip_fuses, secret=secret_of(DEVICE), block=3, measures=("secret",), **more):
    return security.plan(chip_fuses.chip, chip_fuses.mac, measures, secret=secret, block=block, **more)


@pytest.mark.parametrize("values", [DEVICE, PRODUCT], ids=["device", "product"])
@pytest.mark.parametrize("chip", SIGNERS)
def test_a_secret_goes_into_a_block_that_nobody_can_read(chip, values, tmp_path):
    secret = secret_of(values)
    assert len(secret) == 32
    with fuses(chip, tmp_path) as chip_fuses:
        assert chip_fuses.free_block() == 5
        made = sealing(chip_fuses, secret)
        assert efuses.verify(chip_fuses, made) == ["BLOCK_KEY3: empty, planned sealed"]
        efuses.burn(chip_fuses, made, secret=secret)
    with fuses(chip, tmp_path) as again:
        assert efuses.verify(again, made) == [] and again.sealed("BLOCK_KEY3") == "sealed"
        with pytest.raises(UserError, match="it is in use; nothing more is burned"):
            efuses.burn(again, made, secret=secret)
    assert SECRET not in "".join(made.lines()) and secret.hex() not in "".join(made.lines())


def test_a_burn_of_a_secret_that_was_cut_is_finished_and_another_secret_is_refused(tmp_path):
    # the key is there, its purpose and its protection are not
    cut = key_blocks.fuses({3: (0, secret_of(DEVICE))}, protected=0)
    (tmp_path / "esp32c3.efuse").write_bytes(cut.image())
    with fuses("esp32c3", tmp_path) as chip_fuses:
        made, other = sealing(chip_fuses), sealing(chip_fuses, secret_of(PRODUCT))
        with pytest.raises(UserError, match="BLOCK_KEY3 is open: it is in use"):
            efuses.burn(chip_fuses, other, secret=secret_of(PRODUCT))
        efuses.burn(chip_fuses, made, secret=secret_of(DEVICE))
    with fuses("esp32c3", tmp_path) as again:
        assert efuses.verify(again, made) == []


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", [1, 2])
def test_a_power_cut_at_each_burn_of_a_block_is_made_good_by_the_same_plan(at, done, tmp_path, monkeypatch):
    """A plan has two: the key, then BLOCK0 with its purpose and protection."""
    programs, program = [], Efuses._program

    def cut(fuses, number, values):
        programs.append(number)
        if len(programs) == at:
            if done:
                program(fuses, number, values)
                fuses._save()
            raise PowerCut(f"at burn {at} of eFuses")
        program(fuses, number, values)

    with Bench(tmp_path / "flash.bin", chip="esp32c3", size=4 << 20, efuses=tmp_path / "efuses.bin") as bench:
        with efuses.Fuses("esp32c3", port=bench.url) as chip_fuses:
            made = sealing(chip_fuses)
            monkeypatch.setattr(Efuses, "_program", cut)
            with pytest.raises(UserError, match="burning failed"):
                efuses.burn(chip_fuses, made, secret=secret_of(DEVICE))
            monkeypatch.setattr(Efuses, "_program", program)
        bench.call(bench.chip.power_on)
        with efuses.Fuses("esp32c3", port=bench.url) as again:
            if efuses.verify(again, made):
                efuses.burn(again, made, secret=secret_of(DEVICE))
        with efuses.Fuses("esp32c3", port=bench.url) as again:
            assert efuses.verify(again, made) == []
    image = (tmp_path / "efuses.bin").read_bytes()
    assert key_blocks.key_of(image, 3) == secret_of(DEVICE) and len(programs) == at


REFUSED = [
    ("esp32", {}, "has no HMAC peripheral"),
    ("esp32c3", {"secret": None}, "name the identity that has it with --cert"),
    ("esp32c3", {"measures": ("secret", "secure-boot")}, "secure boot may lock RD_DIS"),
]


@pytest.mark.parametrize(("chip", "changes", "line"), REFUSED)
def test_what_would_leave_a_secret_readable_or_nowhere_is_not_planned(chip, changes, line, tmp_path):
    with fuses(chip, tmp_path) as chip_fuses, pytest.raises(UserError, match=line):
        sealing(chip_fuses, **changes)


def test_where_rd_dis_is_locked_no_secret_is_burned(tmp_path):
    with fuses("esp32c3", tmp_path) as chip_fuses:
        made = sealing(chip_fuses)
        with security.quiet():
            chip_fuses.commands.write_protect_efuse(["RD_DIS"])
            chip_fuses.commands.burn_all(check_batch_mode=True)
    with fuses("esp32c3", tmp_path) as again:
        with pytest.raises(UserError, match="RD_DIS of this chip is write-protected"):
            efuses.burn(again, made, secret=secret_of(DEVICE))
        assert again.sealed("BLOCK_KEY3") == "empty"


def test_blocks_in_use_are_passed_over_and_when_all_are_it_is_said(tmp_path):
    keys = {number: (4, bytes(range(1, 33))) for number in (5, 4)}
    (tmp_path / "esp32c3.efuse").write_bytes(key_blocks.fuses(keys, 0x20).image())
    with fuses("esp32c3", tmp_path) as chip_fuses:
        assert chip_fuses.free_block() == 3
    keys = {number: (4, bytes(range(1, 33))) for number in range(6)}
    (tmp_path / "esp32c3.efuse").write_bytes(key_blocks.fuses(keys).image())
    with fuses("esp32c3", tmp_path) as chip_fuses, pytest.raises(UserError, match="all six key blocks"):
        chip_fuses.free_block()


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({**DEVICE, "device_secret": "x" * 40}, "40 characters, a key block holds 32"),
        ({**DEVICE, "sign_method": "hmacsha1"}, "signs with hmacsha256 only"),
        ({"product_key": "a1", "device_name": "lamp", "key_block": 3}, "no DeviceSecret or ProductSecret"),
    ],
)
def test_what_no_key_block_can_hold(values, line):
    with pytest.raises(UserError, match=line):
        secret_of(values)


def test_the_ledger_keeps_that_a_secret_was_sealed(ledger, ledger_url, tmp_path, monkeypatch, capsys):
    cert, plan = tmp_path / "lamp.json", str(tmp_path / "plan.json")
    cert.write_text(json.dumps(DEVICE))
    (tmp_path / "esp32c3.efuse").write_bytes(key_blocks.fuses({}, 0).image())  # with a MAC
    with fuses("esp32c3", tmp_path) as chip_fuses:
        security.save(sealing(chip_fuses), plan)
        mac = chip_fuses.mac
    where = ["--virt", str(tmp_path / "esp32c3.efuse"), "--cert", str(cert), "--really"]
    stock(ledger, 1)
    ledger.reserve(mac, LINE_PRODUCT, WHO)
    monkeypatch.setenv("ALIOT_LEDGER", ledger_url)
    monkeypatch.setattr("sys.stdin", io.StringIO(security.load(plan).word + "\n"))
    assert not main(["line", "security", "burn", plan, *where, "--operator", "lin"]), capsys.readouterr()
    event = list(ledger.history(mac=mac))[-1]
    assert event["action"] == "seal" and "KEY3 and cannot be read" in event["note"]


@pytest.mark.parametrize("chip", SIGNERS)
def test_a_board_signs_with_what_was_burned_over_its_port(chip, tmp_path, monkeypatch, capsys):
    """Planned, burned after the typed word, verified by a signature of the board; another secret is found out."""
    cert, plan = tmp_path / "lamp.json", str(tmp_path / "plan.json")
    cert.write_text(json.dumps(DEVICE))
    (tmp_path / "flash.bin").write_bytes(flash_image.build(files={"/main.py": b"print('runs')"}))
    fused = tmp_path / "efuses.bin"
    with Bench(tmp_path / "flash.bin", chip=chip, efuses=fused, software=True, boot_blank=True) as bench:
        where = ["--port", bench.url, "--cert", str(cert)]
        measure = ["--measure", "secret", "--block", "3", "--out", plan]
        assert not main(["line", "security", "plan", *where, *measure])
        monkeypatch.setattr("sys.stdin", io.StringIO(security.load(plan).word + "\n"))
        assert not main(["line", "security", "burn", plan, *where, "--really"])
        assert not main(["line", "security", "verify", plan, *where])
        printed = capsys.readouterr().out
        assert "the board signs with KEY3 as the secret does" in printed and '"key_block": 3' in printed
        assert SECRET not in printed and SECRET not in (tmp_path / "plan.json").read_text()
        with pytest.raises(UserError, match="but not as this secret does"):
            signature.check(bench.url, 3, secret_of({**DEVICE, "device_secret": SECRET[::-1]}))
        with pytest.raises(UserError, match="the board does not sign: .*KEY2 has no key"):
            signature.check(bench.url, 2, secret_of(DEVICE))
    assert SECRET.encode() not in (tmp_path / "flash.bin").read_bytes()
