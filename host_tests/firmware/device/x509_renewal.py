"""A new certificate on a board: it takes over once it has connected, and the old one serves till then.

host_tests/system/x509/test_device.py gives each function what it needs."""

import aliot.device
from aliot import record
from aliot.errors import Closed, LinkError, StoreError, TlsError
from aliot.x509 import X509Error, renewal
from scripted import CLOSED, raises, unhex
from scripted_x509 import ACCEPTED, Broken, MEDIA, Platform, WHO, again, blank, fields, kept, last, on, push


def offered(made, pair):
    renewal.offer(made, unhex(pair[0]), unhex(pair[1]))


def renewing(made_by, *scripts, who=WHO):
    """(board, platform): a board that is connected with its old certificate and was offered a new one."""
    blank(fields(made_by["good"]))
    Platform()
    board = on()
    assert board.poll(0)
    platform = Platform(*scripts, who=who)
    offered(board, made_by["other"])
    board.stop()
    return board, platform


def test_a_new_certificate_takes_the_place_of_the_old_one_once_it_has_connected(made_by):
    board, platform = renewing(made_by)
    assert kept("renewed") == [None, None]
    assert again(board)
    assert platform.shown == [unhex(made_by["other"][0])] and platform.login()[0] == ".|securemode=2|"
    assert last(board, "certificate")["slot"] == "renewed"
    one, other = kept("renewed")
    assert one == other and record.decode(one)[2][record.PRIVATE_KEY] == unhex(made_by["other"][1])
    platform = Platform()
    board = on()
    assert board.poll(0) and platform.shown == [unhex(made_by["other"][0])]
    assert platform.login()[1] == "sensor-01&a1X509ProdK"
    offered(board, made_by["third"])  # and another one after it
    board.stop()
    assert again(board) and platform.shown[-1] == unhex(made_by["third"][0])
    assert aliot.load("x509.slots").Slots(100).read("renewed")[1][record.CERTIFICATE] == unhex(
        made_by["third"][0]
    )


def test_a_new_certificate_that_is_refused_leaves_the_old_one_in_use_at_once(made_by):
    for script, why in (
        (b"\x20\x02\0\5", "mqtt.5"),
        (TlsError("TLS handshake", "tls.alert"), "tls.alert"),
        (Closed("by the peer"), "closed"),
        (ACCEPTED, "x509.push"),
        (ACCEPTED + push("a1X509ProdK", "sensor-07"), "x509.identity"),
    ):
        board, platform = renewing(made_by, script)
        assert not again(board)
        state, reported = board.states[-1]
        assert (
            state == "error"
            and reported["code"] == "x509.trial"
            and why in reported["detail"]
            and reported["advice"]
        )
        assert reported["wait"] <= 2
        assert again(board) and platform.shown[-1] == unhex(made_by["good"][0])
        assert platform.login()[1] == "sensor-01&a1X509ProdK"  # an ordinary reconnect
        assert kept("renewed") == [None, None]
        platform.streams[-1].end = CLOSED
        while board.poll(0):
            pass
        assert again(board) and platform.shown[-1] == unhex(made_by["other"][0])  # it has another try
        assert last(board, "certificate")["slot"] == "renewed"


def test_a_network_fault_takes_no_turn_away(made_by):
    board, platform = renewing(made_by, LinkError("no", "connect"), LinkError("no", "dns"))
    assert not again(board) and not again(board)
    assert again(board) and platform.shown[-1] == unhex(made_by["other"][0])
    assert last(board, "certificate")["slot"] == "renewed"


def test_where_the_old_one_is_dead_both_are_tried_in_turn(made_by):
    refused = b"\x20\x02\0\5"
    board, platform = renewing(made_by, refused, refused, refused, refused)
    for name in ("other", "good", "other", "good", "other"):
        again(board)
        assert platform.shown[-1] == unhex(made_by[name][0])
    assert board.connected and last(board, "certificate")["slot"] == "renewed"


def test_an_expired_certificate_is_replaced(made_by):
    blank(fields(made_by["expired"]))
    Platform()
    board = on()
    assert not board.poll(0) and board.states[-1][1]["code"] == "x509.expired"
    offered(board, made_by["good"])
    assert (
        again(board) and last(board, "certificate")["slot"] == "renewed" and board.device_name == "sensor-01"
    )


def test_a_key_waits_for_its_certificate_through_resets(made_by):
    blank(fields(made_by["good"]))
    Platform()
    board = on()
    board.poll(0)
    renewal.keep_key(board, unhex(made_by["other"][1]))
    platform = Platform()
    board = on()
    assert board.poll(0) and platform.shown == [unhex(made_by["good"][0])]
    assert renewal.waiting_key(board) == unhex(made_by["other"][1])
    raises(X509Error, renewal.offer, board, unhex(made_by["third"][0]))
    renewal.offer(board, unhex(made_by["other"][0]))
    assert renewal.waiting_key(board) is None
    board.stop()
    assert again(board) and platform.shown[-1] == unhex(made_by["other"][0])


def test_what_is_offered_is_looked_at_before_it_is_kept(made_by):
    blank(fields(made_by["good"]))
    Platform()
    board = on()
    board.poll(0)
    good, other = made_by["good"], made_by["other"]
    for pair, code in (
        ((good[0], other[1]), "x509.mismatch"),
        ((other[0][:-2], other[1]), "x509.malformed"),
        (made_by["expired"], "x509.expired"),
        (made_by["future"], "x509.future"),
        ((other[0], ""), "x509.missing"),
        (("", other[1]), "x509.missing"),
    ):
        assert raises(X509Error, offered, board, pair).code == code
        assert kept("next") == [None, None]
    with Broken(*MEDIA):
        raises(StoreError, offered, board, other)
    board.stop()
    platform = Platform()
    assert again(board) and platform.shown == [unhex(good[0])]


def test_what_was_offered_can_be_withdrawn(made_by):
    board, platform = renewing(made_by)
    renewal.withdraw(board)
    assert again(board) and platform.shown == [unhex(made_by["good"][0])]
    board = on()
    assert board.poll(0) and platform.shown[-1] == unhex(made_by["good"][0])


def test_an_offer_outlives_a_reset_and_a_new_burn_ends_it(made_by):
    board, platform = renewing(made_by)
    board = on()
    assert board.poll(0) and platform.shown == [unhex(made_by["other"][0])]
    for medium in MEDIA:
        medium().write("burned", record.encode(record.BURNED, 102, fields(made_by["third"])))
    board = on()
    assert board.poll(0) and platform.shown[-1] == unhex(made_by["third"][0])


def test_a_damaged_slot_leaves_the_board_with_what_is_burned(made_by):
    board, platform = renewing(made_by)
    assert again(board)
    whole = kept("renewed")[0]
    for medium in MEDIA:
        medium().write("renewed", whole[:-1] + b"\0")
        medium().write("next", whole[:-1] + b"\0")
    board = on()
    assert board.poll(0) and platform.shown[-1] == unhex(made_by["good"][0])


def test_errors_and_states_tell_no_key(made_by):
    board, platform = renewing(made_by, b"\x20\x02\0\5")
    again(board), again(board)
    text = str(board.states) + repr(board.credential) + repr(board.credential.current)
    for name in ("good", "other"):
        pair = made_by[name]
        assert pair[1][40:80] not in text and str(unhex(pair[1]))[20:60] not in text
