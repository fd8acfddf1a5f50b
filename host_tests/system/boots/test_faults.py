"""What a network, a platform or a clock can do to a first boot: a typed error, nothing stored wrongly, recovery."""

import pytest

from host_tests.support.fleet import MICROPYTHON, comes_back
from host_tests.system.boots.test_media import in_files, in_nvs

PATIENT, SHORT = 15000, 1500  # ms: what a registration or connect may take; short where the fault is silence
SILENCES = ("silent", "half_open", "trickle", "delay")
ANSWERS = ("offline", "refused", "error")


def strike(fleet, kind, *faults, **options):
    """Boot a fresh board into `faults`; (board, the first state line that tells of a failure)."""
    silence = any(fault["kind"] in SILENCES for fault in faults)
    board = fleet.board(kind, timeout=SHORT if silence else PATIENT, **options)
    whose = {"pk": board.product_key, "dn": board.device_name}
    fleet.cloud.arm(*({**fault, **whose} if fault["when"] not in BLIND else fault for fault in faults))
    boot = board.boot(until=lambda state: state["aliot"] in ANSWERS, timeout=90)
    assert boot.reason == "stopped", f"{boot.reason}\n" + "\n".join(boot.lines)
    return board, next(state for state in boot.states if state["aliot"] in ANSWERS)


BLIND = ("accept", "handshake", "request")  # the cloud does not know yet who is there


def recovers(fleet, board):
    fleet.cloud.admin("DELETE", "/faults")
    comes_back(board)
    assert in_nvs(board) == in_files(board)


CERTIFICATES = [
    ("wrong_host", "certificate.name"),
    ("untrusted", "certificate.untrusted"),
    ("expired", "certificate.expired"),
    ("not_yet_valid", "certificate.future"),
]


@pytest.mark.parametrize("certificate, code", CERTIFICATES)
@pytest.mark.parametrize("kind", ["https", "mqtt"])
def test_a_certificate_that_must_not_be_trusted(fleet, kind, certificate, code):
    where = "https" if kind == "https" else "mqtt_tls"
    board, answer = strike(
        fleet,
        kind,
        {
            "where": where,
            "when": "handshake",
            "kind": "certificate",
            "certificate": certificate,
            "times": None,
        },
    )
    assert answer["code"] == code and answer["advice"], answer
    assert "issued" not in in_nvs(board) and fleet.registrations(board) == 0
    recovers(fleet, board)


@pytest.mark.parametrize("kind", ["expired", "not_yet_valid"])
def test_dates_that_are_refused_say_clock_when_no_server_set_it(fleet, kind):
    board, answer = strike(
        fleet,
        "https",
        {"where": "ntp", "when": "request", "kind": "wrong_year", "times": None},
        {"where": "https", "when": "handshake", "kind": "certificate", "certificate": kind, "times": None},
        ntp=["ntp.aliyun.com"],
    )
    assert answer["code"] == "certificate.clock" and "SNTP" in answer["advice"], answer
    assert "issued" not in in_nvs(board)
    recovers(fleet, board)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("kind", ["https", "regnwl"])
def test_every_connack_code_after_registration(fleet, kind, number):
    board, answer = strike(
        fleet, kind, {"where": "mqtt_tls", "when": "connect", "kind": "refuse", "code": number}
    )
    assert (answer["aliot"], answer["code"]) == ("refused", f"mqtt.{number}") and answer["advice"]
    assert answer["wait"] >= 300 or number == 3, "a refusal is retried after minutes"
    assert "issued" in in_nvs(board)
    recovers(fleet, board)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_every_connack_code_of_a_registration(fleet, number):
    board, answer = strike(
        fleet, "mqtt", {"where": "mqtt_tls", "when": "register", "kind": "refuse", "code": number}
    )
    assert (answer["aliot"], answer["code"]) == ("refused", f"register.mqtt.{number}") and answer["advice"]
    assert "issued" not in in_nvs(board)
    recovers(fleet, board)


CODES = [400, 401, 429, 460, 500, 5005, 6100, 6204, 6250, 6280, 6287, 6288, 6289, 6292, 6600, 6619, 12345]


@MICROPYTHON
@pytest.mark.parametrize("number", CODES)
def test_every_registration_code(fleet, number):
    board, answer = strike(
        fleet, "https", {"where": "https", "when": "register", "kind": "refuse", "code": number}
    )
    assert (answer["aliot"], answer["code"]) == ("refused", f"register.{number}") and (
        answer["advice"] or number == 12345
    )
    assert "issued" not in in_nvs(board)
    recovers(fleet, board)


@MICROPYTHON
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "wrong_json"},
        {"kind": "wrong_device"},
        {"kind": "oversize"},
        {"kind": "silent"},
        {"kind": "half_open"},
        {"kind": "close"},
        {"kind": "reset"},
        {"kind": "trickle", "ms": 1000},
        {"kind": "cut", "bytes": 3},
        {"kind": "cut", "bytes": 0},
        {"kind": "delay", "ms": 3000},
        {"kind": "status"},
    ],
    ids=lambda fault: "-".join(map(str, fault.values())),
)
@pytest.mark.parametrize(
    "kind, where, when",
    [
        ("https", "https", "register"),
        ("mqtt", "mqtt_tls", "push"),
        ("regnwl", "mqtt_tls", "push"),
        ("https", "mqtt_tls", "connect"),
    ],
)
def test_an_answer_that_cannot_be_used(fleet, kind, where, when, fault):
    if fault["kind"] == "status" and where != "https" or fault["kind"] in WITH_A_SECRET and when == "connect":
        fault = {"kind": "close", "processed": False}  # no such answer here: the request is lost instead
    board, answer = strike(fleet, kind, {"where": where, "when": when, **fault})
    assert answer["code"] and answer["aliot"] in ("offline", "refused"), answer
    if when != "connect":
        assert "issued" not in in_nvs(board) and "issued" not in in_files(board)
    recovers(fleet, board)


WITH_A_SECRET = ("wrong_json", "wrong_device", "oversize")


@pytest.mark.parametrize("kind", ["half_open", "close", "reset", "trickle", "cut"])
@pytest.mark.parametrize("where", ["https", "mqtt_tls"])
def test_a_handshake_that_does_not_end(fleet, where, kind):
    board, answer = strike(fleet, "https", {"where": where, "when": "handshake", "kind": kind})
    assert answer["aliot"] == "offline" and answer["code"] in (
        "timeout",
        "closed",
        "reset",
        "tls",
        "tls.alert",
    ), answer
    recovers(fleet, board)


def test_chunks_are_an_answer_too(fleet):
    board = fleet.board("https")
    fleet.cloud.arm(
        {
            "where": "https",
            "when": "register",
            "kind": "chunked",
            "pk": board.product_key,
            "dn": board.device_name,
        }
    )
    recovers(fleet, board)


# not among them: a kiss of death, which the chip's own ntptime does not look at; the time in it is right
@pytest.mark.parametrize("kind", ["silent", "wrong_year", "cut"])
def test_a_time_server_that_fails(fleet, kind):
    """The clock falls back to the build date; a certificate that is refused for it says "clock"."""
    board = fleet.board("https", ntp=["ntp.aliyun.com"])
    fleet.cloud.arm({"where": "ntp", "when": "request", "kind": kind, "times": None})
    boot = board.boot(until=lambda state: state["aliot"] in (*ANSWERS, "stored"), timeout=90)
    assert boot.state("clock")["server"] is None and boot.state("clock")["time"] >= 1795219200
    assert boot.state("stored") or boot.state("offline")["code"] == "certificate.clock", boot.lines
    recovers(fleet, board)


def test_the_second_of_two_time_servers_is_asked(fleet):
    fleet.cloud.arm({"where": "ntp", "when": "request", "kind": "silent", "times": 1})
    board = fleet.board("https", ntp=["ntp.aliyun.com", "ntp1.aliyun.com"])
    boot = board.boot(until="connected")
    assert boot.state("clock")["server"] == "ntp1.aliyun.com"


def test_it_recovers_by_itself_when_the_fault_goes(fleet):
    """Without a reset: what can pass is tried again."""
    board = fleet.board("https")
    fleet.cloud.arm(
        {
            "where": "https",
            "when": "register",
            "kind": "close",
            "pk": board.product_key,
            "dn": board.device_name,
            "times": 1,
        }
    )
    boot = board.boot(until="connected", timeout=90)
    assert boot.reason == "stopped" and boot.state("offline") and boot.state("connected"), boot.lines


@MICROPYTHON
def test_a_name_that_does_not_resolve(fleet):
    board = fleet.board("https")
    board.cloud = None
    boot = board.boot(until=lambda state: state["aliot"] in ANSWERS, timeout=90)
    assert boot.state("offline")["code"] == "dns" and boot.state("clock")["server"] is None
    board.cloud = fleet.cloud.run_dir
    recovers(fleet, board)
