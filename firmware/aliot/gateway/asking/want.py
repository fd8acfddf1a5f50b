"""Which sub-devices are to be online, as the application says it: login does the rest."""

from aliot import load
from aliot.gateway.asking.names import rows
from aliot.gateway.rates import allowed
from aliot.gateway.rows import ATTACHED, DISABLED, ONLINE, REFUSED, TIMES, WANTED
from aliot.ticks import uptime


def run(gateway, subdevices, strict):
    table = gateway.rows
    for row in rows(gateway, subdevices, strict, ATTACHED):
        table.change(row, REFUSED | DISABLED, WANTED)
        if not table.state(row) & ONLINE and not allowed(table.get(row, TIMES, 2), uptime() // 1000):
            load("gateway.asking.answer").fail(gateway, table.entry(row)[:2], 429, "five logins in a minute")
    gateway.look = gateway.at = 0
    return False
