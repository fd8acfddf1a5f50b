"""ID²: products and their white lists, identities, their states, and the device that each is bound to."""

import pytest

from host_tests.support.cloud import itls
from host_tests.support.cloud.itls import ID2, KEY, PK, Device, connect_packet, login_code
from tools.emulator.cloud.id2.identities import STATES
from tools.line.intake import tables

OTHER = "00AAAAAABBBBBB4B645F5800"
CLOUD = itls.settings(
    identities=[{"id2": ID2, "id2_key": KEY}, {"id2": OTHER}], name="Meter", provisioning_quota=5
)
AT = f"/id2/{ID2}"


@pytest.fixture(autouse=True)
def reset(cloud):
    yield
    cloud.admin("POST", f"/identities/{ID2}/state", {"state": "active"})
    cloud.admin("POST", f"/identities/{ID2}/unbind")
    cloud.admin("POST", f"/products/{PK}/whitelist", {"enabled": False})


def login(cloud, dn="meter_01"):
    return login_code(cloud, connect_packet(dn=dn), Device(ID2, KEY))


def test_identities_are_listed_and_found(visitor):
    page = visitor.get("/id2")
    assert f"{ID2} Active AES_128 {PK} –" in page.text and "Meter" in page.text
    assert KEY not in page.html
    for query in ({"search": "aaaaaa"}, {"state": "suspended"}, {"pk": "other"}):
        assert ID2 not in visitor.get("/id2", **query).text.replace("\u202f", ""), query
    assert OTHER in visitor.get("/id2", search="aaaaaa", state="active", pk=PK).text


def test_a_key_is_hidden_until_it_is_asked_for(visitor):
    page = visitor.get(AT)
    assert KEY not in page.html and KEY[-4:] in page.text
    shown = visitor.send(AT + "/key")
    assert shown.status == 200 and KEY in shown.text


def test_a_device_that_logs_in_is_bound_until_it_is_unbound(cloud, visitor):
    assert login(cloud) == 0
    page = visitor.get(AT)
    assert "meter_01" in page.text and f'href="/products/{PK}/devices/meter_01"' in page.html
    assert "Set to 0" in page.text
    assert visitor.post(AT + "/authentications").notices == ["The authentications of today are forgotten."]
    page = visitor.post(AT + "/unbind")
    assert page.notices == ["The identity is bound to no device any more."] and "not bound" in page.text


@pytest.mark.parametrize("state", [one for one in STATES if one != "active"])
def test_a_state_that_is_set_refuses_the_device(cloud, visitor, state):
    page = visitor.post(AT + "/state", state=state)
    assert page.notices[0].casefold() == f"the identity is now: {state}."
    assert state.capitalize() in visitor.get("/id2", search=ID2).text
    with pytest.raises(itls.Refused):
        login(cloud)
    visitor.post(AT + "/state", state="active")
    assert login(cloud) == 0


def test_a_state_that_is_none_is_refused(visitor):
    assert visitor.post(AT + "/state", state="x").notices == [f"state must be one of {', '.join(STATES)}"]


def test_the_white_list_lets_in_who_is_on_it(cloud, visitor):
    page = visitor.post(f"/id2/products/{PK}/whitelist", enabled="1")
    assert page.notices == [f"The white list of {PK} is on."]
    assert login(cloud, "stranger_1") != 0
    cloud.admin("POST", f"/products/{PK}/devices", {"device_names": ["listed_01"]})
    assert login(cloud, "listed_01") == 0
    visitor.post(f"/id2/products/{PK}/whitelist", enabled="0")
    visitor.post(AT + "/unbind")
    assert login(cloud, "stranger_2") == 0


def test_the_quota_is_a_number_or_none(cloud, visitor):
    def left():
        return cloud.admin("GET", "/products")[0]["provisioning_left"]

    for typed, found in (("3", 3), ("", None)):
        visitor.post(f"/id2/products/{PK}/quota", left=typed)
        assert left() == found
    assert visitor.post(f"/id2/products/{PK}/quota", left="-1").notices[0].startswith("The quota is a whole")
    assert left() is None


def test_a_batch_is_created_and_its_csv_is_what_the_line_takes_in(cloud, visitor):
    page = visitor.post("/id2", product_key=PK, count="60", key_type="AES_256")
    assert page.notices[0].startswith("60 identities are created.")
    taken = tables.read(visitor.send("/id2/batch.csv").body)
    assert (len(taken.rows), taken.bad) == (60, [])
    known = {one["id2"]: one for one in cloud.admin("GET", "/identities?secret=1")}
    for row in taken.rows:
        assert row.fields["id2_key"].casefold() == known[row.fields["id2"]]["id2_key"], row
    assert "Page 1 of 2" in visitor.get("/id2").text


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ({"count": "0"}, "Create 1 to 10000 identities at a time."),
        ({"count": "many"}, "Create 1 to 10000 identities at a time."),
        ({"product_key": "nobody"}, "There is no product nobody."),
        ({"key_type": "RSA"}, "id2_type must be one of AES_128"),
    ],
)
def test_a_batch_that_is_wrong_is_refused(visitor, sent, text):
    page = visitor.post("/id2", **{"product_key": PK, "count": "1", "key_type": "AES_128", **sent})
    assert len(page.notices) == 1 and text in page.notices[0]


def test_an_identity_that_nobody_has_is_no_page(visitor):
    assert visitor.get("/id2/NOBODY").status == 404
