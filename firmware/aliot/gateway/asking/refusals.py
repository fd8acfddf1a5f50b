"""What a refusal says of a sub-device, and of what the application hears. Loaded when there is one."""

from aliot.gateway.rates import held
from aliot.gateway.rows import ATTACHED, DISABLED, GONE, ONLINE, REFUSED, TIMES
from aliot.ticks import uptime
from micropython import const

_MESSAGE = const(64)  # characters of a platform's that are kept


def note(job, thing, code, message):
    """One more that did not succeed: a row, or a name."""
    if isinstance(thing, int):
        row, rows = thing, job.rows
        thing = rows.entry(row)[:2]
        if code in (522, 6204):
            rows.change(row, 0, DISABLED)
        elif code == 6401:
            rows.change(row, ATTACHED | ONLINE)
            job.gateway.dirty = True
        elif code == 521:
            rows.change(row, 0, GONE)
            job.gateway.dirty = True
        elif job.LOGINS and code in (500, 6760):
            rows.put(row, TIMES, 2, held(uptime() // 1000, job.gateway.device.session.random))
        elif job.LOGINS and code not in (428, 429):
            rows.change(row, 0, REFUSED)
    job.gateway.failed += 1
    if len(job.failed) < job.most:
        job.failed.append((thing, code, message[:_MESSAGE] if isinstance(message, str) else ""))
