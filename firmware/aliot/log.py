"""One line of JSON per change of state, and a type that keeps a secret out of every line."""

import json

from aliot import load
from aliot.sign import hmac_hex

_known = []  # every secret this run has seen; a line is cleaned of them before it is printed


class Secret:
    """A text that prints as its last four characters; `reveal()` gives it whole."""

    def __init__(self, text):
        self._text = text
        if len(text) > 4 and text not in _known:
            _known.append(text)

    def reveal(self):
        return self._text

    def sign(self, method, text):
        """Lower-case hex of the HMAC of `text` under this secret (aliot.sign). A key of the chip's own does it too."""
        return hmac_hex(method, self._text, text)

    def __repr__(self):
        return "****" + (self._text[-4:] if len(self._text) > 8 else "")

    __str__ = __repr__


def clean(value):
    """`value` as text that holds no known secret; numbers, booleans and None stay what they are."""
    if value is None or isinstance(value, (int, bool)):
        return value
    if isinstance(value, (list, tuple)):
        return [clean(item) for item in value]
    value = str(value)
    for secret in _known:
        value = value.replace(secret, "****" + secret[-4:])
    return value


def line(state, fields):
    """The line for a state: `{"aliot":"connected",...}`, the other keys in sorted order, printable ASCII only."""
    text = '{"aliot":' + json.dumps(state)
    for name in sorted(fields):
        text += "," + json.dumps(name) + ":" + json.dumps(clean(fields[name]))
    text += "}"
    # MicroPython's json leaves DEL and what is not ASCII as it is: a terminal would obey some of that.
    if len(text.encode()) > len(text) or "\x7f" in text:
        text = load("escapes").escaped(text)
    return text


def report(state, fields):
    """Print the line of a state on the console."""
    print(line(state, fields))
