"""Dynamic registration over HTTPS and MQTT: bodies by the vectors, and every kind of answer."""

import gc

from aliot.advice import advice
from aliot.credentials import DeviceCertificate, ProductCertificate
from aliot.endpoint import PUBLIC, Endpoint
from aliot.errors import AliotError, Closed, LinkError, ProtocolError, RegistrationError, Reset, TimedOut
from aliot.refusals import RegistrationRefused
from aliot.registration import https, issued, mqtt, number, parse
from aliot.token import ClientToken
from aliot.transport import tls
from scripted import CLOSED, RESET, SILENT, Stream, raises, unhex, vectors

SECRET = "0123456789abcdef0123456789abcdef"
GOOD = (
    '{"code":200,"data":{"deviceName":"dev_0001","deviceSecret":"%s","productKey":"a1TESTpk001"},"message":"success"}'
    % SECRET
).encode()
PUSH = ('{"productKey":"a1TESTpk001","deviceName":"dev_0001","deviceSecret":"%s"}' % SECRET).encode()
TOKEN = b'{"productKey":"a1TESTpk001","deviceName":"dev_0001","clientId":"CID123","deviceToken":"TOKEN456"}'


gc.threshold(4096)  # as boot.py has it
HEAP = "224K"  # the tests themselves, and the sources as they stand, are most of it
HOST = "a1TESTpk001.iot-as-mqtt.cn-shanghai.aliyuncs.com"
AUTH = "iot-auth.cn-shanghai.aliyuncs.com"
PLACE = Endpoint(HOST, 443, "", AUTH)


def product(method="https"):
    return ProductCertificate("a1TESTpk001", "dev_0001", "ProductSecret016", method)


def http(body, status="200 OK", length=None):
    return (
        "HTTP/1.1 %s\r\nServer: Tengine\r\nContent-Type: application/json;charset=utf-8\r\nContent-Length: %d\r\n\r\n"
        % (status, len(body) if length is None else length)
    ).encode() + body


def register(data, end=SILENT, piece=0, timeout=100):
    """What HTTPS registration makes of the answer `data`; also checks that the stream is closed."""
    stream = dialled(Stream(data, end, piece))
    try:
        return https.register(product(), PLACE, "hmacsha256", timeout)
    finally:
        assert stream.closed and len(stream.writes) == 1
        assert stream.asked[1:] == (AUTH, 443, PUBLIC, timeout)


def dialled(stream):
    """`stream`, which the next connection is."""

    def connect(*arguments):
        stream.asked = arguments
        return stream

    tls.connect = connect
    return stream


# HTTPS


def test_bodies_of_the_vectors():
    seen = 0
    for name, vector in vectors().items():
        if "random" in vector["inputs"] and "body" in vector["outputs"]:
            inputs = vector["inputs"]
            credential = ProductCertificate(
                inputs["productKey"], inputs["deviceName"], inputs["productSecret"], "https"
            )
            assert https.body(credential, inputs["random"], vector["method"]) == vector["outputs"]["body"], (
                name
            )
            seen += 1
    assert seen == 4, seen


def test_the_request():
    stream = dialled(Stream(http(GOOD)))
    https.register(product(), PLACE, "hmacsha256", 100)
    head, body = stream.written().decode().split("\r\n\r\n")
    lines = head.split("\r\n")
    assert lines[0] == "POST /auth/register/device HTTP/1.1"
    assert "Host: iot-auth.cn-shanghai.aliyuncs.com" in lines
    assert "Content-Type: application/x-www-form-urlencoded;charset=utf-8" in lines
    assert "Content-Length: %d" % len(body) in lines
    nonce = body.split("&random=")[1].split("&")[0]
    assert body == https.body(product(), nonce, "hmacsha256") and len(nonce) == 16


def test_names_are_percent_encoded_and_signed_raw():
    credential = ProductCertificate("a1", "dev@a:b", "ProductSecret016", "https")
    body = https.body(credential, "1", "hmacsha256")
    assert "deviceName=dev%40a%3Ab&" in body


def test_success():
    for data in (
        http(GOOD),
        http(GOOD) + b"more",
        http(GOOD).replace(b"Content-Length", b"content-length"),
        http(GOOD.replace(b'":', b'": ').replace(b",", b" , ")),
    ):
        made = register(data)
        assert made.device_secret.reveal() == SECRET and made.product_key == "a1TESTpk001"
    assert register(http(GOOD), piece=1).device_name == "dev_0001"
    assert register(http(GOOD), CLOSED).device_name == "dev_0001"


def test_the_published_answers():
    wanted = vectors()["https-dynreg-response-success-device-view"]["inputs"]["body"]
    assert register(http(wanted.encode())).device_secret.reveal() == SECRET
    refused = vectors()["https-dynreg-response-6289-device-view"]["inputs"]["body"]
    problem = raises(RegistrationRefused, register, http(refused.encode()))
    assert (
        problem.number == 6289 and problem.retry == "never" and problem.detail == "device is already active"
    )
    assert "ResetThing" in problem.advice and "restore" in problem.advice


def test_an_answer_in_chunks():
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for size in (1, 10, 50, 1000):
        body = b""
        for at in range(0, len(GOOD), size):
            piece = GOOD[at : at + size]
            body += ("%X\r\n" % len(piece)).encode() + piece + b"\r\n"
        assert register(head + body + b"0\r\n\r\n").device_secret.reveal() == SECRET
    for bad in (
        b"zz\r\n",
        b"-1\r\n",
        b"FFFF\r\n",
        b"7FF\r\n" + bytes(0x7FF) + b"\r\n" + b"7FF\r\n" + bytes(0x7FF) + b"\r\n0\r\n\r\n",
    ):
        raises(RegistrationError, register, head + bad)


def test_every_code_is_a_typed_error_with_class_and_advice():
    wanted = {
        400: "never",
        401: "never",
        429: "later",
        460: "never",
        500: "now",
        5005: "never",
        6100: "never",
        6204: "never",
        6250: "never",
        6280: "never",
        6287: "never",
        6288: "never",
        6289: "never",
        6292: "never",
        6600: "never",
        6619: "never",
    }
    for status in ("200 OK", "400 Bad Request"):
        for code in wanted:
            problem = raises(RegistrationRefused, register, http(b'{"code":%d}' % code, status))
            assert problem.number == code and problem.code == "register.%d" % code
            assert problem.retry == wanted[code] and problem.detail
            assert problem.advice and problem.advice != advice("register.answer")
    problem = raises(RegistrationRefused, register, http(b'{"code":7777,"message":"new"}'))
    assert problem.number == 7777 and problem.retry == "later" and problem.detail == "new"


def test_an_answer_cut_at_every_byte():
    whole = http(GOOD)
    for cut in range(len(whole)):
        raises(TimedOut, register, whole[:cut])
        raises(Closed, register, whole[:cut], CLOSED)
        raises(Reset, register, whole[:cut], RESET)


def test_answers_that_cannot_be_used():
    for body in (
        b"",
        b"not JSON",
        b"[]",
        b"200",
        b'"x"',
        b"null",
        b"{}",
        b'{"code":"200"}',
        b'{"code":true}',
        b'{"code":200}',
        b'{"code":200,"data":null}',
        b'{"code":200,"data":[]}',
        b'{"code":200,"data":{}}',
        b"[" * 500,
        b"\xff\xfe{}",
        GOOD[:-1],
        GOOD.replace(SECRET.encode(), b""),
        GOOD.replace(SECRET.encode(), b"x" * 65),
        GOOD.replace(SECRET.encode(), b"a b"),
        GOOD.replace(b'"' + SECRET.encode() + b'"', b"5"),
        GOOD.replace(b"dev_0001", b"dev_0002"),
        GOOD.replace(b"a1TESTpk001", b"a1TESTpk002"),
        GOOD.replace(b"deviceSecret", b"secret"),
    ):
        problem = raises(RegistrationError, register, http(body))
        assert problem.code == "register.answer" and SECRET not in str(problem), body


def test_what_is_not_http_or_too_large():
    for data in (
        b"\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"SSH-2.0-x\r\n",
        http(GOOD, length=-1),
        http(GOOD, length=2049),
        http(GOOD, length=10**12),
        http(GOOD, "502 Bad Gateway"),
        http(b"<html>", "404 Not Found"),
        b"\xff\xff\r\n\r\n",
        b"HTTP/1.1 301 Moved\r\nLocation: https://other/\r\nContent-Length: 0\r\n\r\n",
    ):
        raises(RegistrationError, register, data)
    for flood in (b"X: " + b"x" * 16500, b"X: y\r\n" * 2750):  # they take a busy machine some time
        raises(RegistrationError, register, b"HTTP/1.1 200 OK\r\n" + flood, SILENT, 0, 20000)
    raises(RegistrationError, register, b"HTTP/1.1 200 OK\r\n\r\n", CLOSED)  # a body of nothing
    raises(TimedOut, register, b"HTTP/1.1 200 OK\r\n\r\n")  # one that never ends
    assert "502" in raises(RegistrationError, register, http(b"<html>", "502 Bad Gateway")).detail


def test_the_platform_s_message_is_kept_short():
    problem = raises(RegistrationRefused, register, http(b'{"code":460,"message":"%s"}' % (b"x" * 1000)))
    assert problem.detail == "x" * 80
    assert raises(RegistrationRefused, register, http(b'{"code":460,"message":{"a":[]}}')).detail
    assert raises(RegistrationRefused, register, http(b'{"code":460}')).detail == "registration refused"


def test_a_code_may_come_in_many_forms():
    for value, wanted in (
        (200, 200),
        ("200", 200),
        (200.0, 200),
        ("6289", 6289),
        (0, 0),
        (True, -1),
        (False, -1),
        (None, -1),
        ("", -1),
        ("x", -1),
        ([200], -1),
        ({}, -1),
        (-5, -1),
        ("-5", -1),
        (10**40, -1),
        ("9" * 400, -1),
        (1e300, -1),
    ):
        assert number(value) == wanted, value


# MQTT


def answered(topic, payload, qos=0, connack=b"\x20\x02\0\0"):
    body = bytes([0, len(topic)]) + topic + (b"\0\x07" if qos else b"") + payload
    size = bytes([len(body)]) if len(body) < 128 else bytes([len(body) & 127 | 128, len(body) >> 7])
    return connack + bytes([0x32 if qos else 0x30]) + size + body


def over_mqtt(data, method="mqtt", end=SILENT, piece=0, instance=""):
    stream = dialled(Stream(data, end, piece))
    try:
        made = mqtt.register(product(method), Endpoint(HOST, 443, instance), "hmacsha256", 50)
        assert stream.writes[-1] == b"\xe0\0"  # DISCONNECT, or the platform would take it for a fault
        return made
    finally:
        assert stream.closed


def test_a_pushed_secret():
    for qos in (0, 1):
        for piece in (0, 1, 5):
            made = over_mqtt(answered(b"/ext/register", PUSH, qos), piece=piece)
            assert isinstance(made, DeviceCertificate) and made.device_secret.reveal() == SECRET
    published = unhex(vectors()["mqtt-dynreg-server-push-register"]["outputs"]["packet_hex"])
    assert over_mqtt(b"\x20\x02\0\0" + published).device_secret.reveal() == SECRET


def test_a_pushed_token_on_either_topic():
    for topic in (b"/ext/regnwl", b"/ext/register"):
        made = over_mqtt(answered(topic, TOKEN), "regnwl", instance="iot-test01")
        assert isinstance(made, ClientToken)
        assert made.client_id == "CID123" and made.device_token.reveal() == "TOKEN456"
    published = unhex(vectors()["mqtt-dynreg-server-push-regnwl"]["outputs"]["packet_hex"])
    assert over_mqtt(b"\x20\x02\0\0" + published, "regnwl").client_id == "CID123"


def test_other_messages_are_passed_over():
    data = answered(b"/ext/other", PUSH) + answered(b"/ext/register", PUSH, connack=b"")
    assert over_mqtt(data).device_secret.reveal() == SECRET


def test_every_connack_code_is_a_refused_registration():
    for code in (1, 2, 3, 4, 5, 99):
        problem = raises(RegistrationError, over_mqtt, bytes([0x20, 2, 0, code]))
        assert problem.code == "register.mqtt.%d" % code
        assert problem.retry == ("now" if code == 3 else "later")
        assert problem.advice


def test_a_push_cut_at_every_byte():
    whole = answered(b"/ext/register", PUSH)
    for cut in range(len(whole)):
        raises((TimedOut, RegistrationError), over_mqtt, whole[:cut])
        raises(Closed, over_mqtt, whole[:cut], "mqtt", CLOSED)
        raises(Reset, over_mqtt, whole[:cut], "mqtt", RESET)


def test_pushes_that_cannot_be_used():
    for payload in (
        b"",
        b"not JSON",
        b"[]",
        b"{}",
        PUSH[:-1],
        PUSH.replace(b"dev_0001", b"dev_0002"),
        PUSH.replace(b"a1TESTpk001", b"x"),
        TOKEN,
        PUSH.replace(SECRET.encode(), b""),
        PUSH + bytes(2000),
    ):
        raises(RegistrationError, over_mqtt, answered(b"/ext/register", payload))
    for payload in (
        PUSH,
        TOKEN.replace(b"CID123", b"a|b"),
        TOKEN.replace(b"TOKEN456", b""),
        TOKEN.replace(b'"CID123"', b"7"),
    ):
        raises(RegistrationError, over_mqtt, answered(b"/ext/regnwl", payload), "regnwl")


def test_garbage_instead_of_mqtt():
    for data in (
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x20\x02\0\0\xff\xff\xff\xff\xff",
        b"\x20\x02\0\0\x20\x02\0\0",
    ):
        raises((ProtocolError, LinkError, RegistrationError), over_mqtt, data)


def test_no_error_is_anything_but_ours():
    # every byte of an answer, changed: a credential of this device, or an error of the tree
    whole = http(GOOD)
    for at in range(len(whole)):
        for value in (0, 0x0D, 0x22, 0x39, 0xFF):
            data = bytearray(whole)
            data[at] = value
            try:
                made = register(bytes(data))
            except AliotError:
                continue
            assert made.device_name == "dev_0001" and made.product_key == "a1TESTpk001"


def test_parsing_stands_alone():
    assert parse(b'{"a":1}') == {"a": 1}
    found = {"productKey": "a1TESTpk001", "deviceName": "dev_0001", "deviceSecret": SECRET}
    assert issued(found, product()).device_secret.reveal() == SECRET
