"""What JSON holds, and what it does not; loaded when a value is neither a number nor a text."""


def sendable(value):
    """`value`, a bool as 0 or 1; ValueError for what is no JSON (application.md 2)."""
    if value is True or value is False:
        return int(value)
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                raise ValueError("a name is text")
            sendable(value[name])
    elif isinstance(value, (list, tuple)):
        for one in value:
            sendable(one)
    elif isinstance(value, float):
        if value - value != 0:
            raise ValueError("no number")
    elif value is not None and not isinstance(value, (int, str)):
        raise ValueError("JSON holds no %s" % type(value).__name__)
    return value
