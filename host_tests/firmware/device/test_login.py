"""CONNECT fields against the vectors."""

from aliot.credentials import DeviceCertificate, ProductCertificate
from aliot.endpoint import Endpoint
from aliot.login import login
from aliot.mqtt import Client
from aliot.registration import mqtt, signature
from aliot.token import ClientToken
from scripted import Stream, unhex, vectors

ENDPOINT = Endpoint("a1TESTpk001.iot-as-mqtt.cn-shanghai.aliyuncs.com", 443)


def instance(name):
    return Endpoint(name + ".mqtt.iothub.aliyuncs.com", 8883, name)


def test_documented_connects():
    seen = 0
    for name, vector in vectors().items():
        if name.startswith("connect-documented-form-securemode2"):
            made, inputs, outputs = device_login(vector), vector["inputs"], vector["outputs"]
            assert made.client_id == outputs["mqtt_client_id"], name
            assert made.username == outputs["mqtt_username"], name
            assert made.password == outputs["mqtt_password"], name
            seen += 1
    assert seen == 3


def test_documented_connect_packets():
    for name, vector in vectors().items():
        if name.startswith("connect-documented-form-securemode2"):
            made = device_login(vector)
            stream = Stream(b"\x20\x02\0\0")
            Client(stream, made, 300).connect()
            assert stream.writes == [unhex(vector["outputs"]["connect_packet_hex"])], name


def device_login(vector):
    inputs = vector["inputs"]
    credential = DeviceCertificate(inputs["productKey"], inputs["deviceName"], inputs["deviceSecret"])
    return login(credential, ENDPOINT, inputs["timestamp"], vector["method"])


def test_without_timestamp_it_is_neither_sent_nor_signed():
    inputs = vectors()["sign-devsecret-minimal-no-clientid-no-timestamp"]["inputs"]
    made = login(
        DeviceCertificate(inputs["productKey"], inputs["deviceName"], inputs["deviceSecret"]), ENDPOINT
    )
    assert made.client_id == "dev_0001|securemode=2,signmethod=hmacsha256|"
    assert made.password != device_login(vectors()["connect-documented-form-securemode2-hmacsha256"]).password


def test_connwl_sends_the_token_as_received():
    vector = vectors()["mqtt-connwl-credentials-documented-form"]
    inputs, outputs = vector["inputs"], vector["outputs"]
    token = ClientToken(inputs["productKey"], inputs["deviceName"], inputs["clientId"], inputs["deviceToken"])
    made = login(token, ENDPOINT, 1700000000123)
    assert made.client_id == outputs["mqtt_client_id"]
    assert made.username == outputs["mqtt_username"]
    assert made.password == outputs["mqtt_password"]


def product(inputs, method="mqtt"):
    return ProductCertificate(inputs["productKey"], inputs["deviceName"], inputs["productSecret"], method)


def test_registration_login_on_an_instance():
    vector = vectors()["mqtt-dynreg-register-documented-new-instance-form"]
    inputs, outputs = vector["inputs"], vector["outputs"]
    made = mqtt.login(product(inputs), instance(inputs["instanceId"]), inputs["random"], "hmacsha256")
    assert made.client_id == outputs["mqtt_client_id"]
    assert made.username == outputs["mqtt_username"]
    assert made.password == outputs["mqtt_password"]


def test_registration_login_on_the_legacy_instance():
    vector = vectors()["mqtt-dynreg-register-documented-legacy-instance-form"]
    inputs, outputs = vector["inputs"], vector["outputs"]
    for method in ("hmacmd5", "hmacsha1", "hmacsha256"):
        made = mqtt.login(product(inputs), ENDPOINT, inputs["random"], method)
        assert made.client_id == outputs["mqtt_client_id_template"].replace("<method>", method)
        assert made.password == outputs["mqtt_password"][method]


def test_preregistration_free_asks_for_regnwl():
    inputs = vectors()["mqtt-dynreg-regnwl-instanceId-python-1.2.13"]["inputs"]
    made = mqtt.login(product(inputs, "regnwl"), instance("iot-test01"), inputs["random"], "hmacsha256")
    assert "authType=regnwl," in made.client_id and "instanceId=iot-test01|" in made.client_id


def test_registration_signatures_of_the_official_clients():
    seen = 0
    for name, vector in vectors().items():
        if "dynreg" in name and "productSecret" in vector["inputs"] and "random" in vector["inputs"]:
            wanted = vector["outputs"].get("mqtt_password") or vector["outputs"].get("sign")
            if isinstance(wanted, str):
                got = signature(product(vector["inputs"]), vector["inputs"]["random"], vector["method"])
                assert got == wanted.lower(), name
                seen += 1
    assert seen == 12, seen
