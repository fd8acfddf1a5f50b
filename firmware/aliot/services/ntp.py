"""The platform's time over MQTT; application.md 8.

ntp = Ntp(device)               after device.start()
now = ntp.time()                ms since 1970; sets nothing
ntp.set_clock()                 the same, and the board's clock is set
"""

import time

import machine
from aliot import alink, clock, services
from aliot.ticks import uptime
from micropython import const

_EARLIEST = const(1577836800000)  # 2020 and 2100, in ms since 1970
_LATEST = const(4102444800000)
_EPOCH = const(946684800)  # the chip counts from 2000


class Ntp:
    """The time service of a `device` that has been started."""

    sent = None  # uptime of the request that waits

    def __init__(self, device):
        self.device = device
        self.topic = "/ext/ntp/%s/%s/" % (device.product_key, device.device_name)
        self.found = []
        device.subscribe(self.topic + "response", self._heard)

    def time(self, timeout=5000):
        """Milliseconds since 1970, by the platform's answer and half of its round trip.

        AliotError `thing.silent` when none came within `timeout` ms, `thing.handler`; LinkError. An answer to another
        request, or with a time that cannot be, counts as none.
        """
        self.sent = uptime()
        payload = '{"deviceSendTime":"%d"}' % self.sent
        try:
            offset = services.ask(self.device, self.topic + "request", payload, self.found, timeout)
        finally:
            self.sent = None
        return offset + uptime()

    def set_clock(self, timeout=5000):
        """Set the board's clock to what time() says, to the second; returns that."""
        now = self.time(timeout)
        at = time.gmtime((now + 500) // 1000 - _EPOCH)
        machine.RTC().datetime((at[0], at[1], at[2], at[6], at[3], at[4], at[5], 0))
        clock.server = "mqtt"
        clock.set_at = uptime()
        clock.doubted = None
        return now

    def _heard(self, topic, payload):
        now = uptime()
        message = alink.parsed(payload) or {}
        if self.sent is None or str(message.get("deviceSendTime")) != str(self.sent):
            return
        first = alink.number(message.get("serverRecvTime"))
        last = alink.number(message.get("serverSendTime"))
        if _EARLIEST <= first <= last < _LATEST:
            self.found.append((first + last + now - self.sent) // 2 - now)
