"""Provisioning inside iTLS (id2.md 4.6)."""

from aliot.errors import AliotError
from aliot.id2.provisioning import EmptyElement, Provisioning
from id2_script import Counted, plain, session
from scripted import unhex
from itls_server import CHALLENGE, D003, refused, run, verify_request

HEAP = "512K"  # recorded sessions, parsed


def first_connect(keep):
    recorded = session("otp_first_connect_then_D003")
    recorded.element = EmptyElement(keep)
    asks = Provisioning(recorded.otp["product_secret"], recorded.otp["fingerprint_ascii"].encode())
    asks.quota = Counted()
    return recorded, asks


def test_an_identity_is_kept_before_anything_more_is_said():
    written = []
    recorded, asks = first_connect(lambda made: written.append(len(wire.writes)))
    wire = recorded.wire()
    stream = recorded.stream(wire, asks)
    stream.handshake()
    assert written == [1] and asks.quota.spent == 1


def test_an_identity_that_cannot_be_kept_is_not_used():
    def fails(made):
        raise AliotError("both media", "store", "later")

    recorded, asks = first_connect(fails)
    problem, wire, stream = run(recorded, recorded.wire().script[:2] + [("any", None)], None, asks)
    assert problem.code == "store" and not recorded.element.is_provisioned()
    assert wire.writes[1:] == [b"\x15\x03\x03\x00\x02\x02\x50"]


def test_answers_to_a_request_that_are_refused():
    response = unhex(session("otp_first_connect_then_D003").otp["otp_response_hex"])
    kept = []
    for answer in (
        verify_request((0x2010, CHALLENGE)),  # a challenge for nobody
        verify_request((0x2011, b"")),
        verify_request((0x2011, response[:-1])),
        verify_request((0x2011, response + b"\0")),
        verify_request((0x2011, response), (0x2010, CHALLENGE)),
        verify_request((0x2011, response[:24] + b"1" + response[25:])),
    ):
        recorded, asks = first_connect(kept.append)
        refused(recorded, [("any", None), ("in", plain(22, answer))], 50, asks)
    assert kept == []


def test_an_identity_is_asked_for_once_in_a_connection():
    recorded, asks = first_connect(lambda made: None)
    script = recorded.wire().script
    refused(recorded, script[:2] + [("any", None), script[1]], 50, asks)
    assert asks.quota.spent == 1


def test_a_device_with_an_identity_never_asks_for_one():
    recorded = session(D003)
    asks = Provisioning("i11abcdefghijklmnop0123456789ABC", b"demo-uid")
    asks.quota = Counted()
    problem, wire, stream = run(recorded, recorded.wire().script[:6], None, asks)
    assert problem is None and asks.quota.spent == 0


def test_requests_for_an_identity_are_capped():
    recorded, asks = first_connect(lambda made: None)

    class Used(Counted):
        def spend(self):
            raise AliotError("used up", "id2.quota", "later")

    asks.quota = Used()
    problem, wire, stream = run(recorded, [], None, asks)
    assert problem.code == "id2.quota" and len(wire.writes) <= 1 and b"\x20\x11" not in b"".join(wire.writes)
