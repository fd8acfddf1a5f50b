"""Any sequence of posts, desires and restarts: nothing accepted is lost, versions only grow, history is in order."""

import random

import pytest

from host_tests.support.cloud.thing import DN, NOW, PK

POST = "thing/event/property/post"
HISTORY, BATCH = "thing/event/property/history/post", "thing/event/property/batch/post"
NAMES = ("Count", "Switch", "Label")
VALUES = {
    "Count": [0, 7, 100, "7", 101, None],
    "Switch": [0, 1, 2, True],
    "Label": ["a", "é" * 8, "x" * 9, 5],
}
GOOD = {"Count": [0, 7, 100], "Switch": [0, 1], "Label": ["a", "é" * 8]}
OPERATIONS = ("post", "batch", "history", "desire", "clear", "get", "restart", "later")


def accepted(name, value):
    return any(type(value) is type(one) and value == one for one in GOOD[name])


class Play:
    """One sequence: what was done, and what a plain reference says of it."""

    def __init__(self, world, seed):
        self.random, self.start, self.now = random.Random(seed), world, NOW // 1000
        self.restart()
        self.points = {name: [] for name in NAMES}  # (time, order, value) of all that was accepted
        self.current, self.versions, self.desired, self.reported = {}, {}, {}, []
        self.order = self.seen = 0

    def restart(self):
        self.world = self.start(tsl_check="strict", now=float(self.now))
        self.device = self.world.device

    def take_messages(self):
        """What was reported since the last time, as (name, value, time)."""
        for one in self.world.instance.server_messages.after(self.seen):
            self.seen = one["seq"]
            for name, item in one["body"].get("items", {}).items():
                self.reported.append((name, repr(item["value"]), item["time"]))

    def later(self):
        self.now += self.random.randrange(1, 100)
        self.world.now = float(self.now)

    def value(self):
        name = self.random.choice(NAMES)
        value = self.random.choice(VALUES[name])
        time = self.now * 1000 - self.random.randrange(5000)
        return name, value, time

    def note(self, name, value, time, current=True):
        if not accepted(name, value):
            return
        self.order += 1
        self.points[name].append((time, self.order, value))
        if current:
            self.current[name] = value

    def post(self):
        body = {name: (value, time) for name, value, time in (self.value() for _ in range(3))}
        params = {name: {"value": value, "time": time} for name, (value, time) in body.items()}
        assert self.device.ask(POST, params)["code"] == 200
        for name, (value, time) in body.items():
            self.note(name, value, time)

    def batch(self):
        lists = {}
        for name, value, time in (self.value() for _ in range(5)):
            lists.setdefault(name, []).append({"value": value, "time": time})
        assert self.device.ask(BATCH, {"properties": lists})["code"] == 200
        for name, ones in lists.items():
            for one in ones:
                self.note(name, one["value"], one["time"])

    def history(self):
        name, value, time = self.value()
        one = {"productKey": PK, "deviceName": DN}
        entry = {"identity": one, "properties": [{name: {"value": value, "time": time}}]}
        assert self.device.ask(HISTORY, [entry])["code"] == 200
        self.note(name, value, time, False)

    def desire(self):
        name = self.random.choice(NAMES)
        value = self.random.choice(GOOD[name])
        device = self.world.instance.registry.find(PK, DN)
        version = self.world.instance.desired.set(device, {name: value}, {})[name]
        assert version == self.versions.get(name, 0) + 1
        self.versions[name], self.desired[name] = version, value

    def clear(self):
        name = self.random.choice(NAMES)
        version = self.versions.get(name, 1) - self.random.randrange(2)
        assert self.device.ask("thing/property/desired/delete", {name: {"version": version}})["code"] == 200
        if version == self.versions.get(name):
            self.desired.pop(name, None)

    def get(self):
        found = self.device.ask("thing/property/desired/get", list(NAMES))["data"]
        assert found == {
            name: {"value": value, "version": self.versions[name]} for name, value in self.desired.items()
        }

    def check(self):
        assert self.world.values() == self.current
        for name in NAMES:
            expected = [
                (time, value) for time, _, value in sorted(self.points[name], key=lambda one: one[:2])
            ]
            assert self.world.history("property", name) == expected
        self.take_messages()
        all_points = [(name, repr(value), time) for name in NAMES for time, _, value in self.points[name]]
        assert sorted(self.reported) == sorted(all_points)


@pytest.mark.parametrize("seed", range(4))
def test_nothing_that_was_accepted_is_lost_and_nothing_goes_back(world, seed):
    play = Play(world, seed)
    for _ in range(80):
        getattr(play, play.random.choice(OPERATIONS))()
    play.check()
