"""Thing specifications as they are read: what is taken, and what is refused in one line (application.md 2)."""

import json

import pytest

from host_tests.support.cloud.thing import TSL, field
from tools.emulator.cloud import config
from tools.emulator.cloud.thing import model
from tools.errors import UserError


def broken(kind, **changes):
    """A TSL whose one feature of a kind is changed."""
    whole = {
        "properties": field("P", "int", accessMode="r"),
        "events": {"identifier": "E", "type": "info", "outputData": []},
        "services": {"identifier": "S", "callType": "async", "inputData": [], "outputData": []},
    }
    return {kind: [{**whole[kind], **changes}]}


def typed(kind, specs=None):
    return broken("properties", dataType={"type": kind, "specs": {} if specs is None else specs})


REFUSED = [
    ("text", "a TSL is a JSON object"),
    ([], "a TSL is a JSON object"),
    ({"properties": {}, "events": 5}, "events must be a list"),
    ({"properties": [5]}, "properties must be a list"),
    ({"properties": [field(f"p{n}", "int") for n in range(301)]}, "at most 300"),
    ({"properties": [field("P", "int"), field("P", "int")]}, "P is there twice"),
    *(
        (broken("properties", identifier=name), "identifier")
        for name in (None, "", "a b", "x" * 51, "time", "m:set")
    ),
    (broken("properties", accessMode="w"), "accessMode"),
    (broken("properties", dataType=5), "dataType"),
    (typed("string"), "dataType 'string'"),
    (typed("int", {"min": "low"}), "min 'low'"),
    (typed("int", 5), "specs must be"),
    (typed("enum", {"one": "x"}), "keys of an enum"),
    (typed("enum", {str(n): "x" for n in range(101)}), "at most 100"),
    (typed("array", {"item": {"type": "bool"}}), "the item of an array"),
    (typed("array"), "the item of an array"),
    (typed("struct", {"x": 1}), "must be a list"),
    (typed("struct", [field("x", "struct", [])]), "dataType 'struct'"),
    (typed("struct", [field("x", "int"), field("x", "int")]), "each once"),
    (typed("struct", [field(f"x{n}", "int") for n in range(51)]), "at most 50"),
    (broken("events", type="bad"), "type must be"),
    (broken("events", outputData=[{"name": "x"}]), "each once"),
    (broken("services", callType="later"), "callType"),
    (broken("services", inputData=[field(f"x{n}", "int") for n in range(101)]), "at most 100"),
]


@pytest.mark.parametrize(("source", "message"), REFUSED)
def test_a_specification_that_is_wrong_is_refused_in_one_line(source, message):
    with pytest.raises(ValueError) as error:
        model.read(source)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_the_features_of_a_model():
    found = model.read(TSL)
    assert found.properties["Switch"].writable and not found.properties["Temp"].writable
    assert (found.events["alarm"].level, set(found.events["alarm"].outputs)) == (
        "alert",
        {"errorCode", "level"},
    )
    assert found.services["Weigh"].sync and found.services["Reset"].required == {"delay"}


def test_a_module_gives_its_identifiers_a_prefix_and_the_default_one_none():
    whole = {"properties": [field("Temp", "int")]}
    module = {
        "functionBlockId": "engine",
        "properties": [field("Temp", "int")],
        "events": [{"identifier": "stall", "type": "info"}],
    }
    found = model.read([whole, {**module, "functionBlockId": "default", "properties": []}, module])
    assert set(found.properties) == {"Temp", "engine:Temp"} and set(found.events) == {"stall", "engine:stall"}


def test_the_built_in_features_of_a_full_specification_are_no_features_of_its_own():
    full = model.template(model.read(TSL))
    again = model.read(full)
    assert again.properties == model.read(TSL).properties and set(again.services) == set(
        model.read(TSL).services
    )
    assert [one["identifier"] for one in full["services"]][:2] == ["set", "get"]
    assert full["events"][0]["method"] == "thing.event.property.post"
    assert model.template(again) == full


CONFIGURED = [
    ('tsl = "model.json"', None),
    ('tsl = ["model.json"]\ntsl_check = "strict"', None),
    ('tsl = "none.json"', "line 3: product.tsl: cannot read none.json"),
    ('tsl = "broken.json"', "line 3: product.tsl: broken.json is not JSON"),
    ('tsl = "wrong.json"', "line 3: product.tsl: wrong.json: properties must be"),
    ("tsl = 5", "must be the name of a file"),
    ("tsl = []", "must be the name of a file"),
    ('tsl_check = "some"', "line 3: product.tsl_check: 'some' is not one of"),
]


@pytest.mark.parametrize(("lines", "message"), CONFIGURED)
def test_a_product_names_the_file_of_its_model(tmp_path, lines, message):
    (tmp_path / "model.json").write_text(json.dumps(TSL))
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "wrong.json").write_text('{"properties": 5}')
    (tmp_path / "cloud.toml").write_text(f'[[product]]\nproduct_key = "a1"\n{lines}\n')
    if message is None:
        seed = config.load(tmp_path / "cloud.toml").products[0]
        assert set(seed.more["tsl"].properties) >= {"Switch", "engine:Speed"}
        return
    with pytest.raises(UserError, match="cloud.toml") as error:
        config.load(tmp_path / "cloud.toml")
    assert message in str(error.value)
