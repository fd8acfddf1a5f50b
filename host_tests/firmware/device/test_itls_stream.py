"""An open iTLS link as a stream (aliot.transport's contract; id2.md 4.7, 4.8)."""

import os
import socket

from aliot.errors import AliotError, Closed, LinkError, Reset, TimedOut
from aliot.ticks import Deadline
from aliot.transport import tls
from aliot.transport.itls import Stream, connect
from aliot.transport.itls.alerts import ItlsError
from id2_script import Credential, Draws, Patience, Server, Wire, plain, session
from scripted import raises, unhex

HEAP = "512K"  # recorded sessions, parsed
NAME = "aes128_id2_suite_D003"


def link(*script, **wire):
    """(open stream, its server, its wire); the script's functions get the server."""
    recorded = session(NAME)
    server = Server(recorded)
    script = [
        (direction, (lambda wire, data=data: data(server)) if callable(data) else data)
        for direction, data in script
    ]
    made = Wire(server.script(*script), **wire)
    stream = recorded.stream(made)
    stream.handshake()
    return stream, server, made


def data(*pieces):
    """Records of data as one thing to read."""
    return "in", lambda server: b"".join([server.sealed(23, piece) for piece in pieces])


def test_read_gives_exactly_what_is_asked_across_records():
    stream, server, wire = link(data(b"abc", b"", b"defg"), data(b"h"))
    assert stream.read(1) == b"a"
    assert stream.read(4) == b"bcde"
    assert stream.read(0) == b""
    assert stream.read(3) == b"fgh"
    raises(Closed, stream.read, 1)


def test_readinto_gives_what_is_there():
    stream, server, wire = link(data(b"abc"), data(b"", b""), silent=True)
    view = bytearray(2)
    assert stream.readinto(view) == 2 and view == b"ab"
    assert stream.readinto(memoryview(view)) == 1 and view == b"cb"
    assert stream.readinto(view) == 0 and stream.readinto(view) == 0


def test_ready_tells_of_buffered_bytes_and_never_of_half_a_record():
    recorded = session(NAME)
    server = Server(recorded)
    sealed = []

    def half(wire):
        sealed.append(server.sealed(23, b"xy"))
        return sealed[0][:30]

    wire = Wire(server.script(("in", half), ("any", None), ("in", lambda wire: sealed[0][30:])), silent=True)
    stream = recorded.stream(wire)
    stream.handshake()
    assert not stream.ready(0) and not stream.ready(1)  # half a record is no byte
    stream.write(b"go on")
    assert stream.ready(0) and stream.ready(5)
    assert stream.read(1) == b"x"
    assert stream.ready(0)
    assert stream.read(1) == b"y"
    assert not stream.ready(0)


class Flood:
    """A peer that never stops to send records that bring nothing; it gives up after 3000."""

    def __init__(self, server, kind, text):
        self.sealed = lambda: server.sealed(kind, text)
        self.held = b""
        self.sent = 0

    def readinto(self, view):
        if not self.held:
            self.sent += 1
            assert self.sent < 3000, "never ends"
            self.held = self.sealed()
        count = min(len(view), len(self.held))
        view[:count] = self.held[:count]
        self.held = self.held[count:]
        return count


def test_a_flood_of_nothing_holds_no_call_beyond_its_time():
    for kind, text in ((23, b""), (21, b"\x01\x5a")):
        stream, server, wire = link()
        flood = Flood(server, kind, text)
        wire.readinto = flood.readinto
        wire.ready = lambda ms: True
        assert stream.readinto(bytearray(1)) == 0 and flood.sent == 1
        assert not stream.ready(0) and flood.sent == 2
        assert not stream.ready(5)
        stream.deadline = Deadline(5)
        raises(TimedOut, stream.read, 1)


def test_a_write_is_split_at_1024_bytes_each_with_a_fresh_iv():
    stream, server, wire = link(*[("any", None)] * 5)
    text = bytes([i & 255 for i in range(2500)])
    stream.write(memoryview(text))
    stream.write(bytearray(b"x"))
    stream.write(b"")
    records = wire.taken[3:]
    assert len(records) == 4
    assert [len(server.opened(record)[1]) for record in records] == [1024, 1024, 452, 1]
    assert len({record[5:21] for record in wire.taken[2:]}) == 5


def test_a_server_may_send_2048_bytes_but_not_what_would_fill_the_heap():
    stream, server, wire = link(data(b"z" * 2048), data(b"z" * 2320), ("any", None))
    assert stream.read(2048) == b"z" * 2048
    assert raises(ItlsError, stream.read, 1).alert == 50


def damaged(server, change):
    """A record of b'secret' whose plain body (data, MAC, padding) `change` has altered, sealed again."""
    from cryptolib import aes

    body = server.own.seal(23, b"secret", bytes(16))
    opened = aes(server.own.key, 2, body[:16]).decrypt(body[16:])
    return plain(23, body[:16] + aes(server.own.key, 2, body[:16]).encrypt(change(opened)))


def test_wrong_padding_and_wrong_mac_cannot_be_told_apart():
    """b'secret', 32 bytes of MAC, 10 bytes of padding: one alert and one error whatever is wrong with
    them.
    """
    seen = set()
    for change in (
        lambda body: body[:-1] + b"\x00",
        lambda body: body[:-1] + b"\x08",
        lambda body: body[:-1] + b"\x0a",
        lambda body: body[:-1] + b"\x2f",
        lambda body: body[:-1] + b"\x30",
        lambda body: body[:-1] + b"\xff",
        lambda body: body[:-10] + b"\x08" + body[-9:],
        lambda body: body[:-3] + b"\x08" + body[-2:],
        lambda body: body[:6] + bytes((body[6] ^ 1,)) + body[7:],
        lambda body: body[:37] + bytes((body[37] ^ 1,)) + body[38:],
        lambda body: bytes((body[0] ^ 1,)) + body[1:],
    ):
        stream, server, wire = link(("in", lambda server: damaged(server, change)), ("any", None))
        problem = raises(ItlsError, stream.read, 1)
        assert server.opened(wire.taken[-1]) == (21, b"\x02\x14")
        seen.add((str(problem), problem.alert, problem.retry, len(wire.taken[-1])))
    assert len(seen) == 1
    stream, server, wire = link(("in", lambda server: damaged(server, lambda body: body)))
    assert stream.read(6) == b"secret"
    longest = lambda body: body[:38] + bytes((249,)) * 250
    stream, server, wire = link(("in", lambda server: damaged(server, longest)))
    assert stream.read(6) == b"secret"


def test_records_replayed_dropped_or_exchanged_are_refused():
    def twice(server):
        return server.sealed(23, b"one") * 2

    def exchanged(server):
        first = server.sealed(23, b"one")
        return server.sealed(23, b"two") + first

    def dropped(server):
        server.sealed(23, b"one")
        return server.sealed(23, b"two")

    for script, good in ((twice, b"one"), (exchanged, b""), (dropped, b"")):
        stream, server, wire = link(("in", script), ("any", None))
        assert stream.read(len(good)) == good
        assert raises(ItlsError, stream.read, 1).alert == 20
    recorded = session(NAME)
    server = Server(recorded)
    wire = Wire(server.script(("any", None), ("in", lambda wire: wire.taken[-1]), ("any", None)))
    stream = recorded.stream(wire)
    stream.handshake()
    stream.write(b"mine")
    assert raises(ItlsError, stream.read, 1).alert == 20


def test_an_open_link_takes_no_handshake_and_nothing_in_clear():
    for script, alert in (
        (lambda server: server.sealed(22, b"\x00\0\0\0"), 10),
        (lambda server: server.sealed(20, b"\x01"), 10),
        (lambda server: server.sealed(21, b"\x02"), 10),
        (lambda server: server.sealed(21, b"\x02\x28\x00"), 10),
        (lambda server: plain(21, b"\x02\x28"), 20),
        (lambda server: plain(21, b"\x01\x00"), 20),
        (lambda server: plain(23, b"data"), 20),
        (lambda server: plain(23, bytes(64)), 20),
        (lambda server: plain(23, bytes(65)), 20),
        (lambda server: plain(23, b"x")[:3] + b"\0\0", 50),
        (lambda server: b"\x17\x03\x02\x00\x40", 50),
    ):
        stream, server, wire = link(("in", script), ("any", None))
        problem = raises(ItlsError, stream.read, 1)
        assert problem.alert == alert and wire.closed == 1
        assert server.opened(wire.taken[-1]) == (21, bytes((2, alert)))
        raises(Closed, stream.read, 1)
        raises(Closed, stream.write, b"x")
        raises(Closed, stream.ready, 0)


def test_close_notify_is_a_closed_connection_and_answered():
    stream, server, wire = link(
        data(b"last"), ("in", lambda server: server.sealed(21, b"\x01\x00")), ("any", None)
    )
    assert stream.read(2) == b"la"
    raises(Closed, stream.read, 3)
    assert server.opened(wire.taken[-1]) == (21, b"\x01\x00")
    assert stream.read(2) == b"st"  # what came before is still there
    stream.close()
    assert wire.closed == 1


def test_a_fatal_alert_on_an_open_link_is_told():
    stream, server, wire = link(("in", lambda server: server.sealed(21, b"\x02\xa8")))
    problem = raises(ItlsError, stream.read, 1)
    assert (problem.code, problem.retry, len(wire.taken)) == ("itls.168", "never", 3)


def test_a_warning_is_passed_over():
    stream, server, wire = link(
        ("in", lambda server: server.sealed(21, b"\x01\x5a") + server.sealed(23, b"x"))
    )
    assert stream.read(1) == b"x"


def test_close_says_so_once_and_forgets_the_keys():
    stream, server, wire = link(("any", None))
    stream.close()
    stream.close()
    assert server.opened(wire.taken[-1]) == (21, b"\x01\x00")
    assert wire.closed == 1 and stream.keys is None
    raises(Closed, stream.read, 1)
    raises(Closed, stream.write, b"x")


def test_close_before_the_handshake_says_nothing():
    recorded = session(NAME)
    wire = Wire([])
    recorded.stream(wire).close()
    assert wire.closed == 1 and not wire.writes


def test_close_does_not_mind_a_dead_peer():
    stream, server, wire = link()

    def gone(data):
        raise Reset("gone")

    wire.write = gone
    stream.close()
    assert wire.closed == 1


def test_the_deadline_is_for_the_whole_of_a_read():
    stream, server, wire = link(data(b"abc"), silent=True, piece=1)
    raises(TimedOut, stream.read, 4)
    assert wire.deadline is stream.deadline
    stream.deadline = None
    stream.timeout = 1
    raises(TimedOut, stream.read, 4)
    assert isinstance(wire.deadline, Deadline)
    stream.deadline = Patience()
    assert stream.read(3) == b"abc"  # a silence takes nothing away


def test_over_tcp_silence_end_and_reset_are_three_errors():
    recorded = session(NAME)
    script = recorded.wire().script[:8]
    for end, kind in (("silence", TimedOut), ("end", Closed), ("reset", Reset)):
        client, peer = connected()
        peer.write(b"".join([data for direction, data in script if direction == "in"]))
        stream = Stream(
            tls.Stream(client, 200),
            Credential(recorded.product_key, recorded.element),
            Draws(*recorded.draws()),
        )
        stream.handshake()
        stream.write(unhex(recorded.row["records"][6]["plaintext_hex"]))
        assert stream.read(4) == b"\x20\x02\x00\x00"
        assert not stream.ready(0)
        if end != "reset":  # unread bytes make a reset of a close
            assert peer.recv(2000) == b"".join([data for direction, data in script if direction == "out"])
        if end != "silence":
            peer.close()
        raises(kind, stream.read, 1)
        stream.close()
        peer.close()


def connected():
    """(a socket that does not block, its peer's) over TCP."""
    listener = socket.socket()
    while True:
        port = 20000 + int.from_bytes(os.urandom(2), "little") // 2
        try:
            listener.bind(("127.0.0.1", port))
            break
        except OSError:
            pass
    listener.listen(1)
    client = socket.socket()
    client.connect(("127.0.0.1", port))
    client.setblocking(False)
    peer = listener.accept()[0]
    listener.close()
    return client, peer


def test_a_connection_that_cannot_be_made_is_told():
    assert raises(LinkError, connect, Credential("a1WO4Z9qHRw", None), "127.0.0.1", 1, 2000).code == "connect"
    assert (
        raises(LinkError, connect, Credential("a1WO4Z9qHRw", None), "no.such.host", 1883, 2000).code == "dns"
    )


def test_without_an_authentication_left_nothing_is_dialled():
    class Used:
        def check(self):
            raise AliotError("used up", "id2.quota", "later")

    credential = Credential("a1WO4Z9qHRw", None)
    credential.quota = Used()
    assert raises(AliotError, connect, credential, "no.such.host", 1883, 2000).code == "id2.quota"
