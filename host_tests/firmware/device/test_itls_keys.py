"""HMAC and PRF of iTLS against the published vectors and RFC 4231 (id2.md 4.5)."""

from hashlib import sha1, sha256

from aliot.sign import hmac
from aliot.transport.itls.records import prf
from id2_script import sessions, vectors
from scripted import unhex

HEAP = "512K"  # recorded sessions, parsed
# RFC 4231 sections 4.2 to 4.4 and RFC 2202 section 3, cases 1 to 3: key, data, SHA-256, SHA-1
CASES = (
    (
        b"\x0b" * 20,
        b"Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        "b617318655057264e28bc0b6fb378c8ef146be00",
    ),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
    ),
    (
        b"\xaa" * 20,
        b"\xdd" * 50,
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        "125d7342b9ac11cd91a39af48aa17b4f63f175d3",
    ),
)


def test_hmac_of_both_hashes():
    for key, data, with_sha256, with_sha1 in CASES:
        assert hmac(sha256, key, data) == unhex(with_sha256)
        assert hmac(sha1, key, data) == unhex(with_sha1)
    assert len(hmac(sha256, bytes(64), b"")) == 32 and hmac(sha256, b"", b"") == hmac(sha256, bytes(64), b"")


def test_the_prf_is_that_of_the_vectors():
    rows = vectors("prf")
    assert len(rows) == 2
    for row in rows:
        assert prf(
            unhex(row["secret_hex"]), row["label"].encode(), unhex(row["seed_hex"]), row["length"]
        ) == unhex(row["output_hex"])


def test_master_secrets_and_finished_are_those_of_the_sessions():
    for recorded in sessions():
        given, derived = recorded.row["inputs"], recorded.row["derived"]
        seed = unhex(given["client_random_second_hello_hex"]) + unhex(given["server_random_hex"])
        master = prf(unhex(given["premaster_hex"]), b"master secret", seed, 48)
        assert master == unhex(derived["master_secret_hex"])
        for side in ("client", "server"):
            verify = prf(
                master, side.encode() + b" finished", unhex(derived["hash_before_%s_finished_hex" % side]), 12
            )
            assert verify == unhex(derived["%s_finished_verify_hex" % side])
