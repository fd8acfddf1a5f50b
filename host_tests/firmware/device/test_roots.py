"""Roots in files: one at a time; a start names the extra ones that are trusted, and those that are not."""

import binascii
import gc
import hashlib
import os

import aliot
from aliot import record, roots, start
from aliot.device import Device
from aliot.errors import CertificateError
from aliot.store import Store
from aliot.wired import Wired
from scripted import Medium, raises, unhex

gc.threshold(4096)  # as boot.py has it
# a self-signed certificate of an elliptic curve
ROOT = unhex(
    "308201363081dea003020102020101300a06082a8648ce3d040302301b3119301706035504030c106120726f6f7420666f722074657374"
    "73301e170d3234303130313030303030305a170d3439303130313030303030305a301b3119301706035504030c106120726f6f7420666f"
    "722074657374733059301306072a8648ce3d020106082a8648ce3d03010703420004cdcc45aa411cd73fdc768404fd4b03af7ff9e03402"
    "df077555ce9b3639e1a3a3f2eb5952dc2690bea8206d44c50c60fb4c4f3bec42015095d64635f6ed8ad35ba3133011300f0603551d1301"
    "01ff040530030101ff300a06082a8648ce3d040302034700304402202b0e7aead2196c734783b42b9f060534ee6de2b6b8e07041e176f3"
    "78e5eb7d3f02204bfdcc264e7917fd6c0cc751e06d4c98e7c86c4cdd674baf9ad2c2d0ad0e34a8"
)


def folders(extra="/none/", **files):
    """Folders for roots on the board; each name's bytes are its file."""
    for path in ("/built", "/extra"):
        try:
            os.mkdir(path)
        except OSError:
            pass
    for name in os.listdir("/extra"):
        os.remove("/extra/" + name)
    for name in files:
        put("/built/" + name + ".der", files[name])
    roots.BUILT_IN, roots.EXTRA = "/built/", extra
    roots.extra, shown, refused = start.extra_roots()
    return shown, refused


def put(path, *pieces):
    with open(path, "wb") as file:
        for data in pieces:
            file.write(data)


def shown(name, data=ROOT):
    return name + ":" + binascii.hexlify(hashlib.sha256(data).digest()[:4]).decode()


def test_extra_roots_are_loaded_after_the_others_and_named():
    folders(aliyun=b"own", other=b"not asked for")
    for name in ("b.der", "a.der", "notes.txt"):
        put("/extra/" + name, ROOT)
    roots.EXTRA = "/extra/"
    roots.extra, names, refused = start.extra_roots()
    got = []
    roots.trust(["aliyun"], got.append)
    assert got == [b"own", ROOT, ROOT] and refused == []
    assert names == [shown("a.der"), shown("b.der")]


def test_no_extra_roots():
    assert folders(aliyun=b"own") == ([], [])
    got = []
    roots.trust(["aliyun"], got.append)
    assert got == [b"own"] and roots.extra == ()


def test_a_file_that_is_missing_or_no_certificate_is_named():
    folders(aliyun=b"own")
    problem = raises(CertificateError, roots.trust, ["nobody"], len)
    assert "nobody" in problem.detail and problem.code == "certificate.root"

    def refuse(der):
        raise ValueError("invalid cert")

    assert "aliyun" in raises(CertificateError, roots.trust, ["aliyun"], refuse).detail


def test_an_extra_root_that_is_refused_at_a_connect_is_not_asked_again():
    folders(aliyun=b"own")
    for name in ("a.der", "b.der", "c.der"):
        put("/extra/" + name, ROOT)
    roots.EXTRA = "/extra/"
    roots.extra = start.extra_roots()[0]
    os.remove("/extra/b.der")
    problem = raises(CertificateError, roots.trust, ["aliyun"], len)
    assert problem.code == "certificate.root" and "/extra/b.der" in problem.detail
    got = []
    roots.trust(["aliyun"], got.append)
    assert got == [b"own", ROOT, ROOT] and roots.extra == ("a.der", "c.der")


ODD = (
    ("empty.der", (b"",)),
    ("pem.der", (b"-----BEGIN CERTIFICATE-----\n",)),
    ("garbage.der", (b"\xff" * 700,)),
    ("cut.der", (ROOT[:-1],)),
    ("more.der", (ROOT, b"x")),
    ("refused.der", (b"\x30\x82\x02\x00" + bytes(512),)),
    ("large.der", [b"\x30\x82\x20\x00"] + [bytes(512)] * 16),
    ("short.der", (b"\x30\x82",)),
    ("huge.der", [ROOT] + [b"x" * 500] * 200),
)


def test_what_is_no_certificate_is_refused_by_name_and_the_rest_is_trusted():
    folders()
    for name, pieces in ODD:
        put("/extra/" + name, *pieces)
    os.mkdir("/extra/folder.der")
    put("/extra/good.der", ROOT)
    roots.EXTRA = "/extra/"
    trusted, names, refused = start.extra_roots()
    os.rmdir("/extra/folder.der")
    assert trusted == ("good.der",) and names == [shown("good.der")]
    assert sorted(refused) == sorted([name for name, _ in ODD] + ["folder.der"])


def test_more_files_than_are_looked_at_are_counted():
    folders()
    for number in range(200):
        put("/extra/%03d.der" % number, ROOT if number % 2 else b"")
    roots.EXTRA = "/extra/"
    trusted, names, refused = start.extra_roots()
    assert len(trusted) == 8 and names == [shown(name) for name in trusted]
    assert len(refused) == 9 and refused[-1] == "184 more"
    folders()


def test_the_boot_line_names_both_and_the_board_starts():
    folders()
    put("/extra/bad.der", b"x" * 500)
    put("/extra/good.der", ROOT)
    roots.EXTRA = "/extra/"
    medium = Medium("nvs")
    medium.kept["burned"] = record.encode(
        record.BURNED,
        100,
        {
            record.KIND: b"device",
            record.PRODUCT_KEY: b"a1TESTpk001",
            record.DEVICE_NAME: b"dev_0001",
            record.DEVICE_SECRET: b"s" * 32,
        },
    )
    states = []
    board = Device({}, Wired(), Store((medium,)))
    board.watch(lambda state, fields: states.append((state, dict(fields))))
    board.start()
    state, fields = states[0]
    assert (
        state == "boot" and fields["roots"] == [shown("good.der")] and fields["roots_refused"] == ["bad.der"]
    )
    assert fields["version"] == aliot.__version__ and board.credential.device_name == "dev_0001"
    assert roots.extra == ("good.der",)
