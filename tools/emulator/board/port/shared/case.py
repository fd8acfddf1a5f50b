"""Runs the functions of a device test, one for each line that the host sends."""

import io
import json
import sys

import _chip


class Vectors:
    """The published vectors of a file as {name: vector}, each read when it is asked for."""

    def __init__(self, file="vectors.json"):
        self._folder = _chip.settings["vectors"] + "/" + file + "/"

    def keys(self):
        with _chip.open(self._folder + "names") as file:
            for line in file:
                yield line.decode().rstrip("\n")

    __iter__ = keys

    def __getitem__(self, name):
        for at, known in enumerate(self.keys()):
            if known == name:
                return self._read(at)
        raise KeyError(name)

    def items(self):
        for at, name in enumerate(self.keys()):
            yield name, self._read(at)

    def values(self):
        for _, vector in self.items():
            yield vector

    def _read(self, at):
        with _chip.open(self._folder + str(at)) as file:
            return json.load(file)


def run(module):
    """Answer each request with a line that begins with 0x1E: `null`, or the traceback as a string.

    A request is [function, row, value]: with `row` a number, the arguments are
    that row of the module's TABLES; with `value` not null, it is the argument.
    """
    failed = _traced(__import__, module)
    loaded = sys.modules.get(module)
    while True:
        line = _chip.read_line()
        if not line:
            return
        name, row, value = json.loads(line)
        answer = failed or _traced(_call, loaded, name, row, value)
        _chip.write(b"\x1e" + json.dumps(answer).encode() + b"\n")


def _call(module, name, row, value):
    arguments = ()
    if row is not None:
        arguments = module.TABLES[name][row]
        if not isinstance(arguments, (tuple, list)):
            arguments = (arguments,)
    elif value is not None:
        arguments = (value,)
    getattr(module, name)(*arguments)


def _traced(call, *arguments):
    try:
        call(*arguments)
    except BaseException as error:
        out = io.StringIO()
        sys.print_exception(error, out)
        return out.getvalue() or repr(error)
