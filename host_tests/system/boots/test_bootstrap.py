"""Boards that ask the platform where to connect, against its centres: every way to ask, faults, power cuts, moves."""

import secrets

import pytest

from host_tests.support.fleet import MAIN, MICROPYTHON, Direct, names, online

SHANGHAI, SINGAPORE, FRANKFURT, OREGON = "cn-shanghai", "ap-southeast-1", "eu-central-1", "us-west-1"
PATIENT, SHORT = 15000, 1500  # ms: what a question or a connect may take; short where the fault is silence
ANSWERS = ("offline", "refused", "error")


@pytest.fixture(scope="module")
def cloud_config():
    """Four centres in one; whoever was not moved is at home in Frankfurt."""
    config = Direct.config()
    config["instance"]["centres"] = [SINGAPORE, FRANKFURT, OREGON]
    for product in config["product"]:
        product["centre"] = FRANKFURT
    return config


def asking(fleet, auth="https", bootstrap="region", region=SINGAPORE, kind="device", **options):
    """A board that was never on, burned with these settings."""
    fleet.endpoint = {"region": region, "auth": auth, "bootstrap": bootstrap}
    return fleet.board(kind, **options)


def at(region):
    return f"iot-as-mqtt.{region}.aliyuncs.com"


def handshakes(cloud):
    return sum(listener["tls_handshakes"] for listener in cloud.admin("GET", "/stats")["listeners"].values())


def goes_there_directly(board, region):
    """A boot that asks nobody, connects in that centre, and has nothing to write."""
    boot = online(board)
    assert "asking" not in names(boot) and boot.state("connecting")["host"] == at(region), boot.lines
    assert boot.state("guided")["age"] >= 0 and boot.operations == 0


# auth, bootstrap, region: what is asked
REQUESTS = {
    ("mqtt", "region", SINGAPORE): ["/auth/bootstrap"],
    ("mqtt", "global", SHANGHAI): ["/auth/bootstrap"],
    ("https", "none", FRANKFURT): ["/auth/devicename"],
    ("https", "region", SINGAPORE): ["/auth/devicename"],
    ("https", "global", SINGAPORE): ["/auth/bootstrap", "/auth/devicename"],
}


@pytest.mark.parametrize("settings", REQUESTS, ids=lambda settings: "-".join(settings))
def test_a_board_is_sent_to_its_centre_and_after_a_power_cut_goes_there_directly(fleet, settings, cloud):
    board = asking(fleet, *settings)
    before = handshakes(cloud)
    boot = board.boot(until="kept")
    assert boot.state("kept") == {"aliot": "kept", "nvs": "ok"}, boot.lines
    assert [state["path"] for state in boot.states if state["aliot"] == "asking"] == REQUESTS[settings]
    assert boot.state("connected")["host"] == at(FRANKFURT)
    assert handshakes(cloud) - before == len(REQUESTS[settings]) + 1
    goes_there_directly(board, FRANKFURT)
    assert handshakes(cloud) - before == len(REQUESTS[settings]) + 2
    assert bool(cloud.device(board.product_key, board.device_name)["iot_tokens"]) is (settings[0] == "https")


@MICROPYTHON
@pytest.mark.parametrize("kind, auth", [("https", "https"), ("mqtt", "https"), ("regnwl", "mqtt")])
def test_what_was_issued_is_what_asks(fleet, kind, auth, cloud):
    board = asking(fleet, auth, "global", SHANGHAI, kind)
    boot = board.boot(until="kept")
    assert names(boot).index("stored") < names(boot).index("asking"), boot.lines
    assert boot.state("connected")["host"] == at(FRANKFURT) and fleet.registrations(board) == 1
    goes_there_directly(board, FRANKFURT)
    assert fleet.registrations(board) == 1


@MICROPYTHON
def test_settings_on_the_board_go_before_what_was_burned(fleet):
    main = MAIN.format(
        config={"endpoint": {"auth": "https", "bootstrap": "region", "region": SINGAPORE}}, timeout=PATIENT
    )
    fleet.endpoint = {"region": SHANGHAI}
    board = fleet.board("device", main=main)
    assert board.boot(until="kept").state("connected")["host"] == at(FRANKFURT)


@MICROPYTHON
@pytest.mark.parametrize("torn", [False, True], ids=["before", "torn"])
def test_power_cuts_at_every_flash_operation_of_a_bootstrap(fleet, torn, tally):
    board = asking(fleet)
    new = board.flash.read_bytes()
    whole = board.boot(until="kept").operations
    assert whole > 0
    for operation in range(1, whole + 1):
        board.flash.write_bytes(new)
        cut = board.boot(until="kept", cut_at=operation, torn=torn)
        assert cut.reason == "power cut" and cut.state("connected") and not cut.state("kept"), cut.lines
        assert online(board).state("connecting")["host"] == at(FRANKFURT)
        tally("power cuts")
    board.boot(until="kept")
    goes_there_directly(board, FRANKFURT)


@MICROPYTHON
def test_power_cuts_while_it_is_thrown_away(fleet, cloud, tally):
    board = asking(fleet, "mqtt")
    board.boot(until="kept")
    kept = board.flash.read_bytes()
    refuse = {
        "where": "mqtt_tls",
        "when": "connect",
        "kind": "refuse",
        "code": 4,
        "pk": board.product_key,
        "dn": board.device_name,
    }
    cloud.arm(refuse)
    whole = board.boot(until="refused").operations
    assert whole > 0
    for operation in range(1, whole + 1):
        board.flash.write_bytes(kept)
        cloud.arm(refuse)
        assert board.boot(until="refused", cut_at=operation, torn=True).reason == "power cut"
        assert online(board).state("connecting")["host"] == at(FRANKFURT)
        tally("power cuts")


def test_a_board_that_was_moved_hears_of_it_and_goes(fleet, cloud):
    board = asking(fleet)
    board.start()
    board.wait_for("kept")
    device = f"/devices/{board.product_key}/{board.device_name}"
    cloud.admin("POST", device + "/centre", {"region": OREGON})
    cloud.admin("POST", device + "/bootstrap", {})
    board.wait_for(lambda state: state["aliot"] == "offline" and state["code"] == "auth.moved")
    assert board.wait_for("connected")["host"] == at(OREGON)
    board.wait_for("kept")
    board.power_off()
    goes_there_directly(board, OREGON)


@MICROPYTHON
def test_a_board_that_was_moved_while_it_was_off_asks_anew(fleet, cloud):
    board = asking(fleet, "mqtt")
    board.boot(until="kept")
    cloud.admin("POST", f"/devices/{board.product_key}/{board.device_name}/centre", {"region": OREGON})
    refused = board.boot(until="refused")
    assert refused.state("refused")["code"] == "mqtt.4" and refused.state("connecting")["host"] == at(
        FRANKFURT
    )
    boot = board.boot(until="kept")
    assert boot.state("asking") and boot.state("connected")["host"] == at(OREGON)
    goes_there_directly(board, OREGON)


@MICROPYTHON
@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_a_stale_token_is_asked_for_anew_in_the_same_boot(fleet, cloud, how):
    board = asking(fleet)
    board.boot(until="kept")
    if how == "revoked":
        cloud.admin("DELETE", f"/devices/{board.product_key}/{board.device_name}/tokens")
    else:
        cloud.advance(7 * 86400 + 1)
    boot = board.boot(until="kept")
    assert boot.state("refused")["code"] == "auth.token" and boot.state("refused")["wait"] <= 2, boot.lines
    assert names(boot)[-6:] == ["refused", "asking", "guided", "connecting", "connected", "kept"], (
        boot.lines + [boot.reason]
    )
    goes_there_directly(board, FRANKFURT)


CODES = [(401, "never"), (460, "never"), (500, "now"), (5001, "never"), (6200, "never")]
FAULTS = [
    *[({"kind": "refuse", "code": code}, f"auth.{code}") for code, _ in CODES],
    ({"kind": "status", "status": 503}, "auth.answer"),
    ({"kind": "wrong_json"}, "auth.answer"),
    ({"kind": "oversize"}, "auth.answer"),
    ({"kind": "foreign_host", "host": "iot-as-mqtt.eu-central-1.aliyuncs.com.example"}, "auth.host"),
    ({"kind": "cut", "bytes": 60}, "closed"),
    ({"kind": "close"}, "closed"),
    ({"kind": "reset"}, "reset"),
    ({"kind": "half_open"}, "timeout"),
    ({"kind": "trickle"}, "timeout"),
]


@MICROPYTHON
@pytest.mark.parametrize("fault, code", FAULTS, ids=[f"{fault['kind']}-{code}" for fault, code in FAULTS])
@pytest.mark.parametrize("when", ["auth", "bootstrap"])
def test_a_fault_of_the_question_is_told_and_nothing_of_it_is_kept(fleet, cloud, when, fault, code):
    silence = fault["kind"] in ("half_open", "trickle")
    board = asking(fleet, "https" if when == "auth" else "mqtt", timeout=SHORT if silence else PATIENT)
    cloud.arm({"where": "https", "when": when, "pk": board.product_key, "dn": board.device_name, **fault})
    board.start()
    answer = board.wait_for(lambda state: state["aliot"] in ANSWERS)
    assert answer["code"] == code and answer["advice"], answer
    assert answer["retry"] == dict((f"auth.{number}", retry) for number, retry in CODES).get(
        code, answer["retry"]
    )
    if answer["retry"] == "now":  # it asks again by itself
        assert board.wait_for("connected")["host"] == at(FRANKFURT)
        board.power_off()
    else:
        board.power_off()
        assert online(board).state("connecting")["host"] == at(FRANKFURT)


@MICROPYTHON
@pytest.mark.parametrize(
    "kind, code", [("wrong_host", "certificate.name"), ("untrusted", "certificate.untrusted")]
)
def test_a_centre_must_prove_its_name(fleet, cloud, kind, code):
    board = asking(fleet)
    cloud.arm({"where": "https", "when": "handshake", "kind": "certificate", "certificate": kind})
    boot = board.boot(until=lambda state: state["aliot"] in ANSWERS)
    assert boot.states[-1].get("code") == code, "\n".join(boot.lines)


@MICROPYTHON
def test_an_answer_in_chunks_is_one(fleet, cloud):
    board = asking(fleet)
    cloud.arm(
        {
            "where": "https",
            "when": "auth",
            "kind": "chunked",
            "pk": board.product_key,
            "dn": board.device_name,
        }
    )
    assert online(board).state("connected")["host"] == at(FRANKFURT)


@MICROPYTHON
def test_a_board_of_another_kind_is_told_so(fleet):
    """A DeviceSecret that is wrong is refused by the centre, not by the broker."""
    fleet.endpoint = {"region": SINGAPORE, "auth": "https", "bootstrap": "region"}
    unknown = fleet.identity("device", "never-made", secrets.token_hex(16))
    board = fleet.board("device", image=fleet.image(unknown, MAIN.format(config={"timeout": PATIENT})))
    boot = board.boot(until="refused")
    assert boot.state("refused")["code"] == "auth.5001" and "exists" in boot.state("refused")["advice"]
