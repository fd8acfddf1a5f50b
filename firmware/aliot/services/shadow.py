"""The device's shadow: a document that the platform keeps for it; application.md 6.

    shadow = Shadow(device, handler)            after device.start()
    shadow.report({"color": "red"})             waits; the platform has it then
    document = shadow.get()                     {"reported": {...}, "desired": {...}}
    shadow.clear_desired()                      what was desired
    shadow.delete("color")                      or all that was reported, without a name

handler(desired) is called with a dict of what an application on the platform's side has set: at once, and after each
connect with what was set meanwhile. What it returns, a dict, is reported and what was desired cleared, without waiting;
with None it stays desired.
"""

import json

from aliot import alink, load, services
from aliot.errors import AliotError
from aliot.ticks import Deadline


class Shadow:
    """The shadow of a `device` that has been started. Calls wait up to `timeout` ms, not in a handler.

    AliotError: `shadow.` and the platform's code, `thing.silent`, `thing.handler`; LinkError. ValueError for values
    that JSON does not hold.
    """

    version = None  # the platform's, once it is known
    missed = False  # what was set while the device was away has been asked for
    waiting = None  # the version that an update waits with, or "get"

    def __init__(self, device, handler=None):
        self.device = device
        self.handler = handler
        self.found = []
        names = "%s/%s" % (device.product_key, device.device_name)
        self.topic = "/shadow/update/" + names
        device.subscribe("/shadow/get/" + names, self._message)
        device.watch(self._state)

    def get(self, timeout=10000):
        """The document as the platform has it, a dict."""
        return self._ask({"method": "get"}, timeout)

    def report(self, values, timeout=10000):
        """Merge a dict of values into what is reported; a list replaces the one before."""
        load("json_value").sendable(values)
        self._update("update", {"reported": values}, timeout)

    def clear_desired(self, timeout=10000):
        """Clear what is desired."""
        self._update("update", {"desired": "null"}, timeout)

    def delete(self, *names, timeout=10000):
        """Delete reported values by name, or all."""
        self._update("delete", {"reported": {name: "null" for name in names} or "null"}, timeout)

    def _update(self, method, state, timeout):
        """Send with the version that follows the platform's; once more when that has gone on meanwhile."""
        deadline = Deadline(timeout)
        for last in (False, True):
            if self.version is None:
                self.get(deadline.left())
            try:
                self._ask(self._next(method, state), deadline.left())
                return
            except AliotError as problem:
                self.version = None
                if last or problem.code != "shadow.409":
                    raise

    def _next(self, method, state):
        self.version += 1
        return {"method": method, "state": state, "version": self.version}

    def _ask(self, message, timeout):
        self.waiting = message.get("version", "get")
        try:
            data, problem = services.ask(self.device, self.topic, json.dumps(message), self.found, timeout)
        finally:
            self.waiting = None
        if problem:
            raise problem
        return data

    def _state(self, state, fields):
        if state == "connected":
            self.version = None
            if self.handler:
                self.device.publish(self.topic, '{"method":"get"}')
                self.missed = True

    def _message(self, topic, payload):
        message = alink.parsed(payload) or {}
        body = message.get("payload")
        if not isinstance(body, dict):
            return
        version = message.get("version", body.get("version"))
        if type(version) is not int or version < 0:
            version = None
        method = message.get("method")
        state = body.get("state")
        if method == "control":
            if version is not None:
                self.version = version
                self._desired(state)
        elif method == "reply" and body.get("status") == "success":
            self._succeeded(state, version)
        elif method == "reply" and body.get("status") == "error":
            self._failed(body.get("content"))

    def _succeeded(self, state, version):
        if not isinstance(state, dict):
            if self.waiting not in (None, "get") and version in (None, self.waiting):
                self.found.append((None, None))
            return
        self.version = version or 0
        if self.waiting == "get":
            self.found.append((state, None))
        if self.missed:
            self.missed = False
            self._desired(state)

    def _failed(self, content):
        if not isinstance(content, dict):
            content = {}
        code = alink.number(content.get("errorcode"))
        if self.waiting is None:
            self.version = None  # of what was sent without waiting
            return
        retry = "later" if code == 500 else "never"
        text = str(content.get("errormessage", ""))[:80]
        self.found.append((None, AliotError(text, "shadow.%d" % code, retry)))

    def _desired(self, state):
        desired = state.get("desired") if isinstance(state, dict) else None
        if not self.handler or not isinstance(desired, dict) or not desired:
            return
        values = self.handler(desired)
        if isinstance(values, dict):
            load("json_value").sendable(values)
            for state in ({"reported": values}, {"desired": "null"}):
                self.device.publish(self.topic, json.dumps(self._next("update", state)))
