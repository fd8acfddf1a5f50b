"""Gateways for tests: a configuration with one product of each kind, and a gateway's side of the protocol."""

import json

from host_tests.support import paths
from host_tests.support.cloud.client import INSTANCE, Client, connect_packet, sign
from tools.emulator.cloud import codec
from tools.emulator.cloud.codec import Publish

VECTORS = json.loads((paths.VECTORS / "vectors_gateway.json").read_text())
SAMPLE = VECTORS["sample_identities"]
GPK, GDN = SAMPLE["gateway"]["productKey"], SAMPLE["gateway"]["deviceName"]
GDS = "fedcba9876543210fedcba9876543210"
GDN2 = "gw_0002"
SUBS = [(one["productKey"], one["deviceName"], one["deviceSecret"]) for one in SAMPLE["sub_devices"]]
SPK, SPS = SUBS[0][0], SAMPLE["sub_product_secret"]
ONE, TWO = (SUBS[0][:2], SUBS[1][:2])
SECRETS = {sub[:2]: sub[2] for sub in SUBS}
KEYS = {"id", "code", "data", "message", "method", "version"}
CLIENT_MODE = "_ss=1,ext=3,"
REGISTER, PROXY = "thing/sub/register", "thing/proxy/provisioning/product_register"
ADD, DELETE, GET = "thing/topo/add", "thing/topo/delete", "thing/topo/get"
LOGIN, BATCH, LOGOUT, BATCH_OUT = (
    "combine/login",
    "combine/batch_login",
    "combine/logout",
    "combine/batch_logout",
)
FOUND, PACK, UNREGISTER = "thing/list/found", "thing/event/property/pack/post", "thing/sub/unregister"
GONE, OFF = (SPK, "sensor-99"), ("a1SwitchOff", "sensor-off")
SYS, USER = f"/sys/{'/'.join(ONE)}/", f"/{'/'.join(ONE)}/user/"
POST = SYS + "thing/event/property/post"


def gateway_settings(switches=None, limits=None, extra=0, **product):
    """Gateway product with two gateways, sub-device product with the vectors' two and `extra` more."""
    names = [{"device_name": dn, "device_secret": ds} for _, dn, ds in SUBS]
    names += [{"device_name": name(n), "device_secret": secret(name(n))} for n in range(extra)]
    return {
        "instance": {"kind": "enterprise", "id": INSTANCE, "region": "cn-shanghai"},
        "product": [
            {
                "product_key": GPK,
                "node": "gateway",
                "dynamic_registration": True,
                "device": [{"device_name": dn, "device_secret": GDS} for dn in (GDN, GDN2)],
            },
            {
                "product_key": SPK,
                "product_secret": SPS,
                "node": "subdevice",
                "dynamic_registration": True,
                **product,
                "device": names,
            },
            {"product_key": "a1DirectPkX", "device": [{"device_name": "direct", "device_secret": GDS}]},
            {
                "product_key": "a1SwitchOff",
                "node": "subdevice",
                "product_secret": SPS,
                "device": [{"device_name": "sensor-off"}],
            },
        ],
        "switches": switches or {},
        "limits": limits or {},
        "timing": {},
    }


def name(number):
    return f"more-{number:04}"


def secret(dn):
    return dn.replace("-", "").ljust(32, "x")


def pair(key):
    return {"productKey": key[0], "deviceName": key[1]}


def signed(
    key,
    client_id=None,
    timestamp="1704067200123",
    method="hmacSha256",
    secret_=None,
    label="signMethod",
    **more,
):
    """An item of topo/add or a login, signed as gateway.md 6.1 and 8.1 say."""
    fields = {**pair(key)}
    if client_id != "":
        fields["clientId"] = client_id or ".".join(key)
    if timestamp is not None:
        fields["timestamp"] = timestamp
    text = "".join(f"{part}{fields[part]}" for part in sorted(fields))
    proof = sign(secret_ or SECRETS.get(key) or secret(key[1]), text, method.lower().removeprefix("hmac"))
    return {**fields, label: method, "sign": proof, **more}


def proxied(key, secret_=SPS, random="Q7w3ErT9yUi2OpA", method="hmacSha256"):
    """An item of product_register, gateway.md 5."""
    text = f"deviceName{key[1]}productKey{key[0]}random{random}"
    return {
        **pair(key),
        "random": random,
        "signMethod": method,
        "sign": sign(secret_, text, method.lower().removeprefix("hmac")),
    }


class Gateway(Client):
    """A gateway that is online; asks and reads replies. Other packets are kept in `notices`."""

    def __init__(self, cloud, dn=GDN, where="mqtt_tcp", extra=CLIENT_MODE, **fields):
        super().__init__(cloud.open(where))
        self.cloud, self.dn, self.number, self.notices = cloud, dn, 0, []
        mode = "3" if where == "mqtt_tcp" else "2"
        self.online(connect_packet(dn=dn, pk=GPK, secret=GDS, extra=extra, mode=mode, **fields))

    def topic(self, tail):
        return f"{'/ext/session' if tail.startswith('combine') else '/sys'}/{GPK}/{self.dn}/{tail}"

    def send_request(self, tail, params, qos=0, **more):
        """Sends a request without awaiting anything; returns its id."""
        self.number += 1
        body = {"id": str(self.number), "version": "1.0", "params": params, **more}
        self.publish(self.topic(tail), body, qos)
        return str(self.number)

    def publish(self, topic, body, qos=0):
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send(Publish(topic, payload, qos, 1 if qos else None))

    def request(self, tail, params, **more):
        """The reply to a request, as JSON; what else comes first is kept."""
        number = self.send_request(tail, params, **more)
        while True:
            packet = self.read()
            if isinstance(packet, Publish) and packet.topic == self.topic(tail) + "_reply":
                reply = json.loads(packet.payload)
                assert reply["id"] == number and set(reply) == KEYS
                return reply
            self.notices.append(packet)

    def code(self, tail, params, **more):
        return self.request(tail, params, **more)["code"]

    def good(self, tail, params, **more):
        """The data of a request that must succeed."""
        reply = self.request(tail, params, **more)
        assert (reply["code"], reply["message"]) == (200, "success"), reply
        return reply["data"]

    def add(self, *keys):
        return self.good("thing/topo/add", [signed(key) for key in keys])

    def log_in(self, *keys, **more):
        return self.good("combine/batch_login", {"deviceList": [signed(key, **more) for key in keys]})

    def bring(self, *keys, **more):
        """Attaches and logs in."""
        self.add(*keys)
        self.log_in(*keys, **more)
        return self

    def heard(self):
        """(topic, JSON) of all that came unasked up to now."""
        self.ping()
        found = [
            (packet.topic, json.loads(packet.payload))
            for packet in self.notices
            if isinstance(packet, Publish)
        ]
        self.notices = []
        return found

    def ping(self):
        self.send(codec.Pingreq())
        while not isinstance(packet := self.read(), codec.Pingresp):
            self.notices.append(packet)

    def errors(self):
        """Codes and sub-devices of what came on /ext/error."""
        return [
            (body["code"], (body["data"]["productKey"], body["data"]["deviceName"]))
            for topic, body in self.heard()
            if topic == f"/ext/error/{GPK}/{self.dn}"
        ]


def subdevice(cloud, key):
    return cloud.device(key[1], key[0])


def status(cloud, key):
    return subdevice(cloud, key)["status"]


def topology(cloud, dn=GDN):
    return [
        (one["product_key"], one["device_name"])
        for one in cloud.admin("GET", f"/devices/{GPK}/{dn}/topology")
    ]


def proxy(*items):
    return {"proxieds": list(items)}


def listed(*items, **more):
    return {"deviceList": list(items), **more}


def bound(gateway, key):
    gateway.cloud.admin(
        "POST",
        f"/devices/{GPK}/{GDN2}/topology",
        {"subdevices": [{"product_key": key[0], "device_name": key[1]}]},
    )


def act(cloud, key, action, body=None, **more):
    return cloud.admin("POST", f"/devices/{'/'.join(key)}/{action}", body, **more)


def send(cloud, topic, payload="hi", qos=0):
    return cloud.admin("POST", "/publish", {"topic": topic, "payload": payload, "qos": qos})
