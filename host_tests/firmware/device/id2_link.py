"""One connection over iTLS to a cloud, asked for by the host (host_tests/id2): accepted, or refused with what."""

from aliot import record
from aliot.errors import AliotError
from aliot.identities import burned
from aliot.login import login
from aliot.mqtt import Client
from aliot.transport.itls import Stream, connect
from scripted import unhex


class Counted:
    """A quota without end."""

    def check(self):
        pass

    spend = check


def link(value):
    """{"port", "product_key", "device_name", "id2", "id2_key", "id2_type" or "product_secret", "mac", "expected"},
    and the "suites" to offer, in hex.

    Expected is "accepted", or an error's code with, for `itls`, the alert that was sent: "itls 50".
    """
    Stream.suites = unhex(value.get("suites", "d004d003"))
    fields = {
        record.KIND: b"id2",
        record.PRODUCT_KEY: value["product_key"].encode(),
        record.DEVICE_NAME: value["device_name"].encode(),
    }
    if "id2" in value:
        fields.update(
            {
                record.ID2: value["id2"].encode(),
                record.ID2_KEY: unhex(value["id2_key"]),
                record.ID2_KEY_TYPE: value["id2_type"].encode(),
            }
        )
        credential = burned(fields, 0, bytes(6), None)
    else:
        from aliot.id2 import Id2
        from aliot.id2.provisioning import EmptyElement, Provisioning

        credential = Id2(value["product_key"], value["device_name"])
        credential.element = EmptyElement(lambda made: None)
        credential.provisioning = Provisioning(value["product_secret"], value["mac"].encode())
        credential.provisioning.quota = Counted()
    credential.quota = Counted()
    found = outcome(credential, value["port"])
    assert found == value["expected"], "not %s but %s" % (value["expected"], found)


def outcome(credential, port):
    stream = None
    try:
        stream = connect(credential, "127.0.0.1", port, 3000)
        client = Client(stream, login(credential, None), 300, 3000)
        client.connect(True)
        client.publish(
            b"/%s/%s/user/update" % (credential.product_key.encode(), credential.device_name.encode()),
            "x",
            False,
            1,
        )
        client.disconnect()
        return "accepted"
    except AliotError as problem:
        if stream:
            stream.close()
        return "itls %d" % problem.alert if problem.code == "itls" else problem.code
