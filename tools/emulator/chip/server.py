"""The RFC 2217 server in front of a chip: one client at a time, and a wire as slow as asked for. asyncio."""

import asyncio
import contextlib
from collections import deque

from tools.emulator.chip.comport import ComPort, Port

_PIECE = 1024  # bytes that go over a limited wire in one go
_HIGH, _LOW = 32768, 8192
_FAREWELL = 5.0  # seconds in which a client that is not served can read why
BUSY = b"Port already in use\r\n"
FOREIGN = b"This is a serial port by RFC 2217: say rfc2217://, as for esptool and mpremote\r\n"


class Server:
    """Serves `chip` on host and port. `limit`: bits a second of the wire, None for as fast as the machine."""

    def __init__(self, chip, limit=None, busy=False, renumber=False):
        self.chip = chip
        self.limit = limit
        self.busy = busy  # a fault: as if somebody else had the port
        self.renumber = renumber  # whether it comes back under another number after it went away
        self.port = None
        self.connection = None
        self._server = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listens; the port that was taken is in `port`. OSError when it cannot be had."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), host, port)
        self.port = self._server.sockets[0].getsockname()[1]
        self.chip.transmit = self._transmit
        self.chip.detach = self._detach
        self.chip.later = loop.call_later
        return self.port

    async def stop(self) -> None:
        """Closes the connection and the listening socket."""
        self.drop()
        if self._server:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    def drop(self) -> None:
        """The port goes away under its client."""
        if self.connection is not None:
            self.connection.abort()

    def _detach(self):
        self.drop()
        if self.renumber:
            asyncio.ensure_future(self._move())

    async def _move(self):
        old = self._server
        await self.start(old.sockets[0].getsockname()[0])
        old.close()

    def _transmit(self, data):
        if self.connection is not None:
            self.connection.transmit(data)


class Connection(asyncio.Protocol, Port):
    """One client."""

    def __init__(self, server):
        self._server = server
        self._chip = server.chip
        self._transport = None
        self._option = None
        self._loop = asyncio.get_running_loop()
        self._in, self._out = Line(self._loop, server.limit), Line(self._loop, server.limit)

    # --- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        if self._server.connection is not None or self._server.busy or self._chip.state == "off":
            self._refuse(BUSY)
            return
        self._server.connection = self
        self._option = ComPort(self)
        self._in.deliver = self._received
        self._out.deliver = self._put
        self._reply()

    def connection_lost(self, error: Exception | None) -> None:
        self._leave()

    def _refuse(self, reason):
        """Tell the client why it is not served, and hear no more of it."""
        self._option = None
        self._transport.write(reason)
        with contextlib.suppress(OSError):  # a client that is gone already
            self._transport.write_eof()
        self._loop.call_later(_FAREWELL, self._transport.abort)

    def _leave(self):
        """The chip has no client any more, if it was this one."""
        self._in.clear()
        self._out.clear()
        if self._server.connection is self:
            self._server.connection = None
            self._chip.set_lines(dtr=False, rts=False)

    def data_received(self, data: bytes) -> None:
        if self._option is None:
            return
        payload = self._option.feed(data)
        if self._option.foreign:
            self._leave()
            self._refuse(FOREIGN)
            return
        self._reply()
        self._out.hold(self._option.suspended)
        if payload:
            self._in.put(payload, self._option.baud)
            if self._in.waiting > _HIGH:
                self._transport.pause_reading()

    def abort(self) -> None:
        """Cut the connection now."""
        if self._transport is not None:
            self._transport.abort()
        if self._server.connection is self:
            self._server.connection = None

    # --- between network and chip

    def transmit(self, data: bytes) -> None:
        """Bytes from the chip."""
        self._out.put(data, self._option.baud)

    def _received(self, data):
        self._chip.receive(data)
        if self._in.waiting < _LOW and not self._transport.is_closing():
            self._transport.resume_reading()

    def _put(self, data):
        if not self._transport.is_closing():
            self._transport.write(ComPort.escape(data))

    def _reply(self):
        if self._option.replies:
            self._transport.write(bytes(self._option.replies))
            self._option.replies.clear()

    # --- what the option asks of the port

    def set_baud(self, rate: int) -> int:
        self._chip.set_baud(rate)
        return rate

    def set_lines(self, dtr: bool | None = None, rts: bool | None = None) -> None:
        self._chip.set_lines(dtr, rts)

    def purge(self, received: bool, transmitted: bool) -> None:
        if received:
            self._out.clear()
        if transmitted:
            self._in.clear()


class Line:
    """Bytes on their way in one direction: each piece is delivered when its last bit has arrived."""

    def __init__(self, loop, limit):
        self._loop = loop
        self._wire = Wire(limit)
        self._queue = deque()
        self._timer = None
        self._held = False
        self.deliver = None
        self.waiting = 0

    def put(self, data: bytes, baud: int) -> None:
        """Bytes that are ready to go at this moment."""
        if self._wire.limit is None and not self._held and not self._queue:
            self.deliver(data)
            return
        now = self._loop.time()
        for at in range(0, len(data), _PIECE):
            piece = data[at : at + _PIECE]
            self._queue.append((piece, now, baud))
            self.waiting += len(piece)
        self._next()

    def hold(self, held: bool) -> None:
        """Keep back what is ready, or let it go on."""
        self._held = held
        if not held:
            self._next()

    def clear(self) -> None:
        """Drop what has not arrived yet."""
        self._queue.clear()
        self.waiting = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _next(self):
        if self._timer is None and self._queue and not self._held:
            piece, ready, baud = self._queue[0]
            self._timer = self._loop.call_at(self._wire.carry(len(piece), ready, baud), self._arrived)

    def _arrived(self):
        self._timer = None
        piece, _, _ = self._queue.popleft()
        self.waiting -= len(piece)
        self.deliver(piece)
        self._next()


class Wire:
    """How long bytes take on a serial wire, in one direction: ten bits a byte, one after the other.

    `limit` is the fastest rate in bits a second, None for no limit at all.
    """

    BITS = 10  # start, eight data bits, stop

    def __init__(self, limit=None):
        self.limit = limit
        self.free_at = 0.0  # when the last byte taken has left the wire
        self.carried = 0  # bytes

    def carry(self, count, now, baud):
        """Take `count` bytes at time `now` (seconds); the time at which the last of them has arrived."""
        self.carried += count
        if self.limit is None:
            return now
        self.free_at = max(self.free_at, now) + count * self.BITS / min(baud, self.limit)
        return self.free_at
