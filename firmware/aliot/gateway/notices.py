"""What the platform says to a gateway without being asked; gateway.md 7, 9 and 10.

Runs inside a handler: it changes states in RAM and answers; flash, and the application, hear of it in poll().
"""

import json

from aliot.gateway.items import number, pairs, parsed
from aliot.gateway.records import ATTACHED, DISABLED, GONE, ONLINE, REFUSED, WANTED

_STATUS = {0: "attached", 1: "detached", 2: "enabled", 8: "disabled"}  # of topo/change


def took(gateway, topic, payload):
    """Was it a notice? If so, it has taken effect."""
    device = gateway.device
    own = "/%s/%s/" % (device.product_key, device.device_name)
    if topic == "/ext/error" + own[:-1]:
        _error(gateway, parsed(payload))
    elif topic.startswith("/sys" + own):
        tail = topic[len(own) + 4 :]
        if tail not in ("thing/topo/change", "thing/topo/add/notify", "thing/gateway/permit"):
            return False
        asked = parsed(payload)
        if asked is None:
            return True
        _answer(gateway, topic, asked)
        params = asked.get("params")
        if tail == "thing/topo/change":
            _changed(gateway, params)
        elif tail == "thing/topo/add/notify":
            for name, item in pairs(params):
                gateway.event("attach", name)
        else:
            gateway.event("permit", None, detail=params)
    else:
        return _of_one(gateway, topic, payload)
    return True


def _of_one(gateway, topic, payload):
    """thing/disable, thing/enable, thing/delete on a sub-device's own topics; gateway.md 10"""
    words = topic.split("/")
    if (
        len(words) != 6
        or words[1] != "sys"
        or words[4] != "thing"
        or words[5] not in ("disable", "enable", "delete")
    ):
        return False
    _answer(gateway, topic, parsed(payload) or {})
    _happened(gateway, words[5] + "d" if words[5][-1] == "e" else "", (words[2], words[3]), 0)
    return True


def _changed(gateway, params):
    if isinstance(params, dict):
        what = _STATUS.get(number(params.get("status")))
        for name, item in pairs(params.get("subList")):
            _happened(gateway, what, name, 0)


def _error(gateway, said):
    """A session that has ended, or a message that had none; gateway.md 9. The names may be missing."""
    if not said:
        return
    code = number(said.get("code"))
    found = pairs(said.get("data"))
    if found:
        name = found[0][0]
    elif code == 520 and gateway.last:
        name = gateway.last[0]
    else:
        gateway.event("error", None, code)
        return
    what = {
        521: "deleted",
        522: "disabled",
        6401: "detached",
        427: "taken",
        527: "taken",
        520: "session",
    }.get(code, "error")
    _happened(gateway, what, name, code)


def _happened(gateway, what, name, code):
    states = gateway.records.states
    row = gateway.records.find(name)
    if row < 0 or not what:
        if what == "attached":  # in the console; its secret is not here
            gateway.event(what, name, code)
        return
    before = states[row]
    if what == "attached":
        states[row] |= ATTACHED
    elif what == "detached":
        states[row] &= ~(ATTACHED | ONLINE)
    elif what == "enabled":
        states[row] &= ~(DISABLED | REFUSED)
    elif what == "disabled":
        states[row] = states[row] & ~ONLINE | DISABLED
    elif what == "deleted":
        states[row] = states[row] & ~ONLINE | GONE
    elif what == "taken":
        states[row] &= ~ONLINE
        gateway.hold(row)
    elif what == "session":
        states[row] = states[row] & ~ONLINE | WANTED
        gateway.resend(name)
    gateway.changed()
    # the platform says the same thing in up to three ways
    if states[row] != before or what in ("session", "error"):
        gateway.event(what, name, code)


def _answer(gateway, topic, asked):
    answer = {"id": str(asked.get("id", "")), "code": 200, "message": "success", "data": {}}
    gateway.device.publish(topic + "_reply", json.dumps(answer))
