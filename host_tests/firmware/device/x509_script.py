"""The X.509 way as an application sees it, with a scripted platform behind the stream (host_tests/x509 runs it).

Each function takes what the host has made: {name: [certificate, key]} in hex, both DER. The records lie on the
board's own NVS and littlefs, the certificates go into its own TLS context.
"""

import json
import os

import aliot.device
import aliot.transport.tls
import aliot.x509
import esp32
import tls
from aliot import clock, record
from aliot.device import Device
from aliot.errors import Closed, CredentialError, LinkError, StoreError, TlsError
from aliot.store import Files, Nvs, Store
from aliot.ticks import Deadline
from aliot.wired import Wired
from aliot.x509 import TOPIC, X509Error, der, renewal
from scripted import CLOSED, Stream, raises, unhex

MEDIA = (Nvs, Files)
WHO = ("a1X509ProdK", "sensor-01")
SLOTS = ("burned", "issued", "renewed", "next")
NOW = 1800000000  # 2027-01-15
ACCEPTED = b"\x20\x02\0\0"


def push(product_key, device_name):
    return message(json.dumps({"productKey": product_key, "deviceName": device_name}).encode())


def message(payload, topic=TOPIC.encode()):
    size = len(topic) + len(payload) + 2
    length = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
    return b"\x30" + length + bytes([0, len(topic)]) + topic + payload


class Platform:
    """Answers each CONNECT with the next of `scripts`, then with an acceptance and the push; checks nothing.

    A script is bytes, an error to raise when the socket is opened, or one to raise in the TLS handshake.
    """

    def __init__(self, *scripts, who=WHO, server="server"):
        self.scripts = list(scripts)
        self.who = who
        self.streams = []
        self.asked = []
        self.shown = []
        aliot.transport.tls.connect = self.connect
        clock.server = None
        aliot.device.load = lambda name: Sntp(server) if name == "sntp" else aliot.load(name)

    def connect(self, credential, host, port, roots, timeout):
        self.asked.append((host, port, roots))
        credential.present(self)
        script = self.scripts.pop(0) if self.scripts else ACCEPTED + (push(*self.who) if self.who else b"")
        if isinstance(script, LinkError) and script.code in ("dns", "connect"):
            raise script

        def answer(written):
            if written[0] == 0x10:
                if isinstance(script, Exception):
                    raise script
                return script
            return b"\x90\x03" + written[2:4] + b"\0" if written[0] == 0x82 else b""

        stream = Stream(answer=answer)
        stream.deadline = Deadline(timeout)
        self.streams.append(stream)
        return stream

    def load_cert_chain(self, certificate, key):
        tls.SSLContext(tls.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key)
        self.shown.append(certificate)

    def login(self, at=-1):
        """(client id, user name, password) of the CONNECT on a connection."""
        data = self.streams[at].writes[0]
        data = data[12 if data[1] < 128 else 13 :]
        found = []
        while data:
            size = data[0] << 8 | data[1]
            found.append(data[2 : 2 + size].decode())
            data = data[2 + size :]
        return tuple(found)


def fields(pair, **more):
    found = {record.WAY: b"x509"}
    if pair:
        found[record.CERTIFICATE], found[record.PRIVATE_KEY] = unhex(pair[0]), unhex(pair[1])
    for name in more:
        found[getattr(record, name)] = more[name]
    return found


def blank(burned=None, generation=100):
    """Nothing in flash but what is burned."""
    for name in SLOTS:
        try:
            esp32.NVS("aliot").erase_key(name)
        except OSError:
            pass
        try:
            os.remove(Files.folder + name)
        except OSError:
            pass
    try:
        os.mkdir(Files.folder[:-1])
    except OSError:
        pass
    if burned:
        for medium in MEDIA:
            medium().write("burned", record.encode(record.BURNED, generation, burned))


def on(**settings):
    """A board that is switched on."""
    clock_at(settings.pop("now", NOW))
    config = {"push": 200, "timeout": 300}
    config.update(settings.pop("config", {}))
    config.update(settings)
    made = Device(config, Wired(), Store())
    made.states = []
    made.watch(lambda state, told: made.states.append((state, dict(told))))
    made.start()
    made.session.random = lambda n: 0
    return made


def clock_at(now):
    clock.utc = lambda: now


class Sntp:
    """In place of aliot.sntp: `server` sets the clock at every look, none with None."""

    def __init__(self, server):
        self.server = server

    def synchronize(self, servers):
        clock.server = self.server
        return self.server is not None


def again(made):
    """An attempt to connect, whatever the back-off says."""
    made.session.after = 0
    made.session.attempts = []
    return made.poll(0)


def names(made):
    return [state for state, told in made.states]


def last(made, state):
    return [told for name, told in made.states if name == state][-1]


def kept(name):
    return [medium().read(name) for medium in MEDIA]


def offered(made, pair):
    renewal.offer(made, unhex(pair[0]), unhex(pair[1]))


# The first boot, and the boots after it.


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
    said = platform.login()
    assert said == (
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
    said = board.states[-1][1]
    assert said["code"] == "x509.push" and said["retry"] == "now" and said["advice"]
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
    said = board.states[-1][1]
    assert said["code"] == "store" and said["wait"] >= 300 and platform.streams[0].closed
    assert board.device_name == "" and len(platform.streams[0].writes) == 1


class Broken:
    """Media that take nothing while it lasts."""

    def __init__(self, *kinds):
        self.kinds = [(kind, kind.write) for kind in kinds]

    def __enter__(self):
        for kind, write in self.kinds:
            kind.write = self.full

    def __exit__(self, *ignored):
        for kind, write in self.kinds:
            kind.write = write

    @staticmethod
    def full(*ignored):
        raise OSError(28)


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
    said = board.states[-1][1]
    assert said["code"] == "x509.identity" and "sensor-02" in said["detail"] and said["advice"]
    assert platform.streams[0].closed
    assert not again(board)  # now it asks first, and hears the same
    state, said = board.states[-1]
    assert (
        state == "error"
        and said["code"] == "x509.identity"
        and said["retry"] == "never"
        and said["wait"] >= 3600
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
    state, said = board.states[-1]
    assert (
        state == "refused" and said["code"] == "mqtt.5" and said["wait"] >= 300 and "serial" in said["advice"]
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
        name, said = board.states[-1]
        assert (name, said["code"]) == (state, code) and said["advice"], (name, said)
        assert (said["wait"] >= 300) == (code in ("mqtt.5", "mqtt.4", "x509.refused")), said
        assert kept("issued") == [None, None]


# What is burned.


def test_what_is_no_pair_stops_the_board_with_its_own_error(made_by):
    certificate, key = unhex(made_by["good"][0]), unhex(made_by["good"][1])
    for burned, code, words in (
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
        burned[record.WAY] = b"x509"
        blank(burned)
        Platform()
        problem = raises(X509Error, on)
        assert isinstance(problem, CredentialError) and problem.retry == "never" and problem.advice
        assert problem.code == code and words in problem.detail, (problem.code, problem.detail)


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
            state, said = board.states[-1]
            assert state == "error" and said["code"] == code and said["retry"] == retry and said["advice"]
            assert said["wait"] >= 300 and not platform.streams


def test_days_left_are_told(made_by):
    blank(fields(made_by["good"]))
    Platform()
    certificate = aliot.load("x509.pairs").pair(fields(made_by["good"]), "burned")
    board = on(now=certificate.ends - 40 * 86400 - 1)
    assert board.poll(0)
    told = last(board, "certificate")
    assert told == {"days": 40, "expires": made_by["expires"], "serial": made_by["serial"], "slot": "burned"}


# A new certificate.


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
        state, said = board.states[-1]
        assert state == "error" and said["code"] == "x509.trial" and why in said["detail"] and said["advice"]
        assert said["wait"] <= 2
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


# Anything at all.


def pair(value):
    """[certificate, key] in hex: a sound pair, or X509Error with a code of its own; the board's TLS as well."""
    certificate, key = unhex(value[0]), unhex(value[1])
    try:
        made = aliot.load("x509.pairs").pair(
            {record.CERTIFICATE: certificate, record.PRIVATE_KEY: key}, "burned"
        )
    except X509Error as problem:
        assert problem.code in ("x509.missing", "x509.malformed", "x509.mismatch")
    else:
        try:
            made.check(NOW)
        except X509Error as problem:
            assert problem.code in ("x509.expired", "x509.future")
    try:
        tls.SSLContext(tls.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key)
    except ValueError:
        pass


def sound(value):
    made = aliot.load("x509.pairs").pair(
        {record.CERTIFICATE: unhex(value[0]), record.PRIVATE_KEY: unhex(value[1])}, "burned"
    )
    made.check(NOW)


def refused(value):
    """[certificate, key] in hex that are no pair."""
    burned = {record.CERTIFICATE: unhex(value[0]), record.PRIVATE_KEY: unhex(value[1])}
    problem = raises(X509Error, aliot.load("x509.pairs").pair, burned, "burned")
    assert problem.code in ("x509.missing", "x509.malformed") and problem.detail


def read(value):
    """[certificate, key, what the host's library found]."""
    found = der.certificate(unhex(value[0]))
    numbers = der.private_key(unhex(value[1]))
    wanted = value[2]
    assert list(found[:4]) == wanted[:4], (found[:4], wanted)
    assert found[4:] == numbers == (int(wanted[4], 16), wanted[5])


def pushed(value):
    """Any payload on a first boot: it is stored whole, or not at all."""
    made_by, payload = value
    blank(fields(made_by))
    Platform(ACCEPTED + message(unhex(payload)))
    board = on(config={"push": 1})
    if board.poll(0):
        found = json.loads(unhex(payload))
        assert (board.product_key, board.device_name) == (found["productKey"], found["deviceName"])
    else:
        assert kept("issued") == [None, None] and board.states[-1][1]["code"] in ("protocol", "x509.push")
