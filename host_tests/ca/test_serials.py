"""Serial numbers: one text for one number, whoever printed it (x509.md 3.1)."""

import itertools
import re

import pytest

from tools import serials


def test_every_published_serial_has_one_normal_form(vectors):
    assert len(vectors["serial_numbers"]) == 5
    for vector in vectors["serial_numbers"]:
        number = int.from_bytes(bytes.fromhex(vector["der_integer_bytes"]), "big")
        assert number == vector["decimal"]
        assert serials.text(number) == vector["normal"]
        for column in ("der_integer_bytes", "openssl_serial", "python_hex"):
            assert serials.normal(vector[column]) == vector["normal"]


def test_published_spellings_of_one_serial_are_equal(vectors):
    for group in vectors["serial_equal_groups"]:
        assert len({serials.normal(text) for text in group}) == 1


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("", "empty"),
        (" : ", "empty"),
        ("0x", "empty"),
        ("0", "zero"),
        ("00:00", "zero"),
        ("XYZ", "not hexadecimal"),
        ("-5", "not hexadecimal"),
        ("1_0", "not hexadecimal"),
        ("١٢", "not hexadecimal"),
        ("636217374433****", "not hexadecimal"),
        ("serial=0A", "not hexadecimal"),
        ("FF" * 21, "longer than 20 bytes"),
    ],
)
def test_what_is_no_serial_is_refused(written, complaint):
    with pytest.raises(ValueError, match=complaint):
        serials.normal(written)


def test_decimal_that_openssl_text_prints_first_is_not_taken_for_hex():
    """x509.md 3.1: `openssl x509 -text` prints a short serial as `44409342144213933 (0x9dc60fb736f3ad)`."""
    with pytest.raises(ValueError, match="after 0x"):
        serials.normal("44409342144213933 (0x9dc60fb736f3ad)")


@pytest.mark.parametrize("written", ["1.23457E+19", "1,23457E+19", "4.2e21"])
def test_a_serial_that_a_spreadsheet_rounded_is_named(written):
    with pytest.raises(ValueError, match="spreadsheet"):
        serials.normal(written)


def test_fresh_serials_read_the_same_padded_or_not():
    """x509.md 3.1: a first byte of 0x10 to 0x7F needs no pad digit in openssl and no zero byte in DER."""
    for _ in range(2000):
        serial = serials.fresh()
        assert re.fullmatch(r"[1-7][0-9A-F]{19}", serial)
        number = int(serial, 16)
        padded = format(number, "X").zfill(20)
        assert padded == serials.text(number) == serials.normal(serial) == serial
        assert (number.bit_length() + 7) // 8 == number.bit_length() // 8 + 1 == 10


def test_fresh_serials_use_the_whole_range_of_the_first_byte():
    seen = {int(serials.fresh()[:2], 16) for _ in range(5000)}
    assert seen == set(range(0x10, 0x80))


@pytest.mark.parametrize(
    "number",
    [
        bytes.fromhex("12345678901234567890"),
        bytes.fromhex("1234567890E123456789"),
        bytes(10),
        b"\x0f" + b"\xff" * 9,
    ],
)
def test_a_serial_like_a_number_or_too_small_is_drawn_again(number):
    good = bytes.fromhex("1A000000000000000001")
    draws = itertools.chain([number], itertools.repeat(good))
    assert serials.fresh(lambda count: next(draws)) == "1A000000000000000001"
