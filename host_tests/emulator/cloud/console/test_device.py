"""Device details: who it is, Switch and Clear, and what a person does with it."""

import pytest

from host_tests.support.cloud.client import (
    DN,
    DS,
    PK,
    Closed,
    connect_packet,
    form,
    register_packet,
    registered,
    settings,
    unit_packet,
    wait_offline,
)

CLOUD = settings(name="Thermostat")
AT = f"/products/{PK}/devices/{DN}"
UNIT = "unit_0001"


@pytest.fixture
def units(cloud):
    """Two units of one name that nobody has registered, both activated."""
    found = []
    for number in range(2):
        with cloud.mqtt() as client:
            unit, _ = registered(client, register_packet("regnwl", dn=UNIT, random=f"r{number}"))
        with cloud.mqtt() as client:
            client.login(unit_packet(unit, dn=UNIT))
        found.append(unit)
    yield found
    cloud.admin("POST", f"/devices/{PK}/{UNIT}/clients", {"clear": True})


def device(cloud, dn=DN):
    return cloud.instance.registry.find(PK, dn)


def test_who_a_device_is_with_its_secret_hidden_until_asked_for(cloud, visitor):
    page = visitor.get(AT)
    assert DS not in page.html and DS[-4:] in page.text
    assert cloud.instance.registry.find(PK, DN).iot_id in page.text
    shown = visitor.send(AT + "/secret")
    assert shown.status == 200 and DS in shown.text


def test_a_device_that_connects_is_online_with_its_session(cloud, visitor):
    with cloud.mqtt("mqtt_tcp").online(connect_packet(mode="3")) as client:
        client.subscribe(f"/{PK}/{DN}/user/get")
        text = visitor.get(AT).text
        assert "Status Online" in text and "1 subscriptions" in text
    wait_offline(cloud)
    text = visitor.get(AT).text
    assert (
        "Status Offline" in text and "UTC Last online" in text and "closed: the device is activated" in text
    )


def test_registration_is_reset(cloud, visitor):
    with cloud.mqtt("mqtt_tcp").online(connect_packet(mode="3")):
        pass
    assert device(cloud).registration_closed
    assert visitor.post(AT + "/act/reset").notices == [f"Registration of {DN} is open again."]
    assert not device(cloud).registration_closed


def test_a_device_is_disabled_and_enabled(cloud, visitor):
    with cloud.mqtt("mqtt_tcp").online(connect_packet(mode="3")) as client:
        page = visitor.post(AT + "/act/disable")
        assert page.notices == [f"{DN} is disabled."]
        assert client.closed()
    assert "Status Disabled" in page.text
    visitor.post(AT + "/act/enable")
    assert not device(cloud).disabled


def test_its_connection_is_ended(cloud, visitor):
    with cloud.mqtt("mqtt_tcp").online(connect_packet(mode="3")) as client:
        assert visitor.post(AT + "/act/kick").notices == [f"The connection of {DN} was ended."]
        with pytest.raises(Closed):
            client.read()


@pytest.mark.parametrize("action", ["bootstrap", "rrpc", "delete", "x"])
def test_no_other_action_passes(cloud, visitor, action):
    assert visitor.post(AT + f"/act/{action}").notices == [f"{action} cannot be chosen."]
    assert device(cloud)


def test_a_device_is_deleted(cloud, visitor):
    cloud.admin("POST", f"/products/{PK}/devices", {"device_names": ["gone_0001"]})
    page = visitor.post(f"/products/{PK}/devices/gone_0001/delete")
    assert page.notices == ["gone_0001 was deleted."]
    assert device(cloud, "gone_0001") is None
    assert visitor.get(f"/products/{PK}/devices/gone_0001").status == 404


# ---- two ClientIDs


def test_two_client_ids_are_reported_and_one_is_switched_to(cloud, visitor, units):
    text = visitor.get(f"/products/{PK}").text
    assert "A device under the current product has two ClientIDs." in text and f"View {UNIT}" in text
    at = f"/products/{PK}/devices/{UNIT}"
    page = visitor.get(at)
    assert all(unit["clientId"] in page.text for unit in units)
    assert "This device has two ClientIDs that are valid" in page.notices[0]
    kept = units[1]["clientId"]
    page = visitor.post(at + "/clients/switch", client_id=kept)
    assert page.notices == [f"ClientID {kept} is the valid one now."]
    assert [one.client_id for one in device(cloud, UNIT).units.values() if not one.blocked] == [kept]
    assert "has two ClientIDs" not in visitor.get(f"/products/{PK}").text


def test_a_name_that_nobody_registered_is_in_no_csv_of_secrets(visitor, units):
    body = visitor.send(f"/products/{PK}/devices.csv", which="all").body.decode()
    assert DN in body and UNIT not in body


def test_the_client_ids_are_cleared(cloud, visitor, units):
    at = f"/products/{PK}/devices/{UNIT}"
    assert visitor.post(at + "/clients/clear").notices == ["All ClientIDs were cleared."]
    assert not device(cloud, UNIT).units


def test_a_token_is_hidden_until_asked_for(visitor, units):
    at = f"/products/{PK}/devices/{UNIT}"
    token = units[0]["deviceToken"]
    assert token not in visitor.get(at).html
    assert token in visitor.send(at + "/secret").html


def test_a_client_id_that_is_none_is_refused(visitor, units):
    page = visitor.post(f"/products/{PK}/devices/{UNIT}/clients/switch", client_id="x")
    assert page.notices[0] == f"{UNIT} has no such ClientID"


# ---- tags


def test_tags_are_saved_and_deleted(cloud, visitor):
    assert visitor.post(AT + "/tags", tag="room", value="hall").notices == ["Tag room was saved."]
    assert "room hall" in visitor.get(AT).text
    assert (
        visitor.post(AT + "/tags", tag="room", value="<b>").notices[0].startswith("the value of room must be")
    )
    visitor.post(AT + "/tags/delete", tag="room")
    assert "room hall" not in visitor.get(AT).text


def test_a_registration_is_counted(cloud, visitor):
    cloud.admin("POST", f"/products/{PK}/devices", {"device_names": ["dyn_0001"]})
    cloud.https(form(dn="dyn_0001"))
    assert "open, 1 secrets given out" in visitor.get(f"/products/{PK}/devices/dyn_0001").text


@pytest.mark.parametrize(
    "path", ["/products/none", f"/products/{PK}/devices/none", f"{AT}/subdevices", AT + "/none"]
)
def test_what_is_not_there_is_said_in_one_sentence(visitor, path):
    page = visitor.get(path)
    assert page.status == 404
    assert len(page.notices) == 1 and page.notices[0].endswith(".")
