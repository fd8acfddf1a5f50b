"""Boots of a board with a certificate: the first and later ones, pushes, refusals, what is burned.

host_tests/system/x509/test_device.py gives each function what it needs."""

import aliot.device
from aliot import record
from aliot.errors import Closed, CredentialError, LinkError, TlsError
from aliot.store import Nvs
from aliot.x509 import X509Error
from scripted import CLOSED, raises, unhex
from scripted_x509 import (
    ACCEPTED,
    Broken,
    MEDIA,
    NOW,
    Platform,
    WHO,
    again,
    blank,
    clock_at,
    fields,
    kept,
    last,
    message,
    on,
    push,
)


def names(made):
    return [state for state, reported in made.states]


def test_a_first_boot_learns_who_it_is_with_one_handshake(made_by):
    blank(fields(made_by["good"]))
    platform = Platform()
    board = on()
    got = []
    board.subscribe("user/get", lambda topic, payload: got.append(topic))
    assert board.poll(0) and board.connected
    assert names(board) == ["boot", "wifi", "clock", "connecting", "stored", "certificate", "connected"]
    assert platform.asked == [
        ("x509.itls.cn-shanghai.aliyuncs.com", 1883, ("globalsign_r1", "globalsign_r6"))
    ]
    assert platform.login() == (".|securemode=2|", "", "")
    assert (board.product_key, board.device_name) == WHO
    assert b"/a1X509ProdK/sensor-01/user/get" in platform.streams[0].writes[1]
    assert last(board, "boot")["way"] == "x509" and last(board, "boot")["product_key"] == ""
    assert last(board, "stored") == {"nvs": "ok", "littlefs": "ok"}
    one, other = kept("issued")
    found = record.decode(one)[2]
    assert (
        one == other
        and found[record.PRODUCT_KEY] == b"a1X509ProdK"
        and found[record.DEVICE_NAME] == b"sensor-01"
    )
    platform.streams[0].data += message(b"x", b"/a1X509ProdK/sensor-01/user/get")
    board.poll(0)
    assert got == ["/a1X509ProdK/sensor-01/user/get"]


def test_a_later_boot_names_itself_and_does_not_wait_for_the_push(made_by):
    blank(fields(made_by["good"]))
    Platform()
    on().poll(0)
    platform = Platform(who=None)
    board = on()
    assert board.poll(0) and last(board, "boot")["device_name"] == "sensor-01"
    wanted = "sensor-01|securemode=2,signmethod=hmacsha256,timestamp=%d|" % (NOW * 1000)
    assert platform.login() == (wanted, "sensor-01&a1X509ProdK", "")
    assert "stored" not in names(board)
    platform.streams[0].data += push(*WHO)  # a push that comes all the same is what is known
    assert board.poll(0)
    platform.streams[0].end = CLOSED
    board.poll(0)
    assert again(board) and len(platform.streams) == 2


def test_without_a_clock_there_is_no_timestamp(made_by):
    blank(fields(made_by["good"]))
    Platform()
    on().poll(0)
    platform = Platform(server=None)
    assert on().poll(0)
    assert platform.login()[0] == "sensor-01|securemode=2,signmethod=hmacsha256|"


def test_the_published_connects(made_by):
    """Those of x509.md 4.1 and 4.3 that a document states."""
    first, reconnect = made_by["vectors"]
    blank(fields(made_by["good"], CLIENT_ID=b"mac-001122334455", SIGN_METHOD=b"hmacsha1"))
    platform = Platform()
    on().poll(0)
    assert platform.login() == (first["clientId"], first["username"], first["password"])
    platform = Platform()
    board = on()
    clock_at(132323)
    board.credential.present = lambda context: None  # long before it is valid
    board.poll(0)
    sent = platform.login()
    assert sent == (
        reconnect["clientId"].replace("132323232", "132323000"),
        reconnect["username"],
        reconnect["password"],
    )


def test_host_and_port_come_from_the_record_or_the_settings(made_by):
    for more, config, wanted in (
        ({"HOST": b"gate.example", "PORT": b"\x39\x05"}, {}, ("gate.example", 1337)),
        ({"REGION": b"cn-beijing"}, {}, ("x509.itls.cn-beijing.aliyuncs.com", 1883)),
        ({}, {"host": "gate.example", "port": 8884}, ("gate.example", 8884)),
        ({}, {"host": "gate.example"}, ("gate.example", 1883)),
        ({}, {"region": "cn-beijing"}, ("x509.itls.cn-beijing.aliyuncs.com", 1883)),
        ({"REGION": b"cn-beijing"}, {"port": 8884}, ("x509.itls.cn-beijing.aliyuncs.com", 8884)),
    ):
        blank(fields(made_by["good"], **more))
        platform = Platform()
        assert on(config={"endpoint": config}).poll(0)
        assert platform.asked[0][:2] == wanted, platform.asked


# The push.


def test_without_a_push_an_unknown_board_goes_offline_and_asks_again(made_by):
    blank(fields(made_by["good"]))
    platform = Platform(ACCEPTED)
    board = on()
    assert not board.poll(0)
    reported = board.states[-1][1]
    assert reported["code"] == "x509.push" and reported["retry"] == "now" and reported["advice"]
    assert platform.streams[0].closed and kept("issued") == [None, None]
    assert again(board) and board.device_name == "sensor-01"


def test_a_push_that_is_none_is_not_stored(made_by):
    for payload in (
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"productKey":"a1"}',
        b'{"productKey":1,"deviceName":2}',
        b'{"productKey":"a1","deviceName":"x"}',
        b'{"productKey":"a/1","deviceName":"abcd"}',
        b'{"productKey":"","deviceName":"abcd"}',
        b"\xff\xfe",
        b'{"productKey":null,"deviceName":null}',
    ):
        blank(fields(made_by["good"]))
        Platform(ACCEPTED + message(payload))
        board = on()
        assert not board.poll(0)
        assert board.states[-1][0] == "offline" and board.states[-1][1]["code"] == "protocol", payload
        assert kept("issued") == [None, None]


def test_an_identity_that_no_medium_keeps_is_not_used(made_by):
    blank(fields(made_by["good"]))
    platform = Platform()
    board = on()
    with Broken(*MEDIA):
        assert not board.poll(0)
    reported = board.states[-1][1]
    assert reported["code"] == "store" and reported["wait"] >= 300 and platform.streams[0].closed
    assert board.device_name == "" and len(platform.streams[0].writes) == 1


def test_one_medium_is_enough(made_by):
    blank(fields(made_by["good"]))
    Platform()
    board = on()
    with Broken(Nvs):
        assert board.poll(0)
    assert last(board, "stored") == {"nvs": "full", "littlefs": "ok"}
    assert kept("issued")[0] is None
    Platform(who=None)
    board = on()
    assert board.poll(0) and board.device_name == "sensor-01"
    assert kept("issued")[0] == kept("issued")[1]  # and it is healed


def test_another_burn_is_another_identity(made_by):
    blank(fields(made_by["good"]))
    Platform()
    on().poll(0)
    before = kept("issued")
    for medium in MEDIA:
        medium().write("burned", record.encode(record.BURNED, 101, fields(made_by["other"])))
    platform = Platform(who=("a1X509ProdK", "sensor-02"))
    board = on()
    assert board.device_name == "" and board.poll(0) and board.device_name == "sensor-02"
    assert platform.login()[0] == ".|securemode=2|" and kept("issued") != before


def test_another_identity_than_stored_is_an_alarm(made_by):
    blank(fields(made_by["good"]))
    Platform()
    on().poll(0)
    before = kept("issued")
    platform = Platform(who=("a1X509ProdK", "sensor-02"))
    board = on()
    assert board.poll(0)  # nothing is waited for; the push is read with the next poll
    assert not board.poll(0)
    reported = board.states[-1][1]
    assert reported["code"] == "x509.identity" and "sensor-02" in reported["detail"] and reported["advice"]
    assert platform.streams[0].closed
    assert not again(board)  # now it asks first, and hears the same
    state, reported = board.states[-1]
    assert (
        state == "error"
        and reported["code"] == "x509.identity"
        and reported["retry"] == "never"
        and reported["wait"] >= 3600
    )
    assert (
        platform.login()[0] == ".|securemode=2|"
        and kept("issued") == before
        and board.device_name == "sensor-01"
    )
    Platform()  # the binding was put right
    assert again(board) and board.device_name == "sensor-01"


def test_a_refused_name_is_asked_for_and_another_one_is_an_alarm(made_by):
    blank(fields(made_by["good"]))
    Platform()
    on().poll(0)
    platform = Platform(b"\x20\x02\0\5", ACCEPTED + push("a1X509ProdK", "sensor-09"))
    board = on()
    assert not board.poll(0)
    state, reported = board.states[-1]
    assert (
        state == "refused"
        and reported["code"] == "mqtt.5"
        and reported["wait"] >= 300
        and "serial" in reported["advice"]
    )
    assert not again(board)
    assert board.states[-1][1]["code"] == "x509.identity" and platform.login()[0] == ".|securemode=2|"


def test_a_subscription_is_not_lost_to_a_push_between(made_by):
    blank(fields(made_by["good"]))
    Platform()
    on().poll(0)
    Platform(ACCEPTED + push(*WHO))
    board = on()
    board.subscribe("user/get")
    assert board.poll(0) and "error" not in names(board)


# What the platform refuses.


def test_refusals_have_codes_of_their_own(made_by):
    for script, state, code in (
        (b"\x20\x02\0\5", "refused", "mqtt.5"),
        (b"\x20\x02\0\4", "refused", "mqtt.4"),
        (TlsError("TLS handshake (-30592)", "tls.alert"), "error", "x509.refused"),
        (Closed("by the peer"), "offline", "closed"),
        (LinkError("no", "dns"), "offline", "dns"),
        (b"\x20\x02\0\3", "refused", "mqtt.3"),
        (b"\xff", "offline", "timeout"),
        (b"\x30\0", "offline", "protocol"),
    ):
        blank(fields(made_by["good"]))
        Platform(script)
        board = on()
        assert not board.poll(0)
        name, reported = board.states[-1]
        assert (name, reported["code"]) == (state, code) and reported["advice"], (name, reported)
        assert (reported["wait"] >= 300) == (code in ("mqtt.5", "mqtt.4", "x509.refused")), reported
        assert kept("issued") == [None, None]


# What is burned.


def test_what_is_no_pair_stops_the_board_with_its_own_error(made_by):
    certificate, key = unhex(made_by["good"][0]), unhex(made_by["good"][1])
    for burned, code, text in (
        ({}, "x509.missing", "no certificate"),
        ({record.CERTIFICATE: certificate}, "x509.missing", "no private key"),
        ({record.PRIVATE_KEY: key}, "x509.missing", "no certificate"),
        (
            {record.CERTIFICATE: certificate[:-1], record.PRIVATE_KEY: key},
            "x509.malformed",
            "%d bytes of %d" % (len(certificate) - 1, len(certificate)),
        ),
        ({record.CERTIFICATE: certificate[:3], record.PRIVATE_KEY: key}, "x509.malformed", "certificate: "),
        ({record.CERTIFICATE: certificate, record.PRIVATE_KEY: key[:-1]}, "x509.malformed", "private key: "),
        (
            {record.CERTIFICATE: certificate, record.PRIVATE_KEY: b"x" * 99},
            "x509.malformed",
            "private key: not DER",
        ),
        (
            {record.CERTIFICATE: unhex(made_by["ec"][0]), record.PRIVATE_KEY: key},
            "x509.malformed",
            "not an RSA key",
        ),
        (
            {record.CERTIFICATE: certificate, record.PRIVATE_KEY: unhex(made_by["pkcs8"][1])},
            "x509.malformed",
            "private key",
        ),
        (
            {record.CERTIFICATE: certificate, record.PRIVATE_KEY: unhex(made_by["other"][1])},
            "x509.mismatch",
            "belong",
        ),
    ):
        burned[record.KIND] = b"x509"
        blank(burned)
        Platform()
        problem = raises(X509Error, on)
        assert isinstance(problem, CredentialError) and problem.retry == "never" and problem.advice
        assert problem.code == code and text in problem.detail, (problem.code, problem.detail)


def test_dates_are_looked_at_before_a_connection_is_made(made_by):
    for name, server, code, retry in (
        ("expired", "server", "x509.expired", "never"),
        ("expired", None, "x509.expired", "never"),
        ("future", "server", "x509.future", "later"),
        ("future", None, None, None),
    ):
        blank(fields(made_by[name]))
        platform = Platform(server=server)
        board = on()
        assert board.poll(0) is (code is None)
        if code:
            state, reported = board.states[-1]
            assert (
                state == "error"
                and reported["code"] == code
                and reported["retry"] == retry
                and reported["advice"]
            )
            assert reported["wait"] >= 300 and not platform.streams


def test_days_left_are_told(made_by):
    blank(fields(made_by["good"]))
    Platform()
    certificate = aliot.load("x509.pairs").pair(fields(made_by["good"]), "burned")
    board = on(now=certificate.ends - 40 * 86400 - 1)
    assert board.poll(0)
    reported = last(board, "certificate")
    assert reported == {
        "days": 40,
        "expires": made_by["expires"],
        "serial": made_by["serial"],
        "slot": "burned",
    }
