"""What preregistration-free registration issues; imported by boards of that kind only. direct.md 4"""

from aliot import record
from aliot.credentials import Credential
from aliot.log import Secret


class ClientToken(Credential):
    """ClientID and DeviceToken, sent as they were received."""

    def __init__(self, product_key, device_name, client_id, device_token):
        super().__init__(product_key, device_name)
        self.client_id = client_id
        self.device_token = Secret(device_token)

    def fields(self):
        return {
            record.CLIENT_ID: self.client_id.encode(),
            record.DEVICE_TOKEN: self.device_token.reveal().encode(),
        }

    def login(self, timestamp, sign_method):
        """(client id, its settings, password): no signature, the token is the password."""
        return self.client_id, "securemode=-2,authType=connwl", self.device_token.reveal()


def issued(product_key, device_name, client_id, device_token):
    """The ClientToken of what was issued; CredentialError when it cannot be one."""
    from aliot import names

    return ClientToken(
        names.check_product_key(product_key),
        names.check_device_name(device_name),
        names.check_secret("ClientID", client_id.replace("|", " "), 128),
        names.check_secret("DeviceToken", device_token, 256),
    )
