"""Packages: what is in them, that the same input gives the same bytes, and what is refused."""

import random
import subprocess
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from host_tests.ota.conftest import TREE
from host_tests.support.packages import CHEAP, MPY, PASSPHRASE
from tools.errors import UserError
from tools.image import updates
from tools.ota import keys, manifest, package
from tools.ota.manifest import Manifest

HEAD = Manifest("1.2.0", 7, 6, 1, "1.24", ("a1OtaTests0",))


def test_a_package_is_read_as_it_was_made(made):
    found = package.parse(made.encode())
    assert found == made
    assert [file.path for file in found.manifest.files] == sorted(TREE)
    assert found.contents == b"".join(TREE[path] for path in sorted(TREE))


def test_the_same_input_gives_the_same_bytes(key):
    one, other = (package.pack(dict(tree), HEAD) for tree in (TREE.items(), reversed(TREE.items())))
    assert one.encode() == other.encode()
    assert one.signed(key).encode() == other.signed(key).encode()


def test_the_manifest_is_text_as_its_module_says():
    whole = replace(HEAD, board="ESP32C3", rollback=True, delete=("/old.bin",))
    text = package.pack(TREE, whole).manifest.encode().decode().splitlines()
    assert text[:10] == [
        "aliot-ota 1",
        "release 1.2.0",
        "number 7",
        "mpy 6",
        "store 1",
        "least 1.24",
        "product a1OtaTests0",
        "board ESP32C3",
        "rollback",
        "delete /old.bin",
    ]
    assert text[10].startswith("file 8 ") and text[10].endswith(" aliot/__init__.mpy")


def test_openssl_checks_the_signature(made, key_folder, tmp_path):
    (tmp_path / "text").write_bytes(made.manifest.encode())
    (tmp_path / "signature").write_bytes(made.signature)
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", "-verify", key_folder / "ota.pub", "-signature", "signature", "text"],
        cwd=tmp_path,
        capture_output=True,
    )
    assert done.returncode == 0 and b"Verified OK" in done.stdout, done.stderr


def test_no_byte_can_be_changed_unseen(made, key, campaign):
    data = made.encode()
    for at in random.Random(1).sample(range(len(data)), campaign(200)):
        spoiled = bytearray(data)
        spoiled[at] ^= 1 << at % 8
        if at != 5:  # reserved
            with pytest.raises(UserError):
                package.parse(bytes(spoiled)).check(key.public_key())


def test_no_length_but_its_own_is_taken(made):
    data = made.encode()
    for size in range(len(data)):
        with pytest.raises(UserError):
            package.parse(data[:size])
    with pytest.raises(UserError, match="1 bytes behind its last file"):
        package.parse(data + b"x")


def test_files_that_change_places_are_seen(made):
    first = made.manifest.files[0].size
    with pytest.raises(UserError, match="changed or reordered"):
        package.parse(replace(made, contents=made.contents[first:] + made.contents[:first]).encode())


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({"release": "1 2"}, "release '1 2' is not"),
        ({"number": 0}, "number 0 is not 1 to"),
        ({"number": 2**30}, "number 1073741824 is not"),
        ({"store": 0}, "not both 1 to 255"),
        ({"least": "1"}, "least '1' is not a release"),
        ({"products": ()}, "--product or --board"),
        ({"products": ("a b",)}, "ProductKey"),
        ({"products": ("a1OtaTests0", "a1OtaTests0")}, "named twice"),
        ({"board": "esp32"}, "board 'esp32' is not"),
        ({"delete": ("old.bin",)}, "not the whole path"),
        ({"delete": ("/a/../boot.py",)}, "not the whole path"),
        ({"delete": ("/config.json",)}, "belongs to the board"),
        ({"delete": ("/aliot/burned",)}, "belongs to the board"),
        ({"delete": ("/ota/0",)}, "belongs to the board"),
    ],
    ids=str,
)
def test_a_manifest_says_nothing_that_none_may(change, complaint):
    with pytest.raises(UserError, match=complaint):
        package.pack(TREE, replace(HEAD, **change))


@pytest.mark.parametrize("path", ["/x", "../x", "a//b", "a/./b", "a/", "x" * 101, "é" * 60, "a\nb", "a\\b"])
def test_a_path_that_leads_elsewhere_is_refused(path):
    with pytest.raises(UserError, match="is not a path"):
        package.pack({**TREE, path: b""}, HEAD)


@pytest.mark.parametrize("path", manifest.NEEDED)
def test_what_no_release_runs_without_is_missed(path):
    with pytest.raises(UserError, match=f"{path} is missing"):
        package.pack({name: data for name, data in TREE.items() if name != path}, HEAD)


@pytest.mark.parametrize(
    "files, complaint",
    [
        ({"a.mpy": b"M\x05\x00"}, "different versions"),
        ({"a.mpy": b"M\x06\x2c"}, "a.mpy is no .mpy file of plain bytecode"),
        ({"a.mpy": b"M"}, "a.mpy is no .mpy"),
        ({"a.mpy": b"X\x06\x00"}, "a.mpy is no .mpy"),
    ],
    ids=str,
)
def test_bytecode_of_one_version_only(files, complaint):
    assert package.mpy_version(TREE) == 6
    with pytest.raises(UserError, match=complaint):
        package.mpy_version({"main.mpy": MPY, **files})


def test_a_signature_of_another_key_or_none_is_named(made, key_folder, tmp_path):
    other = keys.create(tmp_path / "other", PASSPHRASE, 3072, CHEAP)
    with pytest.raises(UserError, match=f"signed by the key {made.key}, not by {updates.key_id(other)}"):
        made.check(other)
    with pytest.raises(UserError, match="not signed"):
        replace(made, signature=b"", key="").check(other)
    longer = made.signed(keys.unlock(tmp_path / "other", PASSPHRASE))
    longer.check(other)
    assert len(longer.signature) == 384


def test_a_key_s_folder_is_closed_and_never_overwritten(key_folder):
    assert (key_folder / "ota.key").stat().st_mode & 0o777 == 0o600
    assert (key_folder / ".gitignore").read_text() == "*\n"
    with pytest.raises(UserError, match="never overwritten"):
        keys.create(key_folder, PASSPHRASE)
    with pytest.raises(UserError, match="wrong passphrase for .*ota.key"):
        keys.unlock(key_folder, b"another passphrase")


def _pem(public):
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    "data, complaint",
    [
        (b"x", "no public key"),
        (b"-----BEGIN " + b"PRIVATE KEY-----\n", "private key, which no board may have"),
        (_pem(ec.generate_private_key(ec.SECP256R1()).public_key()), "not RSA"),
        (_pem(rsa.generate_private_key(3, 2048).public_key()), "exponent 65537"),
        (_pem(rsa.generate_private_key(65537, 1024).public_key()), "1024 bits"),
    ],
    ids=["text", "private", "curve", "exponent", "short"],
)
def test_a_public_key_that_no_board_checks_with(tmp_path, data, complaint):
    (tmp_path / "key").write_bytes(data)
    with pytest.raises(UserError, match=complaint):
        updates.read_public(tmp_path / "key")


def test_what_is_too_large_or_reserved_is_refused_before_it_is_read(made, monkeypatch):
    data = bytearray(made.encode())
    data[5] = 1
    with pytest.raises(UserError, match="the package has 1 in byte 5, where a package has 0"):
        package.parse(bytes(data))
    monkeypatch.setattr(manifest, "_with", None)  # no line is looked at
    with pytest.raises(UserError, match="the manifest has [0-9]+ bytes; a board takes 32768"):
        manifest.parse(b"aliot-ota 1\n" + b"file 1 %064d a\n" % 0 * 60000)
