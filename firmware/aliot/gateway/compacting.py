"""Writing the file of a gateway's sub-devices anew, without what is dead or spoiled."""

import os

from aliot.errors import StoreError
from aliot.gateway.reading import scan
from aliot.gateway.records import record
from aliot.gateway.rows import FILED


def compact(rows):
    new = rows.path + ".new"
    try:
        with open(new, "wb") as file:
            for row in range(rows.count):
                file.write(record(b"T" if rows.state(row) & FILED else b"S", rows.body(row)))
        good = 0
        with open(new, "rb") as file:
            for at, kind, body in scan(file):
                good += 1 if kind else -rows.count
        if good != rows.count:
            raise StoreError("%s: reads back otherwise" % new)
        rows.close()
        os.rename(new, rows.path)
        rows.size = row = 0
        with open(rows.path, "rb") as file:
            for at, kind, body in scan(file):
                rows.put(row, 0, 4, at)
                rows.size = at + len(body) + 6
                row += 1
    except OSError as problem:
        raise StoreError("%s: error %s" % (new, problem.args[0]))
    rows.dead = 0
    rows.torn = False
