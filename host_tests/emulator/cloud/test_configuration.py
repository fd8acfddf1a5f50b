"""The configuration of a cloud: what is wrong with it is one line, and every switch is documented."""

import pytest

from tools.emulator.cloud.config import load, parse
from tools.emulator.cloud.process import toml
from tools.emulator.cloud.switches import LIMITS, PRODUCT_KEYS, SWITCHES, TIMING
from tools.errors import UserError

PRODUCT = '[[product]]\nproduct_key = "a1"\n'
DEVICE = "  [[product.device]]\n  device_name = "
CONFIGS = [
    (
        "y = 1",
        "cloud.toml, line 1: y: is not known here; known are instance, product, switches, timing, limits",
    ),
    ("instance = 1", "cloud.toml, line 1: instance: must be a table"),
    (
        '[instance]\n\nkind = "private"',
        "cloud.toml, line 3: instance.kind: 'private' is not one of 'enterprise', 'public'",
    ),
    (
        '[instance]\nkind = "enterprise"',
        "cloud.toml, line 1: instance.id: is missing; an Enterprise instance has one, such as iot-06z00abc",
    ),
    (
        '[instance]\nid = "iot_1"',
        "cloud.toml, line 2: instance.id: must be letters, digits and - only, such as iot-06z00abc",
    ),
    ("[instance]\nregion = 5", "cloud.toml, line 2: instance.region: must be a string"),
    (
        '[instance]\nregion = "mars"',
        "cloud.toml, line 2: instance.region: 'mars' is not one of 'cn-shanghai', "
        "'cn-beijing', 'cn-shenzhen', 'ap-southeast-1', 'ap-northeast-1', 'us-west-1', 'us-east-1', "
        "'eu-central-1'",
    ),
    (
        '[instance]\ncentres = ["mars"]',
        "cloud.toml, line 2: instance.centres: must be a list out of cn-shanghai, cn-beijing, cn-shenzhen, "
        "ap-southeast-1, ap-northeast-1, us-west-1, us-east-1, eu-central-1",
    ),
    (
        PRODUCT + 'centre = "us-east-1"',
        "cloud.toml, line 3: product.centre: 'us-east-1' is no centre of this instance, "
        "see [instance] centres",
    ),
    (
        PRODUCT + DEVICE + '"abcd"\n  centre = 1',
        "cloud.toml, line 5: product.device.centre: must be a string",
    ),
    ('[[product]]\nauth = "secret"', "cloud.toml, line 1: product.product_key: is missing"),
    (
        '[[product]]\nproduct_key = "a-1"',
        "cloud.toml, line 2: product.product_key: must be 1 to 20 letters and digits",
    ),
    (PRODUCT + PRODUCT, "cloud.toml, line 4: product.product_key: a1 is there twice"),
    (
        PRODUCT + 'product_secret = ""',
        "cloud.toml, line 3: product.product_secret: must be 1 to 64 visible ASCII characters",
    ),
    (
        PRODUCT + 'auth = "none"',
        "cloud.toml, line 3: product.auth: 'none' is not one of 'secret', 'x509', 'id2'",
    ),
    (
        PRODUCT + 'auth = "x509"\ndynamic_registration = true',
        "cloud.toml, line 4: product.dynamic_registration: needs auth = \"secret\", not 'x509'",
    ),
    (
        PRODUCT + "dynamic_registration = 1",
        "cloud.toml, line 3: product.dynamic_registration: must be true or false",
    ),
    (
        PRODUCT + 'nick = "x"',
        "cloud.toml, line 3: product.nick: is not known here; known are product_key, name, product_secret, "
        "auth, node, dynamic_registration, preregistration_free, centre, device, "
        "identity, whitelist, provisioning_quota, private_ca, " + ", ".join(PRODUCT_KEYS),
    ),
    (
        PRODUCT + f'name = "{"x" * 31}"',
        "cloud.toml, line 3: product.name: must be 1 to 30 visible characters",
    ),
    (
        PRODUCT + DEVICE + '"abc"',
        "cloud.toml, line 4: product.device.device_name: must be 4 to 32 characters out of "
        "letters, digits and - _ @ . :",
    ),
    (
        PRODUCT + DEVICE + '"abcd"\n' + DEVICE + '"ab cd"',
        "cloud.toml, line 6: product.device.device_name: must be 4 to 32 "
        "characters out of letters, digits and - _ @ . :",
    ),
    (
        PRODUCT + DEVICE + '"dev1"\n' + DEVICE + '"dev1"',
        "cloud.toml, line 6: product.device.device_name: dev1 is there twice in this product",
    ),
    (
        PRODUCT + DEVICE + '"abcd"\n[[product]]\nproduct_key = "b1"\n' + DEVICE + '"' + "x" * 33 + '"',
        "cloud.toml, line 8: product.device.device_name: must be 4 to 32 characters out of letters, digits "
        "and - _ @ . :",
    ),
    (
        '[[product]]\nproduct_key = "a1"\ndevice = [{device_name = "x"}]',
        "cloud.toml: product.device.device_name: must be "
        "4 to 32 characters out of letters, digits and - _ @ . :",
    ),
    ("limits = 1", "cloud.toml, line 1: limits: must be a table"),
    ("product = [1]", "cloud.toml: product: must be a table"),
    ("product = 1", "cloud.toml, line 1: product: must be an array of tables"),
    (
        "[switches]\nretain = true",
        "cloud.toml, line 2: switches.retain: True is not one of 'ignored', 'close'",
    ),
    ("[switches]\nbad_login = 9", "cloud.toml, line 2: switches.bad_login: 9 is not one of 1, 2, 3, 4, 5"),
    ("[switches]\npush_qos = false", "cloud.toml, line 2: switches.push_qos: False is not one of 0, 1"),
    (
        "[switches]\nhttps_status = 100",
        "cloud.toml, line 2: switches.https_status: must be a whole number from 200 to 599",
    ),
    (
        '[switches]\nhttps_order = ["active"]',
        "cloud.toml, line 2: switches.https_order: must list each of parameters, "
        "product, switch, method, signature, device, active once",
    ),
    (
        '[switches]\nregnwl_regions = ["moon"]',
        "cloud.toml, line 2: switches.regnwl_regions: must be a list out of "
        "cn-shanghai, cn-beijing, cn-shenzhen, ap-southeast-1, ap-northeast-1, us-west-1, us-east-1, "
        "eu-central-1",
    ),
    (
        "[timing]\nrrpc_seconds = 0",
        "cloud.toml, line 2: timing.rrpc_seconds: must be a number of at least 0.01",
    ),
    (
        "[timing]\nrrpc_seconds = nan",
        "cloud.toml, line 2: timing.rrpc_seconds: must be a number of at least 0.01",
    ),
    ("[limits]\nunits = 2.5", "cloud.toml, line 2: limits.units: must be a whole number of at least 1"),
    ("[limits]\nunits = 1000000001", "cloud.toml, line 2: limits.units: must be at most 1000000000"),
    (
        "[timing]\ntoken_seconds = 1" + "0" * 400,
        "cloud.toml, line 2: timing.token_seconds: must be at most 1000000000",
    ),
    (
        "[switches]\nhttps_statsu = 200",
        "cloud.toml, line 2: switches.https_statsu: is not known here; is https_status meant?",
    ),
    (
        "[switches]\nzzz = 200",
        "cloud.toml, line 2: switches.zzz: is not known here; "
        "README.md beside the cloud's sources lists what is",
    ),
    ("[limits]\nunits = true", "cloud.toml, line 2: limits.units: must be a whole number of at least 1"),
]


@pytest.mark.parametrize("text, message", CONFIGS, ids=[row[1][:70] for row in CONFIGS])
def test_a_configuration_that_is_wrong(text, message):
    with pytest.raises(UserError) as error:
        parse(text)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "text, place",
    [
        ("[instance]\nkind = enterprise\n", "line 2"),
        ("x = [", "end of document"),
        ("x = " + "9" * 5000, "4300 digits"),
    ],
)
def test_a_configuration_that_is_no_toml(text, place):
    with pytest.raises(UserError, match=f"^my.toml is not valid TOML: .*{place}"):
        parse(text, "my.toml")


@pytest.mark.parametrize("text", ["x = " + "[" * 100_000, "x = " + "[" * 3000 + "]" * 3000])
def test_a_configuration_that_is_nested_without_end(text):
    with pytest.raises(UserError, match="^my.toml cannot be read: something in it is nested too deeply$"):
        parse(text, "my.toml")


def test_a_byte_order_mark_is_taken(tmp_path):
    path = tmp_path / "my.toml"
    path.write_bytes(b'\xef\xbb\xbf[instance]\nregion = "us-east-1"\n')
    assert load(path).region == "us-east-1"


def test_every_switch_and_figure_can_be_set_to_its_default_and_an_empty_file_is_enough():
    empty = parse("")
    tables = {
        "switches": {name: switch.default for name, switch in SWITCHES.items()},
        "timing": {name: figure.default for name, figure in TIMING.items()},
        "limits": {name: figure.default for name, figure in LIMITS.items()},
    }
    assert parse(toml(tables)) == empty
    assert (empty.kind, empty.region, empty.products) == ("public", "cn-shanghai", ())
