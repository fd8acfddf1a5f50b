"""The official SDKs with the services: tags, configuration, shadow, RRPC, raw data (application.md 16)."""

import hashlib
import json

import pytest

from host_tests.emulator.cloud.clients.conftest import INSTANCE, RAW_PK, THING_PK
from host_tests.support.cloud.thing import TSL
from tools.emulator.cloud.thing import model

CONTENT = '{"interval": 60}'


@pytest.fixture
def play(cloud, request, tmp_path):
    """`play(driver, scene, product)` runs a scene of a fresh device: ({event: fields}, ask(call, **parameters))."""
    dn = "s" + hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    (tmp_path / "model.json").write_text(json.dumps(model.template(model.read(TSL))))

    def run(driver, scene, product=THING_PK):
        (made,) = cloud.admin("POST", f"/products/{product}/devices?secret=1", {"device_names": [dn]})

        def ask(call, **values):
            answer = cloud.admin("POST", f"/api/{call}", {"ProductKey": product, "DeviceName": dn, **values})
            assert answer["Success"], answer
            return answer.get("Data")

        def called():
            topic = f"/{product}/{dn}/user/ping"
            answers.append(cloud.act(product, dn, "rrpc", {"topic": topic, "payload": "ping"}))

        def desire():
            ask(
                "UpdateDeviceShadow",
                ShadowMessage={"method": "update", "state": {"desired": {"color": "green"}}},
            )

        def configure():
            cloud.admin("POST", f"/products/{product}/config", {"content": CONTENT})
            ask("PushConfig")

        answers = []
        events = driver(
            scene,
            product_key=product,
            device_name=dn,
            device_secret=made["device_secret"],
            product_secret="",
            instance_id=INSTANCE,
            thing_model=str(tmp_path / "model.json"),
            on={
                "desire": desire,
                "configure": configure,
                "rrpc": called,
                "raw": lambda: answers.append(
                    cloud.act(product, dn, "property", {"params": {"Count": 7}, "wait": 20})
                ),
            },
        )
        return {one["event"]: one for one in events}, ask, answers

    return run


def status(answer):
    return answer["got"]["payload"]["status"]


def test_the_python_sdk_tags_itself_and_casts_a_shadow(play, linkkit):
    by_event, ask, answers = play(linkkit, "services")
    assert [by_event[name]["code"] for name in ("tagged", "untagged", "refused tag")] == [200, 200, 460]
    assert ask("QueryDeviceProp")["Props"] == {"Temperature": "36.8"}
    assert by_event["reported"]["got"]["payload"] == {"status": "success", "version": 1}
    assert by_event["conflict"]["got"]["payload"]["content"]["errorcode"] == "409"
    assert by_event["read"]["got"]["payload"]["state"] == {"reported": {"color": "red"}}
    assert by_event["control"]["got"]["method"] == "control"
    both = {"reported": {"color": "red"}, "desired": {"color": "green"}}
    assert (by_event["kept"]["version"], by_event["kept"]["state"]) == (2, both)
    assert json.loads(ask("GetDeviceShadow")["ShadowMessage"])["payload"]["state"] == both
    assert by_event["rrpc"]["got"][1] == "ping" and answers[0]["payload"] == "pong"


def test_the_node_sdk_tags_and_configures_itself_and_casts_a_shadow(play, node):
    by_event, ask, _ = play(node, "services")
    assert [by_event[name]["code"] for name in ("tagged", "untagged", "refused tag")] == [200, 200, 460]
    assert ask("QueryDeviceProp")["Props"] == {"Temperature": "36.8"}
    assert (by_event["no config"]["code"], by_event["config"]["code"]) == (6710, 200)
    for data in (by_event["config pushed"]["got"]["params"], by_event["config"]["data"]):
        assert data["sign"] == hashlib.sha256(CONTENT.encode()).hexdigest()
        assert data["configSize"] == len(CONTENT) and data["url"].startswith("https://")
    first = by_event["reported"]["got"]["payload"]
    assert first["status"] == "success" and first["version"] > 2**32, "the SDK's versions are ms since 1970"
    assert by_event["read"]["got"]["payload"]["state"] == {"reported": {"color": "red", "level": 3}}
    assert by_event["control"]["got"]["payload"]["state"]["desired"] == {"color": "green"}
    assert [status(by_event[name]) for name in ("deleted", "deleted all")] == ["success", "success"]
    assert by_event["read again"]["got"]["payload"]["state"]["reported"] == {"color": "red"}
    left = json.loads(ask("GetDeviceShadow")["ShadowMessage"])["payload"]["state"]
    assert left == {"desired": {"color": "green"}}


def test_the_python_sdk_with_raw_data(play, linkkit):
    by_event, ask, answers = play(linkkit, "raw", RAW_PK)
    assert bytes.fromhex(by_event["raw reply"]["got"]) == b'\xff["7", 200]'
    assert bytes.fromhex(by_event["raw down"]["got"]).endswith(b'|{"Count": 7}')
    assert answers[0]["reply"]["code"] == 200
    (kept,) = ask("QueryDevicePropertyStatus")["List"]["PropertyStatusInfo"]
    assert (kept["Identifier"], kept["Value"]) == ("Count", 5)
