"""A product with a thing specification, and devices of it without a socket."""

import itertools
import json

from host_tests.support.cloud.asker import START, Asker, platform

PK, DN, OTHER = "a1THINGpk01", "thing_0001", "thing_0002"
GPK, GDN = "a1THINGgw01", "gateway_01"
SPK, ONE = "a1THINGsub1", "sub_0001"
NOW = int(START * 1000)


def field(identifier, kind, specs=None, **more):
    return {
        "identifier": identifier,
        "name": identifier.lower(),
        "dataType": {"type": kind, "specs": {} if specs is None else specs},
        **more,
    }


PROPERTIES = [
    field("Switch", "bool", {"0": "off", "1": "on"}, accessMode="rw"),
    field("Count", "int", {"min": "0", "max": "100", "step": "1"}, accessMode="rw"),
    field("Temp", "float", {"min": "-40", "max": "125", "unit": "°C"}, accessMode="r"),
    field("Exact", "double", {"min": "0", "max": "1"}, accessMode="rw"),
    field("Mode", "enum", {"0": "idle", "2": "busy"}, accessMode="rw"),
    field("Label", "text", {"length": "8"}, accessMode="rw"),
    field("Since", "date", accessMode="r"),
    field("Place", "struct", [field("x", "int", {"max": "9"}), field("name", "text")], accessMode="rw"),
    field("List", "array", {"size": "3", "item": {"type": "int"}}, accessMode="rw"),
    field(
        "Rows",
        "array",
        {"size": "2", "item": {"type": "struct", "specs": [field("x", "int")]}},
        accessMode="r",
    ),
    field("engine:Speed", "int", {"max": "9000"}, accessMode="rw"),
]
EVENTS = [
    {
        "identifier": "alarm",
        "name": "an alarm",
        "type": "alert",
        "outputData": [field("errorCode", "text", {"length": "4"}), field("level", "int", {"max": "5"})],
    },
    {"identifier": "engine:stall", "name": "stall", "type": "error", "outputData": []},
]
SERVICES = [
    {
        "identifier": "Reset",
        "name": "reset",
        "callType": "async",
        "inputData": [field("delay", "int", {"max": "60"}, required=True)],
        "outputData": [field("accepted", "bool")],
    },
    {
        "identifier": "Weigh",
        "name": "weigh",
        "callType": "sync",
        "inputData": [],
        "outputData": [field("weight", "double")],
    },
    {"identifier": "engine:Start", "name": "start", "callType": "async", "inputData": [], "outputData": []},
]
TSL = {
    "schema": "https://iotx-tsl.oss-ap-southeast-1.aliyuncs.com/schema.json",
    "profile": {"productKey": PK, "version": "1.0"},
    "properties": PROPERTIES,
    "events": EVENTS,
    "services": SERVICES,
}


def thing_settings(tsl=TSL, switches=None, timing=None, limits=None, **product):
    """A cloud.toml with a product of two devices; with a TSL the file model.json has it."""
    return {
        "instance": {"kind": "public"},
        "product": [
            {
                "product_key": PK,
                **({"tsl": "model.json"} if tsl else {}),
                **product,
                "device": [{"device_name": DN}, {"device_name": OTHER}],
            },
            {"product_key": GPK, "node": "gateway", "device": [{"device_name": GDN}]},
            {"product_key": SPK, "node": "subdevice", "device": [{"device_name": ONE}]},
        ],
        "switches": switches or {},
        "timing": timing or {},
        "limits": limits or {},
    }


class World:
    """A platform whose clock stands until `now` (Unix seconds) is changed, and `device`, an `Asker` of it."""

    def __init__(self, folder, tsl=TSL, now=START, **settings):
        folder.mkdir(exist_ok=True)
        (folder / "model.json").write_text(json.dumps(tsl))
        self.now = now
        self.instance = platform(folder, thing_settings(tsl, **settings), lambda: self.now)
        self.device = Asker(self.instance, PK, DN)
        self.numbers = itertools.count(1)

    def gateway(self):
        """An `Asker` for the gateway, to which the sub-device is attached."""
        find = self.instance.registry.find
        self.instance.gateways.attach((GPK, GDN), [find(SPK, ONE)])
        return Asker(self.instance, GPK, GDN)

    def values(self, key=(PK, DN)):
        return self.instance.things.values(key)

    def history(self, kind, name=None, key=(PK, DN)):
        """[(time, body)] of a property's, event's or service's points, all of the time."""
        found = self.instance.store.points((*key, kind), name, 0, 2**53, 10_000)
        return [(time, body) for _, time, body in found]

    def close(self):
        self.instance.store.close()
