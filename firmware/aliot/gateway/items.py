"""The JSON of a sub-device that proves itself."""

from aliot import clock
from aliot.gateway.pack import pair
from aliot.sign import hmac_hex

METHOD = "hmacSha256"


def signed(name, secret, client_id=None, timestamp=None, more="", method=METHOD):
    """Of a sub-device that proves itself with its DeviceSecret; gateway.md 6.1 and 8.1.

    What is None is neither sent nor signed; `more` is sent only.
    """
    proof = _optional("clientId", client_id) + "deviceName%sproductKey%s" % (name[1], name[0])
    proof = hmac_hex(method, secret, proof + _optional("timestamp", timestamp))
    if client_id is not None:
        more += ',"clientId":"%s"' % client_id
    if timestamp is not None:
        more += ',"timestamp":"%s"' % timestamp
    return '%s%s,"sign":"%s"}' % (pair(name)[:-1], more, proof)


def _optional(label, value):
    return "" if value is None else label + str(value)


def timestamp():
    """Milliseconds since 1970; None as long as no server has set the clock."""
    return clock.utc() * 1000 if clock.server else None
