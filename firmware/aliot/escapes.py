"""Characters that a console must not see as they are; imported when a line of state has one."""


def escaped(text):
    """`text` of JSON with all that is not printable ASCII as \\u escapes."""
    return "".join([c if c < "\x7f" else _escape(ord(c)) for c in text])


def _escape(number):
    if number < 0x10000:
        return "\\u%04x" % number
    number -= 0x10000
    return "\\u%04x\\u%04x" % (0xD800 | number >> 10, 0xDC00 | number & 0x3FF)
