"""Power goes at every flash operation while a first identity is counted, kept and used (id2.md 1.4).

The answer of the platform is the published vector's; what carries it (iTLS) is tested in host_tests/device.
After any cut the board has the identity whole, or none and asks again: never half of one, never another.
"""

import json

import pytest

from host_tests.id2.session import provisioning
from tools.emulator.board.boot import Board
from tools.firmware import record
from tools.image import flash

MAIN = """
import json
import machine
from aliot.credentials import burned
from aliot.store import Store
from binascii import unhexlify

generation, fields = Store().burned()
credential = burned(fields, machine.unique_id())
if not credential.element.is_provisioned():
    credential.provisioning.request(lambda size: unhexlify("{session_key}"))
    credential.provisioning.accept(unhexlify("{response}"), credential.element)
    print('{{"aliot":"stored"}}')
credential.quota.spend()
proof = credential.element.ecb_encrypt(bytes(16)).hex()
print(json.dumps({{"aliot": "connected", "id": credential.element.get_id().decode(), "proof": proof,
                  "ask": 4 - len(credential.provisioning.attempts.times)}}))
"""
FIELDS = {
    record.WAY: b"id2",
    record.PRODUCT_KEY: b"a1WO4Z9qHRw",
    record.DEVICE_NAME: b"device-01",
    record.PRODUCT_SECRET: b"i11abcdefghijklmnop0123456789ABC",
}


@pytest.fixture(scope="module")
def image():
    made = provisioning()
    burned = record.encode(record.BURNED, 1_800_000_000, FIELDS)
    return flash.build(files={"/main.py": MAIN.format(**made).encode(), "/aliot/burned": burned})


def whole(boot):
    """The state of a board that ended well."""
    assert boot.reason == "exit", "\n".join(boot.lines)
    return boot.state("connected")


def test_a_first_identity_survives_a_cut_at_every_flash_operation(image, tmp_path, tally):
    good = Board(image, folder=tmp_path / "good")
    first = good.boot()
    expected = whole(first)
    assert first.state("stored") and expected["id"] == provisioning()["id"] and expected["ask"] == 3
    again = good.boot()
    assert not again.state("stored") and whole(again) == expected
    for torn in (False, True):
        for operation in range(1, first.operations + 1):
            board = Board(image, folder=tmp_path / f"{operation}-{torn}")
            cut = board.boot(cut_at=operation, torn=torn)
            assert cut.reason == "power cut", "\n".join(cut.lines)
            after = board.boot()
            found = whole(after)
            assert (found["id"], found["proof"]) == (expected["id"], expected["proof"])
            if cut.state("stored"):
                assert not after.state("stored"), "an identity that was kept is not asked for again"
            assert found["ask"] >= 2, json.dumps(found)
            board.flash.unlink()
            tally("power cuts")
