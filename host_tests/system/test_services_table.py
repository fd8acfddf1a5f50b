"""The table of firmware/guides/application.md: service, official client, emulated cloud, firmware.

Each cell is looked up: the clients' in the drivers of the official SDKs and in the vectors, the cloud's in its table
of requests, the firmware's in its sources. `ALIOT_GOLDEN=write` writes the table anew.
"""

import ast
import json
import os
from dataclasses import dataclass

import pytest

from host_tests.support.cloud.thing import DN, PK, World
from host_tests.support.paths import ROOT, VECTORS
from host_tests.support.readme_table import replaced
from tools.emulator.cloud import admin, cloud_api
from tools.emulator.cloud.gateway import gateways

GUIDE = ROOT / "firmware/guides/application.md"
FIRMWARE = ROOT / "firmware/aliot"
CLIENTS = ROOT / "host_tests/support/clients"
CALLS = {pattern for _, pattern, *_ in admin.ROUTES} | set(cloud_api.ACTIONS)
FOUND = json.loads((VECTORS / "vectors_application.json").read_text())
C_SDK = {one["topic"] for one in FOUND["requests"] if one["client"] == "C4"}
C_SDK |= {one["topic"] for one in FOUND["downlinks"]}


@dataclass(frozen=True)
class Service:
    """A row: section of application.md, topic, calls of the official SDKs where they have it.

    `needle` is the text in the firmware's sources by which it is found there, if it is not the topic. `asked` is the
    call of the cloud's API, or the route, by which the platform begins it.
    """

    name: str
    section: str
    topic: str
    python: str = ""
    node: str = ""
    needle: str = ""
    asked: str = ""


SERVICES = (
    Service("properties", "3.2", "thing/event/property/post", "thing_post_property", "postProps"),
    Service(
        "properties set",
        "3.2",
        "thing/service/property/set",
        "on_thing_prop_changed",
        "onProps",
        "property/set",
        "SetDeviceProperty",
    ),
    Service(
        "properties asked for",
        "3.1",
        "thing/service/property/get",
        needle="property/get",
        asked="/devices/{pk}/{dn}/property/get",
    ),
    Service(
        "events", "3.3", "thing/event/{id}/post", "thing_trigger_event", "postEvent", "thing/event/%s/post"
    ),
    Service(
        "services, asynchronous",
        "3.4",
        "thing/service/{id}",
        "thing_answer_service",
        "onService",
        "thing/service/#",
        "InvokeThingService",
    ),
    Service(
        "services, synchronous",
        "3.4",
        "/ext/rrpc/{messageId}/sys/{pk}/{dn}/thing/service/{id}",
        "thing_answer_service",
        "onService",
        "/ext/rrpc/#",
        "InvokeThingService",
    ),
    Service("history", "3.5", "thing/event/property/history/post"),
    Service("batches", "3.5", "thing/event/property/batch/post"),
    Service("packs of a gateway", "3.5", "thing/event/property/pack/post"),
    Service("desired properties", "3.6", "thing/property/desired/get"),
    Service("raw data", "3.7", "thing/model/up_raw", "thing_raw_post_data"),
    Service("the model", "2", "thing/dsltemplate/get"),
    Service(
        "shadow", "6", "/shadow/update/{pk}/{dn}", "thing_update_shadow", "postShadow", "/shadow/update/"
    ),
    Service(
        "RRPC on custom topics",
        "7",
        "/ext/rrpc/{messageId}/user/get",
        "thing_answer_rrpc",
        "",
        "rrpc/response/",
        "/devices/{pk}/{dn}/rrpc",
    ),
    Service("time over MQTT", "8", "/ext/ntp/{pk}/{dn}/request", needle="/ext/ntp/"),
    Service("tags", "9", "thing/deviceinfo/update", "thing_update_tags", "postTags", "thing/deviceinfo/"),
    Service("configuration", "10", "thing/config/get", "", "getConfig"),
    Service("logs", "11", "thing/log/post"),
    Service("file upload", "12", "thing/file/upload/mqtt/init", needle="thing/file/upload/mqtt/"),
    Service("jobs", "13", "thing/job/get", needle="thing/job/"),
    Service(
        "broadcasts", "13", "broadcast/request/{messageId}", needle="broadcast/request/", asked="PubBroadcast"
    ),
    Service("compression", "13", "codec/topic/update"),
    Service("tunnels", "14.1", "secure_tunnel/proxy/request"),
)


def texts():
    """{module: the strings in its code, docstrings left out} of the firmware."""
    found = {}
    for path in sorted(FIRMWARE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documented = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        strings = [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented
        ]
        found[path.relative_to(FIRMWARE).with_suffix("").as_posix()] = strings
    return found


MODULES = texts()
DRIVERS = {
    "python": "".join(path.read_text() for path in sorted(CLIENTS.glob("linkkit_*.py"))),
    "node": "".join(path.read_text() for path in sorted(CLIENTS.glob("node_*.js"))),
}


def firmware(service):
    """The module of `aliot` that an application imports for it, "" if there is none.

    A gateway's own module is the last to be looked at: it repeats a device's topics for its sub-devices.
    """
    needle = service.needle or service.topic
    for module, strings in sorted(MODULES.items(), key=lambda one: one[0].startswith("gateway")):
        if any(needle in text for text in strings):
            folder, _, name = module.partition("/")
            return (
                f"`aliot.services.{name}`"
                if folder == "services" and name != "__init__"
                else f"`aliot.{folder}`"
            )
    return ""


def client(driver, call):
    """ "tested" if a driver makes the call, "has" if none does, "" where the SDK has no such call."""
    return call and ("tested" if call in DRIVERS[driver] else "has")


def c_sdk(service):
    topic = service.topic if service.topic.startswith("/") else "/sys/{pk}/{dn}/" + service.topic
    return (
        "bytes" if C_SDK & {topic.replace("{id}", name) for name in ("alarm", "SetWeight", "Weigh")} else ""
    )


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("table") / "run")
    yield made.instance
    made.close()


def emulated(service, instance):
    if service.asked:
        return service.asked in CALLS
    topic = service.topic if service.topic.startswith("/") else "/sys/{pk}/{dn}/" + service.topic
    found = instance.requests.find(topic.format(pk=PK, dn=DN, id="alarm"), (PK, DN))
    return found is not None and found[0].gap is None or service.topic in gateways.REQUESTS


def table(instance):
    lines = [
        "| service | section | C SDK | Python SDK | Node SDK | emulated | firmware |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in SERVICES:
        cells = (
            one.name,
            one.section,
            c_sdk(one),
            client("python", one.python),
            client("node", one.node),
            "yes" if emulated(one, instance) else "",
            firmware(one),
        )
        lines.append("| " + " | ".join(cell or "–" for cell in cells) + " |")
    return "\n".join(lines)


def test_the_guide_has_the_table(instance):
    text = GUIDE.read_text(encoding="utf-8")
    made = replaced(text, "services", table(instance))
    if os.environ.get("ALIOT_GOLDEN") == "write":
        GUIDE.write_text(made, encoding="utf-8")
    else:
        assert made == text, (
            "write it anew: ALIOT_GOLDEN=write pytest host_tests/system/test_services_table.py"
        )


@pytest.mark.parametrize("service", SERVICES, ids=lambda one: one.name)
def test_what_is_emulated_is_driven_by_each_official_client_that_has_it(service, instance):
    if emulated(service, instance):
        assert "has" not in (client("python", service.python), client("node", service.node))
