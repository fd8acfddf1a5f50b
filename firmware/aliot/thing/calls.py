"""What the platform asks of a Thing: properties to set and to get, services, desired values; application.md 3.2 to 3.6.

Loaded when it does, and dropped.
"""

from aliot import load
from aliot.errors import AliotError
from aliot.thing import members, sendable
from aliot.thing.errors import ThingError
from aliot.ticks import uptime
from micropython import const

_MOST = const(200)  # properties that are asked for in a message; code 6104 of application.md 1.2
_LATE = const(8000)  # ms that the caller of a synchronous service waits; application.md 7


def asked(thing, topic, message):
    """Answer a request of the platform's, and post what it has set. RRPC comes in two ways; application.md 3.4."""
    if topic[0] == "/":  # /ext/rrpc/{id}/sys/{pk}/{dn}/thing/service/{name}
        start = thing.device.full_topic("thing/service/")
        at = topic.find("/", 10)
        if topic[at:].startswith(start):
            _answer(thing, topic, topic[at + len(start) :], message)
    elif topic[:6] == "thing/":
        _answer(thing, topic + "_reply", topic[14:], message)
    else:
        _answer(thing, "rrpc/response/" + topic[13:], message["method"][14:].replace(".", "/"), message)


def desire(thing):
    """Ask what is desired of what has a handler, or was set; application.md 3.6."""
    thing.asking = True
    try:
        thing.requests.send("thing/property/desired/get", list(thing.fetch)[:_MOST], thing.desired)
    except AliotError:  # it was reported where it happened
        thing.asking = False


def desired(thing, data, problem):
    """Apply what is desired, and clear what was applied in that version; application.md 3.6."""
    thing.asking = False
    if problem and problem.retry != "never":
        load("thing.backlog").wait(thing)
        return
    fetched = {name: thing.fetch.pop(name) for name in list(thing.fetch)[:_MOST]}
    if problem:
        load("thing.backlog").report(thing, problem)
    done = {}
    new = {}
    for name in fetched:
        item = data.get(name) if isinstance(data, dict) else None
        if isinstance(item, dict) and "value" in item:
            value = item["value"]
            if value == fetched[name] or not _set(thing, name, value, new, "thing/property/desired/get"):
                version = item.get("version")
                done[name] = {"version": version} if isinstance(version, int) else {}
    if done:
        thing.requests.send("thing/property/desired/delete", done)
    _post(thing, new, "thing/property/desired/get")


def _answer(thing, answer, name, message):
    begun = uptime()
    params = message.get("params")
    new = {}
    data = failure = None
    if name == "property/get" and isinstance(params, list):
        data = {one: thing.values[one] for one in params if isinstance(one, str) and one in thing.values}
    elif name == "property/get" or not isinstance(params, dict):
        failure = 460, "params"
    elif name == "property/set":
        for one in params:
            found = _set(thing, one, params[one], new, answer)
            failure = failure or found
            if not found:
                thing.fetch[one] = params[one]  # it may have been a desired one
    else:
        data, failure = _serve(thing, name, params, answer)
    code, text = failure or (200, "success")
    load("thing.asking").respond(thing.requests, answer, message, code, data, text)
    _post(thing, new, answer)
    if uptime() - begun > _LATE:
        load("thing.backlog").report(thing, ThingError("late", name))


def _set(thing, name, value, new, topic):
    """Give a value to its handler, and put what is to be posted into `new`; (code, text) when that fails."""
    try:
        sendable(name)
        sendable(value)
        model = thing.read()
        if name not in thing.setters:
            raise ThingError(460, "no handler for " + name)
        if model:
            value = model.from_wire(name, value)
        found = thing.setters[name](value)
        value = sendable(value if found is None else found)
        new[name] = model.property_value(name, value) if model else value
    except Exception as problem:
        return _failed(thing, problem, topic)


def _serve(thing, name, params, topic):
    """Call a service: (its outputs, None), or (None, (code, text))."""
    try:
        model = thing.read()
        if name not in thing.services:
            raise ThingError(460, "no service " + name)
        if model:
            params = model.service_inputs(name, params)
        data = thing.services[name](**params) or {}
        data = members(dict(data))
        return model.service_outputs(name, data) if model else data, None
    except Exception as problem:
        return None, _failed(thing, problem, topic)


def _failed(thing, problem, topic):
    """(code, text) for what a handler raised; application.md 1.1. What nobody meant is a line of state."""
    if isinstance(problem, ThingError):
        number = problem.number
        known = number in (400, 429) or 100000 <= number <= 110000
        return number if known else 460, problem.detail
    load("crash").handler_failed(thing.device, problem, topic)
    return 460 if isinstance(problem, (TypeError, ValueError)) else 100000, type(problem).__name__


def _post(thing, new, topic):
    """Report the new values; those that the outbox cannot hold are a line of state, as what a handler raises."""
    if new:
        thing.values.update(new)
        try:
            thing.put("property", new)
        except ValueError as problem:
            load("crash").handler_failed(thing.device, problem, topic)
