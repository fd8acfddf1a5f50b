"""Answers of a centre: whole, cut, refused, and what cannot be used."""

import gc
from aliot.bootstrap import messages
from aliot.bootstrap.refusals import AuthRefused, GuideError, RedirectRefused
from aliot.credentials import DeviceCertificate
from aliot.errors import AliotError, Closed, RegistrationError, Reset, TimedOut
from aliot.log import Secret
from aliot.registration import https
from aliot.transport import tls
from scripted import CLOSED, RESET, SILENT, Stream, raises
from guided import FRANKFURT, SECRET, SINGAPORE, TOKEN, http, place, token

gc.threshold(4096)  # as boot.py has it

HEAP = "288K"  # the tests themselves, and the sources as they stand, are most of it
TABLES = {
    "test_hosts": [
        (FRANKFURT, True),
        ("a1TESTpk001." + FRANKFURT, True),
        ("iot-06z00abc.mqtt.iothub.aliyuncs.com", True),
        ("IOT-AS-MQTT.cn-shanghai.aliyuncs.com", True),
        ("", False),
        ("aliyuncs.com", False),
        ("iot-as-mqtt.aliyuncs.com", False),
        ("x.aliyuncs.com", False),
        (FRANKFURT + ".", False),
        ("." + FRANKFURT, False),
        (FRANKFURT + ".evil.example", False),
        ("iot-as-mqtt.cn-shanghai.evilaliyuncs.com", False),
        ("iot-as-mqtt.cn-shanghai.aliyuncs.com.cn", False),
        ("xiot-as-mqtt.cn-shanghai.aliyuncs.com", False),
        ("bucket.oss-cn-shanghai.aliyuncs.com", False),
        ("a.b." + FRANKFURT, False),
        ("iot-as-mqtt..aliyuncs.com", False),
        ("mqtt.iothub.aliyuncs.com", False),
        ("a.b.mqtt.iothub.aliyuncs.com", False),
        ("x" * 64 + "." + FRANKFURT, False),
        ("evil.example", False),
        ("evil.example/" + FRANKFURT, False),
        ("evil@" + FRANKFURT, False),
        (FRANKFURT + ":443", False),
        ("\u0131ot-as-mqtt.cn-shanghai.aliyuncs.com", False),
        ("iot-as-mqtt.cn-shanghai.aliyuncs.com\n", False),
        ("198.51.100.7", False),
        ("iot-as-mqtt.cn_shanghai.aliyuncs.com", False),
    ],
    "test_every_code_has_its_class_and_advice": [
        (401, "never", "DeviceSecret"),
        (460, "never", "sign method"),
        (500, "now", "nothing to do"),
        (5001, "never", "exists"),
        (6200, "never", "auth to mqtt"),
        (429, "later", "endpoint"),
        (7777, "later", "endpoint"),
    ],
}


def answered(data, path="/auth/devicename", end=SILENT, piece=0):
    """What a question makes of an answer; the stream must be closed after it."""
    stream = Stream(data, end, piece)
    tls.connect = lambda *arguments: stream
    own = DeviceCertificate("a1TESTpk001", "dev_0001", SECRET)
    try:
        return messages.answer(
            path, *https.post(own, "iot-auth.ap-southeast-1.aliyuncs.com", path, "a=b", 100)
        )
    except RegistrationError as problem:
        raise GuideError(problem.detail)  # as the endpoint does
    finally:
        assert stream.closed and len(stream.writes) == 1


def test_an_answer_that_trickles_or_comes_in_chunks():
    assert answered(token(), piece=1)[:3] == (FRANKFURT, 1883, "030VCbn3")
    body = token().split(b"\r\n\r\n")[1]
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (
        len(body),
        body,
    )
    assert answered(chunked)[3].reveal() == TOKEN
    assert answered(place(SINGAPORE, 443), "/auth/bootstrap") == (SINGAPORE, 443)
    assert answered(place(), "/auth/bootstrap", CLOSED) == (FRANKFURT, 1883)


def test_every_code_has_its_class_and_advice(code, retry, message):
    for status in ("200 OK", "400 Bad Request"):
        for path in ("/auth/devicename", "/auth/bootstrap"):
            problem = raises(
                AuthRefused, answered, http('{"code":%d,"message":"because"}' % code, status), path
            )
            assert (problem.number, problem.code, problem.retry) == (code, "auth.%d" % code, retry)
            assert problem.detail == "because" and message in problem.advice
    assert "nothing to do" in raises(AuthRefused, answered, http('{"code":500}')).advice


def test_an_answer_cut_at_every_byte():
    whole = token()
    for cut in range(len(whole)):
        raises(TimedOut, answered, whole[:cut])
        kind, end = ((Closed, CLOSED), (Reset, RESET))[cut % 2]
        raises(kind, answered, whole[:cut], "/auth/devicename", end)


def test_answers_that_cannot_be_used():
    good = token().split(b"\r\n\r\n")[1]
    for body in (
        b"",
        b"not JSON",
        b"[]",
        b"{}",
        b'{"code":"200"}',
        b'{"code":200}',
        b'{"code":200,"data":[]}',
        b'{"code":200,"data":{}}',
        b'{"code":200,"data":{"resources":[]}}',
        b'{"code":200,"data":{"resources":{"mqtt":5}}}',
        b"[" * 500,
        b"\xff\xfe{}",
        good[:-1],
        good.replace(b"iotId", b"id"),
        good.replace(b"iotToken", b"token"),
        good.replace(TOKEN.encode(), b""),
        good.replace(TOKEN.encode(), b"a b"),
        good.replace(TOKEN.encode(), b"x" * 257),
        good.replace(b'"030VCbn3"', b"5"),
        good.replace(b"030VCbn3", b"x" * 129),
        good.replace(b"030VCbn3", b"a\\nb"),
        good.replace(b'mqtt"', b'coap"'),
        good.replace(b'"port"', b'"ports"'),
        good.replace(b'"%s"' % FRANKFURT.encode(), b"null"),
    ):
        problem = raises(GuideError, answered, http(body))
        assert problem.code == "auth.answer" and problem.advice and TOKEN not in str(problem), body
    for data in (
        http(good, length=2049),
        http(good, length=-1),
        http(good + b" " * 3000),
        b"SSH-2.0\r\n",
        http(good, "502 Bad Gateway"),
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 17000,
        b"HTTP/1.1 301 Moved\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n",
    ):
        assert raises(GuideError, answered, data).code == "auth.answer"


def test_hosts(host, fine):
    assert messages.allowed(host) is fine
    data = token(host)
    if fine:
        assert answered(data)[0] == host
    else:
        problem = raises(RedirectRefused, answered, data)
        assert problem.code == "auth.host" and problem.retry == "later" and "register_host" in problem.advice


def test_ports():
    for port in (443, 1883, 8883):
        assert answered(token(port=port))[1] == port
    for port in (0, -1, 22, 80, 65536, 10**9, "1883", None, True, 1883.0, [1883]):
        assert raises((RedirectRefused, GuideError), answered, token(port=port)).code in (
            "auth.host",
            "auth.answer",
        )


def test_no_error_is_anything_but_ours():
    whole = token()
    for at in range(len(whole)):
        for value in (0, 0x22, 0xFF):
            data = bytearray(whole)
            data[at] = value
            try:
                host, port, iot_id, secret = answered(bytes(data))
            except AliotError:
                continue
            assert messages.allowed(host) and port in messages.PORTS and isinstance(secret, Secret)
