"""What an answer says: of the sub-devices that were asked for, and for the application."""

from aliot import load
from aliot.gateway.text import plain
from aliot.gateway.rates import held
from aliot.alink import number
from aliot.gateway.replies import note, pairs
from aliot.gateway.rows import ATTACHED, DISABLED, GONE, ONLINE, REFUSED, TIMES, WANTED
from aliot.ticks import uptime
from micropython import const

_EXISTS = const(6251)  # of a single one: it is attached here already (gateway.md 13)
_FULL = const(428)
_THROTTLED = const(429)
_CALM = const(60000)  # ms without a request after it, and as much again at random (gateway.md 15.4)
_RESULTS = const(10)  # sub-devices that a call returns
_MESSAGE = const(64)  # characters of a platform's that are kept


def run(gateway, kind):
    """Take the answer to a request of that kind."""
    reply = gateway.reply
    batch = gateway.batch
    gateway.reply = gateway.body = gateway.batch = None
    code = number(reply.get("code"))
    message = reply.get("message")
    single = len(batch) == 1
    if code == 200 or code == _EXISTS and single:
        code, batch = _took(gateway, kind, batch, reply.get("data"))
    elif code in (_THROTTLED, _FULL):
        gateway.calm = uptime() + _CALM + gateway.device.session.random(_CALM)
        gateway.throttled = code
        gateway.at = 0
    if not single and not gateway.throttled:
        gateway.left = list(batch)
        return
    for thing in batch:
        if not isinstance(thing, int):
            fail(gateway, thing, code, message)
        elif _refused(gateway, kind, thing, code):
            fail(gateway, gateway.rows.entry(thing)[:2], code, message)


def _took(gateway, kind, batch, data):
    """What a good answer brings: (the code of those of the batch that it leaves out, these)."""
    if kind in ("register", "proxy"):
        return _issued(gateway, kind, batch, data)
    if kind == "attach" or kind == "detach":
        # the answer lists what was done, or nothing at all (gateway.md 6.1)
        done = [name for name, item in pairs(data)]
        if done:
            left = [row for row in batch if gateway.rows.entry(row)[:2] not in done]
            batch = [row for row in batch if row not in left]
        else:
            left = ()
        gateway.dirty = True
    else:
        left = ()
    for row in batch:
        _done(gateway, kind, row)
    if kind == "login" and gateway.topics:
        load("gateway.subscribe").run(gateway, batch)
    return "absent", left


def _issued(gateway, kind, batch, data):
    """Keep the secrets of those of the batch that have one in `data`, to be stored."""
    code = "absent"
    if kind == "proxy":
        data = data if isinstance(data, dict) else {}
        for name, item in pairs(data.get("failures")):
            problem = item.get("errorDetail")
            if name in batch and isinstance(problem, dict):
                code = number(problem.get("code"))
        data = data.get("successes")
    for name, item in pairs(data):
        secret = item.get("deviceSecret")
        if name in batch and plain(secret, 64):
            gateway.issued.append((name[0], name[1], secret))
            batch.remove(name)
    return code, batch


def _done(gateway, kind, row):
    change = gateway.rows.change
    if kind == "attach":
        change(row, REFUSED | DISABLED, ATTACHED)
    elif kind == "detach":
        change(row, ATTACHED | ONLINE | WANTED)
    elif kind == "login":
        change(row, REFUSED | DISABLED, ONLINE)
    elif kind == "logout":
        change(row, ONLINE | WANTED)


def _refused(gateway, kind, row, code):
    """What a refusal says of a row; whether that is a failure."""
    rows = gateway.rows
    if kind == "detach" and code == 6401 or kind == "logout":  # it is so already, or is so now
        _done(gateway, kind, row)
        gateway.dirty = True
        if code in (6401, 520):
            return False
    if code in (522, 6204):
        rows.change(row, 0, DISABLED)
    elif code == 6401:
        rows.change(row, ATTACHED | ONLINE)
        gateway.dirty = True
    elif code == 521:
        rows.change(row, 0, GONE)
        gateway.dirty = True
    elif kind == "login" and code in (500, 6760):
        rows.put(row, TIMES, 2, held(uptime() // 1000, gateway.device.session.random))
    elif kind == "login" and code not in (_FULL, _THROTTLED):
        rows.change(row, 0, REFUSED)
    return True


def fail(gateway, name, code, message=""):
    """The application hears of it: in the result of its call, or as an event where it has asked for nothing."""
    if gateway.result is None:
        note(gateway, "refused", name, code)
        return
    gateway.failed += 1
    if len(gateway.result) < _RESULTS:
        gateway.result.append((name, code, message[:_MESSAGE] if isinstance(message, str) else ""))
