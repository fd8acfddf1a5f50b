"""The list of a gateway's sub-devices (gateway.md 6.3), read as it comes in: it may be larger than the heap."""

from aliot import load
from aliot.gateway.errors import GatewayError
from aliot.alink import number
from aliot.gateway.replies import pairs
from micropython import const

_LISTED = const(50)  # at most without `each`
_KEPT = const(512)  # bytes; what is larger may be the list

_QUOTE = const(0x22)
_ESCAPE = const(0x5C)
_LONGEST = const(64)  # a text that matters has at most so many bytes


class Scanner:
    """Takes a reply in any pieces and calls `each(ProductKey, DeviceName)` for each pair in it."""

    def __init__(self, each):
        self.each = each
        self.fields = {}  # of the object that is open
        self.word = bytearray()
        self.inside = False  # in a text
        self.escaped = False
        self.key = None  # what the next text is the value of
        self.last = b""  # the text before this byte

    def feed(self, data):
        for byte in data:
            if self.inside:
                self._letter(byte)
            elif byte == _QUOTE:
                self.inside = True
                self.word = bytearray()
            elif byte == 0x3A:  # :
                self.key = self.last
            elif byte == 0x7D:  # }
                self._object()
            elif byte in b",[{":
                self.key = None

    def _letter(self, byte):
        if self.escaped:
            self.escaped = False
        elif byte == _ESCAPE:
            self.escaped = True
        elif byte == _QUOTE:
            self.inside = False
            self.last = bytes(self.word)
            if self.key in (b"productKey", b"deviceName"):
                self.fields[self.key] = self.last
            return
        if len(self.word) < _LONGEST:
            self.word.append(byte)

    def _object(self):
        if len(self.fields) == 2:
            try:
                self.each(self.fields[b"productKey"].decode(), self.fields[b"deviceName"].decode())
            except UnicodeError:
                pass
        self.fields = {}


class Tap:
    """A client's stream; a scanner sees the awaited reply if it is larger than the client keeps meanwhile.

    What else is so large gets as much room as ever.
    """

    deadline = None

    def __init__(self, gateway, client, scanner):
        self.gateway = gateway
        self.client = client
        self.stream = client.stream
        self.limit = client.limit
        self.scanner = scanner
        self.ours = None  # is the message that is coming in the reply? None: not known yet
        client.stream = self
        client.limit = _KEPT

    def undo(self):
        self.client.stream = self.stream
        self.client.limit = self.limit

    def readinto(self, view):
        client = self.client
        count = self.stream.readinto(view)
        if count and client.body is not None and client.size > _KEPT:
            at = client.size - client.left + count  # bytes of it that are there now
            if self.ours:
                self.scanner.feed(view[:count])
            elif self.ours is None:
                self._begin(client.body, at)
            if at == client.size:
                if self.ours:
                    self.gateway.reply = {"code": 200, "message": ""}  # a refusal is never so long
                self.ours = None
        return count

    def _begin(self, body, at):
        end = 2 + (body[0] << 8 | body[1])
        if at < end:
            return
        self.ours = bytes(body[2:end]) == (self.gateway.awaited or "").encode()
        if self.ours:
            self.scanner.feed(memoryview(body)[end:at])
        else:
            try:
                whole = bytearray(min(self.client.size, self.limit))
                whole[: len(body)] = body
                self.client.body = whole
            except MemoryError:
                pass  # it is dropped as one that is too large

    def write(self, data):
        self.stream.write(data)

    def ready(self, ms):
        return self.stream.ready(ms)

    def close(self):
        self.stream.close()


class Listing:
    """Counts what is listed and gives it on: to `each`, or the first of it into `found`."""

    problem = None  # what `each` raised, which must not come up in the middle of a packet

    def __init__(self, each):
        self.each = each
        self.count = 0
        self.found = []

    def take(self, product_key, device_name):
        self.count += 1
        if not self.each:
            if self.count <= _LISTED:
                self.found.append((product_key, device_name))
        elif not self.problem:
            try:
                self.each(product_key, device_name)
            except Exception as problem:
                self.problem = problem


def run(gateway, each, strict):
    """Give each(ProductKey, DeviceName) all that the platform lists; how many that were, or all, is the result."""
    listing = Listing(each)
    client = gateway.device.client
    gateway.loaded.append("request")
    tap = client and Tap(gateway, client, Scanner(listing.take))
    gateway.tail = "thing/topo/get"
    gateway.body = b'{"version":"1.0","method":"thing.topo.get","params":{}'
    try:
        load("gateway.request").run(gateway)
    finally:
        if tap:
            tap.undo()
    reply = gateway.reply
    gateway.reply = gateway.body = None
    code = number(reply.get("code"))
    if code != 200:
        raise GatewayError(code, str(reply.get("message")), "later" if code in (429, 500, 6760) else "never")
    for name, item in pairs(reply.get("data")):
        listing.take(*name)
    if listing.problem:
        raise listing.problem
    if not each and listing.count > _LISTED:
        raise GatewayError(
            "memory", "%d in the topology: they are listed one by one" % listing.count, "never"
        )
    gateway.result = listing.count if each else listing.found
    return False
