"""What an update under way says, waits for, and ends with; application.md 5.4. Loaded for these moments."""

import json
from binascii import unhexlify

import machine
from aliot import load, unload
from aliot.errors import AliotError, LinkError, ProtocolError
from aliot.ota.updates import clear
from aliot.ticks import uptime
from micropython import const

_TRIES = const(5)  # in a row that brought nothing


def begin(update):
    """Note what is under way, and say that it begins. AliotError when the platform's own signature is wrong."""
    task = update.task
    digestsign = task.pop("digestsign")
    keep(task)
    report(update, 1)
    _say(update, "download")
    load("ota.keys").check_digest(task["sign"], digestsign)
    unload("ota.keys")


def keep(task):
    """Note in flash what is under way. A URL, which may have a thousand characters, is there only from then on."""
    url = task["url"] or ""
    task["url"] = bool(url)
    mark = "+" if task["again"] else "-"
    load("ota.report").note("%s %s%s\n%s\n" % (task["module"], task["sign"], mark, url))
    unload("ota.report")


def pause(update, problem):
    """Wait after a read that failed, longer after each in a row; what the platform has refused is asked for anew then.

    Where memory did not suffice what was begun goes, and the second time the connection of MQTT too. A generator.
    Raises `problem` when it was the last of the tries.
    """
    update.close()
    update.tries += 1
    if update.tries > _TRIES:
        raise problem
    if isinstance(problem, MemoryError):
        problem = AliotError("not enough memory", "update.memory")
    short = problem.code[-6:] == "memory"
    update.count += short
    if update.count > _TRIES:
        raise problem
    wait = 1 << update.tries
    fields = {"state": "waiting", "code": problem.code, "detail": problem.detail, "wait": wait}
    update.device.state("update", fields)
    end = uptime() + wait * 1000
    while uptime() < end:
        yield
    if short:
        shed(update)
        if update.tries > 1 and update.task["url"]:
            update.device.stop()
            update.alone = True
        yield  # it ends here
    if problem.retry == "later":
        update.stale = True
        update.updates.asked = uptime()
        while update.stale:
            yield


def shed(update):
    """What an update holds goes; its next step begins anew, with what is in flash."""
    update.close()
    update.data = b""
    if update.writer:
        update.writer.run.close()
        update.writer = None
    update.run = update.steps()
    clear()


def complete(update, size, digest):
    """All was taken: AliotError where it is not what the task says."""
    task = update.task
    if size != task["size"]:
        raise AliotError("bytes behind its last file", "update.form", "never")
    if digest.digest() != unhexlify(task["sign"]):
        raise AliotError("of the whole package", "update.digest", "never")
    report(update, 100)


def reset(update, writer):
    """The reset that begins the trial."""
    writer.switch(update.task["module"])
    load("ota.report").note("")
    _say(update, "reset")
    update.updates.call(update.updates.on_reset)
    update.device.stop()
    machine.reset()


def report(update, step):
    """Publish per cent, if the device is connected."""
    device = update.device
    params = {"step": str(step), "desc": ""}
    if update.task["module"] != "default":
        params["module"] = update.task["module"]
    try:
        device.publish(
            "/ota/device/progress/%s/%s" % (device.product_key, device.device_name),
            '{"id":"1","params":%s}' % json.dumps(params),
        )
    except (LinkError, ProtocolError):
        pass


def _say(update, state):
    task = update.task
    update.device.state("update", {"state": state, "release": task["version"], "size": task["size"]})
