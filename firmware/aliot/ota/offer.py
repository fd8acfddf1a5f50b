"""A package that the platform offers, as it begins and as it fails; application.md 5.3 and 5.4.

Loaded for these moments.
"""

import os

from aliot import load, unload
from aliot.errors import AliotError
from aliot.ota.updates import number

_DIGITS = {"md5": 32, "sha256": 64}  # of a digest in hex


def take(updates, data, pushed):
    """Begin with what `data` says, or go on with it; whether that was possible now."""
    update = updates.update
    if not data:  # there is nothing any more
        end(updates)
        load("ota.report").note("")
        updates.due = True
        return True
    try:
        task = read(data)
    except AliotError as problem:
        if pushed:
            updates.ask()  # it may have been damaged on its way
        elif not update:
            failed(updates, problem, data.get("module", "default"))
        return True
    again = pushed or updates.noted.endswith(" " + task["sign"] + "+")
    if update and update.task["sign"] == task["sign"] and (update.task["again"] or not pushed):
        task["again"] = update.task["again"]
        task.pop("digestsign")
        load("ota.progress").keep(task)
        unload("ota.progress")
        update.task = task
        update.stale = False
        return True
    if not updates.may():
        return False
    end(updates)
    if pushed or task["sign"] != updates.refused:
        task["again"] = again
        updates.update = load("ota.update").Update(updates, task)
    return True


def read(data):
    """What a package is, as a dict: module, version, size, sign (lower-case hex), digestsign, url or None, stream and
    file of blocks, and again: also where its trial has failed. AliotError `update.task` when something is missing.
    """
    files = data.get("files")
    one = data
    size, url, sign = "size", "url", "sign"
    if isinstance(files, list) and files:
        one = files[0]
        if len(files) > 1 or not isinstance(one, dict):
            raise AliotError("%d files instead of one" % len(files), "update.task", "never")
        size, url, sign = "fileSize", "fileUrl", "fileSign"
    task = {
        "module": data.get("module", "default"),
        "version": data.get("version"),
        "size": number(one.get(size)),
        "sign": str(one.get(sign) or one.get("md5") or one.get("fileMd5")).lower(),
        "digestsign": data.get("digestsign"),
        "url": one.get(url),
        "stream": -1,
        "again": True,
        "file": number(data.get("streamFileId", 1)),
    }
    if str(data.get("dProtocol")).lower() == "mqtt":
        task["stream"] = number(data.get("streamId"))
        task["url"] = None
    digits = _DIGITS.get(str(data.get("signMethod", "md5")).lower())
    missing = ""
    if not isinstance(task["version"], str) or not task["version"]:
        missing = "version"
    elif task["size"] <= 0:
        missing = "size"
    elif len(task["sign"]) != digits or [one for one in task["sign"] if one not in "0123456789abcdef"]:
        missing = "sign"
    elif not task["url"] and task["stream"] < 0:
        missing = "url"
    if missing:
        raise AliotError("there is no %s in it" % missing, "update.task", "never")
    return task


def failed(updates, problem, module="default"):
    """The package is no release: say so; the platform is told as soon as the device is connected."""
    if isinstance(problem, MemoryError):
        problem = AliotError("not enough memory", "update.memory", "never")
    elif isinstance(problem, OSError):
        problem = AliotError("error %s" % problem.args[0], "update.flash", "never")
    updates.device.state("error", {"code": problem.code, "detail": problem.detail, "advice": problem.advice})
    if updates.update:
        updates.refused = updates.update.task["sign"]
        module = updates.update.task["module"]
    code = problem.code
    step = -3 if code[0] == "u" else -2
    if code in ("update.task", "update.memory"):
        step = -1
    elif code in ("update.room", "update.flash"):
        step = -4
    updates.failure = step, "%s: %s" % (code, problem.detail), module
    end(updates)


def end(updates):
    """Nothing is under way any more."""
    if updates.update:
        updates.update.close()
        if updates.update.writer:
            updates.update.writer.run.close()
        updates.update = None
    try:
        os.remove("/ota/r/manifest")
    except OSError:
        pass
