"""Bringing sub-devices online: those that are wanted; gateway.md 8.1 and 8.2."""

from aliot.gateway.asking.batch import collect
from aliot.gateway.asking.items import signed, timestamp
from aliot.gateway.rates import allowed
from aliot.gateway.rows import ATTACHED, TIMES, WANTED
from aliot.ticks import uptime
from micropython import const

_PROGRESS = const(63)  # all states but FILED


def run(gateway, subdevices=None, strict=False):
    def item(row):
        key, name, secret = gateway.rows.entry(row)
        clean = ',"cleanSession":"true"' if gateway.device.clean else ',"cleanSession":"false"'
        return signed((key, name), secret, "%s.%s|_ss=1|" % (key, name), timestamp(), more=clean)

    return collect(gateway, due(gateway), "combine/batch_login", item, 50, 330, 90,
                   b'"params":{"signMethod":"hmacSha256","deviceList":[', b"]}",
                   ("combine/login", b',"signMethod":"hmacSha256"}'))


def due(gateway):
    """The rows that are to be logged in and may be, from the gateway's `at` on."""
    rows = gateway.rows
    for row in range(gateway.at, rows.count):
        gateway.at = row + 1
        if rows.state(row) & _PROGRESS == WANTED | ATTACHED:
            if allowed(rows.get(row, TIMES, 2), uptime() // 1000):
                yield row
            else:
                gateway.later = True
