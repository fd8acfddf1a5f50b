"""One line of JSON per change of state, and a type that keeps a secret out of every line."""

import json

_MASK = "****"
_known = []  # every secret this run has seen; a line is cleaned of them before it is printed


class Secret:
    """A text that prints as its last four characters; `reveal()` gives it whole."""

    def __init__(self, text):
        self._text = text
        if len(text) > 4 and text not in _known:
            _known.append(text)

    def reveal(self):
        return self._text

    def __str__(self):
        return _MASK + (self._text[-4:] if len(self._text) > 8 else "")

    def __repr__(self):
        return self.__str__()

    def __eq__(self, other):
        return isinstance(other, Secret) and other._text == self._text


def clean(value):
    """`value` as text that holds no known secret; numbers, booleans and None stay what they are."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, (list, tuple)):
        return [clean(item) for item in value]
    text = str(value)
    for secret in _known:
        text = text.replace(secret, _MASK + secret[-4:])
    return text


def line(state, fields):
    """The line for a state: `{"aliot":"connected",...}`, the other keys in sorted order."""
    parts = ['{"aliot":' + json.dumps(state)]
    for name in sorted(fields):
        parts.append(json.dumps(name) + ":" + json.dumps(clean(fields[name])))
    return ",".join(parts) + "}"


def state(name, **fields):
    """Print the line of a state on the console."""
    print(line(name, fields))


def error(name, problem):
    """Print the line of a state that an error caused: its code, detail, retry class and advice."""
    code = getattr(problem, "code", None)
    if code is None:
        state(name, code=type(problem).__name__, detail=problem)
    else:
        state(name, code=code, detail=problem.detail, retry=problem.retry, advice=problem.advice)
