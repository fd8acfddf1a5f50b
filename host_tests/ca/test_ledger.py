"""The CA's ledger: a serial is drawn once for ever (x509.md 3)."""

import multiprocessing

import pytest

from tools.ca.ledger import TRANSITIONS, Ledger, Signed
from tools.errors import UserError

NOW = 1_800_000_000
DEVICE = ("a1Product", "dev-0001")


def signed(serial, key=None, fingerprint=None):
    return Signed(serial, NOW, NOW + 86400, fingerprint or f"f{serial}", key or f"k{serial}", "host", b"der")


@pytest.fixture
def ledger(tmp_path):
    return Ledger.create(tmp_path / "ledger.db")


def test_a_serial_goes_from_reserved_to_issued(ledger):
    (serial,) = ledger.reserve("device", [DEVICE], NOW)
    assert ledger.find(serial).state == "reserved"
    assert ledger.newest(*DEVICE) is None
    ledger.finish([signed(serial)], NOW + 1)
    row = ledger.newest(*DEVICE)
    assert (row.serial, row.state, row.issued_at, row.certificate) == (serial, "issued", NOW + 1, b"der")


def test_states_never_go_back():
    assert TRANSITIONS == {"reserved": ("issued", "void"), "issued": (), "void": ()}


def test_a_reservation_that_was_given_up_cannot_be_finished(ledger):
    (first,) = ledger.reserve("device", [DEVICE], NOW)
    (second,) = ledger.reserve("device", [DEVICE], NOW)
    assert ledger.find(first).state == "void"
    with pytest.raises(UserError, match="given up because another run took that device"):
        ledger.finish([signed(first)], NOW)
    ledger.finish([signed(second)], NOW)
    assert ledger.newest(*DEVICE).serial == second


def test_finishing_once_more_changes_nothing(ledger):
    (serial,) = ledger.reserve("device", [DEVICE], NOW)
    ledger.finish([signed(serial)], NOW)
    before = ledger.find(serial)
    ledger.finish([signed(serial)], NOW + 500)
    assert ledger.find(serial) == before


def test_one_serial_is_never_two_certificates(ledger):
    (serial,) = ledger.reserve("device", [DEVICE], NOW)
    ledger.finish([signed(serial)], NOW)
    with pytest.raises(UserError):
        ledger.finish([signed(serial, fingerprint="another")], NOW)
    assert ledger.find(serial).fingerprint == f"f{serial}"


def test_a_serial_that_was_not_drawn_is_refused(ledger):
    with pytest.raises(UserError, match="not drawn by this CA's ledger"):
        ledger.finish([signed("1A")], NOW)


def test_all_or_none_of_a_batch_is_finished(ledger):
    good, other = ledger.reserve("device", [DEVICE, ("a1Product", "dev-0002")], NOW)
    with pytest.raises(UserError):
        ledger.finish([signed(good), signed("1A")], NOW)
    assert [ledger.find(serial).state for serial in (good, other)] == ["reserved", "reserved"]


def test_drawn_void_and_issued_serials_are_never_drawn_again(ledger):
    draws = iter(["1A", "1A", "1B", "1B", "1A", "1C", "1A", "1B", "1C", "1D"])
    drawn = [ledger.reserve("device", [DEVICE], NOW, True, lambda: next(draws))[0] for _ in range(3)]
    ledger.finish([signed(drawn[-1])], NOW)
    drawn += ledger.reserve("device", [("a1Product", "dev-0002")], NOW, fresh=lambda: next(draws))
    assert drawn == ["1A", "1B", "1C", "1D"]


def test_a_device_with_a_certificate_gets_another_only_by_renewal(ledger):
    (first,) = ledger.reserve("device", [DEVICE], NOW)
    ledger.finish([signed(first)], NOW)
    with pytest.raises(UserError, match=f"already has certificate {first}"):
        ledger.reserve("device", [DEVICE], NOW)
    (second,) = ledger.reserve("device", [DEVICE], NOW, renew=True)
    ledger.finish([signed(second)], NOW)
    assert [row.serial for row in ledger.rows()] == [second]
    assert [row.serial for row in ledger.rows(newest_only=False)] == [first, second]


def test_two_devices_never_share_a_key(ledger):
    first, second = ledger.reserve("device", [DEVICE, ("a1Product", "dev-0002")], NOW)
    ledger.finish([signed(first, key="k")], NOW)
    with pytest.raises(UserError, match="dev-0002 is already the key of a1Product,dev-0001"):
        ledger.finish([signed(second, key="k")], NOW)


def test_two_devices_of_one_batch_never_share_a_key(ledger):
    first, second = ledger.reserve("device", [DEVICE, ("a1Product", "dev-0002")], NOW)
    with pytest.raises(UserError, match="a key of its own"):
        ledger.finish([signed(first, key="k"), signed(second, key="k")], NOW)


def test_a_device_may_keep_its_key_when_it_is_renewed(ledger):
    (first,) = ledger.reserve("device", [DEVICE], NOW)
    ledger.finish([signed(first, key="k")], NOW)
    (second,) = ledger.reserve("device", [DEVICE], NOW, renew=True)
    ledger.finish([signed(second, key="k")], NOW)
    assert ledger.newest(*DEVICE).serial == second


def draw(path, worker):
    ledger = Ledger.open(path)
    return [ledger.reserve("device", [("a1Product", f"dev-{worker}-{n}")], NOW)[0] for n in range(20)]


def test_processes_draw_at_once_and_never_the_same(ledger, tmp_path):
    with multiprocessing.get_context("spawn").Pool(3) as workers:
        drawn = workers.starmap(draw, [(tmp_path / "ledger.db", worker) for worker in range(3)])
    assert len({serial for serials in drawn for serial in serials}) == 60
    assert ledger.counts() == {"reserved": 60}


def test_no_private_key_is_ever_in_the_ledger(ca, pool, folder):
    from tools.ca.issue import issue

    issued = issue(ca, "a1Product", "dev-0001", key=pool[0])
    data = (folder / "ledger.db").read_bytes()
    assert issued.certificate_der in data
    for start in range(300, len(issued.key_der) - 32):
        assert issued.key_der[start : start + 32] not in data
