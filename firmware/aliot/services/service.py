"""What a service does by itself: after each connect, and once more, later, after a failure."""

from aliot import load, unload
from aliot.errors import AliotError
from aliot.thing.requests import of
from aliot.ticks import uptime
from micropython import const

_FIRST = const(60000)  # ms until a failure is tried again; each further one twice as long, up to
_LONGEST = const(3600000)


class Service:
    """A service of a Device, beside a Thing of it or without one; made before the device connects.

    `work` is called at each poll while the device is connected, but for the time after a failure. An error of aliot's
    that it raises becomes a line of state.
    """

    after = 0  # uptime of the next work
    pause = _FIRST

    def __init__(self, device):
        self.device = device
        self.requests = of(device)
        self.requests.duties.append(self._duty)
        self.requests.connects.append(self._connected)

    def poll(self, ms=0):
        """As Thing.poll: instead of the device's. One poll serves a Thing and all services of a device."""
        return self.requests.poll(ms)

    def work(self):
        """What is to be done now."""

    def begin(self):
        """The device has connected."""

    def failed(self, problem):
        """Report it, and work no more for a while."""
        self.device.state("error", {"code": problem.code, "detail": problem.detail, "advice": problem.advice})
        unload("advice")
        self.after = uptime() + self.pause
        self.pause = min(2 * self.pause, _LONGEST)

    def done(self):
        """It has succeeded: the next failure is the first again."""
        self.pause = _FIRST

    def call(self, handler, *arguments):
        """Call what is the application's; what it raises becomes a line of state."""
        try:
            handler(*arguments)
        except Exception as problem:
            load("crash").handler_failed(self.device, problem, "")

    def _duty(self):
        if self.device.connected and uptime() >= self.after:
            try:
                self.work()
            except AliotError as problem:
                self.failed(problem)

    def _connected(self):
        self.after = 0
        self.begin()
