"""The software element, and the credential that carries it: what is an identity and what is none
(id2.md 1, 6).
"""

from aliot import record
from aliot.errors import CredentialError, StoreError
from aliot.id2 import Id2, SoftwareElement
from aliot.id2.provisioning import EmptyElement
from aliot.identities import burned
from aliot.login import login
from aliot.settings import Settings
from aliot.sign import hmac_hex
from aliot.store import Store
from aliot.transport import itls
from id2_script import vectors
from scripted import Medium, raises

HEAP = "256K"  # vectors, parsed, and the sources as they stand
ID = b"2122232425262728292A2B2C"
MAC = b"\x24\x0a\xc4\x00\x00\x01"
FIELDS = {
    record.KIND: b"id2",
    record.PRODUCT_KEY: b"a1WO4Z9qHRw",
    record.DEVICE_NAME: b"device-01",
    record.ID2: ID,
    record.ID2_KEY: b"0123456789abcdef",
    record.ID2_KEY_TYPE: b"AES_128",
}
EMPTY = {
    record.KIND: b"id2",
    record.PRODUCT_KEY: b"a1WO4Z9qHRw",
    record.DEVICE_NAME: b"device-01",
    record.PRODUCT_SECRET: b"i11abcdefghijklmnop0123456789ABC",
}


def identity(**changes):
    fields = dict(FIELDS)
    for name in changes:
        fields[{"id": record.ID2, "key": record.ID2_KEY, "kind": record.ID2_KEY_TYPE}[name]] = changes[name]
    return fields


def test_identities_of_both_sizes_are_taken():
    for size, kind in ((16, b"AES_128"), (32, b"AES_256")):
        unit = SoftwareElement(identity(key=bytes(size), kind=kind))
        assert unit.is_provisioned() and unit.get_id() == ID
        assert unit.ecb_decrypt(unit.ecb_encrypt(bytes(48))) == bytes(48)
        assert SoftwareElement(unit.fields()).fields() == unit.fields()


def test_what_is_no_identity_is_refused_and_the_key_never_said():
    for changes in (
        {"kind": b"AES_192", "key": bytes(24)},
        {"kind": b"3DES_168", "key": bytes(24)},
        {"kind": b"SM4_128"},
        {"kind": b"RSA"},
        {"kind": b"\xff"},
        {"kind": b""},
        {"kind": b"AES_256"},
        {"kind": b"aes_128"},
        {"key": b"0123456789abcde"},
        {"key": b"0123456789abcdefg"},
        {"key": b""},
        {"id": ID[:-1]},
        {"id": ID + b"0"},
        {"id": b""},
        {"id": ID.lower()},
        {"id": b"F" * 24},
        {"id": ID[:-1] + b" "},
        {"id": b"2122232425X6728292A2B2C0"},
    ):
        problem = raises(CredentialError, SoftwareElement, identity(**changes))
        assert problem.retry == "never" and b"0123456789abcde" not in str(problem).encode()
    assert "AES_192" in str(
        raises(CredentialError, SoftwareElement, identity(kind=b"AES_192", key=bytes(24)))
    )


def test_an_empty_element_is_stored_once_and_only_after_it_is_kept():
    kept = []

    def keep(made):
        assert not unit.is_provisioned()
        kept.append(made.fields())

    unit = EmptyElement(keep)
    assert not unit.is_provisioned()
    for identity, key in ((ID, bytes(24)), (b"F" * 24, bytes(16)), (ID[:-1], bytes(16))):
        raises(CredentialError, unit.store, identity, key)
    assert kept == []
    unit.store(ID, bytes(32))
    assert kept == [unit.fields()] and unit.fields()[record.ID2_KEY_TYPE] == b"AES_256"
    raises(CredentialError, unit.store, ID, bytes(32))
    assert len(kept) == 1


def test_an_identity_that_could_not_be_kept_is_not_there():
    def keep(made):
        raise StoreError("both")

    unit = EmptyElement(keep)
    raises(StoreError, unit.store, ID, bytes(16))
    assert not unit.is_provisioned()


# The credential.


def board(fields, media=None):
    """The credential of a board that this is burned into."""
    return burned(dict(fields), 100, MAC, Store(media))


def place(fields, override=None):
    """The endpoint of a board that this is burned into."""
    return Settings({"endpoint": override or {}}, fields).endpoint(board(fields))


def reached(fields, override=None):
    """(host, port) that a device connects to."""
    to = place(fields, override)
    return to.host, to.port


def test_a_burned_identity_connects_by_itls():
    credential = board(FIELDS)
    assert credential.method is None  # it connects as it is
    opened = []
    itls.connect = lambda *arguments: opened.append(arguments)
    credential.open("itls.example.com", 1883, ("aliyun",), 1000)
    assert opened == [(credential, "itls.example.com", 1883, 1000)]
    assert credential.element.get_id() == ID
    assert credential.provisioning is None  # never where an identity exists
    assert reached(FIELDS) == ("a1WO4Z9qHRw.itls.cn-shanghai.aliyuncs.com", 1883)
    assert b"0123456789abcdef" not in repr(credential.__dict__).encode()


def test_the_name_may_be_burned_or_made_from_the_mac():
    fields = dict(FIELDS)
    assert board(fields).device_name == "device-01"
    del fields[record.DEVICE_NAME]
    assert board(fields).device_name == "240ac4000001"
    fields[record.NAME_RULE] = b"MAC:"
    assert board(fields).device_name == "24:0A:C4:00:00:01"


def test_a_host_is_never_guessed():
    for more in ({record.REGION: b"ap-northeast-1"}, {record.INSTANCE: b"iot-060a0bgd"}):
        fields = dict(FIELDS)
        fields.update(more)
        problem = raises(CredentialError, place, fields)
        assert problem.code == "endpoint" and "set it" in problem.detail and problem.advice
        fields[record.HOST] = b"iot-060a0bgd.itls.example.com"
        assert reached(fields) == ("iot-060a0bgd.itls.example.com", 1883)
        fields[record.PORT] = b"\x33\x16"
        assert reached(fields) == ("iot-060a0bgd.itls.example.com", 5683)
    assert reached(FIELDS, {"host": "itls.example.com", "port": 1884}) == ("itls.example.com", 1884)
    for host in (
        "iot-06z00abc.mqtt.iothub.aliyuncs.com",
        "a1.iot-as-mqtt.cn-shanghai.aliyuncs.com",
    ):  # those of TLS
        assert raises(CredentialError, place, FIELDS, {"host": host}).code == "endpoint"
    for port in (443, 8883):
        assert reached(FIELDS, {"port": port}) == ("a1WO4Z9qHRw.itls.cn-shanghai.aliyuncs.com", 1883)
    fields = dict(FIELDS)
    fields[record.REGION] = b"cn-shanghai"
    assert reached(fields) == reached(FIELDS)


def test_without_identity_a_product_secret_is_needed():
    fields = dict(EMPTY)
    for secret in (b"", b"short", b"i12" + EMPTY[record.PRODUCT_SECRET][3:]):
        fields[record.PRODUCT_SECRET] = secret
        raises(CredentialError, board, fields)
    credential = board(EMPTY)
    assert not credential.element.is_provisioned() and credential.provisioning


def test_connect_fields_are_those_of_the_vectors():
    rows = vectors("mqtt_connect")
    assert len(rows) == 3
    for row in rows[:2]:
        name, key = row["username"].split("&")
        fields = dict(FIELDS)
        fields.update(
            {record.PRODUCT_KEY: key.encode(), record.DEVICE_NAME: name.encode(), record.CLIENT_ID: b"12345"}
        )
        if "instanceId" in row["client_id"]:
            fields.update({record.INSTANCE: b"iot-060a0bgd", record.HOST: b"itls.console.example.com"})
        credential, to = board(fields), place(fields)
        made = login(credential, to, None, "hmacsha1")
        assert (made.client_id, made.username) == (row["client_id"], row["username"])
        assert made.password == row["password"] and to.port == row["port"]
        assert to.host == row["host"] or row["host"] == "(copied from the console)"
    row = rows[2]  # another order of the same settings; what is signed is the same
    assert hmac_hex("hmacsha256", row["device_secret"], row["sign_content"]).upper() == row["password"]
    credential = Id2("a1X2bEnP82z", "device-01", "a1X2bEnP82z.device-01")
    assert credential.login(None, "hmacsha256")[2].upper() == row["password"]


def test_a_clock_that_is_set_gives_the_timestamp():
    credential = board(FIELDS)
    name, settings, password = credential.login(1700000000123, "hmacsha256")
    assert settings == "securemode=8,signmethod=hmacsha256,timestamp=1700000000123,authtype=id2"


def test_an_issued_identity_is_found_again_after_a_reset():
    media = (Medium("nvs"), Medium("littlefs"))
    credential = board(EMPTY, media)
    credential.element.store(ID, bytes(16))
    again = board(EMPTY, media)
    assert again.element.get_id() == ID and again.element.fields() == credential.element.fields()
    for medium in media:  # either copy is enough, and heals the other
        medium.kept.pop("issued")
        assert board(EMPTY, media).element.get_id() == ID
        assert "issued" in medium.kept


def test_an_issued_identity_is_found_on_real_media():
    credential = board(EMPTY)
    credential.element.store(ID, bytes(32))
    assert board(EMPTY).element.fields() == credential.element.fields()


def test_an_issued_identity_of_another_device_is_not_used():
    media = (Medium("nvs"), Medium("littlefs"))
    board(EMPTY, media).element.store(ID, bytes(16))
    other = dict(EMPTY)
    other[record.DEVICE_NAME] = b"device-02"
    assert not board(other, media).element.is_provisioned()


def test_an_identity_that_no_medium_keeps_is_not_adopted():
    media = (Medium("nvs"), Medium("littlefs"))
    credential = board(EMPTY, media)
    media[0].fault, media[1].fault = "full", "torn"
    raises(StoreError, credential.element.store, ID, bytes(16))
    assert not credential.element.is_provisioned()
    media[1].fault = None
    credential.element.store(ID, bytes(16))
    assert credential.element.is_provisioned()
    assert board(EMPTY, media).element.get_id() == ID
