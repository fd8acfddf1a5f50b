"""What the platform told about where to connect, as it is kept in NVS under `place`.

    CRC-32 u32 LE of all after it | lines of text: for whom, host, port, when it was told, iotId, iotToken,
    when the token was issued

It is no identity: it lies on one medium only and is not healed, since a board that loses it asks again. What
belongs to another identity, another burn or other settings is not used.
"""

import binascii
import struct

from aliot import load
from aliot.log import Secret

_FORM = "1 %d %s %s %s %s %s"


def restore(endpoint, device):
    """Go where flash says, if it does."""
    found = kept(endpoint, device)
    if found:
        host, port, endpoint.since, iot_id, iot_token, endpoint.renewed = found
        endpoint.used = True
        endpoint.take(device, host, port, iot_id, iot_token)


def keep(endpoint, device):
    """A connect with what was told has succeeded: into flash with it, where that is news."""
    endpoint.used = True
    data = encode(endpoint, device)
    if data != endpoint.saved:
        endpoint.saved = data
        device.state("kept", {"nvs": _write(device, data)})


def throw_away(endpoint, device):
    """Forget what was told, in flash too."""
    endpoint.drop_token(device)
    endpoint.address = None
    if endpoint.saved:
        endpoint.saved = b""
        _write(device, b"-")


def encode(endpoint, device):
    """The record's bytes of what this endpoint was told."""
    lines = [_owner(endpoint, device), endpoint.address[0], str(endpoint.address[1]), str(endpoint.since)]
    token = endpoint.token
    lines += [token.iot_id, token.iot_token.reveal()] if token else ["", ""]
    data = "\n".join(lines + [str(endpoint.renewed)]).encode()
    return struct.pack("<I", binascii.crc32(data)) + data


def kept(endpoint, device):
    """(host, port, when, iotId, iotToken as a Secret, when) that is kept for this endpoint, or None."""
    try:
        data = _nvs(device).read("place") or b""
    except OSError:
        return None
    if len(data) < 5 or struct.unpack_from("<I", data)[0] != binascii.crc32(data[4:]):
        return None
    lines = data[4:].decode().split("\n")
    if len(lines) != 7 or lines[0] != _owner(endpoint, device):
        return None
    endpoint.saved = data
    _, host, port, since, iot_id, iot_token, renewed = lines
    return host, int(port), int(since), iot_id, Secret(iot_token), int(renewed)


def _owner(endpoint, device):
    return _FORM % (
        device.generation,
        device.product_key,
        device.device_name,
        endpoint.auth,
        endpoint.bootstrap,
        endpoint.register_host,
    )


def _write(device, data):
    """Not being able to write is no error: the next boot asks again."""
    try:
        _nvs(device).write("place", data)
        return "ok"
    except OSError as problem:
        return "error %s" % problem.args[0]


def _nvs(device):
    return (device.store or load("store").Store()).media[0]
