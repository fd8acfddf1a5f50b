"""What JSON holds, and what it does not; loaded when a value is neither a number nor a plain text."""


def sendable(value):
    """`value`, a bool as 0 or 1; ValueError for what is no JSON (application.md 2), or holds itself."""
    try:
        return _checked(value)
    except RuntimeError:  # of the stack
        raise ValueError("it is too deep for JSON, or holds itself")


def _checked(value):
    if value is True or value is False:
        return int(value)
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                raise ValueError("a name is text")
            _checked(name)
            _checked(value[name])
    elif isinstance(value, (list, tuple)):
        for one in value:
            _checked(one)
    elif isinstance(value, str):
        _text(value.encode())
    elif isinstance(value, float):
        if value - value != 0:
            raise ValueError("no number")
    elif value is not None and not isinstance(value, int):
        raise ValueError("JSON holds no %s" % type(value).__name__)
    return value


def _text(data):
    """ValueError for half a surrogate, which MicroPython encodes and UTF-8 does not hold."""
    at = data.find(b"\xed")
    while at >= 0:
        if data[at + 1] > 0x9F:
            raise ValueError("half a surrogate is no text")
        at = data.find(b"\xed", at + 1)
