"""Names that the console takes, and the file names made of them (x509.md 2 and 3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.ca import names
from tools.image.identity.pair import Stem


@pytest.mark.parametrize("name", ["abcd", "A_1b", "x" * 30, "工厂证书"])
def test_ca_names_that_are_taken(name):
    assert names.ca_name_fault(name) is None


@pytest.mark.parametrize(
    "name", ["", "abc", "x" * 31, "has space", "dash-ed", "dot.ted", "emoji😀x", "abcd\n"]
)
def test_ca_names_that_are_refused(name):
    """x509.md 2: 4 to 30 characters: letters, digits, underscore."""
    assert "4 to 30" in names.ca_name_fault(name)


@pytest.mark.parametrize(
    "name", ["", "abc", "x" * 33, "has space", "a,b,c", "a/b/c", "a%3Ab", "größe", "abcd\n"]
)
def test_device_names_that_are_refused(name):
    assert ("4 to 32" if name != "abcd\n" else "U+000A") in names.device_name_fault(name)


@pytest.mark.parametrize("code", ["c7cdfde6****", ""])
def test_registration_codes_that_are_refused(code):
    assert names.code_fault(code)


def test_a_registration_code_fills_a_common_name():
    assert names.code_fault("a" * 64) is None
    assert names.code_fault("a" * 65)


def test_published_file_name(vectors):
    stem = Stem("a1X509ProdK", "sensor-01", "7B2F90")
    assert f"{stem}.cer" == vectors["file_names"]["cert"]
    assert f"{stem}.key" == vectors["file_names"]["key"]


def test_a_colon_never_reaches_a_file_name():
    """x509.md 3: a DeviceName may hold a colon, a Windows file name may not."""
    assert ":" not in str(Stem("a1", "24:0a:c4:00:00:01", "5A"))


device_names = st.text("abcXYZ019-_@.:", min_size=4, max_size=32)


@given(st.from_regex(r"[A-Za-z0-9]{1,20}", fullmatch=True), device_names, st.integers(1, 2**159))
def test_a_file_name_gives_back_its_parts(product_key, device_name, serial):
    stem = Stem(product_key, device_name, format(serial, "X"))
    assert Stem.parse(str(stem)) == stem


@given(device_names, device_names)
def test_two_devices_never_share_a_file_name(one, other):
    assert (str(Stem("a1", one, "5A")) == str(Stem("a1", other, "5A"))) == (one == other)


@pytest.mark.parametrize(
    "stem", ["", "verify", "a1_dev", "a1_dev_5A", "a1_device_xyz", "a1_dev!ce_5A", "_device_5A"]
)
def test_other_file_names_do_not_parse(stem):
    with pytest.raises(ValueError, match=r"\[ProductKey\]_\[DeviceName\]_\[CA_SN\]"):
        Stem.parse(stem)
