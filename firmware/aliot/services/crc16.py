"""The check of a block that goes over MQTT, CRC-16/IBM; application.md 5.6 and 12."""

from array import array

from micropython import const

_POLY16 = const(0xA001)


def crc16(data):
    """CRC-16/IBM (ARC) of bytes, a number."""
    table = array("H", [shifted(index, _POLY16) for index in range(16)])
    crc = 0
    for byte in data:
        crc ^= byte
        crc = crc >> 4 ^ table[crc & 15]
        crc = crc >> 4 ^ table[crc & 15]
    return crc


def shifted(value, poly):
    """An entry of a table of 16: `value` shifted by four bits."""
    for _ in range(4):
        value = value >> 1 ^ (poly if value & 1 else 0)
    return value
