"""A gateway: sub-devices registered, attached and online, a property of each every minute. Copy it as /main.py.

/subdevices.txt has a line `ProductKey DeviceName` for each; they were created in the console, whose product has
dynamic registration on. Stored secrets are used again after a boot. Where the sub-devices are radio devices, replace
`read` by what your radio last heard of one.
"""

import json
import time

import aliot
from aliot.device import Device
from aliot.errors import AliotError


def read(name):
    """The properties of a sub-device, as its radio tells them."""
    return {"Temperature": 20 + len(name[1])}


def main():
    device = Device()
    device.start()
    from aliot.gateway import Gateway, advice  # only now: what a start needs has left the heap

    gateway = Gateway(device)

    def on_set(name, topic, payload):
        asked = json.loads(payload)
        print('{"app": "set", "subdevice": "%s", "params": %s}' % (name[1], json.dumps(asked["params"])))
        gateway.publish(name, topic + "_reply", '{"id":"%s","code":200,"data":{}}' % asked["id"])

    def on_event(event, name, code):
        """The platform tells of a sub-device: here, that this gateway should take one in."""
        if event == "attach":
            bring_online([name])

    def bring_online(names):
        """Register, attach and log in, of each what is still to be done."""
        for name, code, message in gateway.bring_online(names):
            print(
                '{"app": "not online", "subdevice": "%s", "code": "%s", "advice": "%s"}'
                % (name[1], code, advice(code))
            )

    def post(name):
        message = '{"id":"1","version":"1.0","params":%s,"method":"thing.event.property.post"}' % json.dumps(
            read(name)
        )
        gateway.publish(name, "thing/event/property/post", message)
        print('{"app": "posted", "subdevice": "%s"}' % name[1])

    gateway.on("thing/service/property/set", on_set)
    gateway.watch(on_event)
    brought = False
    last = None
    pause = 500
    while True:
        if not gateway.poll(pause):
            continue
        pause = 500
        try:
            if not brought:
                bring_online("/subdevices.txt")
                brought = True
            if last is None or time.ticks_diff(time.ticks_ms(), last) > 60000:
                last = time.ticks_ms()
                for name in gateway.subdevices("online"):
                    post(name)
        except AliotError as problem:
            print('{"app": "failed", "code": "%s", "advice": "%s"}' % (problem.code, problem.advice))
            brought = brought or problem.retry == "never"
            if problem.retry == "later":
                pause = 60000


aliot.run(main)
