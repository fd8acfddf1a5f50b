"""One accepted connection, down to the byte: TCP or TLS, counters, and the faults that shape what it sends.

TLS runs here over memory buffers, so that a fault can strike before, inside
and after the handshake, and a cut is exact to the byte of the plaintext (or
of the handshake). A handler (MQTT or HTTP) sits on top and sees plaintext.
"""

import asyncio
import contextlib
import socket
import ssl
import struct
from typing import Any

from tools.emulator.cloud.shapers import SHAPERS

LINGER_SECONDS = 1.0  # how long the end of the peer is awaited after our own FIN
BACKLOG = 4096  # connections that wait to be accepted
SEND_BACKLOG = 8 * 1024 * 1024  # a peer that lets this many bytes pile up is dropped
ALERT, FATAL = 0x15, 2  # first byte of a TLS record with an alert, and the alert's level


class Alert(Exception):
    """A finished handshake that is refused after all, with the TLS alert `number`; the text is for the log."""

    def __init__(self, number, reason):
        super().__init__(reason)
        self.number = number


class Handler:
    """What a `Link` carries. `received` gets plaintext; `lost` comes once, at the end."""

    def received(self, data: bytes) -> None:
        raise NotImplementedError

    def lost(self) -> None:
        pass


class Listener:
    """One listening port. `where` is its name in faults and log; `contexts` for TLS, None for TCP.

    `alerts` says whether a handshake that fails ends with a TLS alert.
    """

    alerts = True

    def __init__(self, where, make_handler, faults, journal, connect_seconds, contexts=None):
        self.where, self.make_handler, self.contexts = where, make_handler, contexts
        self.faults, self.journal, self.connect_seconds = faults, journal, connect_seconds
        self.links = set()
        self.accepted = self.handshakes = self.failed_handshakes = 0
        self.server = None

    @property
    def transport(self) -> str:
        return "tls" if self.contexts else "tcp"

    async def start(self, host: str, port: int) -> int:
        loop = asyncio.get_running_loop()
        # asyncio's backlog is also how often it tries in a row, each time in vain when no file can be opened any more
        self.server = await loop.create_server(lambda: self.connection(loop), host, port, backlog=1)
        for listening in self.server.sockets:
            with listening.dup() as same:
                same.listen(BACKLOG)
        return self.server.sockets[0].getsockname()[1]

    def connection(self, loop: asyncio.AbstractEventLoop) -> asyncio.Protocol:
        return Link(self, loop)

    def examine(self, tls: Any) -> object:
        """What a client has proved about itself in a finished handshake, here nothing; may raise `Alert`."""
        return None

    def stop(self) -> None:
        if self.server:
            self.server.close()
        for link in list(self.links):
            link.abort()


class Link(asyncio.Protocol):
    """A connection of `listener`. `traffic`, set by `identify`, is the account of the device behind it."""

    def __init__(self, listener, loop):
        self.listener, self.loop = listener, loop
        self.transport = self.tls = self.handler = self.deadline = None
        self.bytes_in = self.bytes_out = 0
        self.server_name = self.proof = None
        self.handshaken = self.ended = self.deaf = False
        self.shaper = self.raw_shaper = None
        self.traffic = None
        self.on_close = None
        self.backlog = SEND_BACKLOG

    # ---- the beginning

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.listener.links.add(self)
        self.listener.accepted += 1
        self.deadline = self.loop.call_later(self.listener.connect_seconds, self.expire)
        fault = self.take("accept")
        if fault and fault.kind == "delay":
            transport.pause_reading()
            self.loop.call_later(fault["ms"] / 1000, self.resume)
        elif fault:
            self.arm(fault)
        if not self.listener.contexts:
            self.handler = self.listener.make_handler(self)

    def resume(self) -> None:
        if not self.ended and not self.transport.is_closing():
            self.transport.resume_reading()

    def expire(self) -> None:
        """Close the link, since nobody has logged in or made a request in time."""
        if not self.deaf:
            self.listener.journal.event("expired", where=self.listener.where)
            self.abort()

    def settle(self) -> None:
        """Cancel the deadline for the login, since the handler knows the device."""
        self.deadline.cancel()

    def identify(self, traffic: Any) -> None:
        """Puts this connection on a device's account."""
        if self.traffic is None:
            self.traffic = traffic
            traffic.begin(self)

    def take(self, when: str, pk: str | None = None, dn: str | None = None, topic: str | None = None) -> Any:
        return (
            self.listener.faults.take(self.listener.where, when, pk, dn, topic)
            if self.listener.faults.armed
            else None
        )

    # ---- in

    def data_received(self, data: bytes) -> None:
        self.bytes_in += len(data)
        if self.deaf or self.ended:
            return
        if not self.listener.contexts:
            self.handler.received(data)
            return
        if self.tls is None and not self.hello():
            return
        self.incoming.write(data)
        if self.handshaken or self.shake():
            self.decrypt()

    def hello(self) -> bool:
        """The first bytes of a TLS client: chooses the certificate, arms what strikes in the handshake."""
        fault = self.take("handshake")
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = self.wrap(fault)
        if fault is None or fault.kind == "certificate":
            return True
        if fault.kind in SHAPERS:
            self.raw_shaper = SHAPERS[fault.kind](self, self.put, fault)
            return True
        self.arm(fault)
        return not (self.ended or self.deaf)

    def wrap(self, fault: Any) -> Any:
        """The server's end of TLS on this connection."""
        asked = fault["certificate"] if fault and fault.kind == "certificate" else None
        context = self.listener.contexts.get(asked)
        return context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    def shake(self) -> bool:
        try:
            self.tls.do_handshake()
            self.proof = self.listener.examine(self.tls)
        except ssl.SSLWantReadError:
            self.flush()
            return False
        except ssl.SSLError as error:
            return self.shake_failed(error.reason or str(error), getattr(error, "verify_message", None))
        except Alert as alert:
            self.outgoing.read()  # the server's last flight; without it the client takes an alert
            if self.tls.version() == "TLSv1.2" and self.listener.alerts:  # in plaintext, later ones do not
                self.send_raw(struct.pack("!BHHBB", ALERT, 0x0303, 2, FATAL, alert.number))
            return self.shake_failed("REFUSED", str(alert))
        self.flush()
        self.handshaken = True
        self.listener.handshakes += 1
        self.server_name = self.name()
        self.listener.journal.event(
            "handshake",
            where=self.listener.where,
            server_name=self.server_name,
            version=self.tls.version(),
            cipher=self.tls.cipher()[0],
        )
        self.handler = self.listener.make_handler(self)
        return True

    def shake_failed(self, reason: str, detail: str | None) -> bool:
        if not self.listener.alerts:
            self.outgoing.read()
        self.flush()
        self.listener.failed_handshakes += 1
        self.listener.journal.event(
            "handshake failed",
            where=self.listener.where,
            server_name=self.name(),
            reason=reason,
            detail=detail,
        )
        self.close()
        return False

    def name(self) -> str | None:
        return getattr(self.tls, "asked_name", None)

    def decrypt(self) -> None:
        while not self.ended and not self.deaf:
            try:
                data = self.tls.read(65536)
            except ssl.SSLWantReadError:
                self.flush()
                return
            except ssl.SSLError:
                data = b""
            if not data:
                self.close()
                return
            self.handler.received(data)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.ended = True
        self.deadline.cancel()
        self.listener.links.discard(self)
        if self.traffic is not None:
            self.traffic.end(self)
        if self.handler is not None:
            self.handler.lost()

    # ---- out

    def write(self, data: bytes) -> None:
        """Sends plaintext, through the fault that is armed."""
        if self.ended or self.deaf:
            return
        if self.shaper:
            self.shaper.write(data)
        else:
            self.emit(data)

    def emit(self, data: bytes) -> None:
        if self.ended or self.deaf:
            return
        if self.tls is None:
            self.put(data)
            return
        view = memoryview(data)
        with contextlib.suppress(ssl.SSLError):
            while view:
                view = view[self.tls.write(view) :]
        self.flush()

    def flush(self) -> None:
        if self.outgoing.pending:
            self.send_raw(self.outgoing.read())

    def send_raw(self, data: bytes) -> None:
        if self.raw_shaper:
            self.raw_shaper.write(data)
        else:
            self.put(data)

    def put(self, data: bytes) -> None:
        """Hands bytes to the socket."""
        if self.transport.is_closing():
            return
        self.bytes_out += len(data)
        self.transport.write(data)
        if self.transport.get_write_buffer_size() > self.backlog:
            self.listener.journal.event("too slow", where=self.listener.where)
            self.abort()

    # ---- faults

    def arm(self, fault: Any) -> bool:
        """Lets `fault` strike; returns whether the answer at its stage is still to be sent."""
        if fault.kind in SHAPERS:
            self.shaper = SHAPERS[fault.kind](self, self.emit, fault)
            return True
        endings = {"close": self.close, "reset": self.reset, "half_open": self.hang}
        if fault.kind in endings:
            endings[fault.kind]()
            return False
        return fault.kind != "silent"

    def hang(self) -> None:
        """Leave the link half open: the socket stays, and nothing more is sent or read."""
        self.deaf = True

    def end(self, how: str) -> None:
        {"close": self.cut, "reset": self.reset, "open": self.hang}[how]()

    # ---- the end

    def close(self) -> None:
        """Ends in good order, once what a fault holds back is out."""
        if self.ended or self.deaf:
            return
        for shaper in (self.shaper, self.raw_shaper):
            if shaper and shaper.busy():
                shaper.when_empty = self.close
                return
        if self.handshaken:
            with contextlib.suppress(ssl.SSLError):
                self.tls.unwrap()
            self.flush()
        self.cut()

    def cut(self) -> None:
        """FIN without a TLS goodbye; input is thrown away until the peer ends, so that no RST overtakes."""
        self.ended = True
        if self.transport.is_closing():
            return
        self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def reset(self) -> None:
        """End the connection with RST."""
        self.ended = True
        connection = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def abort(self) -> None:
        self.ended = True
        self.transport.abort()
