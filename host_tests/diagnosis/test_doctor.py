"""`doctor` checks the route to the platform and names the first check that fails."""

import json
import secrets

import pytest

from tools import cli
from tools.diagnosis import board
from tools.image import identity

KEY, SECRET = "a1Doctor001", secrets.token_hex(8)
INSTANCE = "iot-06z00abc"
DEVICE_SECRET = secrets.token_hex(16)
UNIQUE = {"product_key": KEY, "device_name": "unique", "device_secret": DEVICE_SECRET, "instance": INSTANCE}
SINGAPORE, FRANKFURT, SMART_KEY = "ap-southeast-1", "eu-central-1", "a1DoctorSma"
SMART = {"product_key": SMART_KEY, "device_name": "lamp", "device_secret": DEVICE_SECRET, "region": SINGAPORE}
PRODUCT = {"product_key": KEY, "device_name": "byhttps", "product_secret": SECRET, "instance": INSTANCE}


CLOUD = {
    "instance": {
        "kind": "enterprise",
        "id": INSTANCE,
        "region": "cn-shanghai",
        "centres": [SINGAPORE, FRANKFURT],
    },
    "product": [
        {
            "product_key": SMART_KEY,
            "product_secret": SECRET,
            "centre": FRANKFURT,
            "device": [{"device_name": "lamp", "device_secret": DEVICE_SECRET}],
        },
        {
            "product_key": KEY,
            "product_secret": SECRET,
            "dynamic_registration": True,
            "device": [
                {"device_name": "unique", "device_secret": DEVICE_SECRET},
                {"device_name": "byhttps"},
                {"device_name": "walker"},
            ],
        },
    ],
}


@pytest.fixture
def doctor(cloud, tmp_path, capsys):
    """`doctor(certificate, *arguments)`: (status, {check: (ok, found, advice)})."""

    def run(certificate, *arguments):
        command = ["doctor", "--cloud", str(cloud.run_dir), "--timeout", "10", "--json", *arguments]
        if certificate:
            path = tmp_path / "cert.json"
            path.write_text(json.dumps(certificate))
            command.append(str(path))
        status = cli.main(command)
        captured = capsys.readouterr()
        output = captured.out
        assert output, captured.err
        assert SECRET not in output and DEVICE_SECRET not in output
        return status, {
            row["stretch"]: (row["ok"], row["found"], row["advice"]) for row in json.loads(output)
        }

    yield run
    cloud.admin("DELETE", "/faults")
    cloud.admin("POST", f"/products/{KEY}/dynamic_registration", {"enabled": True})


def test_all_green_for_a_device(doctor):
    status, found = doctor(UNIQUE)
    assert status == 0 and list(found) == ["availability", "clock", "DNS", "TCP", "TLS", "login"]
    assert all(ok for ok, _, _ in found.values())
    assert "verified by ca.pem" in found["TLS"][1] and "CONNACK 0" in found["login"][1]


def test_nothing_is_registered_or_activated_for_a_product(doctor, cloud):
    status, found = doctor(PRODUCT)
    assert status == 0 and found["registration"][0] and found["login"][0] is None
    assert cloud.device(KEY, "byhttps")["registrations"] == 0


def test_without_a_certificate_it_looks_at_the_public_endpoint(doctor):
    status, found = doctor(None)
    assert status == 0 and list(found) == ["clock", "DNS", "TCP", "TLS"]


def test_no_login_is_left_out_when_asked(doctor, cloud):
    before = cloud.device(KEY, "unique")["traffic"]["connections"]
    _, found = doctor(UNIQUE, "--no-login")
    assert found["login"][0] is None and cloud.device(KEY, "unique")["traffic"]["connections"] == before


@pytest.mark.parametrize(
    "settings, checks",
    [
        ({"auth": "https", "bootstrap": "region"}, ["devicename"]),
        ({"bootstrap": "global"}, ["bootstrap"]),
        ({"auth": "https", "bootstrap": "global"}, ["bootstrap", "devicename"]),
    ],
)
def test_it_asks_where_to_connect_as_the_board_would(doctor, settings, checks):
    status, found = doctor({**SMART, **settings})
    assert status == 0 and list(found) == [
        "availability",
        "clock",
        *checks,
        "DNS",
        "TCP",
        "TLS",
        "login",
    ], found
    for check in checks:
        assert found[check][1].endswith(f"sends the board to iot-as-mqtt.{FRANKFURT}.aliyuncs.com:1883")
    assert FRANKFURT in found["TLS"][1] and "CONNACK 0" in found["login"][1]


def test_no_token_is_asked_for_without_a_login(doctor, cloud):
    before = cloud.device(SMART_KEY, "lamp")["iot_tokens"]
    status, found = doctor({**SMART, "auth": "https", "bootstrap": "global"}, "--no-login")
    assert status == 0 and found["bootstrap"][0] and found["devicename"][0] is None and found["TLS"][0]
    assert cloud.device(SMART_KEY, "lamp")["iot_tokens"] == before


def test_a_question_that_is_refused_ends_the_way(doctor):
    status, found = doctor({**SMART, "device_secret": "w" * 32, "auth": "https", "bootstrap": "region"})
    ok, output, advice = found["devicename"]
    assert (
        (status, ok) == (1, False)
        and "auth.401" in output
        and "DeviceSecret" in advice
        and "TLS" not in found
    )


def test_an_answer_that_leads_off_the_platform(doctor, cloud):
    cloud.arm({"where": "https", "when": "bootstrap", "kind": "foreign_host", "host": "mqtt.example.com"})
    status, found = doctor({**SMART, "bootstrap": "region"})
    assert (
        status == 1
        and "auth.host: mqtt.example.com" in found["bootstrap"][1]
        and "register_host" in found["bootstrap"][2]
    )


@pytest.mark.parametrize("change, code", [({"product_key": "a1Unknown01"}, "6250")])
def test_an_unknown_product(doctor, change, code):
    status, found = doctor({**PRODUCT, **change})
    ok, output, advice = found["registration"]
    assert (status, ok) == (1, False) and code in output and "ProductKey" in advice


def test_the_switch_is_off(doctor, cloud):
    cloud.admin("POST", f"/products/{KEY}/dynamic_registration", {"enabled": False})
    status, found = doctor(PRODUCT)
    ok, output, advice = found["registration"]
    assert (status, ok) == (1, False) and "6288" in output and "dynamic registration" in advice


def test_a_wrong_secret(doctor):
    status, found = doctor({**UNIQUE, "device_secret": "w" * 32})
    assert status == 1 and found["login"][:2] == (False, "CONNACK 4") and found["login"][2]


@pytest.mark.parametrize(
    "kind, output, advice",
    [
        ("expired", "expired", "clock"),
        ("not_yet_valid", "not yet valid", "clock"),
        ("wrong_host", "mismatch", "region"),
        ("untrusted", "certificate", "root"),
    ],
)
def test_a_certificate_that_is_refused(doctor, cloud, kind, output, advice):
    cloud.arm(
        {"where": "mqtt_tls", "when": "handshake", "kind": "certificate", "certificate": kind, "times": None}
    )
    status, found = doctor(UNIQUE)
    assert status == 1 and found["TLS"][0] is False and "login" not in found
    assert output in found["TLS"][1].lower() and advice in found["TLS"][2]


def test_a_platform_that_is_silent(doctor, cloud):
    cloud.arm(
        {"where": "mqtt_tls", "when": "connect", "kind": "half_open", "times": None},
        {"where": "ntp", "when": "request", "kind": "silent", "times": None},
    )
    status, found = doctor(UNIQUE, "--timeout", "0.3")
    assert status == 1 and found["login"][0] is False and "no CONNACK" in found["login"][1]
    assert found["clock"][0] is False and "UDP port 123" in found["clock"][2]


def test_a_region_that_has_not_this_kind(doctor):
    status, found = doctor({**PRODUCT, "region": "us-west-1", "instance": None})
    assert status == 1 and found["availability"][0] is False and "cn-shanghai" in found["availability"][1]


@pytest.fixture
def port(plugged_in):
    """`port(certificate)`: the address of an emulated board that runs with it."""
    return lambda certificate: plugged_in(certificate and identity.parse(certificate))


WALKED = ["identity", "roots", "network", "clock", "TLS", "login"]


def test_a_board_walks_the_way_itself_up_to_its_own_login(port, doctor, cloud):
    status, found = doctor(None, "--port", port(UNIQUE))
    assert status == 0 and list(found) == WALKED, found
    assert found["identity"][1] == f"{KEY} / unique, own secret; media: littlefs ok, nvs ok"
    assert found["roots"][1].startswith("extra: ca.der:") and found["network"][1] == "joined lab"
    assert found["TLS"][1] == f"chain, name and dates of {INSTANCE}.mqtt.iothub.aliyuncs.com:8883 verified"
    assert found["login"][1] == f"CONNACK 0: {KEY} / unique is online"
    assert not any(advice for _, _, advice in found.values())


def test_a_board_that_is_not_registered_registers(plugged_in, doctor, cloud):
    address = plugged_in(identity.parse({**PRODUCT, "device_name": "walker"}), files={"/main.py": b""})
    status, found = doctor(None, "--port", address)
    assert status == 0 and list(found) == [*WALKED[:4], "registration", *WALKED[4:]], found
    assert found["identity"][1] == f"{KEY} / walker, not registered yet; media: littlefs ok, nvs ok"
    assert found["registration"][1] == "registered by https; media: littlefs ok, nvs ok"
    assert cloud.device(KEY, "walker")["registrations"] == 1
    status, found = doctor(None, "--port", address)
    assert status == 0 and list(found) == WALKED and "walker, registered; media" in found["identity"][1], (
        found
    )


def test_a_board_whose_registration_is_refused(port, doctor):
    status, found = doctor(None, "--port", port({**PRODUCT, "device_name": "unheard"}))
    ok, output, advice = found["registration"]
    assert (status, ok) == (1, False) and output.startswith("register.6100: ") and "console" in advice
    assert list(found)[-1] == "registration"


def test_a_board_whose_secret_is_wrong_is_refused(port, doctor):
    status, found = doctor(None, "--port", port({**UNIQUE, "device_secret": "w" * 32}))
    ok, output, advice = found["login"]
    assert (status, ok) == (1, False) and output == "mqtt.4: bad user name or password" and "secret" in advice
    assert list(found) == WALKED and found["TLS"][0]


def test_a_board_that_asks_says_what_and_whom(port, doctor):
    address = port({**SMART, "auth": "https", "bootstrap": "region"})
    status, found = doctor(None, "--port", address)
    assert status == 0 and list(found) == [*WALKED[:4], "asks", *WALKED[4:]], found
    place = f"iot-as-mqtt.{FRANKFURT}.aliyuncs.com:1883"
    assert found["asks"][1] in (
        f"/auth/devicename of iot-auth.{SINGAPORE}.aliyuncs.com: {place}",
        f"kept: {place}",
    )
    assert place in found["TLS"][1]


def test_a_board_whose_question_is_refused(port, doctor):
    status, found = doctor(
        None, "--port", port({**SMART, "device_secret": "w" * 32, "auth": "https", "bootstrap": "region"})
    )
    ok, output, advice = found["asks"]
    assert (
        (status, ok) == (1, False)
        and output.startswith("auth.401: ")
        and "DeviceSecret" in advice
        and "login" not in found
    )


def test_a_board_whose_server_cannot_be_trusted(port, doctor, cloud):
    cloud.arm(
        {
            "where": "mqtt_tls",
            "when": "handshake",
            "kind": "certificate",
            "certificate": "wrong_host",
            "times": None,
        }
    )
    status, found = doctor(None, "--port", port(UNIQUE))
    ok, output, advice = found["TLS"]
    assert (
        (status, ok) == (1, False)
        and output.startswith("certificate.name")
        and "region" in advice
        and "login" not in found
    )


def test_a_fault_that_is_gone_at_the_next_try_is_none(port, doctor, cloud):
    address = port(UNIQUE)
    cloud.arm({"where": "mqtt_tls", "when": "connect", "kind": "close", "times": 1})
    status, found = doctor(None, "--port", address)
    assert status == 0 and list(found) == WALKED and found["login"][0], found


def test_a_board_without_an_identity(port, doctor):
    status, found = doctor(None, "--port", port(None))
    assert status == 1 and list(found) == ["identity"] and "burn" in found["identity"][2]


def test_a_board_whose_settings_are_wrong_says_which(plugged_in, doctor):
    status, found = doctor(None, "--port", plugged_in(identity.parse(UNIQUE), config={"keepalive": 10}))
    ok, output, advice = found["settings"]
    assert (status, ok) == (1, False) and "keepalive has to be a number from 30 to 1200" in output and advice
    assert found["login"][0]


def test_what_a_board_prints_cannot_drive_a_terminal():
    assert board.printable("mqtt.4: \x1b[31mred\x07 \u8bbe") == "mqtt.4: \\x1b[31mred\\x07 \u8bbe"


@pytest.mark.parametrize(
    "arguments, line",
    [
        (
            ["doctor", "--cloud", "nowhere"],
            "error: no emulated cloud runs in 'nowhere' (no ready.json): start one with "
            "'python -m tools cloud --run-dir nowhere'\n",
        ),
        (["doctor", "nothing.json"], "error: cannot read nothing.json: No such file or directory\n"),
        (
            ["doctor", "--port", "/dev/none", "--no-login"],
            "error: a board on a port logs in by itself: --no-login is for a certificate\n",
        ),
        (["doctor", "--root", "nothing.der"], "error: cannot read nothing.der: No such file or directory\n"),
        (
            ["doctor", "--port", "/dev/none"],
            "error: the board on /dev/none does not answer with aliot's firmware (mpremote: "
            "failed to access /dev/none (it may be in use by another program)): flash it first, or close "
            "the program that has the "
            "port\n",
        ),
    ],
)
def test_bad_input_gets_one_line(capsys, arguments, line):
    assert cli.main(arguments) == 1
    assert capsys.readouterr().err == line
