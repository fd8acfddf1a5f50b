"""What a Thing could not send when it happened, or what was not acknowledged; application.md 3.5.

It goes as history, ten entries in a message and one message at a time: a message again as it was, with the same id and
times. History leaves the current values as they are: the newest of them follow in one post. One entry alone goes as
what it is.
"""

from aliot import clock, unload
from aliot.errors import AliotError
from aliot.pace import next_id
from aliot.thing import entries
from aliot.thing.delivery import point
from aliot.thing.requests import of
from aliot.ticks import uptime
from micropython import const

_GROUP = const(10)  # entries of a history message
_CALM = const(5000)  # ms until the next try; it doubles
_LONGEST = const(300000)
_DOUBLED = const(6)


def send(thing):
    """Send the next message of the backlog. None is on its way: what is in the outbox is to be sent."""
    numbers = thing.outbox.numbers[:_GROUP]
    try:
        _send(thing)
    except MemoryError:
        if not numbers or numbers[0] <= thing.alone:
            raise
        thing.alone = numbers[-1]  # one by one they need less


def _send(thing):
    try:
        found, id = _due(thing.outbox, thing)
    except AliotError as problem:  # of the outbox's file
        wait(thing)
        report(thing, problem)
        return
    if not found:
        latest = thing.latest
        params = {name: point(*latest[name]) for name in latest}
        id = next_id(thing.device)
        thing.transmit(thing.requests, "thing/event/property/post", params, id, thing.passed, 0)
        return
    number, kind, params, time, _ = found[0]
    if len(found) == 1:
        if kind == "property":
            for name in params:
                thing.latest.pop(name, None)
        thing.send(kind, params, time, id, number)
        return
    # a gateway names its sub-devices in a message of its own
    requests = of(getattr(thing.device, "parent", thing.device))
    topic = "thing/event/property/history/post"
    thing.transmit(requests, topic, [_history(thing, found)], id, found[-1][0], len(found))


def failed(thing, id, number, count, problem):
    """A message with `count` entries was not acknowledged: it goes again, or nothing more can be done for it."""
    if problem.retry != "never":
        wait(thing)
        return
    thing.faults = 0
    if count > 1:  # one of them must not hold the others
        thing.alone = number
        thing.passed = 0
        return
    thing.latest = thing.latest if count else {}
    thing.outbox.acknowledged(id)
    report(thing, problem)


def wait(thing):
    """Nothing is sent again for a while."""
    thing.passed = 0
    thing.calm = uptime() + min(_CALM << thing.faults, _LONGEST)
    thing.faults = min(thing.faults + 1, _DOUBLED)


def report(thing, problem):
    """A line of state with an error of aliot's."""
    fields = {"code": problem.code, "detail": problem.detail, "advice": problem.advice}
    thing.device.state("error", fields)
    unload("advice")


def _due(outbox, thing):
    """(the entries of the next message, its id)."""
    if clock.server:
        entries.stamp(outbox, clock.utc() * 1000)
    alone = outbox.numbers and outbox.numbers[0] <= thing.alone
    found = entries.head(outbox, 2 if alone else _GROUP)
    if not found:
        return found, 0
    id = again = found[0][4]
    same = 1
    while same < len(found) and found[same][4] == id:
        same += 1
    if alone and same > 1:
        same = 1
        again = 0
    if not again:
        id = next_id(thing.device)
        entries.sent(outbox, found[0][0], id, found[same - 1][0])
    return found[:same], id


def _history(thing, found):
    """What happened to `thing`, each entry of the outbox with its time. `thing.latest` gets the properties' values."""
    properties = []
    events = []
    for _, kind, params, time, _ in found:
        if kind == "property":
            properties.append({name: point(params[name], time) for name in params})
            for name in params:
                thing.latest[name] = (params[name], time)
        else:
            events.append({kind: point(params, time)})
    device = thing.device
    item = {"identity": {"productKey": device.product_key, "deviceName": device.device_name}}
    if properties:
        item["properties"] = properties
    if events:
        item["events"] = events
    return item
