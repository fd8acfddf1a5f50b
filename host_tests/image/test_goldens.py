"""What the verbs image, inspect and burn print, held against goldens/; `ALIOT_GOLDEN=write` writes it anew.

A line that begins with `$ ` is a command. The generation and the sizes of the
firmware's files are replaced, they change from day to day.
"""

import datetime
import json
import os
import re
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from host_tests.image.test_kinds import DEVICE as GATEWAY
from host_tests.image.test_kinds import ID2, OTP, SUBS, TOKEN, X509
from host_tests.support import pairs
from tools import cli
from tools.firmware import record
from tools.image import burn, flash_image, identity, nvs
from tools.image.flash_file import FlashFile

FOLDER = Path(__file__).parent / "goldens"
WRITE = os.environ.get("ALIOT_GOLDEN") == "write"
DEVICE = {
    "product_key": "a1MZxOdcBnO",
    "device_name": "dev1",
    "device_secret": "0123456789abcdef0123456789abcdef",
}
PRODUCT = {"product_key": "a1MZxOdcBnO", "product_secret": "h4I4dneEFp7EImTv"}
SECRETS = [
    DEVICE["device_secret"],
    PRODUCT["product_secret"],
    "not-for-anyone",
    "5e" * 16,
    SUBS[1]["product_secret"],
    ID2["id2_key"],
    TOKEN,
]
MAC = "24:0a:c4:00:00:01"


def root():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a root")])
    day = datetime.datetime(2026, 1, 1)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, day, day + datetime.timedelta(365))
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with certificates and flash files in several states, in which the commands run."""
    monkeypatch.chdir(tmp_path)
    for name, values in {
        "device": DEVICE,
        "product": PRODUCT,
        "regnwl": {**PRODUCT, "method": "regnwl"},
        "both": {**DEVICE, **PRODUCT},
        "x509": X509,
        "id2": ID2,
        "otp": OTP,
        "gateway": {**GATEWAY, "sub_products": SUBS},
        "abroad": {**DEVICE, "region": "ap-southeast-1", "auth": "https", "bootstrap": "global"},
        "beijing": {**X509, "region": "cn-beijing"},
        "tokyo": {**ID2, "region": "ap-northeast-1"},
        "ended": {"certificate": "ended.cer", "private_key": "ended.key"},
        "mixed": {"certificate": "x.cer", "private_key": "ended.key"},
        "endpoint": {"endpoint": {"bootstrap": "near"}},
        "config": {"ssid": "home", "password": "not-for-anyone"},
    }.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(values))
    pairs.write(tmp_path)
    pairs.write(tmp_path, "later", serial=0x33)
    pairs.write(tmp_path, "ended", number=1, serial=0x11, start=-20, days=10)
    (tmp_path / "broken.json").write_text('{"product_key": \n')
    (tmp_path / "root.pem").write_bytes(root())
    whole = flash_image.build(
        identity=identity.parse(DEVICE), generation=7, with_firmware=False, files={"/main.py": b"#"}
    )
    layout = flash_image.layout_in(whole)
    (tmp_path / "nvs.bin").write_bytes(flash_image.region(whole, layout.nvs))
    (tmp_path / "vfs.bin").write_bytes(flash_image.region(whole, layout.vfs))
    (tmp_path / "registered.bin").write_bytes(registered(tmp_path))
    (tmp_path / "renewed.bin").write_bytes(renewed(tmp_path))
    (tmp_path / "unreadable.bin").write_bytes(whole[: layout.vfs.offset] + b"\0" * layout.vfs.size)
    foreign = bytearray(flash_image.assemble(layout, [nvs.Entry("misc", "kept", "u8", 1)], {}))
    foreign[layout.nvs.offset + 64 + 32 + 8] ^= 1
    (tmp_path / "foreign.bin").write_bytes(foreign)
    return tmp_path


def registered(folder):
    path = folder / "made.bin"
    path.write_bytes(flash_image.build(with_firmware=False, files={"/main.py": b"#"}))
    with FlashFile(path) as made:
        layout = flash_image.layout_in(path.read_bytes())
        burn.burn(
            made,
            layout,
            identity.parse(PRODUCT).fields(),
            MAC,
            folder / "j",
            issued={record.DEVICE_SECRET: b"5e" * 16},
            now=1000,
        )
    return path.read_bytes()


def renewed(folder):
    """A board with X.509 that knows its name and has a certificate which came after the burned one."""
    path = folder / "made.bin"
    path.write_bytes(flash_image.build(with_firmware=False, files={"/main.py": b"#"}))
    later = identity.parse({"certificate": "later.cer", "private_key": "later.key"}, folder).fields()
    name = {record.KIND: b"x509", record.PRODUCT_KEY: b"a1X509ProdK", record.DEVICE_NAME: b"sensor-01"}
    with FlashFile(path) as made:
        burn.burn(
            made,
            flash_image.layout_in(path.read_bytes()),
            identity.parse(X509, folder).fields(),
            MAC,
            folder / "j",
            issued=name,
            now=1000,
            slots={"renewed": later},
        )
    return path.read_bytes()


def played(script, capsys):
    """The script with each command's exit status and output below it."""
    lines = []
    for command in (line for line in script.splitlines() if line.startswith("$ ")):
        status = cli.main(command[2:].split())
        out, err = capsys.readouterr()
        lines += [command, *settled(out + err)]
        if status:
            lines.append(f"(exit {status})")
    return "\n".join(lines) + "\n"


def settled(text):
    assert not any(secret in text for secret in SECRETS)
    for line in text.splitlines():
        if re.match(r"  /(aliot/(?!burned|issued)|main.py|boot.py)", line):
            continue
        line = re.sub(r"generation 1[0-9]{9}\b", "generation NOW", line)
        line = re.sub(
            r"\b20\d\d-\d\d-\d\d( \d\d:\d\d UTC)?", "DAY", re.sub(r"in \d+ days", "in SOME days", line)
        )
        line = re.sub(r"(blob, |burned: |\*\*\*\* \()(11|19)\d\d bytes", r"\1SOME bytes", line)
        yield re.sub(r"(/roots/root.der): \d+ bytes", r"\1: SOME bytes", line)


@pytest.mark.parametrize("name", ["image.txt", "burn.txt", "kinds.txt"])
def test_the_verbs_print_what_they_did(name, place, capsys):
    golden = FOLDER / name
    found = played(golden.read_text(), capsys)
    if WRITE:
        golden.write_text(found)
    assert found == golden.read_text()


def test_json_is_for_programs(place, capsys):
    for command in (
        "image --cert device.json --out f.bin --json",
        "burn --cert device.json --flash f.bin --json",
        "inspect f.bin --json",
        "inspect nvs.bin --json",
        "inspect vfs.bin --json",
    ):
        assert cli.main(command.split()) == 0
        out = capsys.readouterr().out
        assert isinstance(json.loads(out), dict)
        assert not any(secret in out for secret in SECRETS)


def test_files_with_secrets_are_for_their_owner_only(place, capsys):
    cli.main("image --cert device.json --out f.bin".split())
    assert (place / "f.bin").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in place.iterdir() if path.name.startswith(".")) == []


def test_damage_is_shown(place, capsys):
    data = bytearray((place / "nvs.bin").read_bytes())
    data[data.index(b"AL\x01B") + 12] ^= 1
    (place / "nvs.bin").write_bytes(data)
    cli.main(["inspect", "nvs.bin"])
    out = capsys.readouterr().out
    assert "FAULT: page 0 entry 1: the value of 'burned' has a wrong CRC" in out
    assert "burned on NVS: none" in out
