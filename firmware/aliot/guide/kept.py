"""What the platform told about where to connect, as it is kept in NVS under `place`.

    CRC-32 u32 LE of all after it | lines of text: for whom, host, port, when it was told, iotId, iotToken,
    when the token was issued

It is no identity: it lies on one medium only and is not healed, since a board that loses it asks again. What
belongs to another identity, another burn or other settings is not used.
"""

import binascii
import struct

from aliot.log import Secret

_FORM = "1 %d %s %s %s %s %s"


def restore(guided, device):
    """Go where flash says, if it does."""
    found = load(guided, device)
    if found:
        host, port, guided.since, iot_id, iot_token, guided.renewed = found
        guided.used = True
        guided.take(device, host, port, iot_id, iot_token)


def keep(guided, device):
    """A connect with what was told has succeeded: into flash with it, where that is news."""
    guided.used = True
    data = encode(guided, device)
    if data != guided.saved:
        guided.saved = data
        device.state("kept", {"nvs": _write(device, data)})


def throw_away(guided, device):
    """Forget what was told, in flash too."""
    guided.forget_token(device)
    guided.told = None
    if guided.saved:
        guided.saved = b""
        _write(device, b"-")


def encode(guided, device):
    """The record's bytes of what the endpoint `guided` was told."""
    lines = [_owner(guided, device), guided.told[0], str(guided.told[1]), str(guided.since)]
    token = guided.token
    lines += [token.iot_id, token.iot_token.reveal()] if token else ["", ""]
    data = "\n".join(lines + [str(guided.renewed)]).encode()
    return struct.pack("<I", binascii.crc32(data)) + data


def load(guided, device):
    """(host, port, when, iotId, iotToken as a Secret, when) that is kept for this endpoint, or None."""
    try:
        data = device.store.media[0].read("place") or b""
    except OSError:
        return None
    if len(data) < 5 or struct.unpack_from("<I", data)[0] != binascii.crc32(data[4:]):
        return None
    lines = data[4:].decode().split("\n")
    if len(lines) != 7 or lines[0] != _owner(guided, device):
        return None
    guided.saved = data
    _, host, port, since, iot_id, iot_token, renewed = lines
    return host, int(port), int(since), iot_id, Secret(iot_token), int(renewed)


def _owner(guided, device):
    return _FORM % (device.generation, device.product_key, device.device_name, guided.auth, guided.bootstrap,
                    guided.register_host)


def _write(device, data):
    """Not being able to write is no error: the next boot asks again."""
    try:
        device.store.media[0].write("place", data)
        return "ok"
    except OSError as problem:
        return "error %s" % problem.args[0]
