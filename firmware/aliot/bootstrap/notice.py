"""thing/bootstrap/notify: the platform wants a device to ask anew where to connect; direct.md 6.2."""

import json

from aliot import load


def arrived(endpoint, device, topic, payload):
    """Answer the notice and, on cmd 0, throw away what was told and end the connection (Moved).

    A notice whose id is that of the one before is answered only: with QoS 1 in a session that is kept it
    comes again, since the connection ended before its acknowledgement.
    """
    try:
        found = json.loads(payload)
        number = found.get("id")
        params = found.get("params")
        # documented are params; the SDK's own reader takes the name wherever it stands
        if str((params if isinstance(params, dict) else found)["cmd"]) != "0":
            return
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError):
        return
    device.publish(topic + "_reply", json.dumps({"id": number, "code": 200, "data": {}}))
    if number is None or number != endpoint.notice:
        endpoint.notice = number
        load("bootstrap.cache").throw_away(endpoint, device)
        device.lost(device.client, load("bootstrap.refusals").Moved("a bootstrap is asked for"))
