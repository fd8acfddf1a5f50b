"""What servers in the field answer a registration with, over HTTPS and over MQTT: each with its exact outcome."""

from aliot.errors import AliotError, RegistrationError
from scripted import CLOSED, RESET, SILENT, raises
from test_registration import GOOD, PUSH, SECRET, TOKEN, answered, over_mqtt, register

HEAP = "192K"  # two files of tests, and the sources as they stand, are most of it

# Answers of servers in the field, each with what has to come of it: the secret, the platform's own code, or an error.

H = b"HTTP/1.1 200 OK\r\nServer: Tengine\r\nContent-Type: application/json\r\n"
N = b"%d" % len(GOOD)
SIZED = H + b"Content-Length: " + N + b"\r\n\r\n"
OK, ANSWER = "OK", "register.answer"
CHUNK = b"%x\r\n" % len(GOOD) + GOOD + b"\r\n0\r\n\r\n"
FIELD = (
    # name, all that is sent, then: silent, closed or reset; bytes at a time; what comes of it
    ("plain", SIZED + GOOD, SILENT, 0, OK),
    ("keepalive", H + b"Connection: keep-alive\r\nContent-Length: " + N + b"\r\n\r\n" + GOOD, SILENT, 0, OK),
    ("bytewise", SIZED + GOOD, SILENT, 1, OK),
    ("no length, close", H + b"Connection: close\r\n\r\n" + GOOD, CLOSED, 0, OK),
    ("no length, bytewise, close", H + b"\r\n" + GOOD, CLOSED, 1, OK),
    ("no length, cut", H + b"Connection: close\r\n\r\n" + GOOD[:-1], CLOSED, 0, ANSWER),
    ("no length, reset", H + b"Connection: close\r\n\r\n" + GOOD, RESET, 0, "reset"),
    ("no length, silence", H + b"Connection: close\r\n\r\n" + GOOD, SILENT, 0, "timeout"),
    ("no length, without end", H + b"\r\n" + GOOD + b" " * 2000, CLOSED, 0, ANSWER),
    ("HTTP/1.0, close", b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\n" + GOOD, CLOSED, 0, OK),
    ("HTTP/1.0, length", SIZED.replace(b"1.1", b"1.0") + GOOD, SILENT, 0, OK),
    ("100 Continue", b"HTTP/1.1 100 Continue\r\n\r\n" + SIZED + GOOD, SILENT, 0, OK),
    (
        "100 Continue and 103",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + SIZED + GOOD,
        SILENT,
        0,
        OK,
    ),
    ("100 Continue and no more", b"HTTP/1.1 100 Continue\r\n\r\n", SILENT, 0, "timeout"),
    ("line feeds only", SIZED.replace(b"\r\n", b"\n") + GOOD, SILENT, 0, OK),
    ("folded", H + b"X-Long: a\r\n  b c\r\nContent-Length: " + N + b"\r\n\r\n" + GOOD, SILENT, 0, OK),
    ("chunked", H + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNK, SILENT, 0, OK),
    (
        "chunked, with an extension",
        H + b"Transfer-Encoding: chunked\r\n\r\n%x;a=b\r\n" % len(GOOD) + GOOD + b"\r\n0\r\nX-T: 1\r\n\r\n",
        SILENT,
        0,
        OK,
    ),
    (
        "chunked, a byte each",
        H
        + b"Transfer-Encoding: Chunked\r\n\r\n"
        + b"".join([b"1\r\n%c\r\n" % c for c in GOOD])
        + b"0\r\n\r\n",
        SILENT,
        0,
        OK,
    ),
    (
        "encoding, then length",
        H + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + CHUNK,
        SILENT,
        0,
        OK,
    ),
    (
        "length, then encoding",
        H + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNK,
        SILENT,
        0,
        OK,
    ),
    (
        "encoding identity",
        H + b"Transfer-Encoding: identity\r\nContent-Length: " + N + b"\r\n\r\n" + GOOD,
        SILENT,
        0,
        OK,
    ),
    ("a blank before the colon", H + b"Content-Length : " + N + b"\r\n\r\n" + GOOD, SILENT, 0, OK),
    ("length with a plus", H + b"Content-Length: +" + N + b"\r\n\r\n" + GOOD, SILENT, 0, OK),
    ("no reason", SIZED.replace(b" OK", b"") + GOOD, SILENT, 0, OK),
    (
        "a redirect",
        b"HTTP/1.1 302 Found\r\nLocation: https://portal/login\r\nContent-Length: 0\r\n\r\n",
        SILENT,
        0,
        ANSWER,
    ),
    (
        "a redirect, close",
        b"HTTP/1.1 302 Found\r\nLocation: https://portal/login\r\nConnection: close\r\n\r\n",
        CLOSED,
        0,
        ANSWER,
    ),
    ("204", b"HTTP/1.1 204 No Content\r\n\r\n", SILENT, 0, ANSWER),
    (
        "a portal's page",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 26\r\n\r\n<html><body>hi</body></html",
        SILENT,
        0,
        ANSWER,
    ),
    (
        "a long header",
        H + b"Set-Cookie: " + b"x" * 3000 + b"\r\nContent-Length: " + N + b"\r\n\r\n" + GOOD,
        SILENT,
        0,
        OK,
    ),
    (
        "45 headers",
        H + b"".join([b"X-%d: y\r\n" % i for i in range(45)]) + b"Content-Length: " + N + b"\r\n\r\n" + GOOD,
        SILENT,
        0,
        OK,
    ),
    (
        "35 headers",
        H + b"".join([b"X-%d: y\r\n" % i for i in range(35)]) + b"Content-Length: " + N + b"\r\n\r\n" + GOOD,
        SILENT,
        0,
        OK,
    ),
    ("a header of Latin-1", H + b"X-N: caf\xe9\r\nContent-Length: " + N + b"\r\n\r\n" + GOOD, SILENT, 0, OK),
)


def outcome(action, *arguments):
    """ "OK" for this device's own secret, else the code of the error of the tree; another exception fails the test."""
    try:
        made = action(*arguments)
    except AliotError as problem:
        assert problem.advice and problem.detail and SECRET not in str(problem)
        return problem.code
    assert (made.device_secret.reveal(), made.device_name, made.product_key) == (
        SECRET,
        "dev_0001",
        "a1TESTpk001",
    )
    return OK


def test_answers_of_servers_in_the_field():
    for name, data, end, piece, wanted in FIELD:
        found = outcome(register, data, end, piece)
        assert found == wanted, "%s: %s" % (name, found)


def secret(text):
    """The answer with something else in the place of the secret."""
    return GOOD.replace(b'"%s"' % SECRET.encode(), text)


# an answer's body over HTTPS; the same as a push over MQTT where it can be one, and what comes of each
BODIES = (
    ("code as text", GOOD.replace(b'"code":200', b'"code":"200"'), OK),
    ("code with a point", GOOD.replace(b'"code":200', b'"code":200.0'), OK),
    ("escapes", GOOD.replace(b"0123456789abcdef0123", b"\\u0030123456789abcdef0123"), OK),
    (
        "the secret twice",
        GOOD.replace(b'"deviceSecret"', b'"deviceSecret":"first_secret_0001","deviceSecret"'),
        OK,
    ),
    ("no message", GOOD.replace(b'"success"', b"null"), OK),
    ("a line end behind it", GOOD + b"\n", OK),
    ("a byte order mark", b"\xef\xbb\xbf" + GOOD, OK),
    ("data as text", b'{"code":200,"data":"{\\"deviceSecret\\":\\"x\\"}"}', ANSWER),
    ("the secret a number", secret(b"12345678901234567890"), ANSWER),
    ("the secret a list", secret(b'["%s"]' % SECRET.encode()), ANSWER),
    ("the secret a list of letters", secret(b'["a","b","c"]'), ANSWER),
    ("the secret an object", secret(b'{"a":"%s"}' % SECRET.encode()), ANSWER),
    ("the secret null", secret(b"null"), ANSWER),
    ("the secret true", secret(b"true"), ANSWER),
    ("the secret empty", secret(b'""'), ANSWER),
    ("the name a list", GOOD.replace(b'"dev_0001"', b'["dev_0001"]'), ANSWER),
    ("the name an object", GOOD.replace(b'"dev_0001"', b"{}"), ANSWER),
    ("the key an object", GOOD.replace(b'"a1TESTpk001"', b"{}"), ANSWER),
    ("data a list", b'{"code":200,"data":[%s]}' % GOOD, ANSWER),
    ("data null", b'{"code":200,"data":null}', ANSWER),
    ("refused", b'{"code":6289,"message":"device is already active"}', "register.6289"),
    ("refused, the code as text", b'{"code":"6289","message":"device is already active"}', "register.6289"),
    (
        "refused, in Chinese",
        '{"code":6289,"message":"\u8bbe\u5907\u5df2\u6fc0\u6d3b"}'.encode(),
        "register.6289",
    ),
    ("refused, a bracket in the message", b'{"code":460,"message":"missing {deviceName"}', "register.460"),
    ("refused, brackets in the message", b'{"code":460,"message":"]}]}}"}', "register.460"),
    ("refused, a quote in the message", b'{"code":460,"message":"\\"{"}', "register.460"),
    ("refused, a message that is none", b'{"code":460,"message":{"a":[]}}', "register.460"),
    ("refused, without a message", b'{"code":429}', "register.429"),
    ("a bracket in the request id", GOOD.replace(b'"message"', b'"requestId":"B1A2{","message"'), OK),
    ("the code a list", b'{"code":[200]}', ANSWER),
    ("the code true", b'{"code":true}', ANSWER),
    ("the code huge", b'{"code":%s}' % (b"9" * 400), ANSWER),
    ("the code negative", b'{"code":-200}', ANSWER),
    ("no code", GOOD.replace(b'"code":200,', b""), ANSWER),
    ("cut before its end", GOOD[:-1], ANSWER),
    ("a bracket too many", GOOD + b"}", ANSWER),
    ("a list", b"[" + GOOD + b"]", ANSWER),
    ("1,500 brackets", b"[" * 1500, ANSWER),
    ("1,500 brackets, closed", b"[" * 750 + b"]" * 750, ANSWER),
    ("objects in objects", b'{"a":' * 300 + b"1" + b"}" * 300, ANSWER),
    ("brackets in the place of the secret", secret(b"[" * 700 + b"]" * 700), ANSWER),
    ("binary", bytes(range(256)), ANSWER),
)


def test_bodies_of_servers_in_the_field():
    for name, body, wanted in BODIES:
        found = outcome(register, H + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert found == wanted, "%s: %s" % (name, found)


# the fields of a push, in the place of the secret or the token, and what comes of it
VALUES = (
    b"12345",
    b'["%s"]' % SECRET.encode(),
    b'["a","b"]',
    b'{"a":"b"}',
    b"null",
    b"true",
    b'""',
    b'"a b"',
    b"[" * 300 + b"]" * 300,
)


def test_pushes_of_the_kinds_that_servers_in_the_field_send():
    for text in VALUES:
        data = PUSH.replace(b'"%s"' % SECRET.encode(), text)
        assert outcome(over_mqtt, answered(b"/ext/register", data)) == ANSWER, text
        for name in (b'"CID123"', b'"TOKEN456"'):
            problem = raises(
                RegistrationError, over_mqtt, answered(b"/ext/regnwl", TOKEN.replace(name, text)), "regnwl"
            )
            assert problem.code == ANSWER, text
    for payload in (
        b"[" * 900,
        b'{"a":' * 150 + b"1" + b"}" * 150,
        PUSH[:-1],
        PUSH + b"}",
        bytes(range(256)),
        b"",
        PUSH.replace(b'"dev_0001"', b"[]"),
        PUSH.replace(b'"a1TESTpk001"', b"{}"),
        b"[" + PUSH + b"]",
    ):
        assert outcome(over_mqtt, answered(b"/ext/register", payload)) == ANSWER, payload
    for payload in (
        PUSH.replace(b"{", b'{"note":"a { in it",'),
        PUSH.replace(b":", b" : "),
        PUSH + b"\r\n",
        b"\xef\xbb\xbf" + PUSH,
        PUSH.replace(b"{", b'{"deviceSecret":"first_secret_0001",'),
        PUSH.replace(b'"0', b'"\\u0030'),
    ):
        assert outcome(over_mqtt, answered(b"/ext/register", payload)) == OK, payload
