"""Emulated boards against the emulated cloud: made, associated, burned, and online without a ProductKey in them."""

import json
import random
import secrets

import pytest

from host_tests.support.fleet import MICROPYTHON, names, online, running
from host_tests.support.x509 import PRODUCT, PrivateCa, X509Fleet
from host_tests.system.boots.test_bad_flash import full

FLEET = X509Fleet
# what a person would wait minutes for comes at once
IMPATIENT = """
def impatient(state, told):
    if "wait" in told:
        device.session.after = 0
device.watch(impatient)
"""
# offers what lies in the board's files, once
WATCH = """
slots = []
device.watch(lambda state, told: state == "certificate" and slots.append(told["slot"]))
"""
RENEW = """
    if device.connected and slots == ["burned"]:
        from aliot.x509 import renewal
        slots.append("")
        pair = []
        for name in ("/new.cer", "/new.key"):
            with open(name, "rb") as file:
                pair.append(file.read())
        renewal.offer(device, *pair)
        pair = None
        device.stop()
"""


@pytest.fixture(scope="module")
def ca(cloud, tmp_path_factory):
    return PrivateCa(cloud, tmp_path_factory.mktemp("ca"))


@pytest.fixture
def named():
    """A DeviceName of the test's own."""
    return "board-" + secrets.token_hex(4)


def handshakes(cloud, name):
    return cloud.device(PRODUCT, name)["traffic"]["tls_handshakes"]


def renewed(made):
    """Files with another certificate for a board."""
    return {"/new.cer": made.certificate_der, "/new.key": made.key_der}


def test_a_board_learns_who_it_is_once_and_stays_it(fleet, ca, cloud, named):
    made = ca.issue(named)
    board = fleet.board(made)
    first = online(board)
    assert names(first) == [
        "boot",
        "wifi",
        "wifi",
        "clock",
        "connecting",
        "stored",
        "certificate",
        "connected",
    ]
    assert first.state("boot")["product_key"] == "" and handshakes(cloud, named) == 1
    reported = first.state("certificate")
    assert (
        reported["serial"] == made.serial
        and reported["slot"] == "burned"
        and 3640 <= reported["days"] <= 3650
    )
    assert first.state("connecting")["host"] == "x509.itls.cn-shanghai.aliyuncs.com"
    again = online(board)
    assert not again.state("stored") and again.operations == 0 and handshakes(cloud, named) == 2
    assert (again.state("boot")["product_key"], again.state("boot")["device_name"]) == (PRODUCT, named)


def test_an_nvs_without_room_is_named_and_no_reason_to_stop(fleet, ca, cloud, named):
    board = fleet.board(ca.issue(named))
    full(board)
    boot = online(board)
    assert (boot.state("boot")["nvs"], boot.state("boot")["littlefs"]) == ("full", "ok"), boot.lines
    assert (boot.state("stored")["nvs"], boot.state("stored")["littlefs"]) == ("full", "ok")
    again = online(board)
    assert not again.state("stored") and again.state("boot")["device_name"] == named


def test_it_is_an_ordinary_device(fleet, ca, cloud, named):
    board = fleet.board(
        ca.issue(named),
        more="sent = False",
        again="if device.connected and not sent:\n        sent = True\n"
        '        device.publish("user/update", "hello", 1)\n'
        '        print(json.dumps({"put": "hello"}))',
    )
    board.start()
    board.wait_line('"put": "hello"')
    sent = cloud.admin("POST", "/publish", {"topic": f"/{PRODUCT}/{named}/user/get", "payload": "down"})
    assert sent["sent"] == 1, sent
    board.wait_line('"got": "down"')
    cloud.act(PRODUCT, named, "disable")
    board.wait_for("offline")
    cloud.act(PRODUCT, named, "enable")
    board.wait_for(lambda state: state["aliot"] in ("connected", "refused"))
    board.power_off()
    topics = [message["topic"] for message in cloud.admin("GET", f"/messages?pk={PRODUCT}&dn={named}")]
    assert f"/{PRODUCT}/{named}/user/update" in topics


def test_a_serial_that_is_not_associated_is_refused_until_it_is(fleet, ca, named):
    made = ca.issue(named, associated=False)
    board = fleet.board(made)
    boot = board.boot(until="refused")
    reported = boot.state("refused")
    assert (
        reported["code"] == "mqtt.5"
        and made.serial in reported["detail"]
        and "associate" in reported["advice"]
    )
    assert reported["wait"] >= 300 and not boot.state("stored")
    ca.associate((PRODUCT, named, made.serial))
    assert online(board).state("stored")


def test_what_tls_refuses_is_told_as_such(fleet, cloud, tmp_path, named):
    stranger = PrivateCa(cloud, tmp_path / "stranger", "Stranger_CA", registered=False)
    made = stranger.issue(named, associated=False)
    boot = fleet.board(made).boot(until=lambda state: "code" in state)
    reported = boot.states[-1]
    assert (
        reported["code"] == "x509.refused" and reported["wait"] >= 300 and made.serial in reported["detail"]
    ), reported
    assert "CA" in reported["advice"]


def test_a_revoked_certificate_ends_the_connection_and_is_refused(fleet, ca, cloud, named):
    made = ca.issue(named)
    board = fleet.board(made)
    board.start()
    board.wait_for("connected")
    cloud.admin("POST", f"/cas/{ca.name}/bindings/{made.serial}/disable")
    board.wait_for("offline")
    assert board.wait_for("refused")["code"] == "mqtt.5"
    board.power_off()
    cloud.admin("POST", f"/cas/{ca.name}/bindings/{made.serial}/enable")
    assert online(board).state("boot")["device_name"] == named


def test_a_certificate_that_was_bound_to_another_device_is_an_alarm(fleet, ca, cloud, named):
    made = ca.issue(named)
    board = fleet.board(made, more=IMPATIENT)
    online(board)
    cloud.act(PRODUCT, named, "delete")
    ca.issue(named + "-b", associated=False)
    ca.associate((PRODUCT, named + "-b", made.serial))
    boot = board.boot(until=lambda state: (state["aliot"], state.get("code")) == ("error", "x509.identity"))
    reported = next(
        state for state in boot.states if (state["aliot"], state.get("code")) == ("error", "x509.identity")
    )
    assert f"{named}-b" in reported["detail"] and reported["wait"] >= 3600, reported
    first = next(state for state in boot.states if "code" in state)
    assert (first["aliot"], first["code"]) == ("refused", "mqtt.5"), "\n".join(boot.lines)
    assert board.boot(until="boot").state("boot")["device_name"] == named


@pytest.mark.parametrize(
    "kind, code",
    [
        ("silent", "x509.push"),
        ("wrong_json", "protocol"),
        ("oversize", "x509.push"),
        ("close", "closed"),
        ("half_open", "x509.push"),
    ],
)
@MICROPYTHON
def test_a_push_that_is_lost_or_spoiled_is_asked_for_again(fleet, ca, cloud, kind, code, named):
    board = fleet.board(ca.issue(named), config={"push": 200}, more=IMPATIENT)
    cloud.admin("POST", "/faults", {"where": "x509", "when": "push", "kind": kind, "times": 1, "dn": named})
    boot = board.boot(until="connected", timeout=60)
    trouble = [state["code"] for state in boot.states if "code" in state]
    assert trouble == [code] and boot.state("stored") and boot.state("connected"), boot.lines


def test_a_board_that_is_never_told_again_goes_on(tmp_path, named):
    """x509.md 11: whether the push comes on a reconnect is not known."""
    with running(X509Fleet.config() | {"switches": {"x509_push": "unknown"}}) as other:
        board = X509Fleet(other, tmp_path).board(PrivateCa(other, tmp_path / "ca").issue(named))
        assert online(board).state("stored")
        assert not online(board).state("stored")


def test_a_new_certificate_takes_over_while_it_runs(fleet, ca, cloud, named):
    old = ca.issue(named)
    new = ca.issue(named, renew=True)
    board = fleet.board(old, more=WATCH, again=RENEW, files=renewed(new))
    boot = board.boot(until=lambda state: state.get("slot") == "renewed")
    assert boot.state("certificate")["serial"] == new.serial, boot.lines
    cloud.admin("POST", f"/cas/{ca.name}/bindings/{old.serial}/disable")
    again = online(board)
    assert again.state("certificate")["serial"] == new.serial and not again.state("stored")


def test_a_new_certificate_that_is_not_associated_does_no_harm(fleet, ca, cloud, named):
    old = ca.issue(named)
    new = ca.issue(named, renew=True, associated=False)
    board = fleet.board(old, more=WATCH, again=RENEW, files=renewed(new))
    board.start()
    board.wait_for("connected")
    reported = board.wait_for("error")
    assert reported["code"] == "x509.trial" and "mqtt.5" in reported["detail"] and reported["wait"] <= 2
    assert board.wait_for("certificate")["serial"] == old.serial
    board.power_off()
    ca.associate((PRODUCT, named, new.serial))
    assert online(board).state("certificate")["serial"] == new.serial


@pytest.mark.parametrize("state", ["connecting", "stored", "connected"])
@MICROPYTHON
def test_a_cut_at_any_state(fleet, ca, state, named, tally):
    board = fleet.board(ca.issue(named))
    assert board.boot(until=state).state(state)
    assert online(board).state("certificate")
    tally("power cuts")


@MICROPYTHON
def test_a_cut_at_flash_operations_of_the_push(fleet, ca, named, campaign, tally):
    """Some of them with the whole network; all of them in test_power_cuts.py, without."""
    image = fleet.burned(ca.issue(named))
    board = fleet.board(ca.issue(named + "-x"))
    board.flash.write_bytes(image)
    whole = online(board).operations
    for operation in random.sample(range(1, whole + 1), min(whole, campaign(4))):
        board.flash.write_bytes(image)
        cut = board.boot(until="connected", cut_at=operation, torn=random.random() < 0.5)
        assert cut.reason == "power cut", (operation, cut.lines)
        assert online(board).state("certificate")
        assert online(board).state("boot")["device_name"] == named
        tally("power cuts")


@MICROPYTHON
def test_nothing_told_a_key(fleet, ca, cloud, named):
    made = ca.issue(named)
    board = fleet.board(made)
    text = "\n".join(online(board).lines) + (cloud.run_dir / "cloud.log").read_text(errors="replace")
    text += json.dumps(cloud.admin("GET", "/log"))
    for at in range(100, len(made.key_der) - 40, 100):
        assert made.key_der[at : at + 20].hex() not in text.lower()
