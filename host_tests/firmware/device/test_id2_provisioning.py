"""One-time provisioning against every published vector, and what is refused (id2.md 1.4)."""

from aliot import record
from aliot.errors import CredentialError
from aliot.id2.provisioning import EmptyElement, Provisioning
from id2_script import Counted, part_of
from scripted import raises, unhex

HEAP = "512K"  # recorded sessions, parsed
SECRET = "i11abcdefghijklmnop0123456789ABC"


def asks(secret=SECRET, fingerprint=b"demo-uid"):
    made = Provisioning(secret, fingerprint)
    made.quota = Counted()
    return made


def test_requests_are_those_of_the_vectors():
    rows = part_of("otp_provisioning", "requests")
    assert {row["use_type"] for row in rows} == {1, 2}
    for row in rows:
        made = asks(row["token"], row["fingerprint_ascii"].encode())
        assert made.request(lambda size: unhex(row["session_key_hex"])[:size]) == unhex(row["request_hex"])
        assert made.quota.spent == 1


def accepted(row):
    """The fields that a response leads to, or None when it is refused."""
    key_type = 3 if row["response_hex"].startswith("03") else 1
    made = asks("i1%d" % key_type + SECRET[3:])
    made.request(lambda size: unhex(row["session_key_hex"])[:size])
    kept = []
    unit = EmptyElement(kept.append)
    try:
        made.accept(unhex(row["response_hex"]), unit)
    except (ValueError, CredentialError):
        assert kept == [] and not unit.is_provisioned()
        return None
    assert len(kept) == 1
    return unit.fields()


def test_responses_are_judged_as_the_vectors_say_or_more_strictly():
    rows = part_of("otp_provisioning", "responses")
    assert len(rows) == 7
    for row in rows:
        fields = accepted(row)
        if row["case"] == "padding byte of the final block altered":
            assert row["accept"] and fields is None  # the published client does not look at it
        elif row["accept"]:
            assert fields[record.ID2].decode() == row["issued_id2"]
            assert fields[record.ID2_KEY] == unhex(row["issued_key_hex"])
        else:
            assert fields is None, row["case"]


def test_a_response_with_any_byte_changed_is_refused():
    row = part_of("otp_provisioning", "responses")[0]
    good = unhex(row["response_hex"])
    for at in range(len(good)):
        for bit in (1, 0x80):
            changed = good[:at] + bytes((good[at] ^ bit,)) + good[at + 1 :]
            made = asks()
            made.request(lambda size: unhex(row["session_key_hex"])[:size])
            unit = EmptyElement(lambda made: None)
            try:
                made.accept(changed, unit)
            except (ValueError, CredentialError):
                continue
            raise AssertionError("accepted with byte %d changed" % at)


def test_each_request_has_a_session_key_of_its_own():
    made = asks()
    drawn = []

    def rng(size):
        drawn.append(size)
        return bytes((len(drawn),)) * size

    assert made.request(rng) != made.request(rng)
    assert drawn == [16, 16]


def test_product_secrets_that_cannot_provision_are_refused_without_saying_them():
    for secret in (
        "",
        SECRET[:31],
        "h4I4dneEFp7EImTv",
        "a" + SECRET[1:],
        "i3" + SECRET[2:],
        "i01" + SECRET[3:],
        "i12" + SECRET[3:],
        "i14" + SECRET[3:],
        "i15" + SECRET[3:],
        "i16" + SECRET[3:],
        "i17" + SECRET[3:],
        "i19" + SECRET[3:],
        "i21XXXXXQEFCQ0RFRkdISUpLTE1OTw=A",
        "i21XXXXX" + "A" * 20 + "====",
        "i21XXXXX" + "A" * 32,
        "i21XXXXX" + "QUJD" * 6,
        "i21XXXXX!!!!!!!!!!!!!!!!!!!!!!!!",
    ):
        problem = raises(CredentialError, Provisioning, secret, b"f")
        assert problem.retry == "never" and "abcdefgh" not in str(problem) and "QEFC" not in str(problem)
    assert "AES_256" in str(raises(CredentialError, Provisioning, "i12" + SECRET[3:], b"f"))
    for secret in ("x" + SECRET[1:], "i13" + SECRET[3:], "i21XXXXX" + "QUJD" * 10 + "QUI="):
        Provisioning(secret, b"f")


def test_the_longest_fingerprint_fits_into_a_request():
    assert len(asks(fingerprint=b"f" * 128).request(lambda size: bytes(size))) == 228
