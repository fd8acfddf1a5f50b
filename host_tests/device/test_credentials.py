"""What can be burned: accepted, refused with its reason, and never printed."""

from aliot import record
from aliot.credentials import DeviceCertificate, ProductCertificate, burned, device_name
from aliot.errors import CredentialError
from aliot.log import Secret, line
from aliot.token import ClientToken
from scripted import raises

MAC = b"\x24\x0a\xc4\x00\x00\x0f"
SECRET = "0123456789abcdef0123456789abcdef"


def test_the_name_is_the_burned_one_or_the_mac_as_the_record_asks():
    for rule, wanted in ((None, "240ac400000f"), (b"mac", "240ac400000f"), (b"MAC", "240AC400000F"),
                         (b"mac:", "24:0a:c4:00:00:0f"), (b"MAC:", "24:0A:C4:00:00:0F")):
        fields = {} if rule is None else {record.NAME_RULE: rule}
        assert device_name(fields, MAC) == wanted
        DeviceCertificate("a1", wanted, SECRET)
    assert device_name({record.DEVICE_NAME: b"name", record.NAME_RULE: b"MAC"}, MAC) == "name"


def test_names_that_the_platform_takes():
    for good in ("abcd", "a" * 32, "a-_@.:Z9", "----"):
        DeviceCertificate("a1TESTpk001", good, SECRET)
    for bad in ("abc", "a" * 33, "a b c", "a/bc", "a|bcd", "\u4e2d\u6587\u4e2d\u6587", "", "abc\n", "a&bcd"):
        raises(CredentialError, DeviceCertificate, "a1TESTpk001", bad, SECRET)


def test_keys_and_secrets_that_cannot_be():
    for key in ("", "a1 2", "a1&", "x" * 21, "\u4e2d"):
        raises(CredentialError, DeviceCertificate, key, "dev_0001", SECRET)
    for secret in ("", "a b", "x" * 65, "abc\x00", "\u4e2d\u6587"):
        raises(CredentialError, DeviceCertificate, "a1TESTpk001", "dev_0001", secret)
    raises(CredentialError, ProductCertificate, "a1TESTpk001", "dev_0001", SECRET, "coap")
    raises(CredentialError, ClientToken, "a1TESTpk001", "dev_0001", "cid|x", "token")
    raises(CredentialError, ClientToken, "a1TESTpk001", "dev_0001", "cid", "")


def test_a_record_without_what_its_way_needs_is_refused():
    whole = {record.WAY: b"device", record.PRODUCT_KEY: b"a1", record.DEVICE_SECRET: SECRET.encode()}
    burned(whole, MAC)
    for tag in (record.PRODUCT_KEY, record.DEVICE_SECRET):
        cut = dict(whole)
        del cut[tag]
        raises(CredentialError, burned, cut, MAC)
    raises(CredentialError, burned, {record.WAY: b"product", record.PRODUCT_KEY: b"a1"}, MAC)
    raises(CredentialError, burned, {record.PRODUCT_KEY: b"\xff\xfe"}, MAC)


def test_an_unknown_way_is_named():
    for way in (b"carrier", b"../x", b""):
        problem = raises(CredentialError, burned, {record.WAY: way}, MAC)
        assert problem.retry == "never"
    assert "carrier" in str(raises(CredentialError, burned, {record.WAY: b"carrier"}, MAC))


def test_a_secret_prints_as_its_last_four():
    secret = Secret(SECRET)
    for shown in (str(secret), repr(secret), "%s" % secret, "%r" % secret, "{}".format(secret), str([secret])):
        assert SECRET not in shown and "****cdef" in shown
    assert Secret("short").reveal() == "short" and "short" not in str(Secret("short"))


def test_no_refusal_shows_the_secret():
    for action in (lambda: DeviceCertificate("a1", "x", SECRET), lambda: DeviceCertificate("a1", "dev_0001", SECRET + " "),
                   lambda: ProductCertificate("a1", "dev_0001", SECRET, "coap")):
        assert SECRET not in str(raises(CredentialError, action))


def test_no_line_shows_a_secret_that_was_ever_seen():
    credential = DeviceCertificate("a1", "dev_0001", SECRET)
    token = ClientToken("a1", "dev_0001", "cid", "TOKEN4567890")
    for value in (SECRET, "x" + SECRET + "y", credential.device_secret, [SECRET], (1, [SECRET]), ValueError(SECRET),
                  token.device_token, "TOKEN4567890", "sent TOKEN4567890."):
        shown = line("error", {"detail": value})
        assert SECRET not in shown and "TOKEN4567890" not in shown
