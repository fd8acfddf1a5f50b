"""A device's tags, which the console and rules see; application.md 9.

    tags.update(device, {"floor": "3", "room": "kitchen"})      merges
    tags.delete(device, "floor")

Both wait for the reply. ThingError 460 for a tag that cannot be, before anything is sent; the platform's codes;
`thing.silent`, `thing.handler`; LinkError. Without a Thing, tags.start(device) stands before the device connects.
"""

from aliot.thing.errors import ThingError
from aliot.thing.requests import of

_NAME = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"


def start(device):
    """Let the platform subscribe the device to its replies when it connects."""
    of(device)


def update(device, values, timeout=10000):
    """Set tags, a dict of texts: names of letters, digits and _, values of letters, digits, Chinese and `_ - .`"""
    params = []
    for name in values:
        value = values[name]
        _check(name)
        if not isinstance(value, str) or not value or not all([_fits(one) for one in value]):
            raise ThingError(460, "the value of tag " + name)
        params.append({"attrKey": name, "attrValue": value})
    _ask(device, "update", params, timeout)


def delete(device, *names, timeout=10000):
    """Delete tags by name; one that is not there is no error."""
    params = []
    for name in names:
        _check(name)
        params.append({"attrKey": name})
    _ask(device, "delete", params, timeout)


def _ask(device, what, params, timeout):
    if not 0 < len(params) <= 200:
        raise ThingError(460, "1 to 200 tags in a message")
    of(device).ask("thing/deviceinfo/" + what, params, timeout)


def _check(name):
    right = isinstance(name, str) and 0 < len(name) <= 64 and name[0] in _NAME
    if not right or not all([one in _NAME or "0" <= one <= "9" for one in name]):
        raise ThingError(460, "a tag's name: letters, digits and _")


def _fits(one):
    return one in _NAME or "0" <= one <= "9" or one in "-." or "\u4e00" <= one <= "\u9fff"
