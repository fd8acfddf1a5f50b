"""The iTLS client against whole recorded sessions, byte for byte in both directions (id2.md 4 and 13)."""

from aliot.errors import AliotError, Closed, LinkError
from aliot.id2.provisioning import Provisioning
from aliot.transport.itls.alerts import ItlsError
from id2_script import Counted, Server, Session, Wire, part_of, session, sessions
from scripted import raises, unhex

HANDSHAKE = ("ClientHello", "HelloVerifyRequest", "ServerHello", "Finished")

HEAP = "512K"  # recorded sessions, parsed


def provisioning(recorded):
    if not recorded.otp:
        return None
    made = Provisioning(recorded.otp["product_secret"], recorded.otp["fingerprint_ascii"].encode())
    made.quota = Counted()
    return made


def play(recorded, piece=0):
    """Play a whole session; returns its wire."""
    wire = recorded.wire(piece)
    stream = recorded.stream(wire, provisioning(recorded))
    stream.handshake()
    held = b""
    for direction, data, row in recorded.records:
        if row["message"] == "ApplicationData":
            plain = unhex(row["plaintext_hex"])
            if direction == "in":
                assert stream.read(len(plain)) == plain
            elif len(plain) == 1024:
                held = plain  # the first part of a longer write
            else:
                stream.write(memoryview(held + plain))
                held = b""
    stream.close()
    stream.close()
    return wire


def attempt(recorded, records):
    """The error of a handshake over these records, or None when it was accepted; and the wire."""
    wire = Wire(records)
    stream = recorded.stream(wire, provisioning(recorded))
    try:
        stream.handshake()
    except AliotError as problem:
        assert wire.closed == 1
        raises(AliotError, stream.read, 1)
        raises(AliotError, stream.write, b"x")
        stream.close()
        return problem, wire
    return None, wire


def test_recorded_sessions_are_replayed_byte_for_byte():
    played = sessions()
    assert len(played) == 4
    for recorded in played:
        wire = play(recorded)
        assert not wire.wrong and not wire.script, recorded.row["name"]
        assert b"".join(wire.writes) == b"".join(
            [data for direction, data, row in recorded.records if direction == "out"]
        )
        assert recorded.credential.quota.spent == 1
        assert wire.closed == 1


def test_a_peer_that_sends_a_byte_at_a_time_is_understood():
    for recorded in sessions():
        wire = play(recorded, piece=1)
        assert not wire.wrong and not wire.script, recorded.row["name"]


def test_a_first_connect_keeps_the_identity_and_goes_on_with_it():
    recorded = session("otp_first_connect_then_D003")
    play(recorded)
    assert [kept.fields() for kept in recorded.kept] == [recorded.fields]
    assert recorded.element.fields() == recorded.fields


def test_published_server_variants_are_answered_as_advised():
    recorded = session("aes128_id2_suite_D003")
    cases = part_of("itls", "server_variants")["cases"]
    assert len(cases) == 9
    for row in cases:
        name = row["case"]
        if row["server_hello_record_hex"] is None:
            script = [("out", recorded.record("out", 0)), ("in", unhex(row["last_server_record_hex"]))]
        else:
            hello = unhex(row["server_hello_record_hex"])[5:]
            server = Server(recorded, hello, premaster(recorded, hello))
            script = server.script()
            if name == "server Finished wrong":
                script[-1] = ("in", server.wrong)
        script.append(("any", None))
        problem, wire = attempt(recorded, script)
        if row["recommended_client"].startswith("accept"):
            assert problem is None, name
            continue
        assert isinstance(problem, ItlsError) and isinstance(problem, LinkError), name
        assert (problem.code, problem.retry) == (
            ("itls.162", "never") if problem.alert == 162 else ("itls", "later")
        )
        expected = {
            "server auth code extension missing": 40,
            "server auth code wrong": 40,
            "server Finished wrong": 50,
            "identity unknown to the server: fatal alert 162 before any HelloVerifyRequest": 162,
        }
        assert problem.alert == expected.get(name, 40), name


def premaster(recorded, hello):
    """What keys a variant leads to: the premaster in it, or an empty one."""
    at = hello.find(b"\x20\x03\x00\x40")
    return recorded.element.ecb_decrypt(hello[at + 4 : at + 68])[:48] if at > 0 else b""


def test_the_alert_of_a_refusal_is_sent():
    recorded = session("aes128_id2_suite_D003")
    cases = {row["case"]: row for row in part_of("itls", "server_variants")["cases"]}
    server = Server(recorded, unhex(cases["server auth code wrong"]["server_hello_record_hex"])[5:])
    problem, wire = attempt(recorded, server.script()[:4] + [("any", None)])
    assert wire.writes[-1] == b"\x15\x03\x03\x00\x02\x02\x28"  # no keys yet: in clear
    server = Server(recorded)

    problem, wire = attempt(recorded, server.script()[:-1] + [("in", server.wrong), ("any", None)])
    assert problem.alert == 50
    assert server.opened(wire.writes[-1]) == (21, b"\x02\x32")


def flipped(recorded, number, at, bit):
    """The handshake's records with one byte of the n-th that the server sends changed; any write is taken."""
    script = []
    seen = -1
    for direction, data, row in recorded.records:
        if row["message"] not in HANDSHAKE:
            break
        if direction == "out":
            script.append(("any", None))
            continue
        seen += 1
        if seen == number:
            data = data[:at] + bytes((data[at] ^ bit,)) + data[at + 1 :]
        script.append(("in", data))
    return script + [("any", None)]


def test_a_handshake_with_any_byte_changed_is_never_accepted():
    for name in ("aes128_id2_suite_D003", "aes256_id2_suite_D004", "otp_first_connect_then_D003"):
        recorded = session(name)
        sent = [
            data
            for direction, data, row in recorded.records
            if direction == "in" and row["message"] in HANDSHAKE
        ]
        assert len(sent) == (4 if recorded.otp else 3)
        for number, data in enumerate(sent):
            for at in range(len(data)):
                again = Session(recorded.row) if recorded.otp else recorded
                problem, wire = attempt(again, flipped(recorded, number, at, 1 << (at + number) % 8))
                assert problem is not None, "%s: record %d, byte %d" % (name, number, at)


def test_a_handshake_cut_anywhere_is_a_closed_connection():
    recorded = session("aes128_id2_suite_D003")
    script = [
        ("any", None) if direction == "out" else ("in", data) for direction, data, row in recorded.records[:6]
    ]
    for number in (1, 3, 5):
        for size in range(len(script[number][1])):
            problem, wire = attempt(
                recorded, script[:number] + [("in", script[number][1][:size])] * (size > 0)
            )
            assert isinstance(problem, Closed)


def test_data_with_any_byte_changed_is_never_delivered():
    recorded = session("aes128_id2_suite_D003")
    script = recorded.wire().script[:7]
    data = recorded.record("in", 3)
    for at in range(len(data)):
        for bit in (1, 0x40):
            changed = data[:at] + bytes((data[at] ^ bit,)) + data[at + 1 :]
            wire = Wire(script + [("in", changed), ("any", None)])
            stream = recorded.stream(wire)
            stream.handshake()
            stream.write(unhex(recorded.row["records"][6]["plaintext_hex"]))
            raises(AliotError, stream.read, 1)
            assert stream.plain == b""
            raises(AliotError, stream.read, 1)
