"""Gateways, X.509, ID² and the endpoint's newer fields: from JSON to a record, and every wrong input in one line."""

import json

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tests.support import pairs
from host_tests.support.nor import campaign
from tools.errors import UserError
from tools.firmware import record
from tools.image import config, identity
from tools.image.identity import availability

DEVICE = {
    "product_key": "a1GatewayPk",
    "device_name": "gw01",
    "device_secret": "0123456789abcdef0123456789abcdef",
}
PRODUCT = {"product_key": "a1MZxOdcBnO", "product_secret": "h4I4dneEFp7EImTv"}
SUBS = [{"product_key": "a1SubProdu1"}, {"product_key": "a1SubProdu2", "product_secret": "Xh2sKw0Lq7PzT3vN"}]
ID2 = {
    "way": "id2",
    "product_key": "a1ID2Produ1",
    "device_name": "dev1",
    "id2": "000FFFFFDB1D8DC78DDCB800",
    "id2_key": "00112233445566778899aabbccddeeff",
    "id2_type": "AES_128",
}
TOKEN = "i11" + "0123456789abcdef" + "." * 13
OTP = {"way": "id2", "product_key": "a1ID2Produ1", "product_secret": TOKEN}
X509 = {"certificate": "x.cer", "private_key": "x.key"}


def changed(base, **changes):
    return {name: value for name, value in {**base, **changes}.items() if value != "gone"}


@pytest.fixture
def folder(tmp_path):
    pairs.write(tmp_path)
    return tmp_path


def is_refused(values, message, folder=".", secrets=()):
    with pytest.raises(UserError) as caught:
        identity.parse(values, folder)
    line = str(caught.value)
    assert message in line and "\n" not in line
    assert not any(secret in line for secret in secrets)


# --- gateways


def test_a_gateway_carries_the_products_of_its_sub_devices():
    fields = identity.parse({**DEVICE, "sub_products": SUBS}).fields()
    assert fields[record.SUB_PRODUCTS] == b"a1SubProdu1\na1SubProdu2 Xh2sKw0Lq7PzT3vN"
    assert fields[record.KIND] == b"device"
    assert (
        identity.parse({**PRODUCT, "sub_products": SUBS[:1]}).fields()[record.SUB_PRODUCTS] == b"a1SubProdu1"
    )


def test_the_secrets_of_its_products_are_masked():
    found = identity.parse({**DEVICE, "sub_products": SUBS})
    assert found.masked()["sub_products"] == "a1SubProdu1, a1SubProdu2 ****T3vN"
    assert "Xh2sKw0Lq7PzT3vN" not in repr(found) + json.dumps(found.masked())


@pytest.mark.parametrize(
    "products, message",
    [
        ([], "sub_products is not a list"),
        ("a1SubProdu1", "sub_products is not a list"),
        (["a1SubProdu1"], "a product of sub_products has a product_key"),
        ([{"product_secret": "Xh2sKw0Lq7PzT3vN"}], "a product of sub_products has a product_key"),
        ([{**SUBS[1], "name": 1}], "and nothing else"),
        ([{"product_key": "a1-"}], "sub_products: product_key 'a1-' is not"),
        ([{"product_key": "a1S", "product_secret": "a b"}], "sub_products: product_secret is not 6 to 64"),
        ([{"product_key": "a1S", "product_secret": None}], "sub_products: product_secret is not a text"),
        ([SUBS[0], SUBS[0]], "sub_products has a1SubProdu1 twice"),
        ([{"product_key": "a1GatewayPk"}], "a1GatewayPk, which is the gateway's own product"),
        (
            [{"product_key": f"a1{n:09}", "product_secret": "x" * 64} for n in range(60)],
            "sub_products take 4619 bytes",
        ),
    ],
)
def test_products_that_cannot_be_are_refused(products, message):
    is_refused({**DEVICE, "sub_products": products}, message, secrets=["Xh2sKw0Lq7PzT3vN", "a b", "x" * 64])


# --- X.509


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize("form", [PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8])
def test_certificate_and_key_become_der_and_pkcs1(tmp_path, encoding, form):
    (tmp_path / "x.cer").write_bytes(pairs.cer(encoding))
    (tmp_path / "x.key").write_bytes(pairs.key_bytes(None, encoding, form))
    fields = identity.parse({**X509, "region": "cn-shanghai", "host": "a.b", "port": 1883}, tmp_path).fields()
    assert fields == {
        record.KIND: b"x509",
        20: pairs.cer(Encoding.DER),
        21: pairs.key_bytes(None, Encoding.DER),
        record.REGION: b"cn-shanghai",
        record.HOST: b"a.b",
        record.PORT: b"\x5b\x07",
    }


def test_its_files_lie_beside_the_json(folder, monkeypatch):
    (folder / "x.json").write_text(json.dumps(X509))
    monkeypatch.chdir("/")
    assert identity.load(folder / "x.json").kind == "x509"


def test_the_largest_key_that_tools_issue_fits_a_record(tmp_path):
    pairs.write(tmp_path, private=pairs.key("large", 4096), number="large", bits=4096)
    assert len(identity.parse(X509, tmp_path).to_record(1)) < record.RECORD_LIMIT


def test_of_a_pair_only_the_certificate_is_shown(folder):
    found = identity.parse(X509, folder)
    masked = found.masked()
    assert masked["serial"] == "2BC5C2D8E1EE8A228098" and masked["issuer"] == "CN=Factory_CA"
    assert masked["certificate"] == "CN=board" and masked["expires"].endswith("days)")
    assert masked["private_key"].startswith("**** (1")
    assert found.private_key.hex()[:60] not in json.dumps(masked) and "private_key=" not in repr(found)


@pytest.mark.parametrize(
    "write, message",
    [
        (lambda f: pairs.write(f, private=pairs.key(1)), "x.key is not the key of x.cer"),
        (lambda f: pairs.write(f, days=1, start=-2), "x.cer: it ended on"),
        (lambda f: pairs.write(f, start=3), "x.cer: it is not valid before"),
        (
            lambda f: (f / "x.cer").write_bytes(pairs.cer()[:400]),
            "x.cer: this is not a certificate, or it was cut",
        ),
        (lambda f: (f / "x.cer").write_bytes(b""), "x.cer: this is not a certificate"),
        (
            lambda f: (f / "x.key").write_bytes(pairs.key_bytes()[:-300]),
            "x.key is not a private key, or it was cut",
        ),
        (lambda f: (f / "x.key").write_bytes(pairs.key_bytes(pairs.elliptic())), "x.key is not RSA"),
        (lambda f: pairs.write(f, public=pairs.elliptic().public_key()), "x.cer: its key is not RSA"),
        (lambda f: (f / "x.cer").write_bytes(pairs.key_bytes()), "there is a private key in this file"),
        (lambda f: (f / "x.key").write_bytes(pairs.cer()), "x.key is not a private key"),
        (lambda f: (f / "x.cer").write_bytes(pairs.cer() * 2), "there are 2 certificates in this file"),
        (
            lambda f: (f / "x.key").write_bytes(
                pairs.key_bytes(form=PrivateFormat.PKCS8, shut=BestAvailableEncryption(b"p"))
            ),
            "x.key has a password",
        ),
        (lambda f: (f / "x.cer").unlink(), "x.cer"),
        (lambda f: (f / "x.key").unlink(), "x.key"),
    ],
)
def test_a_pair_that_no_board_could_use_is_refused(folder, write, message):
    write(folder)
    is_refused(X509, message, folder, secrets=[pairs.key_bytes()[60:120].decode()])


@pytest.mark.parametrize(
    "values, message",
    [
        (changed(X509, private_key="gone"), "private_key is missing"),
        (changed(X509, certificate="gone"), "certificate is missing"),
        (changed(X509, certificate=3), "certificate is not the name of a file"),
        (changed(X509, certificate=""), "certificate is not the name of a file"),
        (changed(X509, product_key="a1"), "not burned beside a certificate"),
        (changed(X509, device_secret="x"), "'device_secret' is not a field of an X.509 identity"),
        (changed(X509, auth="https"), "'auth' is not a field of an X.509 identity"),
        (changed(X509, port=0), "port is not a number"),
        (changed(X509, way="id2"), "'certificate' is not a field of an ID² identity"),
    ],
)
def test_fields_that_do_not_go_with_a_certificate(folder, values, message):
    is_refused(values, message, folder)


# --- ID²


def test_an_id_and_its_key():
    fields = identity.parse(changed(ID2, id2=ID2["id2"].lower())).fields()
    assert fields == {
        record.KIND: b"id2",
        record.PRODUCT_KEY: b"a1ID2Produ1",
        record.DEVICE_NAME: b"dev1",
        24: b"000FFFFFDB1D8DC78DDCB800",
        25: bytes.fromhex(ID2["id2_key"]),
        26: b"AES_128",
    }
    large = identity.parse(changed(ID2, id2_key="0f" * 32, id2_type="AES_256", way="gone"))
    assert large.fields()[25] == b"\x0f" * 32


def test_one_to_be_provisioned_carries_the_token_of_its_product():
    fields = identity.parse(OTP).fields()
    assert fields == {
        record.KIND: b"id2",
        record.PRODUCT_KEY: b"a1ID2Produ1",
        record.NAME_RULE: b"mac",
        record.PRODUCT_SECRET: TOKEN.encode(),
    }
    assert identity.parse(changed(OTP, product_secret="x23xxxxx" + "A" * 43 + "=")).kind == "id2"


def test_its_key_and_its_token_are_masked():
    for values, secret in ((ID2, ID2["id2_key"]), (OTP, TOKEN)):
        found = identity.parse(values)
        assert secret not in repr(found) + json.dumps(found.masked())
    assert identity.parse(ID2).masked()["id2_key"] == "****eeff"


@pytest.mark.parametrize(
    "values, message",
    [
        (changed(ID2, product_key="gone"), "product_key is missing"),
        (changed(ID2, id2="gone"), "id2 is missing"),
        (changed(ID2, id2_key="gone"), "id2_key is missing"),
        (changed(ID2, id2_type="gone"), "id2_type is missing"),
        (changed(ID2, id2="F" * 24), "is not an ID of 24 hex digits"),
        (changed(ID2, id2="0" * 23), "is not an ID of 24 hex digits"),
        (changed(ID2, id2_key="0g"), "id2_key is not a key in hex digits"),
        (changed(ID2, id2_key="00" * 15), "id2_key has 15 bytes, a key of AES_128 has 16"),
        (changed(ID2, id2_type="AES_256"), "id2_key has 16 bytes, a key of AES_256 has 32"),
        (
            changed(ID2, id2_type="SM4_128"),
            "id2_type SM4_128 cannot be used: boards have AES_128 and AES_256 only",
        ),
        (changed(ID2, product_secret=TOKEN), "give one or the other"),
        (changed(ID2, name_rule="mac"), "exclude each other"),
        (changed(ID2, device_secret="x"), "'device_secret' is not a field of an ID² identity"),
        (changed(ID2, bootstrap="region"), "'bootstrap' is not a field of an ID² identity"),
        (changed(ID2, region="ap-northeast-1"), "host is missing"),
        (changed(ID2, instance="iot-1"), "host is missing"),
        (changed(ID2, way="x509"), "not burned beside a certificate"),
        (changed(ID2, way="sm2"), "way is not one of device, product, x509, id2"),
        (changed(OTP, product_secret="h4I4dneEFp7EImTv"), "is not a provisioning token of ID²"),
        (changed(OTP, product_secret="i12" + TOKEN[3:]), "provisions key type 2"),
        (changed(OTP, product_secret="i21xxxxx" + "A" * 30), "is not the base64 of 16 or 32 bytes"),
    ],
)
def test_what_is_no_id2_identity_is_refused(values, message):
    is_refused(values, message, secrets=[ID2["id2_key"], TOKEN])


def test_a_kind_that_the_fields_do_not_say():
    is_refused({**DEVICE, "way": "product"}, "way is product, but the fields are those of device")
    assert identity.parse({**DEVICE, "way": "device"}).kind == "device"


# --- whatever a JSON file may hold

_NAMES = sorted({name for kind in identity.KINDS.values() for name in kind.NAMES} | {"way", "odd"})
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.sampled_from(["id2", "x509", "a1", "x.cer", "\0", "\ud800", "AES_128", "0" * 24, "regnwl", "https"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=campaign(300), deadline=None)
@given(st.dictionaries(st.sampled_from(_NAMES), _VALUES, max_size=6) | _VALUES)
def test_whatever_stands_in_the_fields_is_an_identity_or_one_line(values):
    try:
        identity.parse(values, "/nowhere").to_record(1)
    except UserError as error:
        assert "\n" not in str(error)


@settings(max_examples=campaign(300), deadline=None)
@given(_VALUES)
def test_whatever_stands_in_the_settings_is_taken_or_one_line(values):
    try:
        config.check({"endpoint": values, "ssid": values, "password": values})
    except UserError as error:
        assert "\n" not in str(error)


# --- the endpoint


def test_what_is_usual_is_not_in_the_record():
    usual = identity.parse({**DEVICE, "auth": "mqtt", "bootstrap": "none"})
    assert usual.fields() == identity.parse(DEVICE).fields()
    other = identity.parse({**DEVICE, "auth": "https", "bootstrap": "global"}).fields()
    assert (other[record.AUTH], other[record.BOOTSTRAP]) == (b"https", b"global")
    assert identity.parse({**PRODUCT, "bootstrap": "region"}).fields()[record.BOOTSTRAP] == b"region"


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"auth": "http"}, "auth is not one of mqtt, https"),
        ({"bootstrap": "near"}, "bootstrap is not one of none, region, global"),
        ({"bootstrap": True}, "bootstrap is not a text"),
        ({"method": "regnwl", "auth": "https"}, "method regnwl issues none"),
    ],
)
def test_an_endpoint_that_cannot_be(changes, message):
    is_refused({**PRODUCT, **changes}, message)


@pytest.mark.parametrize(
    "endpoint, message",
    [
        ([], "endpoint has to be an object"),
        ({"auth": "x"}, "endpoint.auth has to be one of mqtt, https"),
        ({"bootstrap": "x"}, "endpoint.bootstrap has to be one of none, region, global"),
        ({"port": "1883"}, "endpoint.port has to be a number from 1 to 65535"),
        ({"host": "A B"}, "endpoint.host has to be 1 to 128 lower-case letters, digits and - ."),
        ({"device_secret": "x"}, "endpoint.device_secret is not a setting"),
    ],
)
def test_a_config_with_a_wrong_endpoint_is_refused(tmp_path, endpoint, message):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"endpoint": endpoint}))
    with pytest.raises(UserError, match="config.json: ") as caught:
        config.read(path)
    assert message in str(caught.value)


def test_a_config_may_say_the_endpoint(tmp_path):
    path = tmp_path / "config.json"
    written = {"endpoint": {"region": "ap-southeast-1", "auth": "https", "bootstrap": "global", "port": 443}}
    path.write_text(json.dumps(written))
    assert config.read(path) == written


# --- where a kind exists


@pytest.mark.parametrize(
    "values, message",
    [
        (
            {**X509, "region": "cn-beijing"},
            "X.509 on the legacy public instance is documented for cn-shanghai",
        ),
        (X509, None),
        ({**ID2, "region": "ap-northeast-1", "instance": "iot-1", "host": "a.b"}, None),
        ({**ID2, "region": "ap-northeast-1", "host": "a.b"}, "ID² on the legacy public instance"),
        (
            {**ID2, "region": "eu-central-1", "instance": "iot-1", "host": "a.b"},
            "ap-northeast-1, ap-southeast-1, cn-sh",
        ),
        (ID2, None),
    ],
)
def test_the_tools_warn_where_a_kind_is_not_documented(folder, values, message):
    line = identity.parse(values, folder).warning()
    assert line is None if message is None else message in line


def test_id2_in_singapore_as_the_china_site_has_it():
    assert availability.warning("id2", None, "ap-southeast-1", None) is None
