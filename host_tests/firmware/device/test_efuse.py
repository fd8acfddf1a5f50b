"""A secret in an eFuse key block: the same signatures as with the secret, or an error that says why there is none."""

import sys

import machine
from aliot import identities, record
from aliot.credentials import DeviceCertificate, ProductCertificate
from aliot.endpoint import Endpoint
from aliot.errors import AliotError, CredentialError
from aliot.log import Secret, line
from aliot.registration import https, mqtt
from aliot.sign import hmac_hex
from efuse_chip import KEY, RESETS, SHORT, Beside, block, chip, hash_beside, stop_beside
from scripted import raises
from scripted_device import Platform, device, names

DEVICE = {
    record.KIND: b"device",
    record.PRODUCT_KEY: b"a1TESTpk001",
    record.DEVICE_NAME: b"dev_0001",
    record.KEY_BLOCK: b"\3",
}
PRODUCT = {
    record.KIND: b"product",
    record.PRODUCT_KEY: b"a1TESTpk001",
    record.METHOD: b"mqtt",
    record.KEY_BLOCK: b"\0",
}
HEAP = "192K"  # the registers are Python here
MAC = b"\x24\x0a\xc4\x00\x00\x0f"
LENGTHS = (0, 1, 54, 55, 56, 57, 63, 64, 65, 118, 119, 120, 127, 128, 150, 191, 192, 300, 1000)
PLACE = Endpoint("host", 443)


def of(base=DEVICE, **changes):
    fields = dict(base)
    for name in changes:
        if changes[name] is None:
            fields.pop(getattr(record, name), None)
        else:
            fields[getattr(record, name)] = changes[name]
    return identities.burned(fields, 100, MAC, None)


TABLES = {
    "test_every_chip_signs_what_the_secret_would": ["esp32s2", "esp32s3", "esp32c3", "esp32c6"],
    "test_a_chip_without_such_a_key_says_so": ["esp32", "esp32c2", "esp32h2"],
    "test_what_no_board_may_hold": [
        ({"SIGN_METHOD": b"hmacsha1"}, "credential", "hmacsha256"),
        ({"SIGN_METHOD": b"HmacMD5"}, "credential", "hmacsha256"),
        ({"KIND": b"x509"}, "credential", "DeviceSecret"),
        ({"KIND": None}, "credential", "DeviceSecret"),
        ({"KEY_BLOCK": b"\6"}, "key.block", "KEY6"),
        ({"KEY_BLOCK": b"\3\1"}, "key.block", "KEY"),
        ({"PRODUCT_KEY": b"a1-"}, "credential", "ProductKey"),
        ({"DEVICE_NAME": b"x"}, "credential", "DeviceName"),
        ({"KIND": b"product", "METHOD": b"coap"}, "credential", "coap"),
    ],
    "test_a_block_that_cannot_sign": [(1, "blank"), (4, "of another purpose")],
}


def test_every_chip_signs_what_the_secret_would(name):
    chip(name)
    for length in LENGTHS:
        text = "".join([chr(48 + n % 75) for n in range(length)])
        for number, secret in ((3, KEY), (0, SHORT[:16])):
            assert block(number).sign("HmacSHA256", text) == hmac_hex("hmacsha256", secret, text), length


def test_a_chip_without_such_a_key_says_so(name):
    chip(name)
    problem = raises(CredentialError, of)
    assert problem.code == "key.block" and "HMAC" in problem.detail and "ESP32-S2" in problem.advice


def test_names_of_boards():
    import os

    chip()
    told = os.uname
    try:
        for name in ("ESP32C3 module with ESP32C3", "LOLIN with ESP32-C3FH4", "Generic ESP32-c3"):
            os.uname = lambda: ("esp32", "esp32", "1.27.0", "", name)
            assert block(3).sign("hmacsha256", "x") == hmac_hex("hmacsha256", KEY, "x"), name
    finally:
        os.uname = told


def test_a_login_is_the_one_of_the_secret():
    chip()
    for stamp in (None, 1700000000000):
        made = of()
        assert isinstance(made, DeviceCertificate) and made.method is None
        known = DeviceCertificate("a1TESTpk001", "dev_0001", KEY.decode())
        assert made.login(stamp, "hmacsha256") == known.login(stamp, "hmacsha256")


def test_a_registration_is_the_one_of_the_secret():
    chip()
    for method in ("https", "mqtt", "regnwl"):
        made = of(PRODUCT, METHOD=method.encode(), DEVICE_NAME=b"dev_0001")
        assert isinstance(made, ProductCertificate) and made.method == method
        known = ProductCertificate("a1TESTpk001", "dev_0001", "ProductSecret016", method)
        assert https.body(made, "1", "hmacsha256") == https.body(known, "1", "hmacsha256")
        assert (
            mqtt.login(made, PLACE, "1", "hmacsha256").password
            == mqtt.login(known, PLACE, "1", "hmacsha256").password
        )
    assert of(PRODUCT).device_name == "240ac400000f" and of(PRODUCT, METHOD=None).method == "https"


def test_what_no_board_may_hold(changes, code, word):
    chip()
    problem = raises(CredentialError, lambda: of(DEVICE, **changes))
    assert (problem.code, problem.retry) == (code, "never") and word in problem.detail, problem.detail


def test_another_method_is_refused_when_it_is_asked_for():
    chip()
    assert "hmacmd5" in raises(CredentialError, block(3).sign, "hmacmd5", "text").detail


def test_a_block_that_cannot_sign(number, what):
    chip()
    problem = raises(CredentialError, block(number).sign, "hmacsha256", "text")
    assert (problem.code, problem.retry) == ("key.purpose", "never") and "KEY%d" % number in problem.detail
    assert "HMAC_UP" in problem.advice


def test_nothing_of_it_is_shown():
    chip()
    made = of()
    assert str(made.device_secret) == repr(made.device_secret) == "KEY3"
    assert "KEY3" in line("x", {"secret": made.device_secret})
    assert not hasattr(made.device_secret, "reveal") and isinstance(Secret("x" * 9), Secret)


def test_a_hash_beside_it_is_never_taken_for_a_signature():
    """A reset of SHA at each access in turn, in the first run, in the second, and in both at once."""
    for name in ("esp32c3", "esp32c6"):
        text = "x" * 60
        wanted = hmac_hex("hmacsha256", KEY, text)
        chip(name)
        known = Beside(lambda count: None)
        assert block(3).sign("hmacsha256", text) == wanted
        runs = known.count
        for first in range(1, runs + 1):
            for step in (runs, runs // 2):
                chip(name)
                act = hash_beside(name)
                Beside(lambda count: act if count in (first, first + step) else None)
                assert block(3).sign("hmacsha256", text) == wanted, (first, step)


def test_a_clock_that_stops_beside_it_is_put_up_with():
    wanted = hmac_hex("hmacsha256", KEY, "text")
    for first in range(1, 60, 3):
        chip()
        Beside(lambda count: stop_beside if count == first else None)
        assert block(3).sign("hmacsha256", "text") == wanted, first


def test_where_something_hashes_without_end_there_is_no_signature():
    for act, code in ((hash_beside(), "key.unsure"), (stop_beside, "key.busy")):
        chip()
        Beside(lambda count: act if count % 20 == 0 else None)
        problem = raises(AliotError, block(3).sign, "hmacsha256", "text")
        assert (problem.code, problem.retry) == (code, "now") and problem.advice, problem.code


def test_zeros_are_no_signature():
    class Nothing:
        def __getitem__(self, at):
            return 0

        def __setitem__(self, at, value):
            pass

    chip()
    machine.mem32 = Nothing()
    assert raises(AliotError, block(3).sign, "hmacsha256", "text").code == "key.unsure"


def test_interrupts_are_off_round_clocks_and_resets_alone():
    for name in RESETS:
        chip(name)
        off = []
        machine.disable_irq = lambda: off.append(1) or 7
        machine.enable_irq = lambda state: off.remove(1) or state == 7 or 1 / 0
        seen = Beside(lambda count: 1 / 0 if off else None)
        block(3).sign("hmacsha256", "text")
        assert seen.gates and not off


def test_it_signs_before_a_connection_is_opened():
    """As a device that connects, and as one that registers by either method."""
    https = dict(PRODUCT)
    https[record.METHOD] = b"https"
    for fields in (DEVICE, PRODUCT, https):
        chip()
        platform = Platform()
        made = device(fields)
        open_before = []
        Beside(lambda count: open_before.extend(platform.asked))
        made.start()
        made.poll(0)
        made.poll(0)
        assert machine.mem32.count and platform.asked and not open_before, names(made)


def test_a_board_connects_with_it_and_says_what_is_wrong_without():
    chip()
    platform = Platform()
    made = device(DEVICE)
    made.start()
    made.poll(0)
    assert made.connected and "connected" in names(made)
    wanted = hmac_hex("hmacsha256", KEY, "clientIddev_0001deviceNamedev_0001productKeya1TESTpk001timestamp")
    assert wanted.encode() not in platform.streams[0].written()  # the time is signed too
    chip(keys={3: (4, KEY)})
    platform = Platform()
    made = device(DEVICE)
    made.start()
    made.poll(0)
    state, fields = made.states[-1]
    assert (state, fields["code"], fields["retry"]) == (
        "error",
        "key.purpose",
        "never",
    ) and not platform.asked


def test_a_board_without_it_loads_none_of_it():
    chip()
    sys.modules.pop("aliot.efuse", None)
    plain = {tag: DEVICE[tag] for tag in DEVICE if tag != record.KEY_BLOCK}
    plain[record.DEVICE_SECRET] = KEY
    Platform()
    made = device(plain)
    made.start()
    made.poll(0)
    assert made.connected and "aliot.efuse" not in sys.modules


def test_what_was_issued_goes_before_the_key():
    """A product's record with a key, and an issued secret beside it: the board connects with that."""
    chip()
    Platform()
    made = device(PRODUCT)
    issued = record.encode(
        record.ISSUED,
        101,
        {
            record.PRODUCT_KEY: b"a1TESTpk001",
            record.DEVICE_NAME: machine.unique_id().hex().encode(),
            record.FOR_GENERATION: (100).to_bytes(4, "little"),
            record.DEVICE_SECRET: b"d" * 32,
        },
    )
    for medium in made.media:
        medium.kept["issued"] = issued
    made.start()
    assert made.credential.device_secret.reveal() == "d" * 32 and not made.credential.method


def sign(value):
    """Of host_tests/firmware/test_efuse.py: rows of (text, signature) under KEYn of an eFuse file."""
    chip(value["chip"], image=bytes.fromhex(value["fuses"]))
    keys = {}
    for number, text, wanted in value["rows"]:
        key = keys[number] = keys.get(number) or block(number)
        assert key.sign("hmacsha256", text) == wanted, (number, text)
