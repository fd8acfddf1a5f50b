"""`explain` shows what the firmware signs, as the published vectors have it, and no secret."""

import json

import pytest

from host_tests.support.paths import VECTORS
from tools import cli

VECTORS = {vector["name"]: vector for vector in json.loads((VECTORS / "vectors.json").read_text())}


@pytest.fixture
def explain(tmp_path, capsys):
    """`explain(certificate, *arguments)`: (status, output, error output)."""

    def run(certificate, *arguments):
        path = tmp_path / "cert.json"
        path.write_text(certificate if isinstance(certificate, str) else json.dumps(certificate))
        status = cli.main(["explain", str(path), *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err.replace(str(path), "cert.json")

    return run


def test_a_connect_as_the_vector_has_it(explain):
    vector = VECTORS["doc-mqtt-connect-worked-example"]
    text = vector["inputs"]
    status, out, _ = explain(
        {"product_key": "pk", "device_name": "device1", "device_secret": "s" * 32, "sign_method": "hmacsha1"},
        "--timestamp",
        "789",
        "--json",
    )
    step = json.loads(out)["requests"][0]
    assert status == 0 and text
    assert step["signed"] == "clientIddevice1deviceNamedevice1productKeypktimestamp789"
    assert step["fields"]["client identifier"] == "device1|securemode=2,signmethod=hmacsha1,timestamp=789|"
    assert step["fields"]["user name"] == "device1&pk"


@pytest.mark.parametrize(
    "name",
    [
        "sign-prodsecret-dynreg-random-567345",
        "sign-prodsecret-dynreg-random-1234567890",
        "sign-prodsecret-dynreg-random-alnum15",
    ],
)
@pytest.mark.parametrize("method", ["https", "mqtt", "regnwl"])
def test_a_registration_as_the_vectors_have_it(explain, name, method):
    inputs, outputs = VECTORS[name]["inputs"], VECTORS[name]["outputs"]
    certificate = {
        "product_key": inputs["productKey"],
        "device_name": inputs["deviceName"],
        "product_secret": inputs["productSecret"],
        "method": method,
        "instance": "iot-06z00abc",
    }
    status, out, _ = explain(certificate, "--random", inputs["random"], "--whole", "--json")
    step = json.loads(out)["requests"][0]
    signature = step["fields"]["sign" if method == "https" else "password"]
    assert status == 0 and signature in json.dumps(outputs).lower()
    assert inputs["productSecret"] not in out


def test_an_authentication_over_https_as_the_vectors_have_it(explain):
    plain, router = VECTORS["guider-auth-devicename-c-2.3.0"], VECTORS["guider-auth-devicename-router-ext1"]
    given = plain["inputs"]
    certificate = {
        "product_key": given["productKey"],
        "device_name": given["deviceName"],
        "device_secret": given["deviceSecret"],
        "region": given["region"],
        "sign_method": plain["method"],
        "auth": "https",
    }
    _, out, _ = explain(certificate, "--timestamp", "2524608000000", "--whole", "--json")
    (step,) = json.loads(out)["requests"]
    assert f"https://{step['host']}/auth/devicename" == plain["outputs"]["url"] and step["port"] == 443
    assert step["signed"] == given["sign_content"] and step["key"] == "DeviceSecret"
    assert "&".join(f"{name}={value}" for name, value in step["fields"].items()) == plain["outputs"]["body"]
    assert given["deviceSecret"] not in out
    _, out, _ = explain(
        {**certificate, "bootstrap": "region"}, "--timestamp", "2524608000000", "--whole", "--json"
    )
    (step,) = json.loads(out)["requests"]
    assert step["signed"] == router["inputs"]["sign_content"] and step["fields"]["ext"] == "1"
    assert step["fields"]["sign"] == router["outputs"][plain["method"]]


def test_a_bootstrap_as_the_vector_has_it(explain):
    vector = VECTORS["bootstrap-c-2.3.0"]
    certificate = {
        "product_key": vector["inputs"]["productKey"],
        "device_name": vector["inputs"]["deviceName"],
        "device_secret": "s" * 32,
        "region": "ap-southeast-1",
        "bootstrap": "global",
    }
    _, out, _ = explain(certificate, "--json")
    first, second = json.loads(out)["requests"]
    assert f"https://{first['host']}/auth/bootstrap" == vector["outputs"]["url"]
    assert "&".join(f"{name}={value}" for name, value in first["fields"].items()) == vector["outputs"]["body"]
    assert first["signed"] == "" and second["request"] == "MQTT CONNECT" and second["host"] == ""
    _, printed, _ = explain(certificate)
    assert "not signed" in printed and "MQTT CONNECT to where the answer says" in printed
    _, out, _ = explain({**certificate, "auth": "https"}, "--json")
    assert [step["request"] for step in json.loads(out)["requests"]] == [
        "POST /auth/bootstrap",
        "POST /auth/devicename",
    ]


def test_a_board_that_registers_asks_afterwards(explain):
    _, printed, _ = explain(
        {"product_key": "a1", "device_name": "abcd", "product_secret": "x" * 16, "auth": "https"}
    )
    assert "POST /auth/register/device" in printed and "then the board asks where to connect" in printed


def test_neither_the_secret_nor_a_whole_signature_shows(explain):
    secret = "0123456789abcdefghijklmnopqrstuv"
    certificate = {"product_key": "a1MZxOdcBnO", "device_name": "Example1", "device_secret": secret}
    _, short, _ = explain(certificate, "--timestamp", "1")
    _, whole, _ = explain(certificate, "--timestamp", "1", "--whole")
    password = next(line.split()[1] for line in whole.splitlines() if line.strip().startswith("password"))
    assert len(password) == 64 and password not in short and f"{password[:8]}..." in short
    assert secret not in short + whole and secret[:-4] not in short + whole


@pytest.mark.parametrize(
    "certificate, arguments, line",
    [
        (
            {"product_key": "a1", "product_secret": "x" * 16},
            [],
            "error: no device_name in the certificate: the board will use its MAC; give it with --mac\n",
        ),
        (
            {"product_key": "a1", "product_secret": "x" * 16},
            ["--mac", "24:0a"],
            "error: --mac 24:0a is not six bytes in hex, like 24:0a:c4:00:00:01\n",
        ),
        (
            {"product_key": "a1", "device_name": "abc", "device_secret": "x"},
            [],
            "error: cert.json: device_name 'abc' is not 4 to 32 letters, digits and - _ @ . :\n",
        ),
        (
            {
                "product_key": "a1",
                "device_name": "abcd",
                "product_secret": "x" * 16,
                "method": "regnwl",
                "auth": "https",
            },
            [],
            "error: cert.json: auth https signs with a DeviceSecret, and method "
            "regnwl issues none: register by https or mqtt\n",
        ),
        (
            "{",
            [],
            "error: cert.json is not JSON: Expecting property name enclosed in double quotes in line 1\n",
        ),
    ],
)
def test_bad_input_gets_one_line(explain, certificate, arguments, line):
    assert explain(certificate, *arguments) == (1, "", line)


def test_a_missing_file_gets_one_line(capsys):
    assert cli.main(["explain", "nothing.json"]) == 1
    assert capsys.readouterr().err == "error: cannot read nothing.json: No such file or directory\n"
