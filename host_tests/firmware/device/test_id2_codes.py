"""The ID² functions against every published vector, and what they refuse (id2.md 2)."""

from binascii import a2b_base64

from aliot import id2
from aliot.errors import CredentialError
from id2_script import ascii, element, vectors
from scripted import raises, unhex

AES = ("AES_128", "AES_256")

HEAP = "512K"  # the vectors of a section, parsed


def test_device_codes_of_all_types_are_those_of_the_vectors():
    rows = [row for row in vectors("auth_codes") if row["key_type"] in AES]
    assert {row["type"] for row in rows} == {0, 1, 2, 3}
    for row in rows:
        code = id2.device_code(
            element(row),
            row["type"],
            ascii(row["server_random"]),
            ascii(row["extra_ascii"]),
            rng=lambda n: unhex(row["device_random"]),
        )
        assert code == ascii(row["auth_code"]), row["name"]
        assert a2b_base64(code[-64:]) == unhex(row["signature_hex"])


def test_keys_that_stock_firmware_has_no_cipher_for_are_refused_by_name():
    rows = [row for row in vectors("auth_codes") if row["key_type"] not in AES]
    assert {row["key_type"] for row in rows} == {"3DES_112", "3DES_168", "AES_192", "SM4_128"}
    for row in rows:
        assert row["key_type"] in str(raises(CredentialError, element, row))


def test_a_device_code_draws_eight_fresh_random_bytes():
    row = vectors("auth_codes")[8]
    drawn = []

    def rng(size):
        drawn.append(size)
        return b"\x0a" * size

    code = id2.device_code(element(row), 0, b"c" * 32, rng=rng)
    assert drawn == [8] and code.startswith(b"0~2~0A0A0A0A0A0A0A0A~" + b"c" * 32 + b"~")
    one, other = [id2.device_code(element(row), 0, b"c" * 32) for _ in range(2)]
    assert one != other


def test_device_codes_of_wrong_inputs_are_refused():
    unit = element(vectors("auth_codes")[8])
    for kind, server_random, extra in (
        (4, b"c", b""),
        (-1, b"c", b""),
        (0, b"", b""),
        (0, b"c" * 33, b""),
        (0, b"a~b", b""),
        (0, b"a\n", b""),
        (0, b"\xc3\xa9", b""),
        (1, b"12x", b""),
        (3, b"-1", b"e"),
        (0, b"c", b"extra"),
        (1, b"1", b"extra"),
        (2, b"c", b""),
        (3, b"1", b""),
        (2, b"c", b"e" * 513),
    ):
        raises(ValueError, id2.device_code, unit, kind, server_random, extra)


def test_server_codes_are_judged_as_the_vectors_say():
    rows = vectors("server_auth_codes")
    assert len([row for row in rows if row["accept"]]) == 2
    for row in rows:
        verdict = id2.verify_server(
            element(row),
            ascii(row["server_auth_code"]),
            ascii(row["device_challenge"]),
            ascii(row["extra_ascii"]),
        )
        assert verdict == row["accept"], row["case"]


def test_a_server_code_with_any_byte_changed_or_cut_is_refused():
    row = vectors("server_auth_codes")[0]
    unit, code, challenge = element(row), ascii(row["server_auth_code"]), ascii(row["device_challenge"])
    assert id2.verify_server(unit, code, challenge)
    for at in range(len(code)):
        for bit in (1, 0x20, 0x80):
            changed = bytearray(code)
            changed[at] ^= bit
            assert not id2.verify_server(unit, bytes(changed), challenge)
        assert not id2.verify_server(unit, code[:at], challenge)
    assert not id2.verify_server(unit, code + b"=", challenge)
    assert not id2.verify_server(unit, code + b"\n", challenge)


def test_a_device_code_is_no_server_code():
    row = vectors("auth_codes")[8]
    unit = element(row)
    code = id2.device_code(unit, 0, b"c" * 32)
    assert not id2.verify_server(unit, code, b"c" * 32)
