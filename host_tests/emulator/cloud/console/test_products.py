"""Products and their details in the console: create, switches, batch add, the CSV for a line, the model."""

import json

import pytest

from host_tests.support.cloud.client import PK, PS, settings
from host_tests.support.cloud.thing import TSL as MODEL
from tools.line.intake import tables

CLOUD = settings(dynamic_registration=False, preregistration_free=False, name="Thermostat")
AT = f"/products/{PK}"


def product(cloud, pk=PK):
    return cloud.instance.registry.products[pk]


@pytest.mark.parametrize(
    ("auth", "node", "ticked", "private_ca"),
    [("secret", "direct", {}, True), ("x509", "direct", {}, False), ("x509", "gateway", {"private_ca": "1"}, True),
     ("id2", "subdevice", {}, True)],
)  # fmt: skip
def test_a_product_is_created(cloud, visitor, auth, node, ticked, private_ca):
    page = visitor.post("/products", name=f"{auth} {node}", auth=auth, node=node, **ticked)
    made = list(cloud.instance.registry.products.values())[-1]
    assert (made.name, made.auth, made.node, made.private_ca) == (f"{auth} {node}", auth, node, private_ca)
    assert page.notices[0].startswith(
        f"Product {auth} {node} was created with ProductKey {made.product_key}."
    )
    assert made.product_key in visitor.get("/products", search=f"{auth} {node}".upper()).text


def test_a_product_without_a_name_is_refused_in_one_sentence(visitor):
    page = visitor.post("/products", name=" ", auth="x509", node="gateway")
    assert page.notices == ["name must be 1 to 30 visible characters"]
    assert 'value="gateway" checked' in page.html, "what was chosen is kept"


def test_the_switch_of_dynamic_registration_asks_first(cloud, visitor):
    assert "Enable it?" in visitor.get(AT).text
    page = visitor.post(AT + "/dynamic_registration", enabled="1")
    assert product(cloud).dynamic_registration
    assert page.notices == [
        "Dynamic registration is on: devices get their DeviceSecret with the ProductSecret."
    ]
    visitor.post(AT + "/dynamic_registration", enabled="0")
    assert not product(cloud).dynamic_registration


def test_preregistration_free_is_switched(cloud, visitor):
    visitor.post(AT + "/preregistration_free", enabled="1")
    assert product(cloud).preregistration_free
    visitor.post(AT + "/preregistration_free", enabled="0")
    assert not product(cloud).preregistration_free


def test_a_switch_that_the_product_cannot_have_is_refused_as_the_admin_api_does(visitor):
    visitor.post("/products", name="certs", auth="x509", node="direct")
    pk = list(visitor.cloud.instance.registry.products)[-1]
    page = visitor.post(f"/products/{pk}/dynamic_registration", enabled="1")
    assert page.notices == [f"product {pk} authenticates by x509"]


def test_the_product_secret_is_hidden_until_asked_for(visitor):
    assert PS not in visitor.get(AT).html
    assert PS in visitor.send(AT + "/secret").html


def test_the_secrets_of_a_batch_come_as_a_line_takes_them(cloud, visitor):
    page = visitor.post(AT + "/devices", names="batch_0001\nbatch_0002\n")
    assert page.notices == ["2 devices were added."]
    answer = visitor.send(AT + "/devices.csv", which="batch")
    sheet = tables.read(answer.body)
    assert [row.device_name for row in sheet.rows] == ["batch_0001", "batch_0002"]
    for row in sheet.rows:
        assert row.fields["device_secret"] == product(cloud).devices[row.device_name].secret
        assert row.product_key == PK
    assert len(tables.read(visitor.send(AT + "/devices.csv", which="all").body).rows) == len(
        product(cloud).devices
    )


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("DeviceName\ncsv_a1\ncsv_a2\n", ["csv_a1", "csv_a2"]),
        ("\ufeffDeviceName\r\ncsv_b1\r\n", ["csv_b1"]),
        ("csv_c1\ncsv_c2", ["csv_c1", "csv_c2"]),
        ("DeviceName,Nickname\ncsv_d1,Hall\n", ["csv_d1"]),
    ],
)
def test_devices_are_added_by_csv(cloud, visitor, text, names):
    page = visitor.post(AT + "/devices", files={"csv": ("names.csv", text.encode())}, names="")
    assert page.notices == [f"{len(names)} devices were added."]
    assert set(names) <= set(product(cloud).devices)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ("", "Type in DeviceNames, one a line, or choose a CSV file that has them."),
        ("good_01\nbad", "DeviceName 'bad' must be 4 to 32 characters out of letters, digits and - _ @ . :"),
        ("good_01\ngood_01", "DeviceName good_01 is there twice in this batch."),
        ("good_01\ndev_0001", "DeviceName dev_0001 is there already."),
        ("\n".join(f"good_{n:05}" for n in range(10_001)), "10001 names are too many: one batch has at most 10000."),
    ],
    ids=["none", "bad", "twice", "there", "many"],
)  # fmt: skip
def test_a_batch_comes_whole_or_not_at_all(cloud, visitor, names, sentence):
    page = visitor.post(AT + "/devices", names=names)
    assert page.notices == [sentence]
    assert "good_01" not in product(cloud).devices
    if 0 < len(names) < 4096:
        assert names in page.html, "what was typed is kept"


def test_devices_are_found_and_paged_on_the_server(cloud, visitor):
    visitor.post(AT + "/devices", names="\n".join(f"page_{n:04}" for n in range(120)))
    first = visitor.get(AT, search="PAGE_")
    assert "page_0049" in first.text and "page_0050" not in first.text
    assert "Page 1 of 3" in first.text
    last = visitor.get(AT, search="page_", page=3)
    assert "page_0119" in last.text and "page_0050" not in last.text
    assert "page=2" in last.html and "search=page_" in last.html
    assert "No device fits." in visitor.get(AT, search="page_", status="online").text
    assert "page_0007" in visitor.get(AT, search="page_0007", status="inactive").text


def test_a_model_is_imported_and_shown(cloud, visitor):
    page = visitor.post(AT + "/tsl", files={"tsl": ("model.json", json.dumps(MODEL).encode())})
    assert page.notices[0].startswith("The model has ")
    for one in MODEL["properties"]:
        assert one["identifier"] in page.text
    assert cloud.instance.things.models.of(PK).source["properties"] == MODEL["properties"]


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("{", "Expecting"),
        ("[1]", "a TSL is"),
        ("", "Choose a TSL"),
        ('{"properties": 1}', "properties must be"),
    ],
)
def test_a_model_that_is_none_is_refused(visitor, text, beginning):
    assert visitor.post(AT + "/tsl", tsl_text=text).notices[0].startswith(beginning)


def test_a_product_that_was_created_is_there_after_a_restart(tmp_path, certificates):
    from host_tests.support.cloud.client import Running

    asked = {"name": "kept", "auth": "id2", "whitelist": True}
    with Running(CLOUD, tmp_path / "run", certificates) as first:
        pk = first.admin("POST", "/products", asked)["product_key"]
        first.admin("POST", f"/products/{pk}/devices", {"device_names": ["dev_0009"]})
        secret = first.admin("GET", "/products?secret=1")[-1]["product_secret"]
    with Running(CLOUD, tmp_path / "run", certificates) as second:
        found = second.admin("GET", "/products?secret=1")[-1]
        assert (found["product_key"], found["name"], found["whitelist"], found["devices"]) == (
            pk,
            "kept",
            True,
            1,
        )
        assert found["product_secret"] == secret


@pytest.mark.parametrize(
    ("asked", "beginning"),
    [
        ({}, "bad request: name must"),
        ({"name": "x" * 31}, "bad request: name must"),
        ({"name": 1}, "bad request: name must"),
        ({"name": "n", "auth": "none"}, "bad request: auth must be one of"),
        ({"name": "n", "node": []}, "bad request: node must be one of"),
        ({"name": "n", "product_key": "x"}, "bad request: product_key is not known"),
        ({"name": "n", "whitelist": 1}, "bad request: whitelist must be"),
        (
            {"name": "n", "auth": "x509", "dynamic_registration": True},
            "bad request: dynamic_registration needs",
        ),
        ({"name": "n", "whitelist": True}, "bad request: whitelist needs"),
    ],
)
def test_a_product_that_cannot_be_is_refused(cloud, asked, beginning):
    assert cloud.admin("POST", "/products", asked, status=400)["error"].startswith(beginning)
