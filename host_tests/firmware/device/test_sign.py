"""Canonical content and HMAC against every signature that the vectors publish."""

from aliot.sign import canonical, hmac_hex
from scripted import raises, vectors

KEYS = ("deviceSecret", "productSecret", "key")


def key_of(inputs):
    if "key_used" in inputs:
        return inputs[inputs["key_used"]]
    for name in KEYS:
        if name in inputs:
            return inputs[name]


def test_every_published_hmac():
    seen = 0
    for name, vector in vectors().items():
        content = vector["inputs"].get("sign_content")
        for method in ("hmacmd5", "hmacsha1", "hmacsha256"):
            want = vector["outputs"].get(method)
            if content and want:
                assert hmac_hex(method, key_of(vector["inputs"]), content) == want.lower(), name
                seen += 1
    assert seen == 27, seen


def test_every_published_signature_that_is_genuine():
    seen = 0
    for name, vector in vectors().items():
        content = vector["inputs"].get("sign_content")
        wanted = vector["outputs"].get("sign") or vector["outputs"].get("mqtt_password")
        if (
            content
            and isinstance(wanted, str)
            and vector["method"].startswith("hmac")
            and "guider" not in name
        ):
            assert hmac_hex(vector["method"], key_of(vector["inputs"]), content) == wanted.lower(), name
            seen += 1
    assert seen == 23, seen


def test_the_printed_keys_of_the_log_do_not_match():
    vector = vectors()["seed003-keys-as-printed-do-NOT-match"]
    inputs, outputs = vector["inputs"], vector["outputs"]
    for which in ("printed", "response"):
        got = hmac_hex("hmacsha256", inputs["productSecret"], inputs["sign_content_with_%s_pk" % which])
        assert got == outputs["sign_with_%s_pk" % which]
        assert got != inputs["published_sign"]


def test_content_is_sorted_by_name_whatever_the_order():
    assert canonical({"timestamp": 789, "productKey": "pk", "clientId": "12345", "deviceName": "device"}) == (
        "clientId12345deviceNamedeviceproductKeypktimestamp789"
    )


def test_method_names_have_no_case():
    assert hmac_hex("HmacMD5", "key", "text") == hmac_hex("hmacmd5", "key", "text")


def test_a_key_longer_than_a_block_is_hashed_first():
    # RFC 4231 test case 6
    assert hmac_hex(
        "hmacsha256", b"\xaa" * 131, "Test Using Larger Than Block-Size Key - Hash Key First"
    ) == ("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")


def test_an_unknown_method_is_named():
    assert "hmacsha3" in str(raises(ValueError, hmac_hex, "hmacsha3", "k", "t"))
