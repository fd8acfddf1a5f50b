"""A device of a platform in this process, without a socket: what it publishes, and what comes to it."""

import json
from types import SimpleNamespace

from tools.emulator.cloud import config
from tools.emulator.cloud.codec import Publish
from tools.emulator.cloud.instance import Instance
from tools.emulator.cloud.process import toml
from tools.emulator.cloud.store import Store

START = 1_750_000_000.0  # Unix seconds at which the platform's clock begins


def platform(folder, settings, now=None):
    """An `Instance` of a cloud.toml's dict, its state in `folder`; `now()` are both of its clocks."""
    clock = now or (lambda: START)
    chosen = config.parse(toml(settings), folder=folder)
    return Instance(chosen, Store(folder / "state.sqlite"), clock, clock)


class Asker:
    """A device that is online with `_ss=1` and `ext` 3; `came` are the packets that were sent to it."""

    def __init__(self, instance, product_key, device_name):
        self.instance, self.key = instance, (product_key, device_name)
        self.came = []
        listener = SimpleNamespace(where="mqtt_tcp")
        self.link = SimpleNamespace(
            take=lambda when, pk, dn: instance.faults.take("mqtt_tcp", when, pk, dn), listener=listener
        )
        self.names = self.key
        self.session, _ = instance.sessions.open((*self.key, ""), True, self)
        self.session.system, self.session.extension = True, 3

    # ---- what the platform sees of its connection

    def send(self, packet, stage):
        """Takes one packet from the platform."""
        self.came.append(packet)

    def note(self, event, **fields):
        self.instance.journal.event(event, pk=self.key[0], dn=self.key[1], **fields)

    def kick(self, reason, how="close"):
        self.session.peer = None

    # ---- what the test does

    def topic(self, tail):
        return tail if tail.startswith("/") else f"/sys/{'/'.join(self.key)}/{tail}"

    def publish(self, tail, payload):
        """Publishes bytes on a topic, or below /sys/{pk}/{dn}/; the packets that came of it."""
        before = len(self.came)
        packet = Publish(self.topic(tail), payload)
        self.instance.uplink(self, packet)
        return self.came[before:]

    def ask(self, tail, params, number="1", **more):
        """The JSON of the reply to an Alink request, or None."""
        body = {"id": number, "version": "1.0", "params": params, **more}
        found = self.publish(tail, json.dumps(body).encode())
        replies = [packet for packet in found if packet.topic == self.topic(tail) + "_reply"]
        assert len(replies) <= 1
        return json.loads(replies[0].payload) if replies else None

    def messages(self, tail=None):
        """Bodies of the messages to the business server, all or those on `/{pk}/{dn}/` + `tail`."""
        topic = None if tail is None else f"/{'/'.join(self.key)}/{tail}"
        return [one["body"] for one in self.instance.server_messages.after(0, topic)]
