"""The protocol's vectors against the cloud: every genuine login and registration is let in, no other."""

import json

import pytest

from host_tests.support.cloud.client import DN, DS, PK, PS, VECTORS, Client, form, settings, sign
from tools.emulator.cloud import codec
from tools.emulator.cloud.registry import Unit

PRODUCTS = [
    {
        "product_key": PK,
        "product_secret": PS,
        "dynamic_registration": True,
        "preregistration_free": True,
        "device": [{"device_name": DN, "device_secret": DS}],
    },
    {"product_key": "pk", "device": [{"device_name": "device", "device_secret": "secret"}]},
    {
        "product_key": "a1ExpAkj9Hi",
        "product_secret": "ffFnFlKQW3HYjjPR",
        "dynamic_registration": True,
        "device": [{"device_name": "Example_dyn1", "device_secret": "ik0qF60vcdvStygvKOTs3xEUbVj6BbSR"}],
    },
    {
        "product_key": "a1csED27mp7",
        "product_secret": "VuULINCrtTAzCSzp",
        "dynamic_registration": True,
        "device": [{"device_name": "AdvExample_dyn1"}],
    },
    {
        "product_key": "a1MZxOdcBnO",
        "product_secret": "h4I4dneEFp7EImTv",
        "dynamic_registration": True,
        "device": [{"device_name": "Example_dyn1"}],
    },
]
CONFIG = {**settings(), "product": PRODUCTS}


def packet_of(vector, method=None):
    """The CONNECT bytes of a vector: as captured, or put together from its three fields."""
    outputs = vector["outputs"]
    if "connect_packet_hex" in outputs:
        return bytes.fromhex(outputs["connect_packet_hex"])
    client_id = outputs.get("mqtt_client_id") or outputs["mqtt_client_id_template"].replace(
        "<method>", method
    )
    password = outputs["mqtt_password"]
    password = password[method] if isinstance(password, dict) else password
    return codec.Connect(
        client_id,
        outputs["mqtt_username"],
        password.encode(),
        outputs.get("keepalive", 300),
        outputs.get("clean_session", True),
    ).encode()


def variants():
    """(name, signing method of a template, vector) of all vectors with an MQTT login in them."""
    for name, vector in VECTORS.items():
        password = vector["outputs"].get("mqtt_password")
        if password is None or name.startswith("guider"):
            continue
        for method in password if isinstance(password, dict) else [None]:
            yield pytest.param(vector, method, id=name + (f"-{method}" if method else ""))


def listener(packet):
    return "mqtt_tcp" if b"securemode=3" in packet else "mqtt_tls"


def allow_unit(cloud):
    device = cloud.instance.registry.find(PK, DN)
    device.units["CID123"] = Unit("CID123", "TOKEN456", 0.0)


@pytest.mark.parametrize("vector, method", list(variants()))
def test_every_genuine_connect_is_accepted(run, vector, method):
    packet = packet_of(vector, method)
    with run(CONFIG) as cloud:
        if "connwl" in vector["name"]:
            allow_unit(cloud)
        with Client(cloud.open(listener(packet))) as client:
            assert client.ask(packet) == codec.Connack(0)
            if b"authType=reg" in packet:
                push = client.read()
                assert push.topic == ("/ext/regnwl" if b"regnwl" in packet else "/ext/register")


def test_the_vectors_hold_every_kind_of_connect():
    names = [parameter.id for parameter in variants()]
    for part in (
        "python",
        "c-4.2.0",
        "c-3.2.0",
        "nodejs",
        "documented",
        "register",
        "regnwl",
        "connwl",
        "instanceId",
    ):
        assert any(part in name for name in names)
    assert len(names) >= 20


def changed(packet, **fields):
    (read,) = codec.Decoder().feed(packet)
    values = {name: getattr(read, name) for name in codec.Connect.__slots__}
    return codec.Connect(**{**values, **fields})


@pytest.mark.parametrize("vector, method", list(variants()))
def test_no_connect_with_one_digit_changed_is_accepted(run, vector, method):
    packet = packet_of(vector, method)
    (read,) = codec.Decoder().feed(packet)
    last = b"0" if read.password[-1:] != b"0" else b"1"
    with run(CONFIG) as cloud:
        allow_unit(cloud)
        with Client(cloud.open(listener(packet))) as client:
            assert client.login(changed(packet, password=read.password[:-1] + last)) == 4
        with Client(cloud.open(listener(packet))) as client:
            assert client.login(changed(packet, username=read.username.replace("&", "x&", 1))) == 4
        assert cloud.device()["status"] == "inactive"


@pytest.mark.parametrize("label", ["hmacsha256", "hmacmd5"])
def test_the_node_sdk_defect_of_a_label_that_lies_is_refused(run, label):
    packet = packet_of(VECTORS["connect-nodejs-1.2.8"])
    (read,) = codec.Decoder().feed(packet)
    with run(CONFIG) as cloud, cloud.mqtt() as client:
        assert client.login(changed(packet, client_id=read.client_id.replace("hmacsha1", label))) == 4


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in VECTORS
        if name.startswith("https-dynreg-") and "response" not in name or name.startswith("seed003-log")
    ],
)
def test_every_genuine_https_registration_is_accepted(run, name):
    outputs = VECTORS[name]["outputs"]
    with run(CONFIG) as cloud:
        if "http_request" in outputs:
            status, head, body = cloud.https_raw(
                outputs["http_request"].replace(
                    "Host: 127.0.0.1\r\n", "Host: 127.0.0.1\r\nConnection: close\r\n"
                )
            )
            answer = json.loads(body)
        else:
            status, answer = cloud.https(outputs["body"])
        assert (status, answer["code"], answer["message"]) == (200, 200, "success")
        assert answer["data"]["deviceSecret"] not in (DS, "ik0qF60vcdvStygvKOTs3xEUbVj6BbSR")


def test_the_printed_keys_of_the_contradictory_log_are_refused(run):
    inputs = VECTORS["seed003-keys-as-printed-do-NOT-match"]["inputs"]
    with run(CONFIG) as cloud:
        fields = {
            "productKey": "a1MZxOdcBnO",
            "deviceName": inputs["deviceName"],
            "random": inputs["random"],
            "sign": inputs["published_sign"],
            "signMethod": "hmacsha256",
        }
        assert cloud.https(fields)[1]["code"] == 6600


def test_the_node_registration_with_a_label_that_lies_is_refused(run):
    body = VECTORS["https-dynreg-nodejs-1.2.8"]["outputs"]["body"]
    with run(CONFIG) as cloud:
        assert cloud.https(body.replace("signMethod=hmacsha1", "signMethod=hmacsha256"))[1]["code"] == 6600


def test_the_answer_to_an_https_registration_is_the_documented_one_byte_for_byte(run):
    with run(CONFIG) as cloud:
        _, head, body = cloud.https_raw(
            VECTORS["https-dynreg-c-4.2.0"]["outputs"]["http_request"].replace(
                "Host: 127.0.0.1\r\n", "Host: 127.0.0.1\r\nConnection: close\r\n"
            )
        )
        secret = cloud.device()["device_secret"]
        documented = VECTORS["https-dynreg-response-success-device-view"]["inputs"]["body"].replace(
            DS, secret
        )
        assert body.decode() == documented
        assert f"\r\nContent-Length: {len(body)}\r\n" in head + "\r\n"
        with cloud.mqtt() as client:
            client.online(
                codec.Connect(
                    "c|securemode=2,signmethod=hmacsha256|",
                    f"{DN}&{PK}",
                    sign(secret, f"clientIdcdeviceName{DN}productKey{PK}").encode(),
                    60,
                )
            )
        assert cloud.https(form())[1] == json.loads(
            VECTORS["https-dynreg-response-6289-device-view"]["inputs"]["body"]
        )


@pytest.mark.parametrize("kind", ["register", "regnwl"])
def test_the_push_is_the_vector_byte_for_byte(run, kind):
    """What is random in the vector is put in the place of what is random here."""
    vector = VECTORS[f"mqtt-dynreg-server-push-{kind}"]
    with run(CONFIG) as cloud, cloud.mqtt() as client:
        client.send(packet_of(VECTORS[f"mqtt-dynreg-{kind}-c-4.2.0"]))
        assert client.read() == codec.Connack(0)
        push = client.read()
        got, documented = json.loads(push.payload), json.loads(vector["inputs"]["payload"])
        text = push.payload.decode()
        for key in set(documented) - {"productKey", "deviceName"}:
            text = text.replace(got[key], documented[key])
        assert (
            codec.Publish(push.topic, text.encode(), push.qos, None, push.retain).encode().hex()
            == vector["outputs"]["packet_hex"]
        )
