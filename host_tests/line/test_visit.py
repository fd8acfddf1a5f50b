"""A board's visit to the station, on a scripted board: every refusal, and a death at every step."""

from dataclasses import replace

import pytest

from host_tests.line.conftest import PRODUCT, WHO, board, secret, stock
from host_tests.support.scripted_board import LEDGER_CALLS, WIRE_CALLS, Board, Died, Mortal, ScriptedWire
from tools.firmware import record
from tools.line.job import Job
from tools.line.ledger import transitions
from tools.line.ledger.entries import Product
from tools.line.ledger.ledger import Ledger
from tools.line.ledger.seal import Secret
from tools.line.station.visit import Result, visit
from tools.line.station.wire import Chip, Pulled

JOB = Job("lamp", PRODUCT, "ESP32_GENERIC", endpoint={"region": "cn-shanghai"}, held={"firmware": b"stock"})


@pytest.fixture
def ledger(tmp_path):
    with Ledger.create(f"sqlite:///{tmp_path}/ledger.db", plain=True) as made:
        made.add_product(Product(PRODUCT), WHO)
        yield made


def bring(target, ledger, job=JOB, **wire):
    steps = []
    result = visit(
        ScriptedWire(target, **wire),
        ledger,
        job,
        WHO,
        lambda step, **facts: steps.append(step),
        chip_name="esp32",
        flash_needed=4 << 20,
    )
    return result, steps


def states(ledger):
    return {state: number for state, number in ledger.counts()[PRODUCT].items() if number}


def test_a_new_board_gets_an_identity_and_ends_done(ledger):
    stock(ledger, 2)
    target = Board(board(1))
    result, steps = bring(target, ledger)
    assert result == Result("done", board(1), "dev00000")
    assert [step for step in steps if step not in ("flash", "burn")] == [
        "identify",
        "identified",
        "reserved",
        "flashed",
        "written",
        "verified",
        "self-test",
        "done",
    ]
    fields = target.burned[0]
    assert (fields[record.DEVICE_NAME], fields[record.DEVICE_SECRET], fields[record.REGION]) == (
        b"dev00000",
        secret(0).encode(),
        b"cn-shanghai",
    )
    assert states(ledger) == {"free": 1, "done": 1}
    assert ledger.find(mac=board(1)).firmware == JOB.firmware_hash


def test_a_board_whose_secret_is_in_efuse_gets_none_into_its_flash_unless_the_job_replaces(ledger):
    stock(ledger, 2)
    target = Board(board(1))
    fields = {record.KIND: b"device", record.PRODUCT_KEY: PRODUCT.encode(), record.DEVICE_NAME: b"dev00000"}
    target.burned = {**fields, record.KEY_BLOCK: b"\3"}, 1
    result, _ = bring(target, ledger)
    assert result.outcome == "failed" and "the secret is in KEY3" in result.why and not target.burns
    assert states(ledger) == {"free": 2}
    result, _ = bring(target, ledger, replace(JOB, replace=True))
    assert result.outcome == "done" and record.KEY_BLOCK not in target.burned[0]


def test_a_finished_board_is_known_again_and_nothing_is_written(ledger):
    stock(ledger, 2)
    target = Board(board(1))
    bring(target, ledger)
    result, _ = bring(target, ledger)
    assert result.outcome == "already" and len(target.burns) == 1
    assert states(ledger) == {"free": 1, "done": 1}


@pytest.mark.parametrize(
    "tree, follows", [({}, "goes on to run"), ({"/main.py": b"x"}, "the job's files run from now on")]
)
def test_a_release_over_the_air_is_said_and_kept_in_the_ledger(ledger, tree, follows):
    stock(ledger, 1)
    target = Board(board(1))
    target.update = "release 1.2.0, number 7, good, in /ota/a"
    result, steps = bring(target, ledger, replace(JOB, tree=tree))
    assert result.outcome == "done" and steps.count("update") == 1
    [event] = [event for event in ledger.history(device_name="dev00000") if event["action"] == "update"]
    assert event["note"] == f"an update over the air: {target.update}; {follows}"


def test_an_erased_board_gets_its_own_identity_back(ledger):
    stock(ledger, 2)
    target = Board(board(1))
    bring(target, ledger)
    ledger.keep_issued(ledger.find(mac=board(1)), {11: b"token"}, WHO)
    target.burned = target.issued = target.firmware = None
    assert bring(target, ledger)[0] == Result("done", board(1), "dev00000")
    assert target.issued == {11: b"token"}


def test_a_done_board_with_an_older_firmware_is_tested_again_without_a_second_burn(ledger):
    stock(ledger, 1)
    target = Board(board(1))
    bring(target, ledger)
    newer = Job("lamp", PRODUCT, "ESP32_GENERIC", endpoint=JOB.endpoint, held={"firmware": b"newer"})
    assert bring(target, ledger, newer)[0].outcome == "done"
    assert len(target.burns) == 1 and ledger.find(mac=board(1)).firmware == newer.firmware_hash


def test_a_product_certificate_is_burned_with_its_name_rule(ledger):
    ledger.add_product(Product("p9B2c3D4e5F", "product", "MAC", secret=Secret("ProductSecret123")), WHO)
    target = Board(board(1))
    job = Job("p", "p9B2c3D4e5F", "ESP32_GENERIC", endpoint={"method": "https", "region": "cn-shanghai"})
    assert bring(target, ledger, job)[0] == Result("done", board(1), board(1).upper())
    fields = target.burned[0]
    assert (fields[record.KIND], fields[record.NAME_RULE], fields[record.PRODUCT_SECRET]) == (
        b"product",
        b"MAC",
        b"ProductSecret123",
    )
    assert record.DEVICE_NAME not in fields


def test_the_reason_names_the_exception_of_an_application_that_does_not_start(ledger):
    stock(ledger, 1)
    target = Board(board(1))
    why = 'its application has ended: OSError: [Errno 2] ENOENT (File "main.py", line 3)'
    target.starts, target.ended = False, why
    assert bring(target, ledger)[0] == Result("failed", board(1), "dev00000", why)
    assert ledger.history(mac=board(1))[-1]["note"] == why


def test_a_board_s_own_words_are_printable_in_ledger_and_result(ledger):
    stock(ledger, 1)
    target = Board(board(1))
    target.starts, target.ended = False, "Error: \x1b[2J\x07\u202etxt" + "x" * 5000
    why = bring(target, ledger)[0].why
    assert why.isprintable() and r"\x1b[2J\x07\u202etxt" in why and len(why) <= 1000
    assert ledger.history(mac=board(1))[-1]["note"] == why


REFUSALS = {
    "wrong chip": (
        lambda b: setattr(b, "chip", Chip("esp32s3", b.mac, 4 << 20)),
        "this is an esp32s3, the job is for",
    ),
    "small flash": (lambda b: setattr(b, "chip", Chip("esp32", b.mac, 2 << 20)), "its flash has 2 MB"),
    "encrypted": (
        lambda b: setattr(b, "chip", Chip("esp32", b.mac, 4 << 20, encrypted=True)),
        "closed by eFuses",
    ),
    "secure boot": (
        lambda b: setattr(b, "chip", Chip("esp32", b.mac, 4 << 20, secure_boot=True)),
        "closed by eFuses",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_an_unfit_board_is_red_and_takes_no_identity(ledger, name):
    change, message = REFUSALS[name]
    stock(ledger, 1)
    target = Board(board(1))
    change(target)
    result, _ = bring(target, ledger)
    assert result.outcome == "failed" and message in result.why
    assert states(ledger) == {"free": 1} and not target.burns
    assert [event["note"] for event in ledger.history() if event["action"] == "reject"] == [result.why]


FAILURES = {
    "does not start": (lambda b: setattr(b, "starts", False), "no state line within 60 s"),
    "reads back otherwise": (
        lambda b: setattr(b, "misreads", True),
        "read back from the board is not the one",
    ),
    "trusts another root": (
        lambda b: setattr(b, "roots", ["lab.der:deadbeef"]),
        "a root that the job does not name: deadbeef",
    ),
    "keeps the line's Wi-Fi": (
        lambda b: setattr(b, "left", "the line's Wi-Fi is in config.json"),
        "line's Wi-Fi",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_board_that_fails_after_the_burn_keeps_its_identity_for_itself(ledger, name):
    change, message = FAILURES[name]
    stock(ledger, 2)
    target = Board(board(1))
    change(target)
    result, _ = bring(target, ledger)
    assert result.outcome == "failed" and message in result.why
    row = ledger.find(mac=board(1))
    assert (row.device_name, row.state) == ("dev00000", transitions.FAILED)
    assert bring(Board(board(2)), ledger)[0].device_name == "dev00001"
    mended = Board(board(1))
    assert bring(mended, ledger)[0] == Result("done", board(1), "dev00000")


def test_not_connected_is_red_with_the_last_state(ledger):
    stock(ledger, 1)
    target = Board(board(1))
    target.connects = False
    job = Job("lamp", PRODUCT, "ESP32_GENERIC", endpoint=JOB.endpoint, until="connected", seconds=5)
    result, _ = bring(target, ledger, job)
    assert result.why == "not connected within 5 s; last state: refused (CONNACK 4)"


def test_a_board_with_an_identity_that_the_ledger_takes_for_free_keeps_it(ledger, tmp_path):
    """A ledger that came back from a backup does not know the boards burned since."""
    stock(ledger, 3)
    target = Board(board(1))
    bring(target, ledger)
    with Ledger.create(f"sqlite:///{tmp_path}/older.db", plain=True) as older:
        older.add_product(Product(PRODUCT), WHO)
        stock(older, 3)
        assert bring(Board(board(2)), older)[0].device_name == "dev00000"
        result, _ = bring(target, older)
        assert result.outcome == "failed" and "two boards with one identity" in result.why


def test_a_board_with_a_free_identity_is_bound_to_it(ledger, tmp_path):
    stock(ledger, 3)
    first, second = Board(board(1)), Board(board(2))
    bring(first, ledger)
    bring(second, ledger)
    with Ledger.create(f"sqlite:///{tmp_path}/older.db", plain=True) as older:
        older.add_product(Product(PRODUCT), WHO)
        stock(older, 3)
        assert bring(second, older)[0] == Result("done", board(2), "dev00001")
        assert bring(Board(board(3)), older)[0].device_name == "dev00000"
    assert len(second.burns) == 1


def test_a_foreign_identity_is_refused_unless_the_job_replaces(ledger):
    stock(ledger, 1)
    target = Board(board(1))
    target.burned = (
        {record.KIND: b"device", record.PRODUCT_KEY: b"zzzzzzzzzzz", record.DEVICE_NAME: b"alien"},
        7,
    )
    result, _ = bring(target, ledger)
    assert result.outcome == "failed" and "the board holds alien of product zzzzzzzzzzz" in result.why
    assert states(ledger) == {"free": 1}
    replacing = Job("lamp", PRODUCT, "ESP32_GENERIC", endpoint=JOB.endpoint, replace=True)
    assert bring(target, ledger, replacing)[0] == Result("done", board(1), "dev00000")


@pytest.mark.parametrize("pull_at", range(9))
def test_a_pulled_cable_is_no_failure_and_the_board_goes_on_when_it_is_back(ledger, pull_at):
    stock(ledger, 2)
    target = Board(board(1))
    try:
        bring(target, ledger, pull_at=pull_at)
    except Pulled:
        pass
    assert bring(target, ledger)[0] == Result("done", board(1), "dev00000")
    assert states(ledger) == {"free": 1, "done": 1}
    assert not [event for event in ledger.history() if event["action"] == "fail"]


def test_a_station_that_dies_anywhere_leaves_a_board_that_the_next_one_finishes(ledger):
    """Every moment before and after every call to the board, the ledger and the screen, one after the
    other.
    """
    stock(ledger, 100)
    for at in range(1, 100):
        target = Board(board(at))
        before = len(ledger.history(mac=board(at)))
        mortal = Mortal(at)
        try:
            visit(
                mortal.guard(ScriptedWire(target), WIRE_CALLS),
                mortal.guard(ledger, LEDGER_CALLS),
                JOB,
                WHO,
                lambda *_, **__: mortal.moment(),
                chip_name="esp32",
                flash_needed=4 << 20,
            )
        except Died:
            pass
        else:
            break
        row = ledger.find(mac=board(at))
        finished, was_done = len(target.burns), row is not None and row.state == transitions.DONE
        result, _ = bring(target, ledger)
        assert result.outcome == ("already" if was_done else "done"), at
        assert len(target.burns) == max(1, finished) == 1, f"moment {at}: a finished burn was done again"
        assert target.burns[0][1] == ledger.find(mac=board(at)).device_name
        assert before == 0
    assert at > 30, "the visit has more moments than that"
    assert states(ledger) == {"free": 100 - at, "done": at}
    burned = [event["device_name"] for event in ledger.history() if event["action"] == "reserve"]
    assert len(burned) == len(set(burned)) == at
