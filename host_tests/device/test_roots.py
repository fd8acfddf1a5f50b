"""Roots in files: one at a time, the extra ones named, a bad one named."""

import binascii
import hashlib
import os

from aliot import roots
from aliot.transport.faults import CertificateError
from scripted import raises


def built_in(**files):
    """Folders for roots on the board; each name's bytes are its file."""
    for path in ("/built", "/extra"):
        try:
            os.mkdir(path)
        except OSError:
            pass
    for name in files:
        put("/built/" + name + ".der", files[name])
    roots.BUILT_IN, roots.EXTRA = "/built/", "/none/"


def put(path, data):
    with open(path, "wb") as file:
        file.write(data)


def test_extra_roots_are_loaded_after_the_others_and_named():
    built_in(aliyun=b"own", other=b"not asked for")
    for name, data in (("b.der", b"two"), ("a.der", b"one"), ("notes.txt", b"x")):
        put("/extra/" + name, data)
    roots.EXTRA = "/extra/"
    got = []
    roots.load(["aliyun"], got.append)
    assert got == [b"own", b"one", b"two"]
    assert roots.fingerprints() == ["a.der:" + binascii.hexlify(hashlib.sha256(b"one").digest()[:4]).decode(),
                                    "b.der:" + binascii.hexlify(hashlib.sha256(b"two").digest()[:4]).decode()]


def test_no_extra_roots():
    built_in(aliyun=b"own")
    got = []
    roots.load(["aliyun"], got.append)
    assert got == [b"own"] and roots.fingerprints() == []


def test_a_file_that_is_missing_or_no_certificate_is_named():
    built_in(aliyun=b"own")
    problem = raises(CertificateError, roots.load, ["nobody"], len)
    assert "nobody" in problem.detail and problem.code == "certificate.root"

    def refuse(der):
        raise ValueError("invalid cert")

    assert "aliyun" in raises(CertificateError, roots.load, ["aliyun"], refuse).detail

