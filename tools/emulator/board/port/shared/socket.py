"""The chip's `socket`: lwIP's limits and error numbers, and names that lead to the emulated cloud.

The file that the setting "routes" names holds a line for each host:
`address name port=host:port ...`. A name may begin with `*` (one label). What
no line names does not resolve, and only the line's ports answer.
"""

import time

import _chip

AF_INET = 2
AF_INET6 = 10
SOCK_STREAM = 1
SOCK_DGRAM = 2
SOCK_RAW = 3
IPPROTO_IP = 0
IPPROTO_TCP = 6
IPPROTO_UDP = 17
SOL_SOCKET = 0xFFF
SO_REUSEADDR = 4
SO_BROADCAST = 32
TCP_NODELAY = 1

_LIMIT = 10  # sockets, CONFIG_LWIP_MAX_SOCKETS
_SLICE = 100  # ms: the chip waits in slices and rounds a timeout up to the next
# Linux's numbers and the chip's, in turn
_NUMBERS = b"\x62\x70\x65\x72\x67\x71\x6a\x7f\x6b\x80\x6e\x74\x71\x76\x72\x78\x73\x77"
_OPTIONS = b"\x01\x04\x20"  # what is known of TCP_NODELAY, SO_REUSEADDR and SO_BROADCAST,
_LEVELS = b"\x06\x01\x01"  # and Linux's levels
_LINUX = b"\x01\x02\x06"  # and options
_air = "air" in _chip.settings  # a radio stands between
_open = [0, 0, 0]  # sockets, TLS connections, those with a client certificate


def getaddrinfo(host, port, *_):
    """As on the chip: one row, whose last item is (address, port); OSError(-202) when the name is unknown."""
    return [(AF_INET, SOCK_STREAM, 0, host, (_resolve(host), int(port)))]


def _resolve(host):
    if host.replace(".", "").isdigit():
        return host
    if _chip.linked():
        for row in _routes():
            if row[1] == host or row[1][0] == "*" and host.partition(".")[2] == row[1][2:]:
                return row[0]
    raise OSError(-202)


def _routes():
    if "routes" in _chip.settings:
        with _chip.open(_chip.settings["routes"]) as file:
            for line in file:
                yield line.decode().split()


def _route(address):
    """The host's (address, port) behind the chip's; OSError when nothing is there."""
    host, port = _resolve(address[0]), address[1]
    if host[:4] == "127.":
        return _chip.address(host, port)
    if not _chip.linked():
        raise OSError(118)
    for row in _routes():
        if row[0] == host:
            for route in row[2:]:
                at, _, there = route.partition("=")
                if int(at) == port:
                    there, _, at = there.partition(":")
                    return _chip.address(there, int(at))
            raise OSError(111)
    raise OSError(118)


_PLAIN = ("listen", "readline", "recv", "recvfrom", "send")  # calls of the host's socket as they are


class socket(_chip.Stream):
    """One of at most ten. A timeout below 100 ms reads as "would block" when it is over, as on the chip."""

    key = 0  # 1: it carries TLS, 2: with a client certificate
    locked = False  # the C heap has no room for packets

    def __init__(self, family=AF_INET, kind=SOCK_STREAM, proto=0, raw=None):
        self._raw = None
        if _open[0] >= _LIMIT:
            raise OSError(23)
        if _chip.heaps:
            _chip.heaps.state()
        self._raw = raw or _chip.raw_socket(family, kind)
        _open[0] += 1
        _chip.latest = self
        self._new = raw is None and kind == SOCK_STREAM
        self.settimeout(None)

    def close(self):
        if self._raw:
            _open[0] -= 1
            if self.key:
                _open[self.key] -= 1
            self._raw.close()
            self._raw = None

    def connect(self, address):
        where = _route(address)
        self._do("connect", where)
        self._new = False

    def bind(self, address):
        self._do("bind", _chip.address(address[0] or "0.0.0.0", address[1]))
        self._new = False

    def accept(self):
        raw, peer = self._do("accept")
        return socket(raw=raw), peer

    def read(self, size=-1):
        return self._do("read", *(() if size < 0 else (size,)))

    def readinto(self, buffer, size=None):
        return self._do("readinto", buffer) if size is None else self._do("readinto", buffer, size)

    def write(self, data, *size):
        if size:
            data = memoryview(data)[: size[0]]
        return self._do("write", data)

    def sendall(self, data):
        self.write(data)

    def sendto(self, data, address):
        return self._do("sendto", data, _route(address))

    def setsockopt(self, level, option, value):
        at = _OPTIONS.find(bytes((option,)))
        if at < 0:
            print("Warning: lwip.setsockopt() option not implemented")
            return
        self._do("setsockopt", _LEVELS[at], _LINUX[at], value)

    def settimeout(self, seconds):
        self._ms = -1 if seconds is None else int(seconds * 1000)
        if self._ms == 0:
            self._raw.setblocking(False)
        else:
            self._raw.setblocking(True)
            self._raw.settimeout(None if seconds is None else self._wait() / 1000)

    def setblocking(self, flag):
        """Also clears the timeout, as on the chip."""
        self.settimeout(None if flag else 0)

    def tls(self, key):
        """TLS begins over it, `key` being 1 with a client certificate: its memory is taken until the socket closes.

        What becomes of the handshake for lack of memory, as `memory.Memory.connect` says it.
        """
        error = _chip.heaps and _chip.heaps.state(False, key).error
        self.key = 1 + key
        _open[self.key] += 1
        self.locked = error is False
        return error

    def __getattr__(self, name):
        if name not in _PLAIN:
            raise AttributeError(name)
        return lambda *arguments: self._do(name, *arguments)

    def makefile(self, *_):
        return self

    def fileno(self):
        return self._raw.fileno() if self._raw else -1

    def ioctl(self, request, argument):
        if request == 4:
            self.close()
            return 0
        if request == 10 and self._raw and not self.locked and "air" not in _chip.settings:
            return self._raw.fileno()  # the host itself waits, where no radio stands between
        if request != 3:
            return -22
        if not self._raw:
            return 0x20
        if self.locked:
            return 0
        if not _chip.linked() and self._far():
            return argument & 4
        return _chip.poll(self._raw, argument)

    def _wait(self):
        return (self._ms // _SLICE + 1) * _SLICE

    def _do(self, name, *arguments):
        if not self._raw:
            raise OSError(9)
        if self._new:
            if name[:4] in ("read", "recv"):
                raise OSError(128)
            if self.locked and not self._cross(name):
                return None
        elif (self.locked or _air and self._far()) and not self._cross(name):
            return None
        try:
            return getattr(self._raw, name)(*arguments)
        except OSError as error:
            raise OSError(self._number(error))

    def _far(self):
        """Does this connection leave the board by radio."""
        return "wired" not in _chip.settings

    def _cross(self, name):
        """Wait for packets as long as the timeout lets; False when a stream would block."""
        if name not in ("read", "readinto", "readline", "recv", "recvfrom", "write", "send", "accept"):
            return True
        started = time.ticks_ms()
        while self.locked or not _chip.linked():
            if self._ms == 0 and name in ("read", "readinto", "readline", "write"):
                return False
            if self._ms == 0:
                raise OSError(11)
            if self._ms > 0 and time.ticks_diff(time.ticks_ms(), started) >= self._wait():
                raise OSError(116)
            time.sleep_ms(10)
        return True

    def _number(self, error):
        number = error.args[0]
        if number in (11, 110) and self._ms != 0:
            return 11 if 0 < self._ms < _SLICE else 116
        at = _NUMBERS.find(bytes((number,)))
        return _NUMBERS[at + 1] if at >= 0 and at % 2 == 0 else number
