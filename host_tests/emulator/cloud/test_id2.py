"""MQTT inside iTLS over the real port: logins, DeviceNames, white list, console, restarts."""

import socket

import pytest

from host_tests.support.cloud import client as harness
from host_tests.support.cloud import itls
from host_tests.support.cloud.client import Client
from host_tests.support.cloud.client import connect_packet as secret_packet
from host_tests.support.cloud.itls import (
    ID2,
    ITLS,
    KEY,
    PK,
    SECRET,
    Device,
    Refused,
    connect_packet,
    settings,
    wire,
)
from tools.emulator.cloud import codec, config
from tools.emulator.cloud.process import Cloud
from tools.errors import UserError

OTHER = {"id2": "4142434445464748494A4B4C", "id2_key": bytes(range(65, 97)).hex(), "id2_type": "AES_256"}


def client(cloud, device=None):
    return Client(wire(cloud, device).handshake())


def code(cloud, packet=None, device=None):
    with client(cloud, device) as one:
        return one.login(packet or connect_packet())


def other():
    return Device(OTHER["id2"], OTHER["id2_key"])


@pytest.fixture
def itls_run(run):
    """`itls_run(switches, **product)` gives a cloud with an ID2 product; a second one has the same state."""
    return lambda switches=None, **product: run(text=settings(switches, **product))


@pytest.fixture(scope="module")
def shared(tmp_path_factory, certificates):
    with harness.Running(
        settings(identities=[{"id2": ID2, "id2_key": KEY}, OTHER]),
        tmp_path_factory.mktemp("id2"),
        certificates,
    ) as running:
        yield running


def test_messages_go_both_ways_and_the_link_ends_with_a_goodbye(itls_run):
    topic = f"/{PK}/device-01/user/a"
    with itls_run() as cloud, client(cloud) as one:
        assert one.login(connect_packet()) == 0
        assert one.subscribe(topic) == (0,)
        cloud.admin("POST", "/publish", {"topic": topic, "payload": "x" * 5000})
        assert one.read().payload == b"x" * 5000
        one.send(codec.Publish(topic, b"y" * 3000, 1, 7))
        assert isinstance(one.read(), codec.Ack) and one.read().payload == b"y" * 3000
        one.nothing()
        assert cloud.device("device-01", PK)["traffic"]["tls_handshakes"] == 1
        assert cloud.admin("GET", "/stats")["listeners"]["itls"]["tls_handshakes"] == 1
        one.send(codec.Disconnect())
        assert one.closed() == "fin" and one.link.alert == (1, 0)


def test_a_device_that_says_goodbye_gets_one_back(itls_run):
    with itls_run() as cloud, client(cloud) as one:
        one.online(connect_packet())
        one.link.socket.sendall(one.link.device.writing.seal(itls.ALERT, b"\x01\x00"))
        assert one.closed() == "fin" and one.link.alert == (1, 0)


def packet_instance(client_id):
    return next((one[11:] for one in client_id.strip("|").split(",") if one.startswith("instanceId=")), None)


@pytest.mark.parametrize("vector", ITLS["mqtt_connect"], ids=lambda vector: vector["style"])
def test_the_connect_of_the_manual_and_of_the_sdk(itls_run, vector):
    device_name, _, product_key = vector["username"].partition("&")
    instance = packet_instance(vector["client_id"])
    product = {"product_key": product_key, "kind": "enterprise" if instance else "public"}
    product |= {"instance": instance} if instance else {}
    packet = codec.Connect(vector["client_id"], vector["username"], vector["password"].encode(), 300)
    with itls_run(**product) as cloud:
        device = Device(pk=product_key)
        assert code(cloud, packet, device) == 0
        assert cloud.device(device_name, product_key)["status"] in ("online", "offline")


@pytest.mark.parametrize(
    "packet, expected",
    [
        (connect_packet(mode="2"), 2),
        (connect_packet(mode="3"), 2),
        (connect_packet(authtype=""), 2),
        (connect_packet(authtype="authType=id2"), 2),
        (connect_packet(authtype="authtype=x"), 2),
        (connect_packet(extra=",authType=register,random=1"), 2),
        (connect_packet(client_id="none"), 2),
        (connect_packet(keep_alive=29), 2),
        (connect_packet(username="device-01"), 4),
        (connect_packet(pk="a1TESTpk001"), 4),
        (connect_packet(extra=",instanceId=iot-other1"), 4),
        (connect_packet(extra=f",instanceId={harness.INSTANCE}"), 0),
        (connect_packet(password=None), 0),
        (connect_packet(password=b"\xff\0"), 0),
        (connect_packet(), 0),
    ],
)
def test_logins(shared, packet, expected):
    """The password is not looked at; everything else is."""
    assert code(shared, packet) == expected


def test_logins_by_switch(itls_run):
    with itls_run({"securemode": "ignored", "id2_instance_id": "required", "bad_login": 5}) as cloud:
        assert code(cloud, connect_packet(mode="2")) == 5
        assert code(cloud, connect_packet(mode="2", extra=f",instanceId={harness.INSTANCE}")) == 0
    with itls_run({"id2_instance_id": "ignored"}) as cloud:
        assert code(cloud, connect_packet(extra=",instanceId=iot-other1")) == 0


def test_an_id2_product_has_no_other_way_in(shared):
    with shared.mqtt() as one:
        assert one.login(secret_packet(pk=PK)) == 4
    assert shared.https(harness.form(pk=PK, secret=SECRET))[1]["code"] == 6250
    with socket.create_connection(("127.0.0.1", shared.ports["itls"]), harness.WAIT) as plain:
        plain.sendall(secret_packet(mode="3").encode())
        assert plain.recv(100) == b"\x15\x03\x03\x00\x02\x02\x0a" and plain.recv(100) == b""
    assert shared.log(where="itls", event="handshake failed")[-1]["reason"] == "no record is of type 16"


# ---- DeviceNames


def test_an_identity_and_a_device_name_belong_together_from_the_first_login_on(itls_run):
    with itls_run(identities=[{"id2": ID2, "id2_key": KEY}, OTHER]) as cloud:
        assert cloud.admin("GET", "/devices") == []
        assert code(cloud, connect_packet(dn="first")) == 0
        assert cloud.device("first", PK)["id2"] == ID2
        assert code(cloud, connect_packet(dn="second")) == 4
        assert code(cloud, connect_packet(dn="first"), other()) == 4
        assert code(cloud, connect_packet(dn="second"), other()) == 0
    with itls_run(identities=[{"id2": ID2, "id2_key": KEY}, OTHER]) as cloud:
        assert code(cloud, connect_packet(dn="second")) == 4
        cloud.admin("POST", f"/devices/{PK}/second/delete")
        assert cloud.admin("GET", f"/identities/{OTHER['id2']}")["device_name"] is None
        cloud.admin("POST", f"/identities/{ID2}/unbind")
        assert code(cloud, connect_packet(dn="second")) == 0
        assert code(cloud, connect_packet(dn="first"), other()) == 0


def test_a_binding_that_moves_and_one_that_is_not_looked_at(itls_run):
    both = [{"id2": ID2, "id2_key": KEY}, OTHER]
    with itls_run({"id2_binding": "moves"}, identities=both) as cloud:
        assert code(cloud, connect_packet(dn="first")) == 0
        assert code(cloud, connect_packet(dn="first"), other()) == 0
        assert cloud.device("first", PK)["id2"] == OTHER["id2"]
        assert cloud.admin("GET", f"/identities/{ID2}")["device_name"] is None
        assert code(cloud, connect_packet(dn="second"), other()) == 0
        assert cloud.device("first", PK)["id2"] is None
    with itls_run({"id2_binding": "free"}, identities=both) as cloud:
        assert code(cloud, connect_packet(dn="second")) == 0
        assert cloud.device("second", PK)["id2"] == OTHER["id2"]


@pytest.mark.parametrize("refused", [4, 5])
def test_a_white_list(itls_run, refused):
    listed = [{"device_name": "listed"}]
    with itls_run({"id2_whitelist_refused": refused}, whitelist=True, device=listed) as cloud:
        assert code(cloud, connect_packet(dn="unlisted")) == refused
        assert [one["device_name"] for one in cloud.admin("GET", "/devices")] == ["listed"]
        cloud.admin("POST", f"/products/{PK}/devices", {"device_names": ["added"]})
        assert code(cloud, connect_packet(dn="added")) == 0
        cloud.admin("POST", f"/identities/{ID2}/unbind")
        assert cloud.admin("POST", f"/products/{PK}/whitelist", {"enabled": False})["whitelist"] is False
    with itls_run(whitelist=True, device=listed) as cloud:
        assert cloud.admin("GET", "/products")[0]["whitelist"] is False
        assert code(cloud, connect_packet(dn="unlisted")) == 0


def test_a_disabled_device_and_a_device_thrown_off(itls_run):
    with itls_run() as cloud:
        with client(cloud) as one:
            one.online(connect_packet())
            cloud.admin("POST", f"/devices/{PK}/device-01/disable")
            assert one.closed() == "fin"
        assert code(cloud) == 4
        cloud.admin("POST", f"/devices/{PK}/device-01/enable")
        with client(cloud) as one, client(cloud) as two:
            one.online(connect_packet())
            two.online(connect_packet())
            assert one.closed() == "fin"
            two.nothing()


def test_a_sub_device_s_product_does_not_connect_itself(itls_run):
    with itls_run(node="subdevice") as cloud:
        assert code(cloud) == 4


# ---- the console


def test_identities_on_the_console(itls_run):
    with itls_run(identities=[{"id2": ID2, "id2_key": KEY}, {"id2_type": "AES_256"}, {}]) as cloud:
        shown = cloud.admin("GET", "/identities?secret=1")
        assert [(one["id2_type"], len(one["id2_key"])) for one in shown] == [
            ("AES_128", 32),
            ("AES_256", 64),
            ("AES_128", 32),
        ]
        masked = cloud.admin("GET", "/identities")
        assert masked[0]["id2_key"] == "****2f30" and not any(one["id2_key"] in str(masked) for one in shown)
        fresh = Device(shown[1]["id2"], shown[1]["id2_key"])
        assert code(cloud, connect_packet(dn="fresh"), fresh) == 0
        made = cloud.admin("POST", f"/products/{PK}/identities?secret=1", {"count": 2, "id2_type": "AES_256"})
        assert code(cloud, connect_packet(dn="made"), Device(made[1]["id2"], made[1]["id2_key"])) == 0
        product = cloud.admin("GET", "/products")[0]
        assert (product["identities"], product["provisioning_left"], product["auth"]) == (5, None, "id2")
        before = cloud.admin("GET", "/identities?secret=1")
    with itls_run(identities=[{"id2": ID2, "id2_key": KEY}, {"id2_type": "AES_256"}, {}]) as cloud:
        assert cloud.admin("GET", "/identities?secret=1") == before


@pytest.mark.parametrize("state, alert", [("suspended", 168), ("discarded", 169), ("inactive", 164)])
def test_a_state_that_the_console_sets_ends_the_connection_and_survives(itls_run, state, alert):
    with itls_run() as cloud, client(cloud) as one:
        one.online(connect_packet())
        assert cloud.admin("POST", f"/identities/{ID2}/state", {"state": state})["state"] == state
        assert one.closed() == "fin"
    with itls_run() as cloud:
        with pytest.raises(Refused, match=str(alert)):
            wire(cloud).handshake()
        sent = cloud.log(event="alert sent")[-1]
        assert (sent["code"], sent["reason"]) == (alert, f"the identity is {state}")
        cloud.admin("POST", f"/identities/{ID2}/state", {"state": "active"})
        assert code(cloud) == 0


def test_ten_a_day_on_the_console(itls_run):
    with itls_run({"id2_authentications": 161}) as cloud:
        cloud.admin("POST", f"/identities/{ID2}/authentications", {"today": 9})
        assert code(cloud) == 0
        assert cloud.admin("GET", f"/identities/{ID2}")["authentications_today"] == 10
        with pytest.raises(Refused, match="161"):
            wire(cloud).handshake()


def test_the_quota_on_the_console(itls_run):
    blank = Device(id2="F" * 48)
    with itls_run(identities=[], provisioning_quota=0) as cloud:
        with pytest.raises(Refused, match="161"):
            wire(cloud, blank).ask(blank.hello(itls.issue_request()))
        assert cloud.admin("POST", f"/products/{PK}/quota", {"left": 1})["provisioning_left"] == 1
        one = wire(cloud, blank)
        blank.take_issue(one.ask(blank.hello(itls.issue_request())))
        assert Client(one.handshake()).login(connect_packet()) == 0
        assert cloud.admin("GET", "/products")[0]["provisioning_left"] == 0
        noted = cloud.log(event="provisioned")[0]
        assert (noted["pk"], noted["id2"]) == (PK, blank.id2.decode())


def test_a_killed_cloud_has_forgotten_nothing_that_a_device_was_told(tmp_path, certificates):
    """An identity, what it took off the quota, an authentication, a binding: each killed in the same moment."""
    chosen = settings({"id2_authentications": 161}, [], provisioning_quota=1)
    blank = Device(id2="F" * 48)
    with Cloud(chosen, tmp_path / "run", ca=certificates) as cloud:

        def after_a_kill():
            cloud.kill()
            cloud.start()
            return cloud.admin("GET", "/identities?secret=1")[0]

        blank.take_issue(wire(cloud, blank).ask(blank.hello(itls.issue_request())))
        found = after_a_kill()
        assert (found["id2"], found["id2_key"]) == (blank.id2.decode(), blank.key.hex())
        assert cloud.admin("GET", "/products")[0]["provisioning_left"] == 0
        one = wire(cloud, blank)
        one.prove()
        assert after_a_kill()["authentications_today"] == 1
        one = client(cloud, blank)
        one.online(connect_packet())
        assert after_a_kill()["device_name"] == "device-01"
        assert code(cloud, connect_packet(dn="device-02"), blank) == 4


@pytest.mark.parametrize(
    "method, path, body, status, says",
    [
        ("GET", "/identities/nobody", None, 404, "no identity nobody"),
        ("POST", f"/identities/{ID2}/state", {"state": "asleep"}, 400, "state must be one of active, "),
        ("POST", f"/identities/{ID2}/authentications", {"today": -1}, 400, "today must be at least 0"),
        ("POST", f"/products/{PK}/identities", {"count": 0}, 400, "count must be 1 to 10000"),
        (
            "POST",
            f"/products/{PK}/identities",
            {"count": 1, "id2_type": "RSA"},
            400,
            "must be one of AES_128",
        ),
        ("POST", f"/products/{PK}/identities", {"count": 1, "id2_type": []}, 400, "must be one of AES_128"),
        ("POST", f"/products/{PK}/quota", {}, 400, "left must be a whole number, or null"),
        ("POST", f"/products/{PK}/quota", {"left": True}, 400, "left must be a whole number, or null"),
        ("POST", f"/products/{PK}/whitelist", {"enabled": 1}, 400, "enabled must be a JSON bool"),
        ("POST", "/products/nothing/quota", {"left": 1}, 404, "no product nothing"),
        ("POST", f"/products/{PK}/dynamic_registration", {"enabled": True}, 409, "authenticates by id2"),
    ],
)
def test_console_calls_that_are_refused(shared, method, path, body, status, says):
    assert says in shared.admin(method, path, body, status)["error"]


def test_other_products_have_no_quota_and_no_white_list(run):
    with run() as cloud:
        for what, values in (
            ("quota", {"left": 1}),
            ("whitelist", {"enabled": True}),
            ("identities", {"count": 1}),
        ):
            answer = cloud.admin("POST", f"/products/{harness.PK}/{what}", values, 409)
            assert "authenticates by secret, not by id2" in answer["error"]
        assert "whitelist" not in cloud.admin("GET", "/products")[0] and "id2" not in cloud.device()


def test_no_key_and_no_secret_is_in_the_log(shared):
    blank = Device(id2="F" * 48)
    blank.take_issue(wire(shared, blank).ask(blank.hello(itls.issue_request(fingerprint=b"logged"))))
    text = str(shared.log()) + str(shared.admin("GET", "/identities")) + str(shared.admin("GET", "/products"))
    for secret in (KEY, OTHER["id2_key"], blank.key.hex(), SECRET):
        assert secret not in text and secret.upper() not in text


# ---- cloud.toml


def refusal(**product):
    with pytest.raises(UserError) as raised:
        config.parse(itls.toml(settings(**product)))
    return str(raised.value)


@pytest.mark.parametrize(
    "product, says",
    [
        ({"product_secret": "h4I4dneEFp7EImTv"}, "product.product_secret: of an ID2 product is the prov"),
        ({"product_secret": "i21XXXXX" + "*" * 24}, "product.product_secret: of an ID2 product"),
        ({"product_secret": "i21XXXXX" + "QEFC" * 6}, "product.product_secret: of an ID2 product"),
        ({"identities": [{"id2": "F" * 24}]}, "product.identity.id2: must be 24 to 48 digits 0-9 A-F"),
        ({"identities": [{"id2": ID2.lower() + "a"}]}, "product.identity.id2: must be 24"),
        ({"identities": [{"id2": ID2}, {"id2": ID2}]}, f"product.identity.id2: {ID2} is there twice"),
        ({"identities": [{"id2_key": KEY, "id2_type": "AES_256"}]}, "must be 64 hex digits, the 32 bytes of"),
        ({"identities": [{"device_name": "dev1"}] * 2}, "device_name: dev1 is bound to another identity"),
        ({"identities": [{"id2_type": "RSA"}]}, "product.identity.id2_type: 'RSA' is not one of"),
        ({"identities": [{"state": "x"}]}, "product.identity.state: 'x' is not one of 'active'"),
        ({"identities": [{"secret": "x"}]}, "product.identity.secret: is not known here"),
        ({"provisioning_quota": -1}, "product.provisioning_quota: must be at least 0"),
        ({"provisioning_quota": "5"}, "product.provisioning_quota: must be a whole number"),
        ({"auth": "secret"}, "product.identity: needs auth = \"id2\", not 'secret'"),
        ({"dynamic_registration": True}, 'product.dynamic_registration: needs auth = "secret"'),
    ],
)
def test_a_configuration_that_is_wrong(product, says):
    said = refusal(**product)
    assert says in said and "\n" not in said and KEY not in said


def test_what_is_left_out_is_generated_and_kept(run):
    text = f'[[product]]\nproduct_key = "{PK}"\nauth = "id2"\n[[product.identity]]\n'
    seen = []
    for _ in range(2):
        with run(text=text) as cloud:
            seen.append(
                (
                    cloud.admin("GET", "/products?secret=1")[0]["product_secret"],
                    cloud.admin("GET", "/identities?secret=1"),
                )
            )
    assert seen[0] == seen[1] and seen[0][0].startswith("i11") and len(seen[0][0]) == 32
    with run(text=text) as cloud:
        blank = Device(id2="F" * 24)
        blank.take_issue(wire(cloud, blank).ask(blank.hello(itls.issue_request(secret=seen[0][0]))))


def test_identities_that_the_configuration_names_later(itls_run):
    """New ones come, old ones stay; a DeviceName that is taken stays with whom it is bound to."""
    with itls_run(identities=[{"device_name": "device-01"}, {}]) as cloud:
        first = cloud.admin("GET", "/identities")
    named = {"id2": ID2, "id2_key": KEY, "device_name": "device-01"}
    for _ in range(2):
        with itls_run(identities=[named, {}, {}]) as cloud:
            found = cloud.admin("GET", "/identities")
            assert found[:2] == first and len(found) == 4
            assert [one["device_name"] for one in found] == ["device-01", None, None, None]
            assert code(cloud) == 4 and code(cloud, connect_packet(dn="device-02")) == 0
            cloud.admin("POST", f"/identities/{ID2}/unbind")


def test_what_was_put_into_the_state_wins_over_the_configuration(itls_run):
    with itls_run(identities=[{"id2": ID2, "id2_key": KEY, "device_name": "device-09"}]) as cloud:
        assert code(cloud) == 4 and code(cloud, connect_packet(dn="device-09")) == 0
    with itls_run(identities=[{"id2": ID2, "id2_key": KEY[::-1], "state": "suspended"}]) as cloud:
        assert code(cloud, connect_packet(dn="device-09")) == 0


def test_a_connection_that_says_nothing_is_closed(itls_run):
    """Nothing at all, half a record, half a handshake."""
    with itls_run(timing={"connect_seconds": 0.2}) as cloud:
        device = Device()
        for sent in (b"", device.hello()[:50], device.hello(), device.hello()[:-1] + b"\0"):
            one = wire(cloud, device)
            one.socket.sendall(sent)
            while one.record() is not None:
                pass
            one.close()
        one = wire(cloud, Device()).handshake()
        assert one.record() is None
        assert len(cloud.log(event="expired")) >= 4
