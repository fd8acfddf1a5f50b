"""Identities with an ID² on the console, in the configuration, and over restarts."""

import pytest

from host_tests.support.cloud import client as harness
from host_tests.support.cloud import itls
from host_tests.support.cloud.client import Client
from host_tests.support.cloud.itls import (
    ID2,
    KEY,
    OTHER,
    PK,
    SECRET,
    Device,
    Refused,
    connect_packet,
    login_code,
    mqtt_client,
    settings,
    wire,
)
from tools.emulator.cloud import config
from tools.emulator.cloud.process import Cloud, toml
from tools.errors import UserError


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
        assert login_code(cloud, connect_packet(dn="fresh"), fresh) == 0
        made = cloud.admin("POST", f"/products/{PK}/identities?secret=1", {"count": 2, "id2_type": "AES_256"})
        assert login_code(cloud, connect_packet(dn="made"), Device(made[1]["id2"], made[1]["id2_key"])) == 0
        product = cloud.admin("GET", "/products")[0]
        assert (product["identities"], product["provisioning_left"], product["auth"]) == (5, None, "id2")
        before = cloud.admin("GET", "/identities?secret=1")
    with itls_run(identities=[{"id2": ID2, "id2_key": KEY}, {"id2_type": "AES_256"}, {}]) as cloud:
        assert cloud.admin("GET", "/identities?secret=1") == before


@pytest.mark.parametrize("state, alert", [("suspended", 168), ("discarded", 169), ("inactive", 164)])
def test_a_state_that_the_console_sets_ends_the_connection_and_survives(itls_run, state, alert):
    with itls_run() as cloud, mqtt_client(cloud) as one:
        one.online(connect_packet())
        assert cloud.admin("POST", f"/identities/{ID2}/state", {"state": state})["state"] == state
        assert one.closed() == "fin"
    with itls_run() as cloud:
        with pytest.raises(Refused, match=str(alert)):
            wire(cloud).handshake()
        sent = cloud.log(event="alert sent")[-1]
        assert (sent["code"], sent["reason"]) == (alert, f"the identity is {state}")
        cloud.admin("POST", f"/identities/{ID2}/state", {"state": "active"})
        assert login_code(cloud) == 0


def test_ten_a_day_on_the_console(itls_run):
    with itls_run({"id2_authentications": 161}) as cloud:
        cloud.admin("POST", f"/identities/{ID2}/authentications", {"today": 9})
        assert login_code(cloud) == 0
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
        one = mqtt_client(cloud, blank)
        one.online(connect_packet())
        assert after_a_kill()["device_name"] == "device-01"
        assert login_code(cloud, connect_packet(dn="device-02"), blank) == 4


@pytest.mark.parametrize(
    "method, path, body, status, message",
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
def test_console_calls_that_are_refused(shared, method, path, body, status, message):
    assert message in shared.admin(method, path, body, status)["error"]


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
        config.parse(toml(settings(**product)))
    return str(raised.value)


@pytest.mark.parametrize(
    "product, message",
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
def test_a_configuration_that_is_wrong(product, message):
    error = refusal(**product)
    assert message in error and "\n" not in error and KEY not in error


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
            assert login_code(cloud) == 4 and login_code(cloud, connect_packet(dn="device-02")) == 0
            cloud.admin("POST", f"/identities/{ID2}/unbind")


def test_what_was_put_into_the_state_wins_over_the_configuration(itls_run):
    with itls_run(identities=[{"id2": ID2, "id2_key": KEY, "device_name": "device-09"}]) as cloud:
        assert login_code(cloud) == 4 and login_code(cloud, connect_packet(dn="device-09")) == 0
    with itls_run(identities=[{"id2": ID2, "id2_key": KEY[::-1], "state": "suspended"}]) as cloud:
        assert login_code(cloud, connect_packet(dn="device-09")) == 0


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
