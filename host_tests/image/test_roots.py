"""Root certificates: every one of every file goes onto the board, however the file came about."""

import re
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from host_tests.support import pairs
from tools.diagnosis import probes
from tools.errors import UserError
from tools.flash.verbs import image as build
from tools.image import flash_image, littlefs

BUNDLE = Path(__file__).with_name("roots.pem")  # two, each with a comment before it
TEXT = BUNDLE.read_bytes()
ONE, OTHER = re.findall(rb"-----BEGIN.*?END CERTIFICATE-----\n", TEXT, re.S)
DERS = [x509.load_pem_x509_certificate(one).public_bytes(Encoding.DER) for one in (ONE, OTHER)]

FORMS = {
    "DER": (DERS[0], 1),
    "PEM": (ONE, 1),
    "BOM": (b"\xef\xbb\xbf" + ONE, 1),
    "CRLF": (ONE.replace(b"\n", b"\r\n"), 1),
    "comment before BEGIN": (b"# Issuer: CN=A\n" + ONE, 1),
    "bundle": (ONE + OTHER, 2),
    "bundle with comments": (TEXT, 2),
    "bundle with BOM and comments": (b"\xef\xbb\xbf" + TEXT, 2),
    "twice the same": (ONE + ONE, 1),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_root_of_a_file_is_taken_by_tools_and_doctor(tmp_path, form):
    data, count = FORMS[form]
    (tmp_path / "ca.pem").write_bytes(data)
    names = ["/roots/ca.der", "/roots/ca-2.der"][:count]
    assert flash_image.root_files([tmp_path / "ca.pem"]) == dict(zip(names, DERS, strict=False))
    assert len(probes.roots((), [tmp_path / "ca.pem"])) == count


def test_two_files_of_one_name_are_two_roots(tmp_path, capsys):
    for folder, data in (("ra", ONE), ("rb", OTHER)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "ca.pem").write_bytes(data)
    both = [str(tmp_path / "ra" / "ca.pem"), str(tmp_path / "rb" / "ca.pem")]
    image = flash_image.build(roots=both, with_firmware=False)
    region = flash_image.region(image, flash_image.layout_in(image).vfs)
    assert littlefs.read(region)["/roots/ca-2.der"] == DERS[1]
    assert set(probes.roots((), both)) == {"ca.pem", both[1]}


def test_a_root_takes_no_place_of_another_file():
    tree = {"/roots/roots.der": b"the application's own", "/roots/roots-2.der": DERS[1]}
    assert flash_image.root_files([BUNDLE], tree) == {"/roots/roots-3.der": DERS[0]}


def test_image_names_the_roots_as_they_are_on_the_board(tmp_path):
    names = [path.rpartition("/")[2] for path in flash_image.root_files([BUNDLE])]
    assert "extra roots: roots.der, roots-2.der" in build._described(
        {
            "file": "x",
            "size": 0,
            "board": "b",
            "identity": None,
            "roots": names,
            "files": 0,
            "models": {},
            "left_out": [],
            "firmware": None,
            "warning": None,
            "not_in_it": None,
        }
    )


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "is not an X.509 certificate"),
        (b"no certificate", "is not an X.509 certificate"),
        (ONE[:200], "is not an X.509 certificate"),
        (ONE + ONE[:200], "is not an X.509 certificate"),
        (
            ONE + pairs.key_bytes(),
            r"holds something else than certificates \(rsa private key\): leave only roots in it",
        ),
    ],
)
def test_what_is_no_root_is_one_line(tmp_path, data, message):
    (tmp_path / "ca.pem").write_bytes(data)
    with pytest.raises(UserError, match=message):
        flash_image.root_files([tmp_path / "ca.pem"])
