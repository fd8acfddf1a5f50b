"""Raw data, which a script of the product turns into messages of the thing model; application.md 3.7.

    raw = Raw(device, handler)                      after device.start()
    raw.post(b"\\x00\\x00\\x22")                       what the script makes of it goes to the thing model
    answer = raw.request(b"\\x00\\x00\\x22")               the same, and waits for what the script answers

handler(payload) is called with what the platform sends; the bytes that it returns are the answer, None is none. What
came by RRPC is answered there, within 8 s.
"""

from aliot import services

_DOWN = "thing/model/down_raw"
_UP = "thing/model/up_raw"


class Raw:
    """The raw data of a `device` that has been started."""

    waiting = False

    def __init__(self, device, handler=None):
        self.device = device
        self.handler = handler
        self.found = []
        if "ext=" not in device.extra:  # direct.md 1.1: bit 0 takes requests by /ext/rrpc/
            device.extra = (device.extra or ",_ss=1") + ",ext=1"
        device.subscribe(_UP + "_reply", self._answered)
        device.subscribe(_DOWN, self._asked)
        device.on("/ext/rrpc/+" + device.full_topic(_DOWN), self._asked)

    def post(self, payload, qos=0):
        """Send bytes; LinkError."""
        self.device.publish(_UP, payload, qos)

    def request(self, payload, timeout=10000):
        """Send bytes and return the bytes of the answer; AliotError `thing.silent`, `thing.handler`; LinkError.

        An answer names no request: one that comes late is that of the next.
        """
        self.waiting = True
        try:
            return services.ask(self.device, _UP, payload, self.found, timeout)
        finally:
            self.waiting = False

    def _answered(self, topic, payload):
        if self.waiting:
            self.found.append(payload)

    def _asked(self, topic, payload):
        answer = self.handler(payload) if self.handler else None
        if answer is not None:
            self.device.publish(topic if topic.startswith("/ext/") else _DOWN + "_reply", answer)
