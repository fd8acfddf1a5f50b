"""`doctor` on the kinds that have no secret to sign with: X.509 as far as the CONNACK, ID² as far as TCP."""

import json
import tempfile
import time

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from host_tests.support import id2
from host_tests.support.x509 import PRODUCT, PrivateCa, X509Fleet
from tools import cli
from tools.diagnosis import mutual_tls, probes
from tools.emulator.cloud.process import Cloud
from tools.image import identity

CLOUD = X509Fleet.config()
CLOUD["product"] += id2.id2_config()["product"]
HOST = "x509.itls.cn-shanghai.aliyuncs.com"
WHOLE = ["availability", "clock", "certificate", "DNS", "TCP", "TLS", "login"]
DAY = 86400


@pytest.fixture(scope="module")
def ca(cloud, tmp_path_factory):
    return PrivateCa(cloud, tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def made(ca):
    return ca.issue("board-1")


@pytest.fixture
def burned(tmp_path):
    """`burned(issued, key=None, **fields)`: the JSON file of a certificate and its key, or another's."""

    def write(issued, key=None, **fields):
        (tmp_path / "board.cer").write_bytes(issued.certificate_pem)
        (tmp_path / "board.key").write_bytes((key or issued).key_pem)
        (tmp_path / "cert.json").write_text(
            json.dumps({"certificate": "board.cer", "private_key": "board.key", **fields})
        )
        return tmp_path / "cert.json"

    return write


@pytest.fixture
def doctor(cloud, made, tmp_path, capsys, monkeypatch):
    """`doctor(file, *arguments)`: (status, {check: (ok, found, advice)}); no key is said, no file is left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))

    def run(file, *arguments, cloud=cloud):
        command = ["doctor", "--cloud", str(cloud.run_dir), "--timeout", "10", "--json", *arguments]
        status = cli.main([*command, *([str(file)] if file else [])])
        output = capsys.readouterr().out
        assert not any(line in output for line in made.key_pem.decode().splitlines()[1:-1]), "a key"
        assert made.key_der[100:120].hex() not in output
        assert not file or not list(folder.iterdir())  # a board on a port has its own folder there
        return status, {
            row["stretch"]: (row["ok"], row["found"], row["advice"]) for row in json.loads(output)
        }

    yield run
    cloud.admin("DELETE", "/faults")


def test_all_green_for_a_certificate(doctor, burned, made):
    status, found = doctor(burned(made))
    assert status == 0 and list(found) == WHOLE and all(ok for ok, _, _ in found.values()), found
    assert f"CN=board-1, serial {made.serial}, issued by CN=Factory_CA" in found["certificate"][1]
    assert found["certificate"][1].endswith(" days left")
    assert found["DNS"][1] == f"{HOST} is 127.0.0.1" and f"{HOST}:1883" in found["TCP"][1]
    assert f"verified by ca.pem; certificate {made.serial} is not refused" in found["TLS"][1]
    assert f"CONNACK 0: the platform says that this is {PRODUCT} / board-1" in found["login"][1]


def test_no_login_is_left_out_when_asked(doctor, burned, ca, cloud):
    status, found = doctor(burned(ca.issue("board-2")), "--no-login")
    assert status == 0 and list(found) == WHOLE and found["login"][:2] == (None, "left out, as asked")
    assert cloud.device(PRODUCT, "board-2")["status"] == "inactive"


@pytest.mark.parametrize(
    "when, output, advice",
    [(4000 * DAY, "it ended on", "new certificate"), (-10 * DAY, "it is not valid before", "clock")],
)
def test_a_certificate_out_of_date(doctor, burned, made, monkeypatch, when, output, advice):
    monkeypatch.setattr(
        mutual_tls, "time", type("Clock", (), {"time": staticmethod(lambda now=time.time: now() + when)})
    )
    status, found = doctor(burned(made))
    ok, text, cure = found["certificate"]
    assert (status, ok) == (1, False) and output in text and made.serial in text and advice in cure
    assert list(found) == WHOLE[:-2] and found["TCP"][0]


def test_a_certificate_that_ends_soon(burned, made, monkeypatch):
    who = identity.load(burned(made))
    assert mutual_tls.certificate(who, made.not_after - 5 * DAY).endswith(
        "5 days left: issue the next one now"
    )


def test_a_key_of_another_certificate(doctor, burned, made, ca):
    status, found = doctor(burned(made, ca.issue("board-3")))
    assert status == 1 and found["certificate"][0] is False and "TLS" not in found
    assert (
        found["certificate"][1].endswith("the key is not the key of it")
        and "ca check" in found["certificate"][2]
    )


def test_a_ca_that_is_not_registered(doctor, burned, cloud, tmp_path):
    stranger = PrivateCa(cloud, tmp_path / "stranger", "Stranger_CA", registered=False)
    made = stranger.issue("board-4", associated=False)
    status, found = doctor(burned(made))
    ok, output, advice = found["TLS"]
    assert (status, ok) == (
        1,
        False,
    ) and output == f"{HOST} refuses certificate {made.serial}: alert unknown ca"
    assert "registered" in advice and "login" not in found


def test_a_certificate_that_is_refused_without_a_word(doctor, burned, tmp_path):
    config = X509Fleet.config() | {"switches": {"x509_refusal": "close", "x509_unknown": "close"}}
    with Cloud(config, tmp_path / "cloud") as other:
        stranger = PrivateCa(other, tmp_path / "stranger", registered=False)
        made = stranger.issue("board-5", associated=False)
        _, found = doctor(burned(made), cloud=other)
        assert (
            found["TLS"][0] is False
            and made.serial in found["TLS"][1]
            and "does not say so" in found["TLS"][2]
        )
        stranger.register()
        _, found = doctor(burned(made), cloud=other)
        assert found["TLS"][0] and found["login"][0] is False and "without a CONNACK" in found["login"][1]
        assert "associate" in found["login"][2]


def test_an_alert_in_place_of_a_connack(burned, made, monkeypatch):
    """The handshake is through, and the certificate is refused after all."""
    client = mutual_tls.Client(None, identity.load(burned(made)), mutual_tls.Endpoint(HOST, 1883), {})

    def refuse(stream, fields, timeout):
        raise probes.Broken("no CONNACK (1)", "", "bad certificate")

    monkeypatch.setattr(probes, "secure", lambda *_: (tempfile.TemporaryFile(), "", 0))
    monkeypatch.setattr(probes, "connack", refuse)
    with pytest.raises(probes.Refusal) as reported:
        client.login(1)
    assert str(reported.value) == f"{HOST} refuses certificate {made.serial}: alert bad certificate"
    assert "revoked" in reported.value.advice and "associated" in reported.value.advice


def test_a_serial_that_is_not_associated_or_was_revoked(doctor, burned, ca, cloud):
    made = ca.issue("board-6", associated=False)
    status, found = doctor(burned(made))
    assert (
        status == 1
        and found["TLS"][0]
        and found["login"][:2] == (False, f"CONNACK 5; certificate {made.serial}")
    )
    assert "associate" in found["login"][2]
    ca.associate((PRODUCT, "board-6", made.serial))
    assert doctor(burned(made))[1]["login"][0]
    cloud.admin("POST", f"/cas/{ca.name}/bindings/{made.serial}/disable")
    assert doctor(burned(made))[1]["login"][1].startswith("CONNACK 5")


@pytest.mark.parametrize("kind, output", [("silent", "does not say who"), ("wrong_json", "cannot be read")])
def test_a_push_that_is_lost_or_spoiled(doctor, burned, made, cloud, kind, output):
    cloud.arm({"where": "x509", "when": "push", "kind": kind})
    status, found = doctor(burned(made), "--timeout", "1")
    assert (
        status == 1
        and found["login"][0] is False
        and output in found["login"][1]
        and "X.509 host" in found["login"][2]
    )


def test_a_server_that_cannot_be_trusted(doctor, burned, made, cloud):
    cloud.arm(
        {
            "where": "x509",
            "when": "handshake",
            "kind": "certificate",
            "certificate": "wrong_host",
            "times": None,
        }
    )
    _, found = doctor(burned(made))
    assert found["TLS"][0] is False and "mismatch" in found["TLS"][1].lower() and "login" not in found


def test_the_key_lies_in_no_file_that_anybody_could_use(burned, made, tmp_path, monkeypatch):
    """While TLS reads it: one file, its owner's only, in a folder of its own, and the key in it encrypted."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen = []

    class Context:
        def load_cert_chain(self, path, password):
            seen.append(
                (
                    path,
                    path.stat().st_mode & 0o777,
                    path.parent.stat().st_mode & 0o777,
                    path.read_bytes(),
                    password,
                )
            )
            raise KeyboardInterrupt

    client = mutual_tls.Client(None, identity.load(burned(made)), None, None)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            client.present(Context())
    (path, file, folder, data, password), (_, _, _, _, other) = seen
    assert (file, folder) == (0o600, 0o700) and not path.parent.exists() and password != other
    key = data[data.index(b"-----BEGIN ENCRYPTED PRIVATE KEY") :]
    assert key.count(b"-----BEGIN") == 1 and made.key_pem.splitlines()[1] not in data
    with pytest.raises(TypeError):
        load_pem_private_key(key, None)
    plain = Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    assert load_pem_private_key(key, password).private_bytes(*plain) == made.key_der


# ---- ID²


@pytest.fixture
def unit(cloud, tmp_path):
    """`unit(**fields)`: the JSON file of a new ID² identity, with these fields in place of its own."""
    made = id2.Id2Fleet(cloud, tmp_path, None)

    def write(**fields):
        given = {} if "product_secret" in fields else made.identity()
        (tmp_path / "id2.json").write_text(
            json.dumps({"way": "id2", "product_key": id2.BURNED, "device_name": "unit-1", **given, **fields})
        )
        return tmp_path / "id2.json"

    return write


def test_an_id2_goes_as_far_as_costs_nothing(doctor, unit, cloud):
    file = unit()
    status, found = doctor(file)
    given = json.loads(file.read_text())
    assert status == 0 and list(found) == ["availability", "clock", "DNS", "TCP", "iTLS"]
    assert found["TCP"][1] == f"{id2.BURNED}.itls.cn-shanghai.aliyuncs.com:1883 accepts"
    ok, output, advice = found["iTLS"]
    assert ok is None and "ten" in output and "--port" in advice and given["id2_key"] not in str(found)
    assert cloud.admin("GET", f"/identities/{given['id2']}")["authentications_today"] == 0


def test_no_identity_is_asked_for(doctor, unit, cloud):
    before = len(cloud.admin("GET", "/identities"))
    status, found = doctor(unit(product_key=id2.EMPTY, product_secret=id2.TOKEN))
    assert status == 0 and found["iTLS"][0] is None and "one of the product's identities" in found["iTLS"][1]
    assert id2.TOKEN not in str(found) and len(cloud.admin("GET", "/identities")) == before


def test_a_host_of_tls_has_no_itls(doctor, unit):
    status, found = doctor(
        unit(host="iot-06z00abc.mqtt.iothub.aliyuncs.com", instance="iot-06z00abc", port=8883)
    )
    assert status == 1 and list(found) == ["availability", "clock", "DNS"] and "not iTLS" in found["DNS"][1]


# ---- the board itself


@pytest.fixture
def port(plugged_in):
    """`port(file)`: the address of an emulated board with this certificate, whose application does nothing."""
    return lambda file, heap=None: plugged_in(identity.load(file), heap, files={"/main.py": b""})


def test_a_board_with_a_certificate_walks_the_way_itself(doctor, burned, ca, port):
    made = ca.issue("board-7")
    status, found = doctor(None, "--port", port(burned(made)))
    assert status == 0, found
    assert list(found) == ["identity", "roots", "network", "clock", "certificate", "TLS", "login"]
    assert found["login"][1] == "CONNACK 0: who it was told that it is is online"
    assert found["identity"][1] == "not told yet who it is, certificate and key; media: littlefs ok, nvs ok"
    assert (
        f"serial {made.serial} (burned)" in found["certificate"][1]
        and f"{HOST}:1883 verified" in found["TLS"][1]
    )


def test_a_board_with_an_id2_authenticates_once(doctor, unit, port, cloud):
    file = unit(device_name="unit-2")
    status, found = doctor(None, "--port", port(file, id2.HEAP))
    assert status == 0, found
    assert list(found) == ["identity", "roots", "network", "clock", "iTLS", "login"]
    host = f"{id2.BURNED}.itls.cn-shanghai.aliyuncs.com:1883"
    assert found["iTLS"][1] == f"both sides authenticated at {host}: one of ten times a day"
    assert found["login"][1] == f"CONNACK 0: {id2.BURNED} / unit-2 is online"
    assert found["identity"][1] == f"{id2.BURNED} / unit-2, ID2; media: littlefs ok, nvs ok"
    assert (
        cloud.admin("GET", f"/identities/{json.loads(file.read_text())['id2']}")["authentications_today"] == 1
    )


def test_a_board_with_a_certificate_that_is_not_associated(doctor, burned, ca, port):
    made = ca.issue("board-8", associated=False)
    status, found = doctor(None, "--port", port(burned(made)))
    ok, output, advice = found["login"]
    assert (
        (status, ok) == (1, False)
        and output.startswith("mqtt.5: ")
        and made.serial in output
        and "associate" in advice
    )
    assert found["TLS"][0]


def test_a_board_with_an_id2_that_is_refused(doctor, unit, port, cloud):
    file = unit(device_name="unit-3")
    found = json.loads(file.read_text())
    cloud.admin("POST", f"/identities/{found['id2']}/state", {"state": "suspended"})
    status, found = doctor(None, "--port", port(file, id2.HEAP))
    ok, output, advice = found["iTLS"]
    assert (
        (status, ok) == (1, False)
        and output.startswith("itls.168: ")
        and "console" in advice
        and "login" not in found
    )
