"""A product's model, for checks before the platform's own: out of the table that tools/image/tsl.py makes of its TSL.

A value is what an application has, or what goes over the wire (application.md 2):

    bool    True, False, 0, 1    0 or 1
    date    ms since 1970        the same as text
    float, double                a multiple of `step`, from `min` on
    struct  a dict               array: a list; int, enum, text as they are

What the model does not allow is a ThingError with the platform's number (application.md 1.2) and a sentence; `model`
when there is no table, `damaged` when its bytes are none: a Thing looks at the CRC before it uses one. Identifiers of
a module are written `module:identifier`.
"""

from binascii import crc32
from struct import unpack_from

from aliot import load
from aliot.thing.errors import ThingError
from micropython import const

_MAGIC = b"TSL2"
_CHECKED = const(8)  # where what the CRC is of begins
_SLOTS = const(10)
_BLOCK = const(256)  # bytes that are read at once for the CRC
_LARGEST = const(8192)  # bytes of one feature
_LONG = const(1 << 63)
_DEEPEST = const(4)  # an array of structs, with a level to spare


def opened(thing):
    """The Model of a Thing; None where its table is damaged, which is a line of state, once."""
    model = Model(thing.path)
    if model.intact():
        return model
    thing.path = None
    load("thing.backlog").report(thing, ThingError("damaged", model.path))


class Model:
    """The table at `path`, which stays open; nothing of it but one feature at a time is in memory."""

    def __init__(self, path):
        self.path = path
        try:
            self.file = open(path, "rb")
            begin = self.file.read(_SLOTS)
        except OSError:
            raise ThingError("model", "there is no %s on this board" % path)
        if begin[:4] != _MAGIC or len(begin) < _SLOTS:
            raise ThingError("model", "%s is no table: make flash and make app turn a TSL into one" % path)
        self.crc, self.slots = unpack_from("<IH", begin, 4)

    def intact(self):
        """Whether the table is as it was made: its CRC. Reads all of it, some KB."""
        self.file.seek(_CHECKED)
        crc = 0
        while True:
            data = self.file.read(_BLOCK)
            if not data:
                return crc == self.crc
            crc = crc32(data, crc)

    def property_value(self, identifier, value):
        """A property's value for the wire."""
        return self._do(_property, identifier, value, False)

    def from_wire(self, identifier, value):
        """A value that the platform sets, for the application; one that is read only is refused with 460."""
        return self._do(_property, identifier, value, True)

    def event(self, identifier, params):
        """An event's outputs (a dict, which may lack some) for the wire."""
        return self._do(_event, identifier, params, False)

    def service_inputs(self, identifier, params):
        """A service's inputs from the wire, for the application; all of them have to be there."""
        return self._do(_service, identifier, params, True)

    def service_outputs(self, identifier, params):
        """A service's outputs for the wire; all of them have to be there, as the model has them."""
        return self._do(_service, identifier, params, False)

    def _do(self, work, identifier, value, back):
        if not isinstance(identifier, str):
            raise ValueError("a name is text")
        try:
            return work(self._feature, identifier, value, back)
        except (ThingError, MemoryError):
            raise
        except Exception:  # whatever bytes do that are no table
            raise ThingError("damaged", self.path)

    def _feature(self, section, identifier, number):
        """The bytes of a feature; ThingError `number` when the model has none of that name."""
        key = (section + identifier).encode()
        slot = crc32(key) % self.slots
        for _ in range(self.slots):
            self.file.seek(_SLOTS + 4 * slot)
            at = int.from_bytes(self.file.read(4), "little")
            if not at:
                break
            self.file.seek(at)
            begin = self.file.read(3 + len(key))
            if begin[2] == len(key) and begin[3:] == key:
                size = begin[0] | begin[1] << 8
                if not 0 < size <= _LARGEST:
                    raise ValueError
                return self.file.read(size)
            slot = (slot + 1) % self.slots
        raise ThingError(number, "the model has no %s" % identifier)


def _property(feature, identifier, value, back):
    if not identifier:
        raise ThingError(6321, "a property needs a name")
    body = feature("p", identifier, 6320)
    if back and not body[0]:
        raise ThingError(460, "%s is read only" % identifier)
    return _convert(body, 1, value, identifier, back)


def _event(feature, identifier, params, back):
    return _members(feature("e", identifier, 5160), 0, params, identifier, back)


def _service(feature, identifier, params, back):
    body = feature("s", identifier, 6313)
    at = 2 if back else 2 + (body[0] | body[1] << 8)
    return _members(body, at, params, identifier, back, True)


def _members(body, at, values, name, back, needed=False, depth=0):
    """The values of parameters or of a struct's members, whose definitions begin at `at`."""
    if not isinstance(values, dict):
        raise ThingError(6312, "%s: %s is no dict" % (name, _shown(values)))
    found = {}
    count = body[at]
    at += 1
    for _ in range(count):
        begin = at + 3 + body[at + 2]
        member = str(body[at + 3 : begin], "utf-8")
        if min(member) < " ":
            raise ValueError
        if member in values:
            found[member] = _convert(body, begin, values[member], name + "." + member, back, depth)
        elif needed:
            raise ThingError(6302, "%s: %s is missing" % (name, member))
        at = begin + (body[at] | body[at + 1] << 8)
    for member in values:
        if member not in found:
            raise ThingError(6303, "%s has no %s in the model" % (name, member))
    return found


def _convert(body, at, value, name, back, depth=0, number=0):
    """A value of the type whose definition begins at `at`; `number` is that of a wrong one, if it is not the type's."""
    kind = body[at]
    at += 1
    if kind == 105:  # i
        return _int(body, at, value, name, number)
    if kind in b"fd":
        return _float(body, at, value, name, number or (6307 if kind == 102 else 6322))
    if kind == 98:  # b
        if not isinstance(value, (int, bool)) or value not in (0, 1):
            _refuse(number or 6308, name, value, "True or False")
        return bool(value) if back else int(value)
    if kind == 101:  # e
        keys = unpack_from("<%di" % body[at], body, at + 1)
        if not _whole(value) or value not in keys:
            _refuse(number or 6309, name, value, "one of " + ", ".join([str(key) for key in keys[:20]]))
        return value
    if kind == 116:  # t
        most = body[at] | body[at + 1] << 8
        if not isinstance(value, str) or len(value.encode()) > most:
            _refuse(number or 6310, name, value, "text of at most %d bytes" % most)
        return value
    if kind == 109:  # m
        text = str(value) if _whole(value) else value
        if not isinstance(text, str) or not text.isdigit():
            _refuse(number or 6311, name, value, "a date in ms since 1970")
        return int(text) if back else text
    if depth >= _DEEPEST:
        raise ValueError
    if kind == 115:  # s
        return _members(body, at, value, name, back, False, depth + 1)
    if kind != 97:  # a
        raise ValueError
    return _array(body, at, value, name, back, depth + 1)


def _array(body, at, value, name, back, depth):
    most = body[at] | body[at + 1] << 8
    if not isinstance(value, (list, tuple)):
        _refuse(6328, name, value, "a list")
    if len(value) > most:
        raise ThingError(6324, "%s: %d elements are more than %d" % (name, len(value), most))
    found = []
    for item in value:
        found.append(_convert(body, at + 2, item, "%s[%d]" % (name, len(found)), back, depth, 6325))
    return found


def _int(body, at, value, name, number):
    low, high = unpack_from("<ii", body, at)
    if not _whole(value) or not low <= value <= high:
        _refuse(number or 6306, name, value, "an integer from %d to %d" % (low, high))
    return value


def _float(body, at, value, name, number):
    """With what is there of min (1), max (2) and step (4)."""
    given = body[at]
    at += 1
    low = high = step = None
    if given & 1:
        low = unpack_from("<d", body, at)[0]
        at += 8
    if given & 2:
        high = unpack_from("<d", body, at)[0]
        at += 8
    exact = _float_of(value)
    if exact is None or low is not None and exact < low or high is not None and exact > high:
        limits = ("" if low is None else " from %g" % low) + ("" if high is None else " up to %g" % high)
        _refuse(number, name, value, "a number" + limits)
    if given & 4:
        step = unpack_from("<d", body, at)[0]
        steps = (exact - (low or 0)) / step
        if abs(steps) < 1000000:  # as many as a chip's float tells apart
            exact = round((low or 0) + round(steps) * step, body[at + 8])
            exact = exact if high is None else min(exact, high)
    return float(exact)


def _float_of(value):
    """The float of a number, None of anything else and of what JSON has no number for."""
    try:
        value = float(value) if isinstance(value, float) or _whole(value) else None
    except OverflowError:
        return None
    return value if value is not None and value - value == 0 else None


def _whole(value):
    return isinstance(value, int) and value is not True and value is not False


def _refuse(number, name, value, wanted):
    raise ThingError(number, "%s: %s is not %s" % (name, _shown(value), wanted))


def _shown(value):
    """A number as it is, one of more than 64 bits and all else as what it is."""
    if isinstance(value, float) or isinstance(value, int) and -_LONG < value < _LONG:
        return str(value)
    return "text of %d bytes" % len(value.encode()) if isinstance(value, str) else type(value).__name__
