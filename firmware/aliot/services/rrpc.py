"""Questions of the platform's that want an answer at once (RRPC); application.md 7.

    rrpc.on(device, handler)                        of the system topic
    rrpc.on(device, handler, "user/get")            of a topic of one's own

handler(payload) gets bytes and returns text, bytes, or a dict, which goes as JSON; with None nothing is answered. The
caller waits 8 s at most. A dict that JSON does not hold is a ValueError, a line of state. What asks for a service of
the thing model is left to the Thing, where the device has one. on() stands between device.start() and the first poll().
"""

import json

from aliot import alink, load


def on(device, handler, topic=None):
    """Let `handler` answer the questions on `topic`, or on the system topic."""
    if not topic:
        device.subscribe("rrpc/request/+", lambda topic, payload: _question(device, handler, topic, payload))
        return
    if "ext=" not in device.extra:  # direct.md 1.1: bit 0 asks for questions on topics of one's own
        device.extra = (device.extra or ",_ss=1") + ",ext=1"
    device.subscribe(
        "/ext/rrpc/+" + device.full_topic(topic),
        lambda topic, payload: _question(device, handler, topic, payload),
    )


def _question(device, handler, topic, payload):
    """Answer on the topic of a question on a topic of one's own, else on the one beside it."""
    own = topic.startswith("/ext/")
    number = topic.split("/")[3 if own else -1]
    if not number.isdigit() or len(number) > 20:
        return
    if _is_things(device, topic, payload):
        return
    found = handler(payload)
    if isinstance(found, dict):
        found = json.dumps(load("json_value").sendable(found))
    if found is not None:
        device.publish(topic if own else "rrpc/response/" + number, found)


def _is_things(device, topic, payload):
    """Whether a Thing of this device answers the question; application.md 3.4."""
    handlers = device.requests.handlers if hasattr(device, "requests") else ()
    if "rrpc/request/#" not in [wanted for wanted, handler in handlers]:
        return False
    message = alink.parsed(payload)
    if message is None:
        return False
    if topic.startswith("/ext/"):
        return ("/" + topic.split("/", 4)[-1]).startswith(device.full_topic("thing/service/"))
    return str(message.get("method"))[:14] == "thing.service."
