"""Bringing sub-devices online: those that are wanted; gateway.md 8.1 and 8.2."""

from aliot import load
from aliot.gateway.items import signed, timestamp
from aliot.gateway.names import rows
from aliot.gateway.pack import collect
from aliot.gateway.rates import allowed
from aliot.gateway.rows import ATTACHED, DISABLED, ONLINE, REFUSED, TIMES, WANTED
from aliot.ticks import uptime
from micropython import const

_PROGRESS = const(63)  # all states but FILED


def run(gateway, subdevices=None, strict=False):
    if subdevices is not None and not gateway.passed:
        _want(gateway, subdevices, strict)

    def item(row):
        key, name, secret = gateway.rows.entry(row)
        clean = ',"cleanSession":"true"' if gateway.device.clean else ',"cleanSession":"false"'
        return signed((key, name), secret, "%s.%s|_ss=1|" % (key, name), timestamp(), clean)

    return collect(
        gateway,
        _due(gateway),
        "combine/batch_login",
        item,
        50,
        330,
        90,
        b'"params":{"signMethod":"hmacSha256","deviceList":[',
        b"]}",
        ("combine/login", b',"signMethod":"hmacSha256"}'),
    )


def _want(gateway, subdevices, strict):
    """The application wants these online; those that have to wait for a minute have not succeeded now."""
    table = gateway.rows
    for row in rows(gateway, subdevices, strict, ATTACHED):
        table.change(row, REFUSED | DISABLED, WANTED)
        if not table.state(row) & ONLINE and not allowed(table.get(row, TIMES, 2), uptime() // 1000):
            load("gateway.answer").fail(gateway, table.entry(row)[:2], 429, "five logins in a minute")
    gateway.due_at = gateway.at = 0


def _due(gateway):
    """The rows that are to be logged in and may be, from the gateway's `at` on."""
    table = gateway.rows
    for row in range(gateway.at, table.count):
        gateway.at = row + 1
        if table.state(row) & _PROGRESS == WANTED | ATTACHED:
            if allowed(table.get(row, TIMES, 2), uptime() // 1000):
                yield row
            else:
                gateway.later = True
