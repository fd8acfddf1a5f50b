"""Client identifiers, user names and signatures, as the SDKs really send them (direct.md 1.1, 1.2)."""

import pytest

from host_tests.support.cloud.client import VECTORS
from tools.emulator.cloud import signing
from tools.emulator.cloud.identifier import parse_client_identifier, parse_username

SIGNED = [
    (name, method, digest)
    for name, vector in VECTORS.items()
    if "sign_content" in vector["inputs"]
    and ("key" in vector["inputs"] or "key_used" in vector["inputs"] or "deviceSecret" in vector["inputs"])
    for method, digest in vector["outputs"].items()
    if method.startswith("hmac")
]


def secret_of(inputs):
    return (
        inputs[inputs["key_used"]] if "key_used" in inputs else inputs.get("key", inputs.get("deviceSecret"))
    )


@pytest.mark.parametrize("name, method, digest", SIGNED, ids=[f"{row[0]}-{row[1]}" for row in SIGNED])
def test_signature_vectors(name, method, digest):
    """The content of the vector is handed in as one field without a name: the HMAC alone."""
    inputs = VECTORS[name]["inputs"]
    assert signing.sign(method, secret_of(inputs), {"": inputs["sign_content"]}) == digest
    assert signing.matches(digest.upper(), method, secret_of(inputs), {"": inputs["sign_content"]})


def test_there_are_signature_vectors_of_each_method():
    assert {method for _, method, _ in SIGNED} == set(signing.METHODS) and len(SIGNED) >= 20


CONTENTS = [
    vector["inputs"]
    for vector in VECTORS.values()
    if "deviceName" in vector["inputs"] and "productKey" in vector["inputs"].get("sign_content", "")
]


@pytest.mark.parametrize("inputs", CONTENTS, ids=lambda inputs: inputs["sign_content"][:60])
def test_canonical_content_of_the_vectors(inputs):
    content = inputs["sign_content"]
    fields = {"deviceName": inputs["deviceName"], "productKey": inputs["productKey"]}
    for key in ("clientId", "timestamp", "random"):
        before, found, after = content.partition(key)
        if found:
            following = [
                name
                for name in ("deviceName", "productKey", "timestamp", "random")
                if name in after and name != key
            ]
            fields[key] = after[: min((after.index(name) for name in following), default=len(after))]
    assert signing.content(fields) == content


@pytest.mark.parametrize(
    "text, client_id, extra",
    [
        (
            "12345|securemode=3,signmethod=hmacsha1,timestamp=789|",
            "12345",
            {"securemode": "3", "signmethod": "hmacsha1", "timestamp": "789"},
        ),
        ("pk.dn|securemode=2,ext=3,|", "pk.dn", {"securemode": "2", "ext": "3"}),  # C 4.x: empty last element
        ("a|lan=JS|Ali,securemode=2|", "a", {"lan": "JS|Ali", "securemode": "2"}),  # Node, Alipay flavour
        ("a|securemode=2,lan=JS|Ali|", "a", {"securemode": "2", "lan": "JS|Ali"}),
        ("|securemode=2|", "", {"securemode": "2"}),
        ("a|x=1=2,y=|", "a", {"x": "1=2", "y": ""}),
        ("a||", "a", {}),
    ],
)
def test_client_identifiers(text, client_id, extra):
    parsed = parse_client_identifier(text)
    assert (parsed.client_id, parsed.extra) == (client_id, extra)


@pytest.mark.parametrize(
    "text", ["", "dev", "dev|securemode=2", "dev|", "dev|securemode=2|x", "c" * 65 + "|securemode=2|"]
)
def test_broken_client_identifiers(text):
    with pytest.raises(ValueError):
        parse_client_identifier(text)


def test_a_client_id_of_64_characters_is_allowed():
    assert parse_client_identifier("c" * 64 + "|securemode=2|").client_id == "c" * 64


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "dev_0001",
        "dev_0001&",
        "&a1TESTpk001",
        "dev&a1TESTpk001",
        "d" * 33 + "&pk",
        "dev 0001&pk",
        "dev_0001&pk&x",
        "dev_0001&p k",
        "设备设备&pk",
    ],
)
def test_broken_user_names(text):
    with pytest.raises(ValueError):
        parse_username(text)


def test_user_name():
    assert parse_username("24:0a:c4-._@:1&a1TESTpk001") == ("24:0a:c4-._@:1", "a1TESTpk001")
