"""Records: what is encoded comes back, and nothing that was damaged does."""

from aliot import record
from scripted import raises

FIELDS = {
    record.KIND: b"device",
    record.PRODUCT_KEY: b"a1TESTpk001",
    record.DEVICE_SECRET: b"s" * 32,
    200: b"\0\xff",
    250: b"",
}


def test_there_and_back():
    data = record.encode(record.BURNED, 1700000000, FIELDS)
    assert record.decode(data) == (record.BURNED, 1700000000, FIELDS)
    assert record.decode(record.encode(record.ISSUED, 0xFFFFFFFF, {})) == (record.ISSUED, 0xFFFFFFFF, {})


def test_the_layout_is_the_documented_one():
    assert record.encode(record.BURNED, 5, {record.PRODUCT_KEY: b"a1", record.KIND: b"device"}) == (
        b"AL\x01B\x05\0\0\0\x0e\0\x01\x06\0device\x02\x02\0a1\x83\xbc\xb0\xb4"
    )


def test_every_cut_and_every_flipped_bit_is_refused():
    data = record.encode(record.ISSUED, 77, FIELDS)
    for cut in range(len(data)):
        raises(ValueError, record.decode, data[:cut])
    for at in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[at] ^= 1 << bit
            raises(ValueError, record.decode, bytes(damaged))
    raises(ValueError, record.decode, data + b"\0")
    raises(ValueError, record.decode, b"")
    raises(ValueError, record.decode, b"\xff" * 8001)


def test_a_field_that_lies_about_its_length_is_refused_even_under_a_good_crc():
    import binascii
    import struct

    for body in (b"\x01", b"\x01\x05", b"\x01\x05\0abc", b"\x01\x01\0a\x01\x01\0b", b"\x01\x00\x00\x02"):
        data = struct.pack("<2sBBIH", b"AL", 1, record.BURNED, 1, len(body)) + body
        data += struct.pack("<I", binascii.crc32(data) & 0xFFFFFFFF)
        raises(ValueError, record.decode, data)


def test_limits_are_enforced_on_the_way_in():
    record.decode(record.encode(record.BURNED, 1, {20: bytes(4000), 21: bytes(3900)}))
    raises(ValueError, record.encode, record.BURNED, 1, {20: bytes(4001)})
    raises(ValueError, record.encode, record.BURNED, 1, {20: bytes(4000), 21: bytes(4000)})
