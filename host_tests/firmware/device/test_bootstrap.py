"""What a device asks a centre: the forms of the vectors, the settings, and what is asked where."""

import gc
import aliot.device
from aliot import record
from aliot.bootstrap import AskingEndpoint, messages
from aliot.credentials import Credential, DeviceCertificate
from aliot.endpoint import Endpoint
from aliot.errors import CredentialError
from scripted import Medium, raises, vectors
from guided import (
    FRANKFURT,
    NOW,
    OK,
    Platform,
    SECRET,
    SINGAPORE,
    TOKEN,
    device,
    fields,
    http,
    names,
    online,
    place,
    token,
)

gc.threshold(4096)  # as boot.py has it

HEAP = "288K"  # the tests themselves, and the sources as they stand, are most of it


def endpoint(burned, override=None):
    """The endpoint of a device with that record and those settings."""
    credential = aliot.load("identities").burned(burned, 100, bytes(6), None)  # a start drops these modules
    found = aliot.load("settings").Settings({"endpoint": override or {}}, burned)
    assert found.wrong == [], found.wrong
    return found.endpoint(credential)


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
        return (made.auth, made.bootstrap) if isinstance(made, AskingEndpoint) else None

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
        state, reported = made.states[1]
        assert (
            (state, reported["code"]) == ("error", "settings")
            and "endpoint." in reported["detail"]
            and reported["advice"]
        ), reported
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
        record.KIND: b"product",
        record.METHOD: b"regnwl",
        record.PRODUCT_KEY: b"a1",
        record.PRODUCT_SECRET: b"p",
    }
    problem = raises(CredentialError, endpoint, free, {"auth": "https"})
    assert problem.code == "endpoint" and "preregistration-free" in problem.detail
    assert endpoint(free, {"bootstrap": "region"}).question()[1] == "/auth/bootstrap"


def test_an_issued_token_connects_where_bootstrap_sends_it():
    burned = {
        record.KIND: b"product",
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
        record.KIND: b"product",
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
