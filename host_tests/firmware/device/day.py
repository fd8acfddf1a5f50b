"""A device, its whole Device and MQTT client, through days with outages, on a clock that runs as fast as it can.

Not tests by themselves: host_tests/system/boots/test_day.py asks for `days({"seed": n, "hours": n})`.
"""

import time

import aliot.device
import aliot.incoming
import aliot.log
import aliot.mqtt
import aliot.ticks
import aliot.transport.tls
from aliot import record, sntp
from aliot.device import Device
from aliot.errors import AliotError, Closed, LinkError, Reset, TimedOut
from aliot.store import Store
from scripted import Medium

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
NEVER = 1 << 60
PERIOD = time.ticks_add(0, -1) + 1  # of the chip's ticks
CALM = (
    8 * MINUTE
)  # with nothing wrong for so long a device is online: ping, its answer overdue, the longest wait
BURNED = {
    record.KIND: b"device",
    record.PRODUCT_KEY: b"a1TESTpk001",
    record.DEVICE_NAME: b"dev_0001",
    record.DEVICE_SECRET: b"0123456789abcdef0123456789abcdef",
}
# what may happen: the platform does not answer, refuses for now, closes, resets, falls silent; Wi-Fi goes
KINDS = ("away", "busy", "closed", "reset", "silent", "wifi")


class Dice:
    def __init__(self, seed):
        self.state = seed & 0x7FFFFFFF

    def __call__(self, n):
        self.state = (self.state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.state >> 8) % n


class World:
    """The clock, Wi-Fi and the platform. `now` in ms."""

    name = "day"

    def __init__(self, dice, until):
        self.dice, self.until, self.now = dice, until, 0
        self.attempts = []  # times of the last connects
        self.link = None
        self.kind, self.begins, self.ends = None, 0, 0
        self.outages = self.online = self.calm = self.heard = self.delivered = 0
        self.twin = 0  # until when the device stays away, since it suspects one
        self.next()
        aliot.ticks.ticks_ms = aliot.incoming.ticks_ms = aliot.mqtt.ticks_ms = self.ticks
        aliot.device.sleep_ms = self.sleep
        aliot.transport.tls.connect = self.connect
        sntp.synchronize = lambda servers: True
        aliot.device.unload = lambda *names: None

    # The clock.

    def ticks(self):
        return self.now % PERIOD

    def sleep(self, ms):
        self.now += ms
        while self.now >= self.ends:
            self.next()
        if self.now >= self.begins and self.link:
            self.link.fault = self.link.fault or {"closed": Closed, "reset": Reset}.get(self.kind)
            self.link.lost = self.link.lost or self.kind != "busy"

    def next(self):
        """The next outage: hours of calm, or only moments."""
        if self.kind:
            self.outages += 1
        self.kind = KINDS[self.dice(len(KINDS))]
        self.begins = max(self.now, self.ends) + self.dice((5 * MINUTE, HOUR, 3 * HOUR)[self.dice(3)])
        self.ends = self.begins + 1 + self.dice((10 * SECOND, 5 * MINUTE, HOUR)[self.dice(3)])
        self.calm = max(self.now, self.calm)

    def slow(self, seconds):
        """The device suspects a twin, and stays away for so long."""
        assert 300 <= seconds <= 900
        self.twin = self.now + seconds * SECOND

    @property
    def wrong(self):
        return self.kind if self.begins <= self.now else None

    # The network that Device asks.

    def up(self):
        return self.wrong != "wifi"

    def join(self):
        pass

    def problem(self):
        return "wifi", "away"

    # The platform.

    def connect(self, credential, host, port, roots, timeout):
        assert self.link is None or self.link.closed, "the connection before was not closed"
        self.attempts = self.attempts[-5:] + [self.now]
        assert len(self.attempts) < 6 or self.now - self.attempts[0] >= MINUTE, "six connects in a minute"
        if self.wrong in ("away", "silent"):
            self.sleep(timeout)
            raise TimedOut("connect")
        if self.wrong in ("closed", "reset", "wifi"):
            self.sleep(20)
            raise LinkError("no connection")
        self.sleep(1 + self.dice(2000))
        self.link = Link(self, self.wrong == "busy")
        return self.link


class Link:
    """A stream of aliot.transport to the platform."""

    closed = False
    fault = None  # what the socket knows
    lost = False  # nothing goes through any more, and nobody has said so
    deadline = None
    subscribed = False

    def __init__(self, world, busy):
        self.world, self.busy, self.data = world, busy, b""
        self.message = world.now + world.dice(HOUR)

    def write(self, data):
        if self.fault:
            raise self.fault("write")
        if self.lost:
            return
        kind = data[0] & 0xF0
        if kind == 0x10:
            self.data += b"\x20\2\0" + (b"\3" if self.busy else b"\0")
        elif kind == 0x80:
            self.subscribed = True
            self.data += b"\x90\3" + data[2:4] + b"\0"
        elif kind == 0x30:
            at = 4 + (data[2] << 8 | data[3])
            self.world.delivered += 1
            self.data += b"\x40\2" + data[at : at + 2]
        elif kind == 0xC0:
            self.data += b"\xd0\0"

    def readinto(self, view):
        if self.fault and not self.data:
            raise self.fault("read")
        count = min(len(view), len(self.data))
        view[:count] = self.data[:count]
        self.data = self.data[count:]
        return count

    def ready(self, ms):
        if not self.data and self.world.now >= self.message and not self.lost and self.subscribed:
            self.message = self.world.now + self.world.dice(HOUR)
            self.data += b"\x30\x21\0\x1e/a1TESTpk001/dev_0001/user/get!"
        if not self.data and not self.fault:
            self.world.sleep(ms)
        if self.fault and not self.data:
            raise self.fault("ready")
        return bool(self.data)

    def close(self):
        self.closed = True


def days(asked):
    """Live through `hours`; AssertionError when a promise does not hold."""
    dice = Dice(asked["seed"])
    world = World(dice, asked["hours"] * HOUR)
    media = (Medium("nvs"), Medium("littlefs"))
    for medium in media:
        medium.kept["burned"] = record.encode(record.BURNED, 100, BURNED)
    aliot.log.report = lambda state, fields: None
    device = Device({}, world, Store(media))
    device.subscribe("user/get", lambda topic, payload: setattr(world, "heard", world.heard + 1))
    # thrown off three times soon after connecting, by chance here, it suspects a twin and says for how long it waits
    device.watch(lambda state, fields: fields.get("code") == "twin" and world.slow(fields["wait"]))
    device.start()
    device.session.random = dice
    posted = 0
    due = fine = 0  # when to post; since when nothing is wrong
    while world.now < world.until:
        before = world.now
        device.poll(10 * SECOND)
        if world.wrong or before < world.calm or world.now < world.twin:
            fine = world.now
        online = device.connected and not world.link.lost
        assert online or world.now - fine < CALM, "offline, and nothing was wrong for %d s" % (
            (world.now - fine) // SECOND
        )
        if online:
            assert world.link.subscribed, "connected without its subscription"
            world.online += world.now - before
        if (
            device.connected and world.now >= due and world.now // HOUR % 2
        ):  # else only pings tell that a link is lost
            due = world.now + MINUTE
            try:
                device.publish("user/update", "x", 1)
                posted += 1
            except AliotError:
                pass
    assert posted <= world.delivered, "acknowledged, and never delivered"
    if asked["hours"] >= 24:
        assert posted and world.heard and world.outages and world.online > world.until // 2
