"""What /auth/devicename and /auth/bootstrap are asked, and what an answer says; direct.md 6. Pure."""

from aliot import load
from aliot.errors import CredentialError, RegistrationError
from aliot.log import Secret
from aliot.names import check_secret
from aliot.registration import number, parse
from aliot.sign import canonical

TIMESTAMP = 2524608000000  # what the SDKs send; without a clock that was set it is as good as any
PORTS = (443, 1883, 8883)  # of MQTT over TLS; direct.md 5.1


def question(endpoint, path, now, sign_method):
    """The form of a question; `now` in seconds, 0 when the clock was not set."""
    if path == "/auth/bootstrap":
        return bootstrap(endpoint.own)
    return authentication(endpoint.own, now * 1000 or TIMESTAMP, sign_method, endpoint.bootstrap == "region")


def answer(path, status, data):
    """(host, port), after /auth/devicename with iotId and iotToken (a Secret), in an answer.

    AuthRefused with its code, RedirectRefused, GuideError or RegistrationError otherwise.
    """
    data = result(status, data)
    return place(data) + (token(data) if path == "/auth/devicename" else ())


def bootstrap(credential):
    """The form of /auth/bootstrap; direct.md 6.2. It is not signed."""
    return "productKey=%s&deviceName=%s&clientId=%s&resources=mqtt" % _names(credential)


def authentication(credential, timestamp, sign_method, router):
    """The form of /auth/devicename; direct.md 6.1. `timestamp` in ms; `router`: it may be sent on (ext=1)."""
    key, name, client_id = _names(credential)
    sign = credential.device_secret.sign(sign_method, content(credential, timestamp, router))
    form = (
        "productKey=%s&deviceName=%s&signmethod=%s&sign=%s&version=default&clientId=%s&timestamp=%s"
        "&resources=mqtt" % (key, name, sign_method, sign, client_id, timestamp)
    )
    return form + "&ext=1" if router else form


def content(credential, timestamp, router):
    """What the DeviceSecret signs in it: names and values as they are, not percent-encoded."""
    key, name = credential.product_key, credential.device_name
    client_id = "%s.%s" % (key, name)
    fields = {"clientId": client_id, "deviceName": name, "productKey": key, "timestamp": timestamp}
    if router:
        fields["ext"] = 1
    return canonical(fields)


def result(status, data):
    """What an answer means: its `data`, AuthRefused with its code, or an error of registration."""
    found = parse(data) if status == 200 or data[:1] == b"{" else {}
    code = number(found.get("code"))
    if code not in (-1, 200):
        raise load("bootstrap.refusals").AuthRefused(code, str(found.get("message", ""))[:80])
    found = found.get("data")
    if status != 200 or code != 200 or not isinstance(found, dict):
        raise RegistrationError("HTTP status %d, no data" % status)
    return found


def place(data):
    """(host, port) in an answer's data; GuideError without one, RedirectRefused when it leads elsewhere."""
    try:
        mqtt = data["resources"]["mqtt"]
        host, port = mqtt["host"], mqtt["port"]
        if not isinstance(host, str):
            raise TypeError
    except (KeyError, TypeError):
        raise load("bootstrap.refusals").GuideError("no host and port in it")
    if not allowed(host):
        raise load("bootstrap.refusals").RedirectRefused(host[:80])
    if type(port) is not int or port not in PORTS:
        raise load("bootstrap.refusals").RedirectRefused("port %s" % str(port)[:20])
    return host, port


def allowed(host):
    """Whether a host is the platform's.

    It is [NAME.]iot-as-mqtt.REGION.aliyuncs.com or NAME.mqtt.iothub.aliyuncs.com, label by label: others than
    the platform have names below aliyuncs.com, and certificates for them.
    """
    labels = host.lower().split(".")
    for label in labels:
        for c in label:
            if not ("a" <= c <= "z" or "0" <= c <= "9" or c == "-"):
                return False
        if not 0 < len(label) < 64:
            return False
    if labels[-2:] != ["aliyuncs", "com"]:
        return False
    if labels[-4:-2] == ["mqtt", "iothub"]:
        return len(labels) == 5
    return len(labels) in (4, 5) and labels[-4] == "iot-as-mqtt"


def token(data):
    """(iotId, iotToken as a Secret) in an answer's data; GuideError without them."""
    try:
        return check_secret("iotId", data["iotId"], 128), Secret(
            check_secret("iotToken", data["iotToken"], 256)
        )
    except (KeyError, TypeError, CredentialError):
        raise load("bootstrap.refusals").GuideError("no usable iotId and iotToken in it")


def _names(credential):
    """ProductKey, DeviceName and clientId, percent-encoded."""
    name = credential.device_name.replace("@", "%40").replace(":", "%3A")
    return credential.product_key, name, "%s.%s" % (credential.product_key, name)
