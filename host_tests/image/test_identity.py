import json

import pytest

from tools.ca import names as ca_names
from tools.errors import UserError
from tools.firmware import record
from tools.image import identity, inspection
from tools.image.identity import availability
from tools.line.intake import tables

DEVICE = {
    "product_key": "a1MZxOdcBnO",
    "device_name": "dev1",
    "device_secret": "0123456789abcdef0123456789abcdef",
}
PRODUCT = {"product_key": "a1MZxOdcBnO", "product_secret": "h4I4dneEFp7EImTv"}


def changed(base, **changes):
    return {name: value for name, value in {**base, **changes}.items() if value != "gone"}


def test_a_device_with_its_own_secret():
    found = identity.parse(DEVICE)
    assert (found.kind, found.method, found.name_rule) == ("device", None, None)
    assert found.fields() == {
        record.KIND: b"device",
        record.PRODUCT_KEY: b"a1MZxOdcBnO",
        record.DEVICE_NAME: b"dev1",
        record.DEVICE_SECRET: DEVICE["device_secret"].encode(),
    }


def test_one_per_product_registers_over_https_under_its_mac():
    found = identity.parse(PRODUCT)
    assert (found.kind, found.method, found.name_rule, found.device_name) == ("product", "https", "mac", None)
    assert found.fields() == {
        record.KIND: b"product",
        record.METHOD: b"https",
        record.PRODUCT_KEY: b"a1MZxOdcBnO",
        record.PRODUCT_SECRET: b"h4I4dneEFp7EImTv",
        record.NAME_RULE: b"mac",
    }


def test_a_burned_name_needs_no_rule():
    found = identity.parse({**PRODUCT, "device_name": "named", "method": "mqtt"})
    assert (found.name_rule, found.device_name, found.method) == (None, "named", "mqtt")


@pytest.mark.parametrize(
    ("values", "kind", "more"),
    [
        ({"device_name": "dev1"}, b"device", {record.DEVICE_NAME: b"dev1"}),
        ({"method": "mqtt"}, b"product", {record.METHOD: b"mqtt", record.NAME_RULE: b"mac"}),
    ],
)
def test_a_secret_in_efuse_is_named_by_its_block_and_is_in_no_record(values, kind, more):
    made = identity.parse({"product_key": "a1MZxOdcBnO", "key_block": 3, **values})
    assert record.decode(made.to_record(7))[2] == {
        record.KIND: kind,
        record.PRODUCT_KEY: b"a1MZxOdcBnO",
        record.KEY_BLOCK: b"\3",
        **more,
    }
    assert made.masked()["key_block"] == 3
    shown = inspection.look_at_record(made.to_record(7))["fields"]
    assert shown["key_block"] == "the secret is in KEY3 and cannot be read"


def test_the_endpoint_goes_into_the_record():
    values = {
        **DEVICE,
        "region": "cn-beijing",
        "instance": "iot-06z00abc",
        "host": "a.example.com",
        "port": 8883,
        "sign_method": "hmacsha1",
        "register_host": "b.example.com",
    }
    kind, generation, fields = record.decode(identity.parse(values).to_record(77))
    assert (kind, generation) == (record.BURNED, 77)
    assert fields[record.REGION] == b"cn-beijing" and fields[record.INSTANCE] == b"iot-06z00abc"
    assert fields[record.HOST] == b"a.example.com" and fields[record.PORT] == b"\xb3\x22"
    assert fields[record.SIGN_METHOD] == b"hmacsha1" and fields[record.REGISTER_HOST] == b"b.example.com"


@pytest.mark.parametrize(
    "values, expected",
    [
        ([], "JSON object"),
        ({}, "product_key is missing"),
        (changed(DEVICE, product_key="gone"), "product_key is missing"),
        (changed(DEVICE, product_key="a1-"), "product_key 'a1-' is not 1 to 20 letters and digits"),
        (changed(DEVICE, product_key="a" * 21), "product_key"),
        (changed(DEVICE, device_name="abc"), "device_name 'abc' is not 4 to 32"),
        (changed(DEVICE, device_name="a" * 33), "device_name"),
        (changed(DEVICE, device_name="dev 1"), "device_name 'dev 1'"),
        (changed(DEVICE, device_name="größe"), "device_name"),
        (changed(DEVICE, device_name="dev1\n"), "device_name"),
        (changed(DEVICE, device_name="gone"), "a device_secret belongs to one name"),
        (changed(DEVICE, device_secret=""), "device_secret is not 6 to 64"),
        (changed(DEVICE, device_secret="a b"), "device_secret is not 6 to 64"),
        (changed(DEVICE, device_secret="x" * 65), "device_secret is not 6 to 64"),
        (changed(DEVICE, device_secret="gone"), "device_secret or product_secret is missing"),
        (
            changed(DEVICE, **PRODUCT),
            "a product secret is never burned into a device that has its own secret",
        ),
        (changed(DEVICE, method="https"), "does not register"),
        (changed(DEVICE, key_block=0), "leave device_secret out of flash"),
        (changed(PRODUCT, key_block=5), "leave product_secret out of flash"),
        (changed(DEVICE, device_secret="gone", key_block=6), "key_block is not a number from 0 to 5"),
        (changed(DEVICE, device_secret="gone", key_block="KEY3"), "key_block is not a number from 0 to 5"),
        (changed(DEVICE, device_secret="gone", key_block=True), "key_block is not a number from 0 to 5"),
        (
            changed(DEVICE, device_secret="gone", key_block=3, sign_method="hmacsha1"),
            "a key in eFuse signs with hmacsha256 only",
        ),
        (
            changed(DEVICE, device_secret="gone", device_name="gone", key_block=3),
            "with a method the key_block is the product's secret",
        ),
        (changed(PRODUCT, device_name="dev1", name_rule="mac"), "exclude each other"),
        (changed(PRODUCT, method="http"), "method is not one of https, mqtt, regnwl"),
        (changed(PRODUCT, name_rule="Mac"), "name_rule is not one of mac, MAC, mac:, MAC:"),
        (changed(PRODUCT, sign_method="sha256"), "sign_method is not one of"),
        (changed(PRODUCT, region="shanghai"), "region 'shanghai' is not a region id"),
        (changed(PRODUCT, instance="IOT 1"), "instance"),
        (changed(PRODUCT, host="no_dots"), "host 'no_dots' is not a host name"),
        (changed(PRODUCT, host="https://a.b"), "host"),
        (changed(PRODUCT, port=0), "port is not a number from 1 to 65535"),
        (changed(PRODUCT, port="443"), "port is not a number"),
        (changed(PRODUCT, port=True), "port is not a number"),
        (changed(PRODUCT, product_key=1), "product_key is not a text"),
        (changed(PRODUCT, wifi="x"), "'wifi' is not a field of an identity"),
        (changed(DEVICE, device_secret="0123****cdef"), "device_secret is masked with stars"),
        (changed(DEVICE, device_secret="..."), "device_secret is a placeholder"),
        (changed(DEVICE, device_secret="0123...cdef"), "device_secret is a placeholder or was cut short"),
        (changed(DEVICE, device_secret="${DeviceSecret}"), "device_secret is a placeholder"),
        (changed(DEVICE, device_secret="<your DeviceSecret>"), "device_secret is a placeholder"),
        (
            changed(DEVICE, device_secret=DEVICE["device_secret"][:-1]),
            "has 31 characters, the platform's have 32",
        ),
        (
            changed(DEVICE, device_secret=DEVICE["device_secret"] + "0"),
            "has 33 characters, the platform's have 32",
        ),
        (changed(DEVICE, device_secret="1.2E+46"), "turned into a number by a spreadsheet"),
        (
            changed(DEVICE, device_secret="0123456789abcdef\u200b"),
            "device_secret holds the invisible character U+200B",
        ),
        (
            changed(DEVICE, device_name="dev1\u200b"),
            "device_name 'dev1<U+200B>' holds the invisible character U+200B (zero width space)",
        ),
        (changed(PRODUCT, product_secret="h4I4****EImTv"), "product_secret is masked with stars"),
        (
            changed(PRODUCT, sub_products=[{"product_key": "a1Sub", "product_secret": "..."}]),
            "is a placeholder",
        ),
        (
            changed(PRODUCT, instance="public"),
            "instance 'public' is not an instance id such as iot-06z00abc; the legacy "
            "public instance has none: leave it out",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line_without_the_secret(values, expected):
    with pytest.raises(UserError) as caught:
        identity.parse(values)
    line = str(caught.value)
    assert expected in line and "\n" not in line
    assert DEVICE["device_secret"] not in line and PRODUCT["product_secret"] not in line


@pytest.mark.parametrize(
    "text, expected",
    [
        (b"{", "is not JSON: .* in line 1"),
        (b"\xff\xfe", "not a text file in UTF-8"),
        (b'{"product_key": "a", "product_key": "b"}', "'product_key' is there twice"),
        (b'{"product_key": "a1"}', "missing"),
    ],
)
def test_a_file_that_will_not_do(tmp_path, text, expected):
    path = tmp_path / "cert.json"
    path.write_bytes(text)
    with pytest.raises(UserError, match=expected) as caught:
        identity.load(path)
    assert "cert.json" in str(caught.value)
    with pytest.raises(UserError, match="cannot read .*nowhere.json: No such file"):
        identity.load(tmp_path / "nowhere.json")


@pytest.mark.parametrize(
    "names",
    [
        ("product_key", "device_name", "device_secret"),
        ("ProductKey", "DeviceName", "DeviceSecret"),
        ("productKey", "deviceName", "deviceSecret"),
        ("产品Key", "设备名称", "设备密钥"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_file_is_read_in_every_spelling_of_the_console(tmp_path, names, encoding):
    path = tmp_path / "cert.json"
    path.write_text(json.dumps(dict(zip(names, DEVICE.values(), strict=True)), ensure_ascii=False), encoding)
    assert identity.load(path) == identity.parse(DEVICE)


def test_two_spellings_of_one_field_are_there_twice(tmp_path):
    path = tmp_path / "cert.json"
    path.write_text(json.dumps({**DEVICE, "DeviceName": "dev2"}))
    with pytest.raises(UserError, match="'device_name' is there twice"):
        identity.load(path)


@pytest.mark.parametrize(
    "field, text",
    [
        ("device_secret", "0123****cdef"),
        ("device_secret", "..."),
        ("device_secret", "0" * 31),
        ("device_secret", "short"),
        ("device_secret", "a" * 65),
        ("device_name", "abc"),
        ("device_name", "dev1\u200b"),
        ("product_key", "a1-"),
    ],
)
def test_json_csv_and_the_ca_have_one_set_of_rules(field, text):
    """What one of them refuses the others refuse, for the same reason."""
    values = {**DEVICE, field: text}
    with pytest.raises(UserError) as refused:
        identity.parse(values)
    table = ",".join(["ProductKey", "DeviceName", "DeviceSecret"]) + "\n" + ",".join(values.values()) + "\n"
    sheet = tables.read(table.encode())
    reason = str(refused.value).partition(" ")[2]
    assert [reason in message for _, message in sheet.bad] == [True]
    faults = {"product_key": ca_names.product_key_fault, "device_name": ca_names.device_name_fault}
    assert field not in faults or reason in faults[field](text)


def test_nothing_that_is_printed_shows_a_secret():
    for values in (DEVICE, PRODUCT):
        found = identity.parse(values)
        for text in (repr(found), str(found), json.dumps(found.masked())):
            assert values.get("device_secret", PRODUCT["product_secret"]) not in text
    assert identity.parse(DEVICE).masked()["device_secret"] == "****cdef"


@pytest.mark.parametrize(
    "rule, name",
    [
        ("mac", "240ac40a00f1"),
        ("MAC", "240AC40A00F1"),
        ("mac:", "24:0a:c4:0a:00:f1"),
        ("MAC:", "24:0A:C4:0A:00:F1"),
    ],
)
def test_a_name_from_the_mac(rule, name):
    assert identity.name_from_mac(rule, "24:0A:c4:0a:00:F1") == name
    assert identity.name_from_mac(rule, "240ac40a00f1") == name


@pytest.mark.parametrize(
    "highest, now, generation", [(0, 100, 100), (99, 100, 100), (100, 100, 101), (500, 100, 501)]
)
def test_the_generation_is_the_time_but_above_every_other(highest, now, generation):
    assert identity.next_generation(highest, now) == generation


@pytest.mark.parametrize(
    "kind, method, region, instance, expected",
    [
        ("device", None, None, None, None),
        ("device", None, "eu-central-1", None, None),
        ("device", None, "cn-beijing", None, "legacy public instance is documented for"),
        ("device", None, "cn-beijing", "iot-1", None),
        ("product", "https", None, None, None),
        (
            "product",
            "https",
            "us-west-1",
            None,
            "HTTPS on the legacy public instance is documented for cn-sha",
        ),
        ("product", "https", "cn-beijing", "iot-1", "is documented for cn-shanghai, not for cn-beijing"),
        ("product", "mqtt", "us-west-1", None, None),
        ("product", "regnwl", None, None, "Enterprise and new public instances only: give an instance id"),
        ("product", "regnwl", "cn-beijing", "iot-1", None),
        ("product", "regnwl", "eu-central-1", "iot-1", "cn-beijing, cn-shanghai, not for eu-central-1"),
        ("x509", None, None, None, None),
        ("x509", None, "cn-beijing", "iot-1", "X.509"),
        ("id2", None, "ap-northeast-1", "iot-1", None),
        ("id2", None, "ap-northeast-1", None, "ID²"),
    ],
)
def test_where_a_kind_exists(kind, method, region, instance, expected):
    line = availability.warning(kind, method, region, instance)
    assert line is None if expected is None else expected in line and "\n" not in line


def test_outside_of_it_the_tools_stop_unless_anyway():
    found = identity.parse({**PRODUCT, "method": "regnwl"})
    with pytest.raises(UserError, match="give an instance id; --anyway goes on"):
        identity.check_availability(found)
    assert "instance id" in identity.check_availability(found, anyway=True)
    inside = identity.parse({**PRODUCT, "method": "regnwl", "instance": "iot-1"})
    assert identity.check_availability(inside) is None


def test_an_instances_own_host_counts_as_an_instance():
    values = {**PRODUCT, "method": "regnwl", "host": "iot-1.mqtt.iothub.aliyuncs.com"}
    assert identity.parse({**values, "region": "cn-beijing"}).warning() is None
    assert identity.parse(values).warning() is None  # where that host is cannot be known
