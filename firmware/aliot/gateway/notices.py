"""What the platform says to a gateway without being asked; gateway.md 7, 9 and 10. Loaded when it does.

Runs inside a handler: it changes states in RAM and answers; flash, and the application, hear of it in poll().
"""

import json

from aliot.gateway.rates import held
from aliot.alink import number, parsed
from aliot.gateway.replies import note, pairs
from aliot.gateway.rows import ATTACHED, DISABLED, GONE, ONLINE, REFUSED, TIMES, WANTED
from aliot.ticks import uptime
from micropython import const

# what happened: its place in the text of events
_EVENTS = "error attached detached enabled disabled deleted taken session"
_ERROR = const(0)
_ATTACHED = const(1)
_DETACHED = const(2)
_ENABLED = const(3)
_DISABLED = const(4)
_DELETED = const(5)
_TAKEN = const(6)
_SESSION = const(7)


def take(gateway, name, tail, topic, payload):
    """Let a notice take effect: one whose topic names this gateway, or the sub-device `name`."""
    own = (gateway.device.product_key, gateway.device.device_name)
    message = parsed(payload)
    if name == ("ext", "error"):
        if message and tail.split("/") == list(own):
            _error(gateway, message)
        return
    what = {"thing/disable": _DISABLED, "thing/enable": _ENABLED, "thing/delete": _DELETED}.get(tail)
    if (name == own) == bool(what) or message is None and not what:
        return
    answer = '{"id":%s,"code":200,"message":"success","data":{}}' % json.dumps(
        str((message or {}).get("id", ""))
    )
    gateway.device.publish(topic + "_reply", answer)
    if what:
        _happened(gateway, what, name, 0)
        return
    params = message.get("params")
    if tail == "thing/topo/add/notify":
        for name, item in pairs(params):
            note(gateway, "attach", name)
    elif tail == "thing/gateway/permit":
        note(gateway, "permit", None, detail=params)
    elif isinstance(params, dict):
        what = {0: _ATTACHED, 1: _DETACHED, 2: _ENABLED, 8: _DISABLED}.get(number(params.get("status")))
        for name, item in pairs(params.get("subList")):
            _happened(gateway, what, name, 0)


def _error(gateway, message):
    """A session that has ended, or a message that had none; gateway.md 9. The names may be missing."""
    code = number(message.get("code"))
    found = pairs(message.get("data"))
    if found:
        name = found[0][0]
    elif code == 520 and gateway.last:
        name = gateway.last[0]
    else:
        note(gateway, "error", None, code)
        return
    what = {521: _DELETED, 522: _DISABLED, 6401: _DETACHED, 427: _TAKEN, 527: _TAKEN, 520: _SESSION}
    _happened(gateway, what.get(code, _ERROR), name, code)


def _happened(gateway, what, name, code):
    rows = gateway.rows
    row = rows.find(name)
    if row < 0 or what is None:
        if what == _ATTACHED:  # in the console; its secret is not here
            note(gateway, "attached", name, code)
        return
    before = rows.state(row)
    if what == _ATTACHED:
        rows.change(row, 0, ATTACHED)
    elif what == _DETACHED:
        rows.change(row, ATTACHED | ONLINE)
    elif what == _ENABLED:
        rows.change(row, DISABLED | REFUSED)
    elif what == _DISABLED:
        rows.change(row, ONLINE, DISABLED)
    elif what == _DELETED:
        rows.change(row, ONLINE, GONE)
    elif what == _TAKEN:
        rows.change(row, ONLINE)
        rows.put(row, TIMES, 2, held(uptime() // 1000, gateway.device.session.random))
    elif what == _SESSION:
        rows.change(row, ONLINE, WANTED)
        if gateway.last and gateway.last[0] == name:
            gateway.again = gateway.last
            gateway.last = None
    gateway.dirty = True
    gateway.due_at = gateway.at = 0
    # the platform says the same thing in up to three ways
    if rows.state(row) != before or what in (_SESSION, _ERROR):
        note(gateway, _EVENTS.split()[what], name, code)
