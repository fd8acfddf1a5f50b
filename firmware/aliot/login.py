"""Credential and endpoint -> the three fields of MQTT CONNECT; direct.md 1.1, 1.2 and 4. Pure."""

from aliot.sign import canonical, hmac_hex


class Login:
    """client_id, username and password of a CONNECT, all str. The password is a secret: never print it."""

    def __init__(self, credential, client_id, settings, password, username=None):
        self.client_id = client_id + "|" + settings + "|"
        self.username = username or credential.device_name + "&" + credential.product_key
        self.password = password


def login(credential, endpoint, timestamp=None, sign_method="hmacsha256"):
    """The CONNECT fields of a credential that is complete.

    `timestamp` is in milliseconds since 1970, None to send none. A credential whose CONNECT is another one
    says so with its own `login(timestamp, sign_method)`. The endpoint has no part in it so far: per-device
    connects are securemode 2 everywhere.
    """
    if hasattr(credential, "login"):
        return Login(credential, *credential.login(timestamp, sign_method))
    name = credential.device_name
    settings = "securemode=2,signmethod=" + sign_method
    signed = {"clientId": name, "deviceName": name, "productKey": credential.product_key}
    if timestamp is not None:
        settings += ",timestamp=%s" % timestamp
        signed["timestamp"] = timestamp
    return Login(credential, name, settings, hmac_hex(sign_method, credential.device_secret.reveal(), canonical(signed)))
