"""Data, keys and secrets of a device against every published vector (id2.md 2.2)."""

from hashlib import sha256

from aliot import id2
from aliot.id2.codes import pad, unpad
from aliot.sign import hmac
from id2_script import ascii, element, vectors
from scripted import raises, unhex

AES = ("AES_128", "AES_256")

HEAP = "512K"  # the vectors of a section, parsed


def test_decrypt_gives_the_plain_text_of_the_vectors():
    rows = [row for row in vectors("decrypt") if row["key_type"] in AES]
    assert len(rows) == 3
    for row in rows:
        plain = unhex(row["plaintext_hex"]) if "plaintext_hex" in row else ascii(row["plaintext_ascii"])
        assert id2.decrypt(element(row), unhex(row["ciphertext_hex"])) == plain


def test_decrypt_refuses_lengths_and_paddings_that_cannot_be():
    unit = element(vectors("auth_codes")[8])
    for data in (b"", bytes(15), bytes(17), bytes(1040)):
        raises(ValueError, id2.decrypt, unit, data)
    block = b"123456789012345"
    for plain in (block + b"\x00", block + b"\x11", block[:14] + b"\x01\x02", b"\x0f" + b"\x10" * 15):
        raises(ValueError, id2.decrypt, unit, unit.ecb_encrypt(plain))
    assert id2.decrypt(unit, unit.ecb_encrypt(block + b"\x01")) == block
    assert id2.decrypt(unit, unit.ecb_encrypt(b"\x10" * 16)) == b""
    assert id2.decrypt(unit, unit.ecb_encrypt(pad(bytes(1023)))) == bytes(1023)


def test_local_keys_and_secrets_are_those_of_the_vectors():
    seen = {"get_secret": 0, "derive_key_32_hex": 0, "encrypt_ciphertext_hex": 0}
    for row in vectors("local_key_derivation"):
        unit, seed = element(row), ascii(row["seed_ascii"])
        for name in seen:
            seen[name] += name in row
        if "get_secret" in row:
            assert id2.get_secret(unit, seed) == ascii(row["get_secret"])
        if "derive_key_32_hex" in row:
            assert id2.derive_key(unit, seed) == unhex(row["derive_key_32_hex"])
            assert id2.derive_key(unit, seed, 5) == unhex(row["derive_key_32_hex"])[:5]
        if "encrypt_ciphertext_hex" in row:
            plain = ascii(row["encrypt_plaintext_ascii"])
            assert id2.encrypt(unit, seed, plain) == unhex(row["encrypt_ciphertext_hex"])
    assert seen == {"get_secret": 6, "derive_key_32_hex": 8, "encrypt_ciphertext_hex": 2}
    for size in (0, 33):
        raises(ValueError, id2.derive_key, unit, b"seed", size)


def test_what_one_time_passwords_are_made_of_is_that_of_the_vectors():
    """The generator itself takes no part in access to the platform and is not in this firmware (id2.md
    1.4, 2.2).
    """
    rows = vectors("dpm_totp")
    assert len(rows) == 6
    for row in rows:
        key = id2.get_secret(element(row), ascii(row["id2"]))
        message = (row["timestamp"] // row["step_seconds"]).to_bytes(8, "big") + b"%02d" % row["index"]
        assert hmac(sha256, key, message) == unhex(row["hmac_hex"])


def test_padding_always_adds_one_to_sixteen_bytes():
    for size in range(33):
        padded = pad(b"x" * size)
        assert len(padded) % 16 == 0 and len(padded) > size
        assert unpad(padded) == b"x" * size
