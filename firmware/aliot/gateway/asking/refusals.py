"""What follows a refusal: for a sub-device, and for what the application hears. Loaded when there is one."""

from aliot.gateway.asking.job import MOST_FAILED
from aliot.gateway.rates import held
from aliot.gateway.rows import ATTACHED, DISABLED, GONE, ONLINE, REFUSED, TIMES
from aliot.ticks import uptime
from micropython import const

_MESSAGE = const(64)  # characters of a platform's that are kept
_FULL = const(428)
_THROTTLED = const(429)
_CALM = const(60000)  # ms without a request after it, and as much again at random (gateway.md 15.4)


def refused(job, batch, code, message):
    """A batch, or what is left of it, was refused with that code."""
    gateway = job.gateway
    if code in (_THROTTLED, _FULL):
        gateway.calm = uptime() + _CALM + gateway.device.session.random(_CALM)
        gateway.throttled = code
    if len(batch) > 1 and not gateway.throttled:
        job.alone(batch)
    else:
        for thing in batch:
            job.fail(thing, code, message)


def alone(job, batch):
    """Ask for each of these alone."""
    for thing in batch:
        if job.gateway.throttled:
            job.fail(thing, job.gateway.throttled)
        else:
            job.send([thing])


def note(job, thing, code, message):
    """One more that did not succeed: a row, or a name."""
    gateway = job.gateway
    if isinstance(thing, int):
        row, rows = thing, job.rows
        thing = rows.entry(row)[:2]
        if code in (522, 6204):
            rows.change(row, 0, DISABLED)
        elif code == 6401:
            rows.change(row, ATTACHED | ONLINE)
            gateway.dirty = True
        elif code == 521:
            rows.change(row, 0, GONE)
            gateway.dirty = True
        elif job.LOGINS and code in (500, 6760):
            rows.put(row, TIMES, 2, held(uptime() // 1000, gateway.device.session.random))
        elif job.LOGINS and code not in (_FULL, _THROTTLED):
            rows.change(row, 0, REFUSED)
    fail(gateway, thing, code, message, job.failed, job.most)


def fail(gateway, name, code, message="", failed=None, most=MOST_FAILED):
    """The application hears of it, in `failed` or in the result of its call."""
    gateway.failed += 1
    failed = gateway.result if failed is None else failed
    if len(failed) < most:
        failed.append((name, code, message[:_MESSAGE] if isinstance(message, str) else ""))
