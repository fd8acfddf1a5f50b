"""Counts the logins of a request that is sent now, perhaps not for the first time."""

from aliot.gateway.rates import counted
from aliot.gateway.rows import TIMES
from aliot.ticks import uptime


def run(gateway):
    rows = gateway.rows
    for row in gateway.batch:
        rows.put(row, TIMES, 2, counted(rows.get(row, TIMES, 2), uptime() // 1000))
