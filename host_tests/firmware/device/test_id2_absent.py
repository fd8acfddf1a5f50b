"""A device without ID² loads none of it; one with ID² loads no part before it is needed."""

import gc
import sys

from aliot import record
from aliot.device import Device
from aliot.store import Nvs, Store
from aliot.wired import Wired
from scripted import raises

gc.threshold(4096)  # as boot.py has it


def loaded():
    return sorted([name for name in sys.modules if name.startswith(("aliot.id2", "aliot.transport.itls"))])


def start(fields):
    data = record.encode(record.BURNED, 100, fields)
    Nvs().write("burned", data)
    made = Device({}, Wired(), Store())
    made.start()
    return made


def test_a_device_with_a_secret_loads_nothing_of_id2():
    start(
        {
            record.KIND: b"device",
            record.PRODUCT_KEY: b"a1WO4Z9qHRw",
            record.DEVICE_NAME: b"device-01",
            record.DEVICE_SECRET: b"0123456789abcdef0123456789abcdef",
        }
    )
    assert loaded() == []


def test_an_identity_that_is_burned_loads_no_provisioning():
    start(
        {
            record.KIND: b"id2",
            record.PRODUCT_KEY: b"a1WO4Z9qHRw",
            record.DEVICE_NAME: b"device-01",
            record.ID2: b"2122232425262728292A2B2C",
            record.ID2_KEY: bytes(16),
            record.ID2_KEY_TYPE: b"AES_128",
        }
    )
    assert loaded() == ["aliot.id2", "aliot.id2.codes"]


def test_nothing_of_a_start_is_held_by_what_stays():
    """What a start needs is dropped after it, and no module of ID2 keeps a reference into it."""
    import aliot.id2

    start(
        {
            record.KIND: b"id2",
            record.PRODUCT_KEY: b"a1WO4Z9qHRw",
            record.DEVICE_NAME: b"device-01",
            record.PRODUCT_SECRET: b"i11abcdefghijklmnop0123456789ABC",
        }
    )
    for name in ("start", "identities", "names", "settings", "store"):
        assert "aliot." + name not in sys.modules, name
        assert not hasattr(aliot.id2, name), name


def test_what_asks_for_an_identity_is_not_loaded_again_once_there_is_one():
    from aliot import unload

    empty = {
        record.KIND: b"id2",
        record.PRODUCT_KEY: b"a1WO4Z9qHRw",
        record.DEVICE_NAME: b"device-01",
        record.PRODUCT_SECRET: b"i11abcdefghijklmnop0123456789ABC",
    }
    made = start(empty).credential
    assert "aliot.id2.provisioning" in loaded()
    made.element.store(b"2122232425262728292A2B2C", bytes(16))
    unload("id2", "id2.codes", "id2.provisioning")
    assert loaded() == []
    start(empty)
    assert loaded() == ["aliot.id2", "aliot.id2.codes"]


def test_a_burned_identity_of_another_key_type_is_told_at_boot():
    from aliot.errors import CredentialError

    problem = raises(
        CredentialError,
        start,
        {
            record.KIND: b"id2",
            record.PRODUCT_KEY: b"a1WO4Z9qHRw",
            record.DEVICE_NAME: b"device-01",
            record.ID2: b"2122232425262728292A2B2C",
            record.ID2_KEY: bytes(24),
            record.ID2_KEY_TYPE: b"AES_192",
        },
    )
    assert "AES_192" in str(problem)
