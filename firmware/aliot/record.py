"""The form of a credential in flash: one record is one NVS blob and one littlefs file, the same bytes in both.

    b"AL" | format u8 | kind u8 | generation u32 LE | body length u16 LE | body | CRC-32 u32 LE of all before
    body = fields of: tag u8 | length u16 LE | value

Pure: bytes in, bytes out. The tools on the host import this very file.
"""

import binascii
import struct

BURNED = ord("B")
ISSUED = ord("I")

KIND = 1  # b"device", b"product", b"x509", b"id2"
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
SUB_PRODUCTS = 17  # of a gateway: a line for each product, `ProductKey` or `ProductKey ProductSecret`
CERTIFICATE = 20  # DER
PRIVATE_KEY = 21  # PKCS#1 DER
ID2 = 24  # 24 upper-case hex digits
ID2_KEY = 25
ID2_KEY_TYPE = 26  # b"AES_128", b"AES_256"
AUTH = 28  # b"https"; absent: mqtt
BOOTSTRAP = 29  # b"region" or b"global"; absent: none
KEY_BLOCK = 30  # u8: the eFuse key block, 0 to 5, that has the DeviceSecret or ProductSecret of this record

RECORD_LIMIT = 8000  # bytes; a field's value has at most half of it


def encode(kind, generation, fields):
    """The record's bytes. `fields` maps tag (1 to 255) to value bytes; fields are laid out by tag.

    ValueError when a value has more than 4000 bytes or the record more than 8000.
    """
    size = 0
    for tag in fields:
        if len(fields[tag]) > 4000:
            raise ValueError("field %d has more than 4000 bytes" % tag)
        size += 3 + len(fields[tag])
    if size > RECORD_LIMIT - 14:
        raise ValueError("more than %d bytes" % RECORD_LIMIT)
    data = bytearray(size + 14)  # a chip has no room for all that lies between pieces that are joined
    struct.pack_into("<2sBBIH", data, 0, b"AL", 1, kind, generation, size)
    at = 10
    for tag in sorted(fields):
        value = fields[tag]
        struct.pack_into("<BH", data, at, tag, len(value))
        at += 3 + len(value)
        data[at - len(value) : at] = value
    struct.pack_into("<I", data, at, binascii.crc32(memoryview(data)[:at]))
    return bytes(data)


def decode(data):
    """(kind, generation, {tag: value bytes}) of a record; unknown tags are kept.

    ValueError names what is wrong: the head, the length, the CRC or a field.
    """
    data = memoryview(data)
    end = len(data) - 4
    if not 10 <= end <= RECORD_LIMIT - 4:
        raise ValueError("%d bytes" % len(data))
    mark, form, kind, generation, size = struct.unpack_from("<2sBBIH", data, 0)
    if mark != b"AL" or form != 1 or kind not in (BURNED, ISSUED):
        raise ValueError("no record")
    if size + 10 != end:
        raise ValueError("cut short")
    if struct.unpack_from("<I", data, end)[0] != binascii.crc32(data[:end]):
        raise ValueError("wrong CRC")
    fields = {}
    at = 10
    while at < end:
        tag, size = struct.unpack_from("<BH", data, at) if at + 3 <= end else (0, 4000)
        at += 3 + size
        if at > end or size > 4000 or tag in fields:
            raise ValueError("malformed field")
        fields[tag] = bytes(data[at - size : at])
    return kind, generation, fields
