"""Requests whose replies are waited for, and answers to the platform's; application.md 1."""

from aliot import feed
from aliot.errors import LinkError
from aliot.thing.errors import ThingError
from aliot.thing.requests import dumped
from aliot.ticks import Deadline


def ask(requests, topic, params, timeout, method):
    """As Requests.ask."""
    device = requests.device
    client = device.client
    if client and client.busy:
        raise ThingError("handler", topic)
    found = []
    id = requests.send(topic, params, lambda data, problem: found.append((data, problem)), timeout, method)
    deadline = Deadline(timeout)
    try:
        while not found and deadline.left():
            if device.client is not client:
                raise LinkError("not connected", "offline")
            feed()
            device.serve(deadline.left())
    finally:
        requests.waiting.pop(id, None)
    data, problem = found[0] if found else (None, ThingError("silent", topic))
    if problem:
        raise problem
    return data


def respond(requests, topic, message, code, data, text):
    """As Requests.answer, on a topic that is given whole: that of an RRPC; "" for what is no id, such as 1e999."""
    id = message.get("id")
    body = '{"id":%s,"code":%d,"data":%s,"message":%s}' % (
        dumped(id if isinstance(id, (int, str)) else ""),
        code,
        dumped(data or {}),
        dumped(text),
    )
    requests.publish(topic, body)
