"""The form of a credential in flash: one record is one NVS blob and one littlefs file, the same bytes in both.

    b"AL" | format u8 | kind u8 | generation u32 LE | body length u16 LE | body | CRC-32 u32 LE of all before
    body = fields of: tag u8 | length u16 LE | value

Pure: bytes in, bytes out. The tools on the host import this very file.
"""

import binascii
import struct

BURNED = ord("B")
ISSUED = ord("I")

WAY = 1  # b"device", b"product", b"x509", b"id2"
PRODUCT_KEY = 2
DEVICE_NAME = 3
DEVICE_SECRET = 4
PRODUCT_SECRET = 5
NAME_RULE = 6  # b"mac", b"MAC", b"mac:", b"MAC:"
METHOD = 7  # b"https", b"mqtt", b"regnwl"
REGION = 8
INSTANCE = 9
HOST = 10
CLIENT_ID = 11
DEVICE_TOKEN = 12
FOR_GENERATION = 13  # u32 LE: the burned generation that an issued record belongs to
SIGN_METHOD = 14
PORT = 15  # u16 LE
REGISTER_HOST = 16
# 17 to 19: the products of a gateway's sub-devices
CERTIFICATE = 20
PRIVATE_KEY = 21
ID2_ID = 24
ID2_KEY = 25
ID2_KEY_TYPE = 26

VALUE_LIMIT = 4000
RECORD_LIMIT = 8000

_HEAD = "<2sBBIH"
_HEAD_SIZE = 10


def encode(kind, generation, fields):
    """The record's bytes. `fields` maps tag (1 to 255) to value bytes; fields are laid out by tag.

    ValueError when a value has more than 4000 bytes or the record more than 8000.
    """
    body = b""
    for tag in sorted(fields):
        value = fields[tag]
        if len(value) > VALUE_LIMIT:
            raise ValueError("record: field %d has more than %d bytes" % (tag, VALUE_LIMIT))
        body += struct.pack("<BH", tag, len(value)) + value
    if _HEAD_SIZE + len(body) + 4 > RECORD_LIMIT:
        raise ValueError("record: more than %d bytes" % RECORD_LIMIT)
    data = struct.pack(_HEAD, b"AL", 1, kind, generation, len(body)) + body
    return data + struct.pack("<I", _crc(data))


def decode(data):
    """(kind, generation, {tag: value bytes}) of a record; unknown tags are kept.

    ValueError names what is wrong: the head, the length, the CRC or a field.
    """
    end = len(data) - 4
    if not _HEAD_SIZE <= end < RECORD_LIMIT - 3:
        raise ValueError("record: %d bytes cannot be one" % len(data))
    mark, form, kind, generation, length = struct.unpack_from(_HEAD, data, 0)
    if mark != b"AL" or form != 1 or kind not in (BURNED, ISSUED):
        raise ValueError("record: not a head of a known format and kind")
    if _HEAD_SIZE + length != end:
        raise ValueError("record: %d bytes where its head says %d" % (len(data), _HEAD_SIZE + length + 4))
    if struct.unpack_from("<I", data, end)[0] != _crc(data[:end]):
        raise ValueError("record: wrong CRC")
    fields = {}
    at = _HEAD_SIZE
    while at < end:
        tag, size = struct.unpack_from("<BH", data, at) if at + 3 <= end else (0, VALUE_LIMIT)
        at += 3 + size
        if at > end or size > VALUE_LIMIT or tag in fields:
            raise ValueError("record: field %d is cut, too long or there twice" % tag)
        fields[tag] = bytes(data[at - size : at])
    return kind, generation, fields


def _crc(data):
    return binascii.crc32(data) & 0xFFFFFFFF
