"""A device without ID² loads none of it; one with ID² loads no part before it is needed."""

import sys

from aliot import record
from aliot.device import Device
from aliot.store import Nvs, Store
from scripted import raises


ID, KEY, KEY_TYPE = 24, 25, 26  # tags of a record


def loaded():
    return sorted([name for name in sys.modules if name.startswith(("aliot.id2", "aliot.transport.itls"))])


def start(fields):
    data = record.encode(record.BURNED, 100, fields)
    Nvs().write("burned", data)
    Device({}, store=Store()).start()


def test_a_device_with_a_secret_loads_nothing_of_id2():
    start(
        {
            record.WAY: b"device",
            record.PRODUCT_KEY: b"a1WO4Z9qHRw",
            record.DEVICE_NAME: b"device-01",
            record.DEVICE_SECRET: b"0123456789abcdef0123456789abcdef",
        }
    )
    assert loaded() == []


def test_an_identity_that_is_burned_loads_no_provisioning():
    start(
        {
            record.WAY: b"id2",
            record.PRODUCT_KEY: b"a1WO4Z9qHRw",
            record.DEVICE_NAME: b"device-01",
            ID: b"2122232425262728292A2B2C",
            KEY: bytes(16),
            KEY_TYPE: b"AES_128",
        }
    )
    assert "aliot.id2" in loaded()
    for name in ("aliot.id2.provisioning", "aliot.transport.itls.alerts"):
        assert name not in loaded()


def test_what_asks_for_an_identity_is_not_loaded_again_once_there_is_one():
    from aliot import forget, part

    empty = {
        record.WAY: b"id2",
        record.PRODUCT_KEY: b"a1WO4Z9qHRw",
        record.DEVICE_NAME: b"device-01",
        record.PRODUCT_SECRET: b"i11abcdefghijklmnop0123456789ABC",
    }
    start(empty)
    assert "aliot.id2.provisioning" in loaded()
    empty[0] = 100  # the generation
    made = part("id2").burned(empty, bytes(6))
    made.element.store(b"2122232425262728292A2B2C", bytes(16))
    forget("id2")
    assert loaded() == []
    del empty[0]
    start(empty)
    assert loaded() == ["aliot.id2"]


def test_a_burned_identity_of_another_key_type_is_told_at_boot():
    from aliot.errors import CredentialError

    problem = raises(
        CredentialError,
        start,
        {
            record.WAY: b"id2",
            record.PRODUCT_KEY: b"a1WO4Z9qHRw",
            record.DEVICE_NAME: b"device-01",
            ID: b"2122232425262728292A2B2C",
            KEY: bytes(24),
            KEY_TYPE: b"AES_192",
        },
    )
    assert "AES_192" in str(problem)
