"""thing/bootstrap/notify: the platform wants a device to ask anew where to connect; direct.md 6.2."""

import json

from aliot import part


def arrived(guided, device, topic, payload):
    """Answer the notice and, on cmd 0, throw away what was told; raises Moved, which ends the connection.

    Nothing happens when the answer in use is less than a minute old: the notice was sent before it.
    """
    try:
        found = json.loads(payload)
        if str(found["params"]["cmd"]) != "0":
            return
        number = found.get("id")
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError):
        return
    device.publish(topic + "_reply", json.dumps({"id": number, "code": 200, "data": {}}))
    if not guided.recent(device):
        guided.drop(device)
        raise part("guide.refusals").Moved("a bootstrap is asked for")
