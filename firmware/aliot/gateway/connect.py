"""A gateway's CONNECT asks the platform to subscribe system topics, the sub-devices' too; gateway.md 2."""

from aliot.login import login


class _Plain:
    def __init__(self, credential):
        self.device_name = credential.device_name
        self.product_key = credential.product_key
        self.device_secret = getattr(credential, "device_secret", None)


def subscribing(credential):
    """Make a credential's CONNECT carry `_ss=1` and `ext=3`, which are never signed (direct.md 1.2)."""
    if hasattr(credential, "subscribing"):
        return
    own = credential.login if hasattr(credential, "login") else None

    def asks(timestamp, sign_method):
        if own:
            client_id, settings, *rest = own(timestamp, sign_method)
        else:
            made = login(_Plain(credential), None, timestamp, sign_method)
            client_id, settings = made.client_id[:-1].split("|")
            rest = [made.password]
        return (client_id, settings + ",_ss=1,ext=3") + tuple(rest)

    credential.login = asks
    credential.subscribing = True
