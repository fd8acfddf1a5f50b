"""Log lines for the console, while the platform wants them; application.md 11.

    logs = Log(device)                              before the device connects
    logs.report("WARN", "pump", "pressure is low", code="4103")

The platform switches the log of a device on and off (mode 1 and 0, off by default), and is asked for the mode at each
connect. Lines wait in memory until it is known, and until they are acknowledged; while it is off they are dropped. The
line of the board's last crash (aliot.crash), which outlives a reset and not a power cut, goes first, once.
"""

import time

import machine
from aliot import alink, clock, load
from aliot.services.service import Service
from aliot.ticks import uptime
from micropython import const

_GET = "thing/config/log/get"
_WANTED = {"configScope": "device", "getType": "content"}
_LINES = const(10)  # in a message, of the 40 that are allowed
_SIZE = const(2048)  # characters in a message, if more than one line
_LONGEST = const(1024)  # characters of a line; the platform takes 4,096
_EPOCH = const(946684800)


class Log(Service):
    """The log of `device`: at most `lines` wait, the oldest give way and are counted in `dropped`."""

    on = None  # whether the platform wants lines, None: not known
    asked = False
    sending = 0  # lines of the message that is not yet acknowledged
    dropped = 0

    def __init__(self, device, lines=20):
        super().__init__(device)
        self.lines = lines
        self.queue = []  # (uptime, line without its time)
        self.requests.on("thing/config/log/push", self._pushed)

    def report(self, level, module, content, code="0", trace=""):
        """Keep a line: level FATAL, ERROR, WARN, INFO, DEBUG or one of one's own; `trace`: a message's id.

        What is no text goes as str() gives it. ValueError: it is no Unicode.
        """
        if self.on is False:
            return
        self.queue.append((uptime(), _line(level, module, content, code, trace)))
        if len(self.queue) > self.lines:
            self.queue.pop(0)
            self.sending = max(0, self.sending - 1)
            self.dropped += 1

    def begin(self):
        self.asked = False

    def work(self):
        if not self.asked:
            self.asked = True
            self.requests.send(_GET, _WANTED, self._got)
        elif self.on and not self.sending:
            crash = _crash()
            if crash:
                line = _line("FATAL", "crash", crash, "0", "")
                self._send([(uptime(), line)], self._crash_sent)
            elif self.queue:
                self._send(self._group(), self._sent)

    def failed(self, problem):
        self.sending = 0
        super().failed(problem)

    def _group(self):
        """The oldest lines, as many as go into a message."""
        count = size = 0
        for _, line in self.queue[:_LINES]:
            size += len(line["logContent"])
            if count and size > _SIZE:
                break
            count += 1
        return self.queue[:count]

    def _send(self, lines, done):
        now = uptime()
        params = []
        for at, line in lines:
            line = dict(line)
            line["utcTime"] = _time(clock.utc() - (now - at) // 1000)
            params.append(line)
        self.sending = len(lines)
        self.requests.send("thing/log/post", params, done)

    def _crash_sent(self, data, problem):
        if problem and problem.retry != "never":
            self.failed(problem)
            return
        self.sending = 0
        memory = machine.RTC().memory
        memory(memory()[:1])

    def _sent(self, data, problem):
        if problem and problem.retry != "never":
            self.failed(problem)
            return
        self.queue = self.queue[self.sending :]
        if problem:  # they would be refused again
            self.dropped += self.sending
            self.failed(problem)
        else:
            self.sending = 0
            self.done()

    def _got(self, data, problem):
        if not problem:
            self._mode(data)
        elif problem.retry != "never":
            self.asked = False
            self.failed(problem)

    def _pushed(self, topic, message):
        self._mode(message.get("params"))

    def _mode(self, data):
        content = data.get("content") if isinstance(data, dict) else None
        mode = alink.number(content.get("mode")) if isinstance(content, dict) else -1
        if mode in (0, 1):
            self.on = mode == 1
            if not self.on:
                self.queue = []


def _line(level, module, content, code, trace):
    line = {"logLevel": level, "module": module, "code": code, "logContent": content}
    if trace:
        line["traceContext"] = trace
    for name in line:
        line[name] = str(line[name])[:_LONGEST]
    return load("json_value").sendable(line)


def _crash():
    """The line of the last crash, "" where there is none; the memory may be an application's."""
    kept = machine.RTC().memory()[1:]
    try:
        return str(kept, "utf-8") if kept[:9] == b'{"aliot":' else ""
    except UnicodeError:
        return ""


def _time(seconds):
    at = time.gmtime(seconds - _EPOCH)
    return "%04d-%02d-%02dT%02d:%02d:%02d.000+0000" % tuple(at[:6])
