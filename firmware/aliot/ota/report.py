"""What a board says of its releases: a trial that failed, its version; and the note of an update that is under way.

Loaded for that moment; application.md 5.2 and 5.4.
"""

import json
import os

import aliot
from aliot import load, unload
from aliot.ota import record
from aliot.ota.trees import NOTE, mkdir
from micropython import const

_REPORTED = const(128)  # in the record beside why a trial failed: the platform knows
# by the number in the record (aliot.ota.choice, aliot.ota.trial, aliot.ota.slots)
_WHY = (
    "the watchdog ended its trial",
    "it started three times and was not good",
    "its tree was gone",
    "it ended with an error",
    "its check() said no",
    "the platform refused its login",
    "it was without the platform for a day",
    "its firmware did not come up, or the bootloader took it back",
    "power went while its firmware was on trial",
)


def connected(device, version):
    """(whether a release is on trial, whether a failed one was reported, the note); publishes what there is to say.

    `version`: that of the golden tree. While an update is under way the version is not published, nor on trial, where
    aliot.ota.trial does it. LinkError.
    """
    found = record.read()
    tree = aliot.tree
    letter = ord(tree[-1]) if tree else 0
    if found and found[4] == letter and (letter or any(found[17:18])):
        return True, False, ""
    why = found[8] if found else 0
    if 0 < why < _REPORTED:
        failed(device, -1, _WHY[why - 1], "firmware" if any(found[56:57]) else "default")
        found[8] = why | _REPORTED
        try:
            record.write(found)
        except OSError:
            pass  # it is reported once more
    under_way = noted()
    if not under_way:
        if tree:
            with open("%s/manifest" % tree, "rb") as manifest:
                for line in manifest:
                    if line[:8] == b"release ":
                        version = line[8:].decode().rstrip("\n")
        _publish(device, "inform", {"version": version})
        firmware = load("ota.pairs").here()
        unload("ota.pairs")
        if firmware is not None:
            _publish(device, "inform", {"version": firmware, "module": "firmware"})
    return False, 0 < why < _REPORTED, under_way


def failed(device, step, text, module):
    """Tell the platform that an update of a module has failed; nothing is under way then. LinkError."""
    params = {"step": str(step), "desc": text}
    if module != "default":
        params["module"] = module
    _publish(device, "progress", params)
    note("")


def note(text):
    """Keep what is under way, or with "" that nothing is. OSError when it cannot be kept."""
    if text:
        mkdir(NOTE)
        with open(NOTE, "w") as file:
            file.write(text)
        return
    try:
        os.remove(NOTE)
    except OSError:
        pass


def noted():
    try:
        with open(NOTE) as file:
            return file.readline().rstrip("\n")
    except OSError:
        return ""


def _publish(device, topic, params):
    device.publish(
        "/ota/device/%s/%s/%s" % (topic, device.product_key, device.device_name),
        '{"id":"1","params":%s}' % json.dumps(params),
        1,
    )
