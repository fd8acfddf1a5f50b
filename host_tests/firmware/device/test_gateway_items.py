"""What a gateway writes about a sub-device, and reads, against the published vectors; gateway.md 4 to 8."""

import json

from aliot.gateway.items import signed
from aliot.gateway.pack import pair
from aliot.gateway.proxy import proxied
from aliot.alink import number, parsed
from aliot.gateway.replies import pairs

HEAP = "256K"
VECTORS = {
    "test_every_sign_of_a_device_secret": ("vectors_gateway.json/sign_vectors", ""),
    "test_every_reply_is_understood": ("vectors_gateway.json/reply_samples", ""),
}
TABLES = {
    "test_a_code_may_be_text": [("200", 200), (200, 200), ("abc", -1), (None, -1), ({}, -1), (1e400, -1)]
}


def test_every_sign_of_a_device_secret(vector):
    wire = vector.get("wire") or {}
    content = vector["content"]
    if vector["id"].startswith("historic"):
        wrong = signed(
            ("a1SubProdKy", "sensor-01"),
            vector["key"],
            "sensor-01",
            "1524448722000",
            "",
            vector["sign_method"],
        )
        assert json.loads(wrong)["sign"] != vector["sign_lower"]  # cleanSession is never signed
        return
    name = (field(content, "productKey"), field(content, "deviceName"))
    if vector["key_role"].endswith("ProductSecret"):
        item = proxied(name, vector["key"], field(content, "random"), vector["sign_method"])
    else:
        item = signed(
            name,
            vector["key"],
            field(content, "clientId"),
            field(content, "timestamp"),
            ',"cleanSession":"false"',
            vector["sign_method"],
        )
    item = json.loads(item)
    assert item["sign"] == vector["sign_lower"]
    for key in ("productKey", "deviceName", "clientId", "timestamp", "random"):
        assert key not in wire or item[key] == wire[key], key
        assert wire == {} or key in wire or key not in item, key


def field(content, label):
    """A field's value out of a signed text."""
    at = content.find(label)
    if at < 0:
        return None
    rest = content[at + len(label) :]
    for other in ("deviceName", "productKey", "random", "timestamp"):
        if other in rest:
            rest = rest[: rest.find(other)]
    return rest


def test_every_reply_is_understood(vector):
    payload = vector.get("payload")
    if not isinstance(payload, dict) or "code" not in payload:
        return
    reply = parsed(json.dumps(payload).encode())
    assert number(reply["code"]) == int(payload["code"])
    data = payload.get("data")
    if isinstance(data, list):
        assert len(pairs(reply["data"])) == len(data)
    elif isinstance(data, dict) and "productKey" in data:
        assert pairs(reply["data"])[0][0] == (data["productKey"], data["deviceName"])


def test_a_pair_is_an_item_without_a_sign():
    assert json.loads(pair(("a1SubProdKy", "sensor-01"))) == {
        "productKey": "a1SubProdKy",
        "deviceName": "sensor-01",
    }


def test_a_code_may_be_text(value, expected):
    assert number(value) == expected


def test_what_is_no_item_is_left_out():
    good = {"productKey": "a", "deviceName": "b"}
    assert pairs([good, 1, None, "x", {"productKey": "a"}, {"productKey": 1, "deviceName": "b"}, []]) == [
        (("a", "b"), good)
    ]
    assert pairs(None) == pairs("text") == pairs({}) == []


def test_what_is_no_object_is_nothing():
    for payload in (b"", b"[]", b"1", b"nothing", b"\xff\xfe", b'"x"', b"[" * 3000):
        assert parsed(payload) is None
