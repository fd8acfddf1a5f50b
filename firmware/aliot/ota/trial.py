"""A release on trial: what makes it good, what fails it, and the clean-up after it. Boards with an update import it.

It is good once it has connected and published its version (application.md 5.1), and the application's own
`device.check()`, if there is one, returned True; None: not yet. What fails it brings back the last good tree, and the
firmware that belongs to it: the bootloader takes back what is not marked as good before the next reset.
"""

import json
import os
import sys

import aliot
import machine
from aliot import load
from aliot.errors import AliotError
from aliot.ota import record
from aliot.ota.lines import lines
from aliot.ticks import uptime
from micropython import const

# why a trial failed; 1 to 3 are of aliot.ota.choice, 8 and 9 of aliot.ota.slots
CRASHED = const(4)
CHECKED = const(5)
REFUSED = const(6)
WAITED = const(7)
_DAY = const(86400000)  # ms that a trial waits for network and platform
_PATIENCE = const(120000)  # ms of the watchdog, at least
_KEPT = ("aliot", "ota", "roots", "lib", "boot.py", "main.py", "config.json")


def begin(device):
    """What a start does that finds /boot.py's choice still loaded. Returns whether the release is on trial."""
    sys.modules.pop("aliot/ota/choice", None)
    found = record.read()
    if on_trial(found):
        device.state("update", {"state": "trial", "release": release(found), "starts": found[7]})
        aliot.watchdog = Trial(device)
        return True
    if found and found[7] & 1:
        tidy(found)
    return False


def on_trial(found):
    """Whether what runs is on trial, as the record `found` says; the golden tree can be with other firmware only."""
    if not found:
        return False
    letter = ord(aliot.tree[-1]) if aliot.tree else 0
    return found[4] == letter and (letter or any(found[17:18]))


def release(found):
    """What a record's release on trial is called; firmware that came alone by its version."""
    return load("ota.pairs").version() if found[4] == found[5] else said("release")


class Trial:
    """The watchdog of a trial, which each poll feeds: it asks what is still missing, and decides."""

    online = False
    published = False
    busy = False

    def __init__(self, device):
        self.device = device
        self.watchdog = machine.WDT(timeout=max(_PATIENCE, 3 * device.timeout))
        device.watch(self.changed)

    def changed(self, state, fields):
        if state == "refused":
            fail(REFUSED)
        self.online = state == "connected" or self.online and state not in ("offline", "connecting")

    def feed(self):
        self.watchdog.feed()
        if self.busy:
            return
        self.busy = True
        try:
            if self.online and self.device.client:
                self._ask()
            elif uptime() > _DAY:
                fail(WAITED)
        finally:
            self.busy = False

    def _ask(self):
        device = self.device
        try:
            if not self.published:
                topic = "/ota/device/inform/%s/%s" % (device.product_key, device.device_name)
                for params in versions():
                    device.publish(topic, json.dumps({"id": "1", "params": params}), 1)
                self.published = True
        except AliotError:
            return  # the device has said so, and connects again
        check = getattr(device, "check", None)
        answer = check() if check else True
        if answer:
            good(device)
        if answer is not None:
            fail(CHECKED)


def versions():
    """What a trial publishes: its release, and its firmware where that is on trial too."""
    found = record.read()
    if len(found) > 17 and found[17:26] != found[30:39]:
        yield {"version": load("ota.pairs").version(), "module": "firmware"}
        if found[4] == found[5]:  # it came alone
            return
    yield {"version": said("release")}


def good(device):
    """The release on trial is good; one reset, and the configured watchdog is the board's again."""
    found = record.read()
    name = release(found)
    if len(found) > 17:
        load("ota.pairs").good(found)
    else:
        found[4:9] = bytes((0, found[4], found[5], 1, 0))
    record.write(found)
    device.state("update", {"state": "good", "release": name})
    device.stop()
    machine.reset()


def fail(why):
    """The trial has failed; a reset brings back the last good tree."""
    crashed(why)
    machine.reset()


def crashed(why=CRASHED):
    """Note that the trial has failed, if this is one."""
    found = record.read()
    if on_trial(found):
        found[4:9] = bytes((0, found[5], found[6], 0, why))
        if len(found) > 17:
            found[17:30] = bytes(13)
        record.write(found)


def said(name):
    """What the manifest of the running tree says of a name; "" where it does not."""
    for line in lines(aliot.tree + "/manifest") if aliot.tree else ():
        if line[0] == name:
            return line[1]
    return ""


def tidy(found):
    """Delete what the release that became good has no use for. `found`: the record."""
    for line in lines(aliot.tree + "/manifest") if aliot.tree else ():
        if line[0] == "delete" and line[1].split("/")[1] not in _KEPT:
            try:
                os.remove(line[1])
            except OSError:
                pass
    found[7] &= 254
    record.write(found)
