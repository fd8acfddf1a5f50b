"""Credential and endpoint -> the three fields of MQTT CONNECT; direct.md 1.1, 1.2 and 4. Pure."""

from aliot.sign import canonical, hmac_hex


class Login:
    """client_id, username and password of a CONNECT, all str. The password is a secret: never print it."""

    def __init__(self, client_id, username, password):
        self.client_id = client_id
        self.username = username
        self.password = password


def login(credential, endpoint, timestamp=None, sign_method="hmacsha256", extra=""):
    """The CONNECT fields of a credential that is complete.

    `timestamp` is in milliseconds since 1970 (or None to send none); `extra` is put at the end of the
    client id's list (`_ss=1`), which is never signed. A credential of another way in brings its own
    `login` method.
    """
    if hasattr(credential, "login"):
        return credential.login(endpoint, timestamp, sign_method, extra)
    username = credential.device_name + "&" + credential.product_key
    if hasattr(credential, "device_token"):
        client_id = credential.client_id
        settings = "securemode=-2,authType=connwl"
        password = credential.device_token.reveal()
    else:
        client_id = credential.device_name
        settings = "securemode=2,signmethod=" + sign_method
        signed = {"clientId": client_id, "deviceName": client_id, "productKey": credential.product_key}
        if timestamp is not None:
            settings += ",timestamp=%s" % timestamp
            signed["timestamp"] = timestamp
        password = hmac_hex(sign_method, credential.device_secret.reveal(), canonical(signed))
    if extra:
        settings += "," + extra
    return Login("%s|%s|" % (client_id, settings), username, password)
