"""Faults: the choice of where, when and how, the form, what is armed, what has fired."""

import re

import pytest

from host_tests.emulator.cloud.console.test_overview import events
from host_tests.support.cloud.client import DN, PK, connect_packet, settings
from tools.emulator.cloud import faults
from tools.emulator.cloud.console import words

CLOUD = settings()
CONNECT = "/faults/mqtt_tcp/connect/"


@pytest.fixture(autouse=True)
def disarmed(cloud):
    yield
    cloud.admin("DELETE", "/faults")


def armed(cloud):
    return cloud.admin("GET", "/faults")


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_each_stage_kind_and_parameter_has_its_words(language):
    known = words.catalogue(language)
    for where, stages in faults.STAGES.items():
        assert f"faults.wheres.{where}" in known
        for when in stages:
            assert f"faults.whens.{when}" in known
            for kind in faults.kinds(where, when):
                assert f"faults.kinds.{kind}" in known
                for name in faults.parameters(when, kind):
                    assert f"faults.parameters.{name}" in known


def test_the_choice_leads_from_where_over_when_to_a_form(visitor):
    page = visitor.get("/faults", where="https")
    assert "bootstrap" in page.text and "PINGRESP" not in page.text
    page = visitor.get("/faults", where="https", when="register")
    links = re.findall(r'href="(/faults/https/register/\w+)"', page.html)
    assert [one.rsplit("/", 1)[1] for one in links] == faults.kinds("https", "register")
    form = visitor.get("/faults/https/register/cut")
    assert {"parameter_bytes", "parameter_end", "times", "after", "pk", "dn"} <= fields(form)
    assert "topic" not in fields(form) and "topic" in fields(visitor.get("/faults/mqtt_tcp/reply/late"))


def fields(page):
    """The names of a page's fields."""
    return {
        known["name"] for tag, known in page.parsed.tags if tag in ("input", "select") and "name" in known
    }


def test_each_form_arms_what_the_admin_api_takes(cloud, visitor):
    """As each form comes, all of its fields are sent back."""
    count = 0
    for where in ("itls", "https", "ntp"):
        for when in faults.STAGES[where]:
            for kind in faults.kinds(where, when):
                choices = faults.parameters(when, kind)
                sent = {
                    f"parameter_{name}": str(one.choices[0]) for name, one in choices.items() if one.choices
                }
                answer = visitor.send(f"/faults/{where}/{when}/{kind}", **sent)
                assert (answer.status, answer.headers["location"]) == (303, "/faults"), (where, when, kind)
                count += 1
    assert len(armed(cloud)) == count > 100


def test_a_fault_is_armed_fires_and_is_seen(cloud, visitor):
    fired, waiting = events(visitor, "/faults", "fired"), events(visitor, "/faults", "armed")
    next(fired), next(waiting)
    page = visitor.post(CONNECT + "refuse", parameter_code="5", times="1", after="0", pk=PK, dn=DN)
    (one,) = armed(cloud)
    assert (one["code"], one["pk"], one["dn"], one["times"]) == (5, PK, DN, 1)
    assert page.notices == [f"Fault {one['number']}, refuse, is armed. It strikes the first that fits."]
    assert f"1 more {PK} {DN} code 5" in page.text
    assert "1 more" in next(waiting)
    with cloud.mqtt("mqtt_tcp") as device:
        assert device.login(connect_packet(mode="3")) == 5
    assert f'href="/products/{PK}/devices/{DN}"' in next(fired)
    assert "No fault is armed" in next(waiting)


def test_a_fault_for_ever_with_what_was_left_empty(cloud, visitor):
    page = visitor.post("/faults/mqtt_tcp/register/refuse", for_ever="1", after="2", parameter_code="")
    (one,) = armed(cloud)
    assert (one["times"], one["after"], one["code"], one["message"]) == (None, 2, faults.CODE, None)
    assert "for ever, 2 pass first any" in page.text


def test_json_and_choices_arrive_as_their_types(cloud, visitor):
    visitor.post("/faults/mqtt_tcp/reply/set", parameter_params='{"Temp": 3}', topic="post_reply")
    visitor.post("/faults/mqtt_tcp/connect/close", parameter_processed="false")
    first, second = armed(cloud)
    assert (first["params"], first["topic"], second["processed"]) == ({"Temp": 3}, "post_reply", False)


@pytest.mark.parametrize(
    ("kind", "sent", "text"),
    [
        ("delay", {"parameter_ms": "soon"}, "ms: soon is no whole number."),
        ("delay", {"parameter_ms": "-1"}, "ms: -1 is not a whole number from 0 to 2147483648"),
        ("delay", {"times": "0"}, "times: 0 is not a whole number"),
        ("cut", {"parameter_end": "gently"}, "end: 'gently' is not one of close, reset, open"),
        ("kiss", {}, "kind: 'kiss' is not one of refuse"),
    ],
)
def test_a_form_that_is_wrong_comes_back_with_one_sentence(cloud, visitor, kind, sent, text):
    answer = visitor.send(CONNECT + kind, **sent)
    assert answer.headers["location"] == CONNECT + kind
    notices = visitor.get("/faults").notices
    assert len(notices) == 1 and text in notices[0]
    assert armed(cloud) == []


def test_what_was_typed_into_it_is_still_there(visitor):
    page = visitor.post(CONNECT + "delay", parameter_ms="12345", times="0")
    assert 'value="12345"' in page.html


def test_a_form_that_nobody_has_is_no_page(visitor):
    assert visitor.get("/faults/ntp/request/refuse").status == 404


def test_one_fault_or_all_are_disarmed(cloud, visitor):
    for _ in range(3):
        visitor.post(CONNECT + "delay")
    first, second, third = (one["number"] for one in armed(cloud))
    page = visitor.post("/faults/disarm", number=str(second))
    assert page.notices == [f"Fault {second} is disarmed."]
    assert [one["number"] for one in armed(cloud)] == [first, third]
    assert visitor.post("/faults/disarm", number=str(second)).notices == [f"no fault {second} is armed"]
    assert visitor.post("/faults/clear").notices == ["All faults are disarmed."]
    assert armed(cloud) == []
