"""HTTPS authentication before MQTT, and bootstrap: forms by the vectors, every answer, and a Device on its way."""

import binascii
import gc
import json
import struct
import sys

import aliot.device
from aliot import clock, record, unload
from aliot.bootstrap import Told, messages
from aliot.bootstrap.refusals import AuthRefused, GuideError, RedirectRefused
from aliot.credentials import Credential, DeviceCertificate
from aliot.device import Device
from aliot.endpoint import Endpoint
from aliot.errors import AliotError, Closed, CredentialError, LinkError, RegistrationError, Reset, TimedOut
from aliot.log import Secret
from aliot.registration import https
from aliot.session import Session
from aliot.store import Store
from aliot.transport import tls
from aliot.wired import Wired
from scripted import CLOSED, RESET, SILENT, Medium, Stream, raises, vectors

gc.threshold(4096)  # as boot.py has it
HEAP = "288K"  # the tests themselves, and the sources as they stand, are most of it
SECRET = "0123456789abcdef0123456789abcdef"
TOKEN = "e96d15a4d4734a73b13040b1878009bc"
SINGAPORE = "iot-as-mqtt.ap-southeast-1.aliyuncs.com"
FRANKFURT = "iot-as-mqtt.eu-central-1.aliyuncs.com"
OK = b"\x20\x02\0\0"
BUSY = b"\x20\x02\0\x03"
WRONG = b"\x20\x02\0\x04"
NOW = 1800000000
DAY = 86400


def http(body, status="200 OK", length=None):
    body = body if isinstance(body, bytes) else body.encode()
    return (
        "HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status, len(body) if length is None else length)
    ).encode() + body


def place(host=FRANKFURT, port=1883):
    """The answer of /auth/bootstrap."""
    return http(
        json.dumps(
            {"code": 200, "data": {"resources": {"mqtt": {"host": host, "port": port}}}, "message": "success"}
        )
    )


def token(host=FRANKFURT, port=1883, iot_id="030VCbn3", iot_token=TOKEN):
    """The answer of /auth/devicename."""
    data = {"iotId": iot_id, "iotToken": iot_token, "resources": {"mqtt": {"host": host, "port": port}}}
    return http(json.dumps({"code": 200, "data": data, "message": "success"}))


def fields(auth=b"", bootstrap=b"", region=b"ap-southeast-1", **more):
    made = {
        record.WAY: b"device",
        record.PRODUCT_KEY: b"a1TESTpk001",
        record.DEVICE_NAME: b"dev_0001",
        record.DEVICE_SECRET: SECRET.encode(),
        record.REGION: region,
    }
    if auth:
        made[record.AUTH] = auth
    if bootstrap:
        made[record.BOOTSTRAP] = bootstrap
    made.update(more)
    return made


class Platform:
    """A stream for each connect: what `scripts` say in turn. HTTPS and MQTT alike; SUBSCRIBE and QoS 1 are answered."""

    def __init__(self, *scripts):
        self.scripts = list(scripts)
        self.asked = []  # (host, port) of each connect
        self.streams = []
        tls.connect = self.connect
        clock_set("server")
        clock_at(NOW)

    def connect(self, credential, host, port, roots, timeout):
        self.asked.append((host, port))
        self.roots = roots
        script = self.scripts.pop(0)
        if isinstance(script, Exception):
            raise script
        stream = script if isinstance(script, Stream) else Stream(script)
        stream.answer = self.answer
        self.streams.append(stream)
        return stream

    def answer(self, written):
        if written[0] == 0x82:
            at = 2 if written[1] < 128 else 3
            return b"\x90\x03" + written[at : at + 2] + b"\0"
        return b""

    def path(self, at=-1):
        """The path of a request."""
        return self.streams[at].written().split(b" ")[1].decode()

    def form(self, at=-1):
        """The form of a request, as a dict."""
        return dict(
            [pair.split("=") for pair in self.streams[at].written().decode().split("\r\n\r\n")[1].split("&")]
        )

    def login(self, at=-1):
        """(client id, user name, password) of a CONNECT."""
        packet, found = self.streams[at].writes[0], []
        at = 11 + (1 if packet[1] < 128 else 2)
        while at < len(packet):
            size = packet[at] << 8 | packet[at + 1]
            found.append(packet[at + 2 : at + 2 + size].decode())
            at += 2 + size
        return tuple(found)


class Sntp:
    """In place of aliot.sntp: the clock is set by `server` at every look, by none with None."""

    def __init__(self, server):
        self.server = server

    def synchronize(self, servers):
        clock.server = self.server
        return self.server is not None


def clock_set(server):
    clock.server = None
    sntp = Sntp(server)
    aliot.device.load = lambda name: sntp if name == "sntp" else aliot.load(name)


def clock_at(now):
    clock.utc = lambda: now


def endpoint(burned, override=None):
    """The endpoint of a device with that record and those settings."""
    credential = aliot.load("identities").burned(burned, 100, bytes(6), None)  # a start drops these modules
    found = aliot.load("settings").Settings({"endpoint": override or {}}, burned)
    assert found.wrong == [], found.wrong
    return found.endpoint(credential)


def device(burned, media=None, config=None):
    if media is None:
        media = (Medium("nvs"), Medium("littlefs"))
        for medium in media:
            medium.kept["burned"] = record.encode(record.BURNED, 100, burned)
    config = dict(config or {})
    config["timeout"] = 100
    made = Device(config, Wired(), Store(media))
    made.media = media
    made.states = []
    made.watch(lambda state, said: made.states.append((state, dict(said))))
    made.start()
    return made


def again(made, config=None):
    """The same board after a power cut."""
    return device(None, made.media, config)


def online(made, tries=8):
    for _ in range(tries):
        made.session.after = 0
        made.session.attempts = []
        if made.poll(0):
            return made
    raise AssertionError(made.states[-1])


def names(made):
    return [state for state, said in made.states]


def last(made, name):
    return [said for state, said in made.states if state == name][-1]


# The forms, by the vectors.


def test_the_form_and_the_connect_of_the_vector():
    vector = vectors()["guider-auth-devicename-c-2.3.0"]
    given, wanted = vector["inputs"], vector["outputs"]
    own = DeviceCertificate(given["productKey"], given["deviceName"], given["deviceSecret"])
    assert messages.content(own, 2524608000000, False) == given["sign_content"]
    assert messages.authentication(own, 2524608000000, vector["method"], False) == wanted["body"]
    host, path = wanted["url"].split("//")[1].split("/", 1)
    asks = endpoint(fields(b"https", region=given["region"].encode()))
    assert asks.question() == (host, "/" + path)
    # the answer of the vector leads to the host, port and CONNECT of the vector
    platform = Platform(http(given["server_reply_example"]), OK)
    made = online(device(fields(b"https", region=b"cn-shanghai")))
    assert platform.asked[1] == (wanted["mqtt_host"], wanted["mqtt_port"])
    assert ("Content-Type: " + wanted["content_type"] + "\r\n").encode() in platform.streams[0].written()
    client_id, username, password = platform.login()
    assert (username, password) == (wanted["mqtt_username"], wanted["mqtt_password"])
    assert client_id.split("|")[0] == wanted["mqtt_client_id"].split("|")[0]
    assert client_id.split("|")[1].split(",")[0] == "securemode=-1"
    assert made.endpoint.roots == ("globalsign_r1", "globalsign_r6")


def test_the_router_signs_ext_1():
    vector = vectors()["guider-auth-devicename-router-ext1"]
    own = DeviceCertificate("a1TESTpk001", "dev_0001", vector["inputs"]["deviceSecret"])
    assert messages.content(own, 2524608000000, True) == vector["inputs"]["sign_content"]
    for method in vector["outputs"]:
        form = messages.authentication(own, 2524608000000, method, True)
        assert "&sign=%s&" % vector["outputs"][method] in form and form.endswith("&resources=mqtt&ext=1")


def test_the_bootstrap_of_the_vector():
    vector = vectors()["bootstrap-c-2.3.0"]
    own = DeviceCertificate(vector["inputs"]["productKey"], vector["inputs"]["deviceName"], SECRET)
    assert messages.bootstrap(own) == vector["outputs"]["body"]
    asks = endpoint(fields(bootstrap=b"global"))
    assert "https://%s%s" % asks.question() == vector["outputs"]["url"]


def test_names_are_percent_encoded_and_signed_raw():
    own = DeviceCertificate("a1", "dev@a:b", SECRET)
    form = messages.authentication(own, 1, "hmacsha256", False)
    assert "&deviceName=dev%40a%3Ab&" in form and "&clientId=a1.dev%40a%3Ab&" in form
    assert messages.content(own, 1, False) == "clientIda1.dev@a:bdeviceNamedev@a:bproductKeya1timestamp1"
    assert (
        messages.bootstrap(own)
        == "productKey=a1&deviceName=dev%40a%3Ab&clientId=a1.dev%40a%3Ab&resources=mqtt"
    )


# The settings.

TABLES = {
    "test_what_is_asked_where": [
        # auth, bootstrap, (host, path) of each question
        ("https", "none", [("iot-auth.ap-southeast-1.aliyuncs.com", "/auth/devicename")]),
        ("https", "region", [("iot-auth.ap-southeast-1.aliyuncs.com", "/auth/devicename")]),
        (
            "https",
            "global",
            [
                ("iot-auth-global.aliyuncs.com", "/auth/bootstrap"),
                ("iot-auth.eu-central-1.aliyuncs.com", "/auth/devicename"),
            ],
        ),
        ("mqtt", "region", [("iot-auth.ap-southeast-1.aliyuncs.com", "/auth/bootstrap")]),
        ("mqtt", "global", [("iot-auth-global.aliyuncs.com", "/auth/bootstrap")]),
        ("mqtt", "none", []),
    ],
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
    "test_what_has_gone_wrong_with_a_question_is_told_and_tried_again": [
        (LinkError("no", "dns"), "dns", "offline"),
        (TimedOut("connect"), "timeout", "offline"),
        (Closed("x"), "closed", "offline"),
        (Stream(b"", CLOSED), "closed", "offline"),
        (Stream(b"HTTP/1.1 200", RESET), "reset", "offline"),
        (Stream(b"", SILENT), "timeout", "offline"),
        (http('{"code":401}'), "auth.401", "refused"),
        (http('{"code":500}', "500 Internal"), "auth.500", "refused"),
        (http("<html>", "302 Found"), "auth.answer", "refused"),
        (place("evil.example"), "auth.host", "refused"),
        (place(FRANKFURT, 22), "auth.host", "refused"),
    ],
}


def test_what_is_asked_where(auth, bootstrap, questions):
    answers = [place() if path == "/auth/bootstrap" else token() for _, path in questions]
    platform = Platform(*(answers + [OK]))
    made = online(device(fields(auth.encode(), bootstrap.encode())))
    assert [host for host, port in platform.asked[:-1]] == [host for host, path in questions]
    assert [platform.path(at) for at in range(len(questions))] == [path for host, path in questions]
    assert all([port == 443 for host, port in platform.asked[:-1]])
    assert platform.asked[-1] == ((FRANKFURT, 1883) if questions else ("a1TESTpk001." + SINGAPORE, 443))
    if auth == "https":
        assert ("ext" in platform.form(len(questions) - 1)) == (bootstrap == "region")
        assert platform.login()[0].startswith("a1TESTpk001.dev_0001|securemode=-1,")
        assert platform.login()[1:] == ("030VCbn3", TOKEN)
    else:
        assert platform.login()[0].startswith("dev_0001|securemode=2,")
        assert platform.login()[1] == "dev_0001&a1TESTpk001"
    assert names(made).count("asking") == len(questions)
    assert SECRET not in str(made.states) and TOKEN not in str(made.states)


def test_config_json_goes_before_the_burned_settings():
    def of(burned, override):
        made = endpoint(burned, override)
        return (made.auth, made.bootstrap) if isinstance(made, Told) else None

    assert of(fields(b"https", b"global"), {"auth": "mqtt", "bootstrap": "none"}) is None
    assert of(fields(), {"auth": "https"}) == ("https", "none")
    assert of(fields(), {"bootstrap": "region", "region": "us-west-1"}) == ("mqtt", "region")
    assert of(fields(b"https"), {"bootstrap": "global"}) == ("https", "global")
    assert of(fields(), {"region": "us-west-1"}) is None
    assert type(endpoint(fields(), {"port": 1883})) is Endpoint


class Unsigned(Credential):
    """A kind of identity without a secret."""


def test_settings_that_cannot_be_one_are_refused():
    for wrong in (
        {"auth": "http"},
        {"auth": None},
        {"auth": 1},
        {"bootstrap": "moon"},
        {"bootstrap": ["region"]},
        {"bootstrap": ""},
    ):
        # in config.json: named, and what is burned serves
        made = device(fields(b"https", b"region"), config={"endpoint": wrong})
        state, said = made.states[1]
        assert (
            (state, said["code"]) == ("error", "settings")
            and "endpoint." in said["detail"]
            and said["advice"]
        ), said
        assert (made.endpoint.auth, made.endpoint.bootstrap) == ("https", "region")
    for burned in (
        fields(b"ftp"),
        fields(bootstrap=b"none at all"),
        fields(b"https", b"moon"),
        fields(b"mqtts", b"region"),
    ):
        problem = raises(CredentialError, endpoint, burned)
        assert problem.code == "endpoint" and problem.advice
    for credential in (Unsigned("a1TESTpk001", "dev_0001"), Unsigned("", "")):
        for burned in (fields(b"https"), fields(bootstrap=b"region")):
            found = aliot.load("settings").Settings({}, burned)
            assert raises(CredentialError, found.endpoint, credential).code == "endpoint"


def test_tokens_without_preregistration_may_be_sent_on_but_cannot_authenticate():
    free = {
        record.WAY: b"product",
        record.METHOD: b"regnwl",
        record.PRODUCT_KEY: b"a1",
        record.PRODUCT_SECRET: b"p",
    }
    problem = raises(CredentialError, endpoint, free, {"auth": "https"})
    assert problem.code == "endpoint" and "preregistration-free" in problem.detail
    assert endpoint(free, {"bootstrap": "region"}).question()[1] == "/auth/bootstrap"


def test_an_issued_token_connects_where_bootstrap_sends_it():
    burned = {
        record.WAY: b"product",
        record.METHOD: b"regnwl",
        record.PRODUCT_KEY: b"a1TESTpk001",
        record.DEVICE_NAME: b"dev_0001",
        record.PRODUCT_SECRET: b"ProductSecret016",
        record.BOOTSTRAP: b"global",
    }
    kept = {
        record.PRODUCT_KEY: b"a1TESTpk001",
        record.DEVICE_NAME: b"dev_0001",
        record.FOR_GENERATION: b"\x64\0\0\0",
        record.CLIENT_ID: b"CID1",
        record.DEVICE_TOKEN: b"TOKEN456",
    }
    media = (Medium("nvs"), Medium("littlefs"))
    for medium in media:
        medium.kept["burned"] = record.encode(record.BURNED, 100, burned)
        medium.kept["issued"] = record.encode(record.ISSUED, 100, kept)
    platform = Platform(place("iot-06z00abc.mqtt.iothub.aliyuncs.com", 8883), OK)
    made = online(device(None, media))
    assert platform.asked[-1] == ("iot-06z00abc.mqtt.iothub.aliyuncs.com", 8883) and made.endpoint.roots == (
        "aliyun",
    )
    assert platform.login() == ("CID1|securemode=-2,authType=connwl|", "dev_0001&a1TESTpk001", "TOKEN456")


def test_an_issued_secret_authenticates():
    burned = {
        record.WAY: b"product",
        record.METHOD: b"https",
        record.PRODUCT_KEY: b"a1TESTpk001",
        record.DEVICE_NAME: b"dev_0001",
        record.PRODUCT_SECRET: b"ProductSecret016",
        record.AUTH: b"https",
    }
    issued = (
        '{"code":200,"data":{"deviceName":"dev_0001","deviceSecret":"%s","productKey":"a1TESTpk001"}}'
        % SECRET
    )
    platform = Platform(http(issued), token(), OK)
    made = online(device(burned))
    steps = [name for name in names(made) if name not in ("boot", "wifi", "clock")]
    assert steps == ["registering", "stored", "asking", "guided", "connecting", "connected", "kept"]
    own = DeviceCertificate("a1TESTpk001", "dev_0001", SECRET)
    form = platform.form(1)
    assert "&sign=%s&" % form["sign"] in messages.authentication(own, NOW * 1000, "hmacsha256", False)
    assert form["timestamp"] == str(NOW * 1000)


# Answers.


def answered(data, path="/auth/devicename", end=SILENT, piece=0):
    """What a question makes of an answer; the stream must be closed after it."""
    stream = Stream(data, end, piece)
    tls.connect = lambda *arguments: stream
    own = DeviceCertificate("a1TESTpk001", "dev_0001", SECRET)
    try:
        return messages.told(path, *https.post(own, "iot-auth.ap-southeast-1.aliyuncs.com", path, "a=b", 100))
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


def test_every_code_has_its_class_and_advice(code, retry, words):
    for status in ("200 OK", "400 Bad Request"):
        for path in ("/auth/devicename", "/auth/bootstrap"):
            problem = raises(
                AuthRefused, answered, http('{"code":%d,"message":"because"}' % code, status), path
            )
            assert (problem.number, problem.code, problem.retry) == (code, "auth.%d" % code, retry)
            assert problem.detail == "because" and words in problem.advice
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


# Kept, used again, thrown away.


def test_what_was_told_is_kept_once_a_connect_with_it_succeeded():
    platform = Platform(token(), OK)
    made = device(fields(b"https", b"region"))
    made.poll(0)
    assert names(made)[-2:] == ["asking", "guided"] and "place" not in made.media[0].kept
    online(made)
    assert last(made, "guided") == {"host": FRANKFURT, "port": 1883, "age": 0}
    assert "place" in made.media[0].kept and "place" not in made.media[1].kept
    clock_at(NOW + 500)
    platform.scripts = [OK]
    after = online(again(made))
    assert platform.asked[-1] == (FRANKFURT, 1883) and platform.login()[2] == TOKEN
    assert "asking" not in names(after) and "kept" not in names(after) and last(after, "guided")["age"] == 500
    assert made.media[0].writes == 1  # the same is not written again


def test_what_belongs_to_others_is_not_used():
    platform = Platform(token(), OK)
    made = online(device(fields(b"https", b"region")))
    data = made.media[0].kept["place"]

    def asks(burned, generation, kept=data, config=None):
        media = (Medium("nvs"), Medium("littlefs"))
        for medium in media:
            medium.kept["burned"] = record.encode(record.BURNED, generation, burned)
        media[0].kept["place"] = kept
        platform.scripts = [token(), OK]
        board = device(None, media, config)
        board.poll(0)
        return "asking" in names(board)

    assert not asks(fields(b"https", b"region"), 100)
    assert asks(fields(b"https", b"region"), 101)
    assert asks(fields(b"https"), 100)
    assert asks(fields(b"https", b"region", b"us-west-1"), 100)
    assert asks(fields(b"https", b"region"), 100, config={"endpoint": {"region": "us-west-1"}})
    other = fields(b"https", b"region")
    other[record.DEVICE_NAME] = b"dev_0002"
    assert asks(other, 100)
    for damaged in (b"", b"-", data[:-1], data[:4], data + b"x", b"\0" * 4, data[:40] + b"!" + data[41:]):
        assert asks(fields(b"https", b"region"), 100, damaged), damaged


def test_every_changed_byte_of_what_is_kept_is_seen():
    Platform(place(), OK)
    made = online(device(fields(bootstrap=b"region")))
    data = made.media[0].kept["place"]
    assert struct.unpack("<I", data[:4])[0] == binascii.crc32(data[4:])
    from aliot.bootstrap import cache

    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1
        made.media[0].kept["place"] = bytes(changed)
        assert cache.kept(made.endpoint, made) is None


def test_flash_that_keeps_nothing_costs_a_question_and_no_more():
    for fault in ("full", "torn", "silent", "reads"):
        platform = Platform(token(), OK)
        made = device(fields(b"https"))
        made.media[0].fault = fault
        online(made)
        assert names(made)[-2:] == ["connected", "kept"]
        assert last(made, "kept") == {"nvs": {"full": "error 28", "reads": "error 5"}.get(fault, "ok")}
        platform.scripts = [token(), OK]
        assert "asking" in names(online(again(made)))


def failing_connects():
    return (
        TimedOut("connect"),
        LinkError("no", "dns"),
        b"\x20\x02\0\x05",
        WRONG,
        BUSY,
        Stream(b"", CLOSED),
        Stream(b"junk", RESET),
    )


def test_a_connect_that_fails_throws_it_away_and_asks_once_before_the_next():
    for script in failing_connects():
        platform = Platform(place(), OK)
        made = online(device(fields(bootstrap=b"region")))
        platform.scripts = [script, place(SINGAPORE), script, place(SINGAPORE), OK]
        after = again(made)
        after.poll(0)
        assert names(after)[-1] in ("offline", "refused"), names(after)
        assert made.media[0].kept["place"] == b"-"
        before = len(platform.asked)
        after.session.after = 0
        after.poll(0)  # one question
        after.session.after = 0
        after.poll(0)  # one connect
        asked = platform.asked[before:]
        assert asked == [("iot-auth.ap-southeast-1.aliyuncs.com", 443), (SINGAPORE, 1883)], asked
        online(after)
        assert platform.asked[-2:] == asked and names(after).count("asking") == 2
        assert SINGAPORE.encode() in made.media[0].kept["place"]


def test_a_question_waits_as_a_connect_does():
    platform = Platform(http('{"code":401}'))
    made = device(fields(b"https"))
    made.poll(0)
    state, said = made.states[-1]
    assert (
        state == "refused"
        and said["code"] == "auth.401"
        and said["wait"] >= 3600
        and said["retry"] == "never"
    )
    assert not made.poll(0) and len(platform.asked) == 1


def test_never_more_than_five_a_minute_of_either():
    platform = Platform(*[place() if n % 2 == 0 else TimedOut("connect") for n in range(20)])
    made = device(fields(bootstrap=b"global"))
    made.session = Session(lambda n: 0)
    for _ in range(20):
        made.poll(0)
    assert len(platform.asked) == 5


def test_what_has_gone_wrong_with_a_question_is_told_and_tried_again(script, code, state):
    platform = Platform(script, place(), OK)
    made = device(fields(bootstrap=b"region"))
    made.poll(0)
    said = made.states[-1]
    assert said[0] == state and said[1]["code"] == code and said[1]["advice"]
    assert all([stream.closed for stream in platform.streams])
    assert "place" not in made.media[0].kept
    online(made)
    assert platform.asked[-1] == (FRANKFURT, 1883)


# Tokens.


def test_a_token_is_asked_for_anew_after_7_days():
    platform = Platform(place(), token(), OK)
    made = online(device(fields(b"https", b"global")))
    clock_at(NOW + 7 * DAY - 1)
    platform.scripts = [OK]
    online(again(made))
    assert platform.login()[2] == TOKEN
    clock_at(NOW + 7 * DAY)
    platform.scripts = [token(SINGAPORE, iot_token="f" * 32), OK]
    after = online(again(made))
    # the place is still known: its centre is asked for a token, no bootstrap comes before
    assert platform.asked[-2:] == [("iot-auth.eu-central-1.aliyuncs.com", 443), (SINGAPORE, 1883)]
    assert platform.login()[2] == "f" * 32 and names(after).count("asking") == 1


def test_a_token_that_ends_while_the_board_runs():
    platform = Platform(token(), OK)
    made = online(device(fields(b"https")))
    clock_at(NOW + 8 * DAY)
    assert made.poll(0)  # a connection that stands is not cut for it
    platform.streams[-1].end = CLOSED
    made.poll(0)
    platform.scripts = [token(iot_token="f" * 32), OK]
    online(made)
    assert platform.login()[2] == "f" * 32


def test_a_clock_that_was_never_set_ends_no_token():
    platform = Platform(token(), OK)
    made = online(device(fields(b"https")))
    clock_set(None)
    for now in (NOW - 400 * DAY, NOW + 400 * DAY):
        clock_at(now)
        platform.scripts = [OK]
        after = online(again(made))
        assert platform.login()[2] == TOKEN and last(after, "guided")["age"] is None


def test_without_a_clock_the_question_carries_a_timestamp_all_the_same():
    platform = Platform(token(), OK)
    clock_set(None)
    online(device(fields(b"https")))
    assert platform.form(0)["timestamp"] == "2524608000000"


def test_a_stale_token_is_thrown_away_and_asked_for_anew():
    platform = Platform(token(), OK)
    made = online(device(fields(b"https", b"region")))
    platform.scripts = [BUSY, token(iot_token="f" * 32), OK]
    after = again(made)
    after.poll(0)
    state, said = after.states[-1]
    assert (
        state == "refused" and said["code"] == "auth.token" and said["retry"] == "now" and said["wait"] <= 2
    )
    assert "asks again" in said["advice"]
    online(after)
    assert platform.login()[2] == "f" * 32 and b"f" * 32 in made.media[0].kept["place"]
    assert TOKEN.encode() not in made.media[0].kept["place"]


def test_a_new_token_that_gets_connack_3_is_a_busy_platform():
    platform = Platform(token(), BUSY)
    made = device(fields(b"https"))
    made.poll(0)
    made.session.after = 0
    made.poll(0)
    assert made.states[-1][0] == "refused" and made.states[-1][1]["code"] == "mqtt.3"
    platform.scripts = [token(), OK]
    online(made)
    assert platform.asked[-2][1] == 443


def test_a_lost_connection_is_made_again_with_what_is_known():
    platform = Platform(token(), OK)
    made = online(device(fields(b"https", b"region")))
    platform.streams[-1].end = CLOSED
    made.poll(0)
    platform.scripts = [OK]
    online(made)
    assert names(made).count("asking") == 1 and platform.asked[-1] == (FRANKFURT, 1883)


# thing/bootstrap/notify

NOTIFY = "/sys/a1TESTpk001/dev_0001/thing/bootstrap/notify"


def message(payload, topic=NOTIFY):
    topic, payload = topic.encode(), payload.encode()
    size = len(topic) + len(payload) + 2
    return (
        bytes([0x30])
        + (bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7]))
        + bytes([0, len(topic)])
        + topic
        + payload
    )


def notified(payload):
    platform = Platform(place(), OK)
    made = online(device(fields(bootstrap=b"region")))
    platform.streams[-1].data += message(payload)
    made.poll(0)
    return platform, made


def test_a_notice_leads_to_a_new_bootstrap():
    platform, made = notified(
        '{"id":"9","version":"1.0","method":"thing.bootstrap.notify","params":{"cmd":0}}'
    )
    stream = platform.streams[-1]
    assert (
        (NOTIFY + "_reply").encode() in stream.written()
        and b'"9"' in stream.written()
        and b"200" in stream.written()
    )
    assert stream.closed and not made.connected and made.media[0].kept["place"] == b"-"
    state, said = made.states[-1]
    assert (
        state == "offline"
        and said["code"] == "auth.moved"
        and "asks again" in said["advice"]
        and said["wait"] <= 2
    )
    platform.scripts = [place(SINGAPORE), OK]
    online(made)
    assert platform.asked[-2:] == [("iot-auth.ap-southeast-1.aliyuncs.com", 443), (SINGAPORE, 1883)]
    assert SINGAPORE.encode() in made.media[0].kept["place"]


def test_a_notice_that_comes_again_is_followed_once():
    payload = '{"id":"9","params":{"cmd":0}}'
    platform, made = notified(payload)
    assert not made.connected
    platform.scripts = [place(SINGAPORE), OK]
    online(made)
    platform.streams[-1].data += message(payload)
    made.poll(0)
    assert made.connected and b"_reply" in platform.streams[-1].written()
    platform.streams[-1].data += message(payload.replace("9", "10"))
    made.poll(0)
    assert not made.connected


def test_other_notices_change_nothing():
    platform, made = notified('{"id":"9","cmd":0}')
    assert not made.connected  # as the SDK would read it
    for payload in (
        "",
        "{",
        "[]",
        "{}",
        "null",
        '"cmd"',
        '{"params":{}}',
        '{"params":null}',
        '{"params":{"cmd":1}}',
        '{"params":[0]}',
        '{"params":{"cmd":null}}',
        "[" * 300,
    ):
        platform, made = notified(payload)
        assert made.connected and b"_reply" not in platform.streams[-1].written(), payload


def test_a_board_without_bootstrap_does_not_listen_for_notices():
    platform = Platform(token(), OK)
    online(device(fields(b"https")))
    assert b"bootstrap" not in platform.streams[-1].written()


# What it costs.


PARTS = ("cache", "exchange", "messages", "notice", "refusals", "settings")
PACKAGE = ["bootstrap"] + ["bootstrap." + name for name in PARTS]
OTHERS = (
    "start",
    "identities",
    "settings",
    "names",
    "objects",
    "record",
    "store",
    "registration",
    "registration.https",
)


def test_the_parts_are_dropped_after_use():
    unload(*PACKAGE, *OTHERS)
    platform = Platform(place(), token(), OK)
    made = online(device(fields(b"https", b"global")))
    assert names(made).count("asking") == 2 and "kept" in names(made)
    assert not loaded()
    platform.streams[-1].data += message('{"id":"9","params":{"cmd":0}}')
    made.poll(0)
    assert not made.connected and not loaded()


def loaded():
    """The parts that are in memory."""
    found = [
        name
        for name in PARTS
        if "aliot.bootstrap." + name in sys.modules or hasattr(sys.modules["aliot.bootstrap"], name)
    ]
    return found + [name for name in OTHERS if "aliot." + name in sys.modules]


def test_what_is_known_is_used_without_a_look_into_the_parts_that_ask():
    """A later boot reads what is kept, and neither asks nor writes: nothing of that is loaded."""
    platform = Platform(token(), OK)
    made = online(device(fields(b"https", b"region")))
    writes = made.media[0].writes
    platform.scripts = [OK]
    unload(*PACKAGE, *OTHERS)
    after = online(again(made))
    assert "asking" not in names(after) and made.media[0].writes == writes and not loaded()
