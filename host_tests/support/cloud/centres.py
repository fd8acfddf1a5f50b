"""What tests of centres share: a cloud in two or three regions, and the requests of direct.md 6."""

from urllib.parse import urlencode

from host_tests.support.cloud import client
from host_tests.support.cloud.client import DN, DS, PK, settings, sign
from tools.emulator.cloud import codec

SHANGHAI, SINGAPORE, FRANKFURT = "cn-shanghai", "ap-southeast-1", "eu-central-1"
GLOBAL_HOST = "iot-auth-global.aliyuncs.com"
AUTH, BOOTSTRAP = "/auth/devicename", "/auth/bootstrap"
TIMESTAMP = "2524608000000"


def world(device=None, **changes):
    """A configuration of three centres; the device of the vectors is at home in Frankfurt."""
    chosen = settings(
        kind="public",
        device=device or [{"device_name": DN, "device_secret": DS, "centre": FRANKFURT}],
        **changes,
    )
    chosen["instance"]["centres"] = [SINGAPORE, FRANKFURT]
    return chosen


def auth_host(region):
    return f"iot-auth.{region}.aliyuncs.com"


def mqtt_host(region):
    return f"iot-as-mqtt.{region}.aliyuncs.com"


def auth_form(dn=DN, pk=PK, secret=DS, method="hmacsha256", timestamp=TIMESTAMP, ext=None, **more):
    """The fields of /auth/devicename as the C SDK has them; `more` is sent, not signed."""
    signed = {"clientId": f"{pk}.{dn}", "deviceName": dn, "productKey": pk, "timestamp": timestamp}
    signed |= {"ext": ext} if ext else {}
    content = "".join(name + signed[name] for name in sorted(signed))
    fields = {
        "productKey": pk,
        "deviceName": dn,
        "signmethod": method,
        "sign": sign(secret, content, (method or "hmacmd5").removeprefix("hmac")),
        "version": "default",
        "clientId": f"{pk}.{dn}",
        "timestamp": timestamp,
        "resources": "mqtt",
    }
    fields |= {"ext": ext} if ext else {}
    return {name: value for name, value in (fields | more).items() if value is not None}


def bootstrap_form(dn=DN, pk=PK, **more):
    return {"productKey": pk, "deviceName": dn, "clientId": f"{pk}.{dn}", "resources": "mqtt"} | more


def post(cloud, path, fields, host=auth_host(FRANKFURT)):
    """(HTTP status, JSON) of one form."""
    return cloud.https(fields if isinstance(fields, str) else urlencode(fields), path, host=host)


def code(cloud, path, fields, host=auth_host(FRANKFURT)):
    return post(cloud, path, fields, host)[1]["code"]


def data(cloud, path, fields, host=auth_host(FRANKFURT)):
    """The data of a request that succeeds."""
    status, answer = post(cloud, path, fields, host)
    assert status == 200 and answer["code"] == 200 and answer["message"] == "success", answer
    return answer["data"]


def sent_to(region, port=1883):
    """The resources of an answer that sends a device to `region`."""
    return {"mqtt": {"host": mqtt_host(region), "port": port}}


def token_packet(given, mode="-1", keep_alive=300, **fields):
    """A CONNECT with what /auth/devicename gave."""
    return codec.Connect(
        **{
            "client_id": f"{PK}.{DN}|securemode={mode},timestamp={TIMESTAMP}|",
            "username": given["iotId"],
            "password": given["iotToken"].encode(),
            "keep_alive": keep_alive,
            **fields,
        }
    )


def login(cloud, packet, host=mqtt_host(FRANKFURT), where="mqtt_tls"):
    """The code of the CONNACK."""
    return client.login(cloud, packet, where, host)
