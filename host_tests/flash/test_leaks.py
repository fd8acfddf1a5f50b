"""Secrets that lie in files for a board: found in every spelling, refused before a port is opened."""

import json
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat

from host_tests.flash.flashed import _image
from host_tests.support import pairs
from host_tests.support.flashing import SECRET
from tools.errors import UserError
from tools.firmware import record
from tools.flash import leaks

LEAKS = {
    "named": ("cfg.py", "DEVICE_SECRET = 'h4I4dneEFp7EImTvh4I4dneEFp7EImTv'\n"),
    "json": ("cfg.json", '{"productKey": "a1b2", "deviceSecret": "0123456789abcdef0123456789abcdef"}'),
    "product": ("x.txt", 'product_secret: "Kq8zTqLw0aPs7d6F"'),
    "proxy": (
        "gw.json",
        json.dumps({"sub_products": [{"product_key": "a1b2", "product_secret": "Kq8zTqLw0aPs7d6F"}]}),
    ),
    "ID2": ("id.json", '{"id2_key": "00112233445566778899aabbccddeeff"}'),
    "PKCS#1": ("board.key", pairs.key_bytes()),
    "PKCS#8": ("board.pem", pairs.key_bytes(form=PrivateFormat.PKCS8)),
    "DER": ("board.der", pairs.key_bytes(encoding=Encoding.DER)),
    "PKCS#8 in DER": ("board.p8", pairs.key_bytes(encoding=Encoding.DER, form=PrivateFormat.PKCS8)),
    "record": ("burned", record.encode(record.BURNED, 1, {record.KIND: b"x509"})),
}

HELD = {
    "ID2": "an ID² key",
    "record": "an identity record",
    "named": "a device or product secret",
    "json": "a device or product secret",
    "product": "a device or product secret",
    "proxy": "a device or product secret",
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_tree_with_a_secret_in_it_is_refused_before_a_port_is_opened(tool, tmp_path, name):
    file, text = LEAKS[name]
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    result = tool("/dev/nothing", "flash", "--files", tmp_path / "app")
    assert result.error.startswith(f"{file} looks as if it held {HELD.get(name, 'a private key')}: every")


def test_the_secrets_of_a_board_are_found_in_every_spelling():
    key = bytes(range(16))
    fields = {record.ID2_KEY: key, 17: b"a1b2\na1c3 Kq8zTqLw0aPs7d6F", record.PRIVATE_KEY: b"\x30" * 40}
    copies = [SimpleNamespace(fields=fields)]
    for text in (key, key.hex().encode(), key.hex().upper().encode(), b"Kq8zTqLw0aPs7d6F", b"\x30" * 40):
        with pytest.raises(UserError, match="/notes looks as if it held a device or product secret"):
            leaks.refuse({"/notes": b"remember " + text}, copies)
    leaks.refuse({"/notes": b"a1b2 and a1c3", "/roots/x.der": pairs.cer(Encoding.DER)}, copies)


def test_a_tree_with_the_secret_of_this_very_board_is_refused(field, tool, tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "notes.txt").write_text(f"remember {SECRET}")
    board = field()
    before = _image(board)
    assert tool(board, "flash", "--files", tmp_path / "app").error.startswith("/notes.txt looks as if")
    assert _image(board) == before


@pytest.mark.parametrize(
    "text",
    [
        'device_secret = "your device secret"',
        'secret = "0123456789abcdef"',
        'device_secret = config["device_secret"]',
        "DEVICE_SECRET = const(4)",
    ],
)
def test_what_only_speaks_of_secrets_is_not_refused(text):
    leaks.refuse({"/a.py": text.encode()})
