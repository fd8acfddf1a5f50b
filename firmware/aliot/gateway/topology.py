"""The list of a gateway's sub-devices (gateway.md 6.3), read as it comes in: it may be larger than the heap.

Imported when it is asked for.
"""

from aliot.gateway.codes import GatewayError
from aliot.gateway.items import pairs
from micropython import const

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
    """A client's stream; a scanner sees the awaited reply if it is larger than the client keeps."""

    deadline = None

    def __init__(self, client, requests, scanner):
        self.client = client
        self.stream = client.stream
        self.requests = requests
        self.scanner = scanner
        self.ours = None  # is the message that is coming in the reply? None: not known yet

    def readinto(self, view):
        client = self.client
        count = self.stream.readinto(view)
        if count and client.body is not None and client.size > client.limit:
            at = client.size - client.left + count  # bytes of it that are there now
            if self.ours:
                self.scanner.feed(view[:count])
            elif self.ours is None:
                self._begin(client.body, at)
            if at == client.size:
                if self.ours:
                    self.requests.reply = {"code": 200}  # a refusal is never so long
                self.ours = None
        return count

    def _begin(self, body, at):
        end = 2 + (body[0] << 8 | body[1])
        if at >= end:
            self.ours = bytes(body[2:end]) == (self.requests.topic or "").encode()
            if self.ours:
                self.scanner.feed(memoryview(body)[end:at])

    def write(self, data):
        self.stream.write(data)

    def ready(self, ms):
        return self.stream.ready(ms)

    def close(self):
        self.stream.close()


def topology(gateway, each):
    """Call each(ProductKey, DeviceName) for all that the platform lists; returns how many."""
    requests = gateway.requests
    client = gateway.device.client
    count = 0

    def counted(product_key, device_name):
        nonlocal count
        count += 1
        each(product_key, device_name)

    tap = client and Tap(client, requests, Scanner(counted))
    if tap:
        client.stream = tap
    try:
        reply = requests.ask(
            "thing/topo/get", bytearray(b'{"version":"1.0","method":"thing.topo.get","params":{}')
        )
    finally:
        if tap:
            client.stream = tap.stream
    code = requests.code()
    requests.reply = None
    if code != 200:
        raise GatewayError(code, str(reply.get("message")))
    for name, item in pairs(reply.get("data")):
        counted(*name)
    return count
