"""Dynamic registration over MQTT: the platform pushes what it issues after CONNACK; direct.md 3 and 4."""

from aliot import registration
from aliot.errors import AliotError, RegistrationError
from aliot.login import Login
from aliot.mqtt import Client
from micropython import const

_LIMIT = const(1024)
_TOPICS = (b"/ext/register", b"/ext/regnwl")  # documentation and SDKs disagree for regnwl: listen to both


def complete(device):
    """The credential that the platform issues to a device, kept and read back."""
    return registration.keep(device, register)


def register(credential, endpoint, sign_method, timeout):
    """The DeviceCertificate, or for regnwl the ClientToken, that the platform pushes. Nothing is stored."""
    fields = login(credential, endpoint, registration.random(), sign_method)
    stream = credential.open(endpoint.host, endpoint.port, endpoint.roots, timeout)
    deadline = stream.deadline
    client = Client(stream, fields, 60, timeout, _LIMIT)
    pushed = []
    client.set_callback(lambda topic, message: topic in _TOPICS and pushed.append(message))
    try:
        client.connect()
        stream.deadline = deadline
        while not pushed:
            client.wait_msg()
            if client.spilled:
                raise RegistrationError("too large")
        client.disconnect()
    except AliotError as problem:
        if problem.code.startswith("mqtt."):
            # CONNACK does not tell the reason: 6288, 6289 and 6600 look alike. direct.md 3
            raise RegistrationError(problem.detail, "register." + problem.code, problem.retry)
        raise
    finally:
        client.close()
    return registration.issued(registration.parse(pushed[0]), credential)


def login(credential, endpoint, nonce, sign_method):
    """The CONNECT fields of a registration; direct.md 3. clientId, authType and instanceId are not signed.

    securemode is -2 where an instanceId goes with it, else 2.
    """
    settings = "securemode=%d,authType=%s,random=%s,signmethod=%s" % (
        -2 if endpoint.instance else 2,
        "regnwl" if credential.method == "regnwl" else "register",
        nonce,
        sign_method,
    )
    if endpoint.instance:
        settings += ",instanceId=" + endpoint.instance
    return Login(
        credential, credential.device_name, settings, registration.signature(credential, nonce, sign_method)
    )
