"""The official Python SDK as a gateway; `linkkit_driver.py` hands over a client and its way to speak.

Each step is one call of the SDK's gateway API and the reply that the SDK gives to its callback.
"""

import json

CALLS = (
    "register_subdev",
    "product_register_subdev",
    "add_subdev_topo",
    "login_subdev",
    "logout_subdev",
    "delete_subdev_topo",
)


class Steps:
    """`client` is a LinkKit that is not connected yet; `events`, `report` and `expect` are the driver's."""

    def __init__(self, client, events, report, expect):
        self.client, self.report, self.expect = client, report, expect
        for name in CALLS:
            setattr(client, f"on_gateway_{name}_reply", self.keeper(events, name))
        client.on_gateway_topo_change = lambda number, params, data: events.put(("change", params))

    def keeper(self, events, name):
        return lambda number, code, data, message, user_data: events.put((name, code, data, message))

    def call(self, name, devices):
        """One call; says what came back and returns its data."""
        called, _ = getattr(self.client, "gateway_" + name)(devices)
        code, data, message = self.expect(name)
        self.report(name, called=called, code=code, data=data, message=message)
        return data

    def post(self, product_key, device_name):
        """A property on the sub-device's own topic; its reply comes without a SUBSCRIBE."""
        topic = f"/sys/{product_key}/{device_name}/thing/event/property/post"
        body = {"id": "77", "version": "1.0", "params": {"temperature": 21}}
        self.client.publish_topic(topic, json.dumps(body), 0)
        answer, payload, _ = self.expect("message")
        self.report("posted", topic=answer, payload=json.loads(payload))


def use(client, events, report, expect, job):
    """Registers both ways, attaches, logs in, posts, logs out, detaches."""
    steps = Steps(client, events, report, expect)
    client.connect_async()
    report("connect", rc=expect("connect")[1])
    names = [[job["subdevice_product"], name] for name in job["subdevices"]]
    steps.call("product_register_subdev", [[*name, job["subdevice_product_secret"]] for name in names])
    found = steps.call("register_subdev", names)
    devices = [[one["productKey"], one["deviceName"], one["deviceSecret"]] for one in found]
    steps.call("add_subdev_topo", devices)
    steps.call("login_subdev", devices)
    for name in names:
        steps.post(*name)
    steps.call("logout_subdev", names[:1])
    report("wait", **{"for": "disable"})
    report("change", params=expect("change")[0])
    steps.call("delete_subdev_topo", names)
    client.disconnect()
    report("disconnect", rc=expect("disconnect")[0])
