"""`explain` shows what the firmware signs, as the published vectors have it, and no secret."""

import json
from pathlib import Path

import pytest

from tools import cli

VECTORS = {vector["name"]: vector for vector in
           json.loads((Path(__file__).parents[1] / "vectors" / "vectors.json").read_text())}


@pytest.fixture
def explain(tmp_path, capsys):
    """`explain(certificate, *arguments)`: (status, output, error output)."""
    def run(certificate, *arguments):
        path = tmp_path / "cert.json"
        path.write_text(certificate if isinstance(certificate, str) else json.dumps(certificate))
        status = cli.main(["explain", str(path), *arguments])
        said = capsys.readouterr()
        return status, said.out, said.err.replace(str(path), "cert.json")
    return run


def test_a_connect_as_the_vector_has_it(explain):
    vector = VECTORS["doc-mqtt-connect-worked-example"]
    text = vector["inputs"]
    status, out, _ = explain({"product_key": "pk", "device_name": "device1", "device_secret": "s" * 32,
                              "sign_method": "hmacsha1"}, "--timestamp", "789", "--json")
    step = json.loads(out)["requests"][0]
    assert status == 0 and text
    assert step["signed"] == "clientIddevice1deviceNamedevice1productKeypktimestamp789"
    assert step["fields"]["client identifier"] == "device1|securemode=2,signmethod=hmacsha1,timestamp=789|"
    assert step["fields"]["user name"] == "device1&pk"


@pytest.mark.parametrize("name", ["sign-prodsecret-dynreg-random-567345", "sign-prodsecret-dynreg-random-1234567890",
                                  "sign-prodsecret-dynreg-random-alnum15"])
@pytest.mark.parametrize("method", ["https", "mqtt", "regnwl"])
def test_a_registration_as_the_vectors_have_it(explain, name, method):
    inputs, outputs = VECTORS[name]["inputs"], VECTORS[name]["outputs"]
    certificate = {"product_key": inputs["productKey"], "device_name": inputs["deviceName"],
                   "product_secret": inputs["productSecret"], "method": method, "instance": "iot-06z00abc"}
    status, out, _ = explain(certificate, "--random", inputs["random"], "--whole", "--json")
    step = json.loads(out)["requests"][0]
    signature = step["fields"]["sign" if method == "https" else "password"]
    assert status == 0 and signature in json.dumps(outputs).lower()
    assert inputs["productSecret"] not in out


def test_neither_the_secret_nor_a_whole_signature_shows(explain):
    secret = "0123456789abcdefghijklmnopqrstuv"
    certificate = {"product_key": "a1MZxOdcBnO", "device_name": "Example1", "device_secret": secret}
    _, short, _ = explain(certificate, "--timestamp", "1")
    _, whole, _ = explain(certificate, "--timestamp", "1", "--whole")
    password = next(line.split()[1] for line in whole.splitlines() if line.strip().startswith("password"))
    assert len(password) == 64 and password not in short and f"{password[:8]}..." in short
    assert secret not in short + whole and secret[:-4] not in short + whole


@pytest.mark.parametrize("certificate, arguments, line", [
    ({"product_key": "a1", "product_secret": "x" * 16}, [],
     "error: no device_name in the certificate: the board will use its MAC; give it with --mac\n"),
    ({"product_key": "a1", "product_secret": "x" * 16}, ["--mac", "24:0a"],
     "error: --mac 24:0a is not six bytes in hex, like 24:0a:c4:00:00:01\n"),
    ({"product_key": "a1", "device_name": "abc", "device_secret": "x"}, [],
     "error: cert.json: device_name 'abc' is not 4 to 32 letters, digits and - _ @ . :\n"),
    ("{", [], "error: cert.json is not JSON: Expecting property name enclosed in double quotes in line 1\n"),
])
def test_bad_input_gets_one_line(explain, certificate, arguments, line):
    assert explain(certificate, *arguments) == (1, "", line)


def test_a_missing_file_gets_one_line(capsys):
    assert cli.main(["explain", "nothing.json"]) == 1
    assert capsys.readouterr().err == "error: cannot read nothing.json: No such file or directory\n"
