"""What a network may send, given to the firmware: an error of its own tree or a right result, nothing else.

Not tests by themselves: host_tests/system/boots/test_received.py makes up the input. Each function takes a list of
{"data": hex, "end": how the stream ends, "piece": bytes at a time, "good": whether it must be accepted}.
"""

from aliot import clock, record, sntp
from aliot.credentials import ProductCertificate
from aliot.endpoint import Endpoint
from aliot.errors import AliotError
from aliot.mqtt import Client
from aliot.registration import https, mqtt
from scripted import Stream, unhex

PRODUCT_SECRET = "ProductSecret016"
DEVICE_SECRET = "0123456789abcdef0123456789abcdef"
ENDPOINT = Endpoint(
    "iot-test01.mqtt.iothub.aliyuncs.com", 8883, "iot-test01", "iot-auth.cn-shanghai.aliyuncs.com"
)
LONG = 20000  # ms: a busy machine lets no input that is whole become late


class Login:
    client_id, username, password = "id", "user", "password"


def https_answers(inputs):
    for stream, good in _streams(inputs):
        _registered(https.register, "https", stream, good)


def pushes(inputs):
    for stream, good in _streams(inputs):
        _registered(mqtt.register, "mqtt", stream, good)


def token_pushes(inputs):
    for stream, good in _streams(inputs):
        _registered(mqtt.register, "regnwl", stream, good)


def mqtt_packets(inputs):
    """Here "good" is how many messages must arrive, 0 when that cannot be said."""
    for one in inputs:
        stream, good = _stream(one), one["good"]
        stream.data = b"\x20\x02\0\0" + stream.data
        got = []

        def handler(topic, payload):
            assert isinstance(topic, bytes) and topic and isinstance(payload, bytes)
            got.append(topic)

        client = Client(stream, Login, 300, LONG if good else 50, 500)
        client.set_callback(handler)
        try:
            client.connect()
            for _ in range(len(stream.data) * 2 + 2):  # with `piece` every second look finds nothing
                client.poll(0)
        except AliotError as problem:
            assert not good or problem.code == one["end"], repr(problem.detail)
            _quiet(problem)
        assert len(got) == good or not good, got


def records(inputs):
    for one in inputs:
        data = unhex(one["data"])
        try:
            kind, generation, fields = record.decode(data)
        except ValueError:
            assert not one["good"]
            continue
        assert record.encode(kind, generation, fields)[:10] == data[:10]


def times(inputs):
    for one in inputs:
        clock.server = clock.unconfirmed = None
        sntp.ntptime.time = lambda: one - 946684800
        can_be = sntp.BUILT <= one < sntp.BUILT + 20 * 365 * 86400 and one != 2085978496
        assert sntp.synchronize(["server"]) == can_be and clock.server == ("server" if can_be else None)
        assert clock.utc() >= sntp.BUILT


def _streams(inputs):
    for one in inputs:
        yield _stream(one), one["good"]


def _stream(one):
    return Stream(unhex(one["data"]), one["end"], one["piece"])


def _registered(register, method, stream, good):
    credential = ProductCertificate("a1TESTpk001", "dev_0001", PRODUCT_SECRET, method)
    credential.open = lambda *arguments: stream
    try:
        made = register(credential, ENDPOINT, "hmacsha256", LONG if good else 30)
    except AliotError as problem:
        assert not good, (problem.code, problem.detail)
        _quiet(problem)
    else:
        assert (made.product_key, made.device_name) == ("a1TESTpk001", "dev_0001")
        secret = (made.device_token if method == "regnwl" else made.device_secret).reveal()
        assert 0 < len(secret) and all([33 <= ord(letter) < 127 for letter in secret]), secret
    assert stream.closed


def _quiet(problem):
    shown = "%s %s %s %r" % (problem.code, problem.detail, problem.advice, problem)
    assert problem.retry in ("now", "later", "never")
    assert PRODUCT_SECRET not in shown and DEVICE_SECRET not in shown, "a secret is told"
