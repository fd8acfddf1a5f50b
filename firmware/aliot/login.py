"""Credential and endpoint -> the three fields of MQTT CONNECT; direct.md 1.1, 1.2 and 4. Pure."""


class Login:
    """client_id, username and password of a CONNECT, all str. The password is a secret: never print it."""

    def __init__(self, credential, client_id, settings, password, username=None):
        self.client_id = client_id + "|" + settings + "|"
        self.username = username or credential.device_name + "&" + credential.product_key
        self.password = password


def login(credential, endpoint, timestamp=None, sign_method="hmacsha256", extra=""):
    """The CONNECT fields of a credential that is complete.

    `timestamp` is in milliseconds since 1970, None to send none. `extra` is sent behind the settings and never
    signed: `,_ss=1,ext=3` of a gateway (gateway.md 2). The endpoint has no part in it so far.
    """
    client_id, settings, *rest = credential.login(timestamp, sign_method)
    return Login(credential, client_id, settings + extra, *rest)
