"""What preregistration-free registration issues; imported by boards of that way only. direct.md 4"""

from aliot.credentials import Identity, sound
from aliot.log import Secret
from micropython import const

_CLIENT_ID = const(11)  # tags of aliot.record
_DEVICE_TOKEN = const(12)


class ClientToken(Identity):
    """ClientID and DeviceToken, sent as they were received."""

    def __init__(self, product_key, device_name, client_id, device_token):
        super().__init__(product_key, device_name)
        self.client_id = sound("ClientID", client_id.replace("|", " "), 1, 128)
        self.device_token = Secret(sound("DeviceToken", device_token, 1, 256))

    def fields(self):
        return {_CLIENT_ID: self.client_id.encode(), _DEVICE_TOKEN: self.device_token.reveal().encode()}

    def login(self, timestamp, sign_method):
        """(clientId, settings, password): no signature, the token is the password."""
        return self.client_id, "securemode=-2,authType=connwl", self.device_token.reveal()
