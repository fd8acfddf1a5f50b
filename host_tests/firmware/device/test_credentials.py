"""What can be burned: accepted, refused with its reason, and never printed."""

from aliot import identities, record, token
from aliot.credentials import Credential, DeviceCertificate, ProductCertificate
from aliot.errors import CredentialError
from aliot.identities import burned, device_certificate, name_of
from aliot.log import Secret, line
from aliot.store import Store
from aliot.token import ClientToken
from scripted import Medium, raises

MAC = b"\x24\x0a\xc4\x00\x00\x0f"
SECRET = "0123456789abcdef0123456789abcdef"


def of(fields):
    """The credential of a burned record's fields."""
    return burned(fields, 100, MAC, Store((Medium("nvs"), Medium("littlefs"))))


def product(**changes):
    fields = {
        record.KIND: b"product",
        record.PRODUCT_KEY: b"a1TESTpk001",
        record.DEVICE_NAME: b"dev_0001",
        record.PRODUCT_SECRET: b"ProductSecret016",
    }
    for name in changes:
        fields[getattr(record, name)] = changes[name]
    return fields


def test_the_name_is_the_burned_one_or_the_mac_as_the_record_asks():
    for rule, wanted in (
        (None, "240ac400000f"),
        (b"mac", "240ac400000f"),
        (b"MAC", "240AC400000F"),
        (b"mac:", "24:0a:c4:00:00:0f"),
        (b"MAC:", "24:0A:C4:00:00:0F"),
    ):
        fields = {} if rule is None else {record.NAME_RULE: rule}
        assert name_of(fields, MAC) == wanted
        device_certificate("a1", wanted, SECRET)
    assert name_of({record.DEVICE_NAME: b"name", record.NAME_RULE: b"MAC"}, MAC) == "name"


def test_names_that_the_platform_takes():
    for good in ("abcd", "a" * 32, "a-_@.:Z9", "----"):
        device_certificate("a1TESTpk001", good, SECRET)
    for bad in ("abc", "a" * 33, "a b c", "a/bc", "a|bcd", "\u4e2d\u6587\u4e2d\u6587", "", "abc\n", "a&bcd"):
        raises(CredentialError, device_certificate, "a1TESTpk001", bad, SECRET)


def test_keys_and_secrets_that_cannot_be():
    for key in ("", "a1 2", "a1&", "x" * 21, "\u4e2d"):
        raises(CredentialError, device_certificate, key, "dev_0001", SECRET)
    for secret in ("", "a b", "x" * 65, "abc\x00", "\u4e2d\u6587"):
        raises(CredentialError, device_certificate, "a1TESTpk001", "dev_0001", secret)
        raises(CredentialError, of, product(PRODUCT_SECRET=secret.encode()))
    raises(CredentialError, of, product(METHOD=b"coap"))
    raises(CredentialError, token.issued, "a1TESTpk001", "dev_0001", "cid|x", "token")
    raises(CredentialError, token.issued, "a1TESTpk001", "dev_0001", "cid", "")
    for key, name in (
        ("a1 2", "dev_0001"),
        ("", "dev_0001"),
        ("a1TESTpk001", "abc"),
        ("a1TESTpk001", "a/bcd"),
    ):
        raises(CredentialError, token.issued, key, name, "cid", "token")


def test_what_is_no_text_is_no_secret():
    """JSON may have anything where a secret is expected."""
    for value in (None, 5, True, 1.5, [], [SECRET], ["a"] * 32, {}, {"a": SECRET}, (SECRET,), b"bytes"):
        raises(CredentialError, device_certificate, "a1TESTpk001", "dev_0001", value)
        raises(CredentialError, device_certificate, "a1TESTpk001", value, SECRET)
        raises(CredentialError, device_certificate, value, "dev_0001", SECRET)


def test_a_record_without_what_its_kind_needs_is_refused():
    whole = {record.KIND: b"device", record.PRODUCT_KEY: b"a1", record.DEVICE_SECRET: SECRET.encode()}
    of(whole)
    for tag in (record.PRODUCT_KEY, record.DEVICE_SECRET):
        cut = dict(whole)
        del cut[tag]
        raises(CredentialError, of, cut)
    raises(CredentialError, of, {record.KIND: b"product", record.PRODUCT_KEY: b"a1"})
    raises(CredentialError, of, {record.PRODUCT_KEY: b"\xff\xfe"})


def test_an_unknown_kind_is_named():
    for kind in (b"carrier", b"../x", b""):
        problem = raises(CredentialError, of, {record.KIND: kind})
        assert problem.retry == "never"
    assert "carrier" in str(raises(CredentialError, of, {record.KIND: b"carrier"}))


def test_a_secret_prints_as_its_last_four():
    secret = Secret(SECRET)
    for shown in (
        str(secret),
        repr(secret),
        "%s" % secret,
        "%r" % secret,
        "{}".format(secret),
        str([secret]),
    ):
        assert SECRET not in shown and "****cdef" in shown
    assert Secret("short").reveal() == "short" and "short" not in str(Secret("short"))


def test_no_refusal_shows_the_secret():
    for action in (
        lambda: device_certificate("a1", "x", SECRET),
        lambda: device_certificate("a1", "dev_0001", SECRET + " "),
        lambda: of(product(PRODUCT_SECRET=SECRET.encode(), METHOD=b"coap")),
    ):
        assert SECRET not in str(raises(CredentialError, action))


def test_no_line_shows_a_secret_that_was_ever_seen():
    credential = DeviceCertificate("a1", "dev_0001", SECRET)
    token = ClientToken("a1", "dev_0001", "cid", "TOKEN4567890")
    for value in (
        SECRET,
        "x" + SECRET + "y",
        credential.device_secret,
        [SECRET],
        (1, [SECRET]),
        ValueError(SECRET),
        token.device_token,
        "TOKEN4567890",
        "sent TOKEN4567890.",
    ):
        shown = line("error", {"detail": value})
        assert SECRET not in shown and "TOKEN4567890" not in shown


def test_every_kind_is_a_credential_with_the_same_hooks():
    """Each kind has all that a Device, a registration and a store call, its own or the default."""
    made = (
        of(
            {
                record.KIND: b"device",
                record.PRODUCT_KEY: b"a1",
                record.DEVICE_NAME: b"dev_0001",
                record.DEVICE_SECRET: b"s" * 32,
            }
        ),
        of(product()),
        token.issued("a1", "dev_0001", "cid", "token"),
    )
    assert [type(one) for one in made] == [DeviceCertificate, ProductCertificate, ClientToken]
    for one in made:
        assert isinstance(one, Credential)
        for hook in ("fields", "locate", "open", "present", "join", "method"):
            assert hasattr(one, hook), hook
    assert [one.method for one in made] == [None, "https", None]
    assert identities.issued(made[2].fields(), "a1", "dev_0001").fields() == made[2].fields()
    assert identities.issued(made[0].fields(), "a1", "dev_0001").fields() == made[0].fields()
