"""What a platform says about sub-devices, whatever it is: read without trust, and noted for the application."""

from micropython import const

_EVENTS = const(32)  # that may wait for poll()


def pairs(value):
    """[((ProductKey, DeviceName), item)] of a list of items, or of one; what is no item is left out."""
    found = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            name = (item.get("productKey"), item.get("deviceName"))
            if isinstance(name[0], str) and isinstance(name[1], str):
                found.append((name, item))
    return found


def note(gateway, event, name, code=0, detail=None):
    """Something that poll() is to tell, not in the middle of something else."""
    if len(gateway.events) < _EVENTS:
        gateway.events.append((event, name, code, detail))
    else:
        gateway.spilled += 1
