"""Handshakes of iTLS that a client accepts and refuses."""

from binascii import a2b_base64
from aliot.errors import AliotError, TimedOut
from aliot.id2.codes import pad
from aliot.transport.itls.alerts import ItlsError
from id2_script import Counted, Server, Wire, plain, session
from scripted import raises, unhex
from itls_server import CHALLENGE, D003, handshake, refused, run, sized, verify_request

HEAP = "512K"  # recorded sessions, parsed
PADDING = b"\x10" * 16
EXTENSIONS = {"code": 0x2002, "premaster": 0x2003, "fragment": 0x0001}


def server_hello(
    recorded, version=b"\x03\x03", sid=b"", suite=0xD003, compression=0, length=0, tail=b"", **changes
):
    """The recorded ServerHello with other fields; `changes` names extensions: bytes, None to leave out, or
    a list.
    """
    data = recorded.record("in", 1)[5:]
    found = {}
    at = 44 + data[38]
    while at < len(data):
        size = data[at + 2] << 8 | data[at + 3]
        found[data[at] << 8 | data[at + 1]] = data[at + 4 : at + 4 + size]
        at += 4 + size
    block = changes.pop("before", b"")
    for name in ("fragment", "code", "premaster"):
        values = changes.get(name, found[EXTENSIONS[name]])
        for value in values if isinstance(values, list) else [values]:
            block += b"" if value is None else sized(EXTENSIONS[name], value)
    block += changes.get("after", b"")
    size = len(block) + length
    return handshake(
        2,
        version
        + data[6:38]
        + bytes((len(sid),))
        + sid
        + bytes((suite >> 8, suite & 255, compression, size >> 8, size & 255))
        + block
        + tail,
    )


def test_hellos_that_a_server_may_not_send():
    recorded = session(D003)
    for answer, alert in (
        (verify_request((0x2010, CHALLENGE), version=b"\x03\x02"), 70),
        (verify_request((0x2010, CHALLENGE), version=b"\x03\x04"), 70),
        (verify_request(), 50),
        (verify_request((0x2010, CHALLENGE), (0x2010, CHALLENGE)), 50),
        (verify_request((0x2010, CHALLENGE), (0x2012, b"x")), 50),
        (verify_request((0x2012, CHALLENGE)), 50),
        (verify_request((0x2010, CHALLENGE), tail=b"\0"), 50),
        (verify_request((0x2010, CHALLENGE), tail=b"\0\0\0\0"), 50),
        (verify_request((0x2010, CHALLENGE[:31])), 50),
        (verify_request((0x2010, CHALLENGE + b"A")), 50),
        (verify_request((0x2010, b"")), 50),
        (verify_request((0x2010, CHALLENGE[:31] + b"~")), 50),
        (verify_request((0x2010, CHALLENGE[:31] + b"\n")), 50),
        (verify_request((0x2010, CHALLENGE[:31] + b"\x80")), 50),
        (verify_request((0x2011, bytes(89))), 50),  # an identity for a device that has one
        (b"\x03\0\0\0", 70),
        (server_hello(recorded), 10),  # a challenge cannot be left out
        (b"\x00\0\0\0", 10),
        (b"\x03\xff\xff\xff", 10),
    ):
        refused(recorded, [("out", recorded.record("out", 0)), ("in", plain(22, answer))], alert)
        assert recorded.credential.quota.spent == 0


def test_a_challenge_is_opaque_printable_text():
    recorded = session(D003)
    for challenge in (b"!" * 32, b"}" * 32, b"a b" + b"c" * 29):
        problem, wire, stream = run(
            recorded, [("any", None), ("in", plain(22, verify_request((0x2010, challenge)))), ("any", None)]
        )
        assert b"~" + challenge + b"~" in wire.taken[1]


def test_server_hellos_that_are_refused():
    recorded = session(D003)
    good = recorded.row["derived"]["server_auth_code"].encode()
    secret = unhex(recorded.row["derived"]["encrypted_premaster_hex"])
    other = recorded.row["derived"]["client_auth_code"].encode()
    for changes, alert in (
        ({"version": b"\x03\x02"}, 70),
        ({"version": b"\x03\x04"}, 70),
        ({"suite": 0xD001}, 80),
        ({"suite": 0xD002}, 80),
        ({"suite": 0x00FF}, 80),
        ({"suite": 0x04D0}, 80),
        ({"suite": 0x009C}, 80),
        ({"compression": 1}, 50),
        ({"sid": bytes(33)}, 50),
        ({"fragment": b"\x01"}, 50),
        ({"fragment": b""}, 50),
        ({"fragment": b"\x02\x02"}, 50),
        ({"length": 1}, 50),
        ({"length": -1}, 50),
        ({"tail": b"\0"}, 50),
        ({"tail": b"\0\0\0\0"}, 50),
        ({"code": None}, 40),
        ({"code": b""}, 40),
        ({"code": good[:-1]}, 40),
        ({"code": good + b"="}, 40),
        ({"code": other}, 40),
        ({"code": [good, good]}, 50),
        ({"premaster": None}, 40),
        ({"premaster": b""}, 40),
        ({"premaster": secret[:48]}, 40),
        ({"premaster": secret + secret[48:]}, 40),
        ({"premaster": secret[:63]}, 40),
        ({"premaster": [secret, secret]}, 50),
        ({"premaster": [secret, b""]}, 50),
        ({"premaster": [b"", secret]}, 50),
        ({"after": sized(0x7777, b"") * 2}, 50),
        ({"after": b"\x77\x77\x00\x05x"}, 50),
    ):
        answer = server_hello(recorded, **changes)
        refused(recorded, Server(recorded).script()[:3] + [("in", plain(22, answer))], alert)


def test_a_cut_server_hello_is_refused_at_every_length():
    recorded = session(D003)
    body = recorded.record("in", 1)[9:]
    for size in range(len(body)):
        problem, wire, stream = run(
            recorded,
            Server(recorded).script()[:3] + [("in", plain(22, handshake(2, body[:size]))), ("any", None)],
        )
        assert isinstance(problem, ItlsError) and problem.alert in (50, 70, 80), size


def test_server_hellos_that_are_accepted():
    recorded = session(D003)
    for changes in (
        {},
        {"sid": bytes(32)},
        {"sid": b"\x01"},
        {"fragment": None},
        {"after": sized(0xFF01, b"\0")},
        {"before": sized(0x7777, b"anything") + sized(0x7778, b"")},
        {"suite": 0xD004},
    ):
        server = Server(recorded, server_hello(recorded, **changes))
        problem, wire, stream = run(recorded, server.script())
        assert problem is None, changes
    extensions = server_hello(recorded)[44:]
    swapped = extensions[5 + 138 :] + extensions[5 : 5 + 138] + extensions[:5]
    server = Server(recorded, server_hello(recorded)[:44] + swapped)
    assert run(recorded, server.script())[0] is None


def test_the_suites_of_the_2018_build_are_there_when_asked_for():
    recorded = session(D003)
    for suite in (0xD001, 0xD002):
        server = Server(recorded, server_hello(recorded, suite=suite))
        problem, wire, stream = run(
            recorded,
            server.script(("any", None), ("in", lambda wire: server.sealed(23, b"out"))),
            b"\xd0\x02\xd0\x01",
        )
        assert problem is None
        assert b"\x00\x06\xd0\x02\xd0\x01\x00\xff" in wire.taken[0]
        stream.write(b"in")
        assert server.opened(wire.taken[-1]) == (23, b"in")
        assert stream.read(3) == b"out"
        assert len(wire.taken[2]) == 5 + 16 + 48  # Finished with a MAC of 20 bytes


def test_a_premaster_made_of_known_blocks_is_refused():
    """The attack of id2.md 7.2, carried to its end: the server derives the keys that such a premaster
    leads to.
    """
    recorded = session(D003)
    unit = recorded.element
    secret = unhex(recorded.row["derived"]["encrypted_premaster_hex"])
    blocks = [secret[i : i + 16] for i in (0, 16, 32)]
    padding = secret[48:]
    known = []
    for name in ("client_auth_code", "server_auth_code"):
        proof = a2b_base64(recorded.row["derived"][name].encode()[-64:])
        known += [proof[:16], proof[16:32]]
    identity = unit.ecb_encrypt(pad(unit.get_id()))
    known += [identity[:16], identity[16:], padding]
    assert unit.ecb_encrypt(PADDING) == padding
    for block in known + [blocks[0]]:
        for at in (0, 1, 2):
            made = list(blocks)
            made[at] = block
            if made == blocks:
                continue
            encrypted = b"".join(made) + padding
            server = Server(
                recorded, server_hello(recorded, premaster=encrypted), unit.ecb_decrypt(encrypted)[:48]
            )
            refused(recorded, server.script()[:4], 40)
    for wrong in (known[0], b"\0" * 16, blocks[0]):
        server = Server(recorded, server_hello(recorded, premaster=b"".join(blocks) + wrong))
        refused(recorded, server.script()[:4], 40)


def test_handshake_messages_may_come_in_pieces_but_not_out_of_turn():
    recorded = session(D003)
    server = Server(recorded)
    script = server.script()
    message = server.server_hello
    pieces = [("in", plain(22, message[i : i + 7])) for i in range(0, len(message), 7)]
    assert run(recorded, script[:3] + pieces + script[4:])[0] is None
    warning = ("in", plain(21, b"\x01\x5a"))
    assert run(recorded, script[:3] + [warning] + pieces[:2] + [warning] + pieces[2:] + script[4:])[0] is None
    together = plain(22, message + handshake(20, bytes(12)))
    refused(recorded, script[:3] + [("in", together)], 10)
    refused(recorded, script[:3] + [("in", plain(22, message[:50]) + plain(23, message[50:]))], 10)
    refused(recorded, script[:3] + [("in", plain(22, handshake(20, bytes(12))))], 10)
    refused(recorded, script[:3] + [script[1]], 10)


def test_records_that_cannot_be():
    recorded = session(D003)
    for data, alert in (
        (b"\x16\x03\x01\x00\x04", 50),
        (b"\x16\x03\x03\x00\x00", 50),
        (b"\x16\x03\x03\x09\x31", 50),
        (b"\x16\x03\x03\xff\xff", 50),
        (plain(23, b"data"), 10),
        (plain(20, b"\x01"), 10),
        (plain(0, b"\x01"), 10),
        (plain(21, b"\x02\x28\x00"), 10),
        (plain(21, b"\x02"), 10),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", 50),
    ):
        refused(recorded, [("any", None), ("in", data)], alert)


def test_a_finished_in_clear_or_of_another_kind_is_refused():
    recorded = session(D003)
    server = Server(recorded)

    def clear(wire):
        server.agree(wire)
        return plain(22, server.finished_message)

    def longer(wire):
        server.agree(wire)
        return server.sealed(22, server.finished_message + b"\0")

    def as_data(wire):
        server.agree(wire)
        return server.sealed(23, server.finished_message)

    def mirrored(wire):
        server.agree(wire)
        return wire.taken[-1]

    for answer, alert in ((clear, 20), (longer, 10), (as_data, 10), (mirrored, 20)):
        problem, wire, stream = run(recorded, server.script()[:5] + [("in", answer), ("any", None)])
        assert isinstance(problem, ItlsError) and problem.alert == alert, answer
        assert server.opened(wire.writes[-1]) == (21, bytes((2, alert)))


def test_alerts_of_a_server_are_told_with_their_policy():
    recorded = session(D003)
    script = Server(recorded).script()
    policy = {160: "later", 166: "now", 173: "later"}
    for number in list(range(160, 179)) + [40, 0, 255]:
        for before in (1, 3, 5):
            problem, wire, stream = run(recorded, script[:before] + [("in", plain(21, bytes((2, number))))])
            assert isinstance(problem, ItlsError) and problem.code == "itls.%d" % number
            named = 160 <= number <= 178
            assert problem.retry == policy.get(number, "never" if named else "later"), number
            assert str(number) in problem.detail and problem.advice, number
            assert number == 165 or (problem.advice != ItlsError(40, "here").advice) == named, number
            assert len(wire.writes) == len(
                [direction for direction, data in script[:before] if direction == "any"]
            )  # no answer to it


def test_a_refusal_of_this_client_needs_no_words():
    assert (ItlsError(50, "").code, ItlsError(50).code) == ("itls", "itls.50")


def test_silence_ends_at_the_deadline():
    recorded = session(D003)
    script = Server(recorded).script()
    for size in (1, 3, 5):
        wire = Wire(script[:size], silent=True)
        stream = recorded.stream(wire)
        raises(TimedOut, stream.handshake)
        assert wire.closed == 1


def test_an_authentication_is_counted_before_it_is_made():
    recorded = session(D003)

    class Used(Counted):
        def spend(self):
            raise AliotError("used up", "id2.quota", "later")

    wire = Wire(Server(recorded).script()[:3])
    stream = recorded.stream(wire)
    recorded.credential.quota = Used()
    assert raises(AliotError, stream.handshake).code == "id2.quota"
    assert wire.closed == 1 and b"0~2~" not in b"".join(wire.writes)
