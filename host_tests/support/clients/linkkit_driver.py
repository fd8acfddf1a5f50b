"""Uses the official Python SDK (aliyun-iot-linkkit 1.2.13) as its manual shows.

Reads one JSON job from standard input, prints one JSON line per event. Two
things are bent: name resolution, which leads the platform's names to the
emulated cloud's ports, and the CA, which the SDK takes as `cadata`. TLS and
the host name are verified by the SDK itself.
"""

import importlib.metadata
import json
import os
import queue
import socket
import sys

import linkkit_gateway
import linkkit_ota
import linkkit_services
import linkkit_thing
from linkkit import linkkit

job = json.load(sys.stdin)
ca = open(os.environ["CLOUD_CA"]).read()
events = queue.Queue()
resolve = socket.getaddrinfo
PORTS = {443: "https", 8883: "mqtt_tls", 1883: "mqtt_tcp"}
WAIT = job.get("seconds", 30)


def resolve_platform(host, port, *args, **kwargs):
    """The platform's names are the emulated cloud; any other name is a fault of the test."""
    if not host.endswith(".aliyuncs.com"):
        raise OSError(f"{host} is not to be resolved here")
    return resolve("127.0.0.1", job["ports"][PORTS[port]], *args, **kwargs)


def report(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def expect(name):
    """The next event that is called `name`."""
    while True:
        event = events.get(timeout=WAIT)
        if event[0] == name:
            return event[1:]


def watched(client):
    client.on_connect = lambda flag, rc, data: events.put(("connect", flag, rc))
    client.on_disconnect = lambda rc, data: events.put(("disconnect", rc))
    client.on_thing_prop_post = lambda *reply: events.put(("property", *reply[:4]))
    client.on_thing_prop_changed = lambda params, data: events.put(("set", params))
    client.on_topic_message = lambda topic, payload, qos, data: events.put(
        ("message", topic, payload.decode(), qos)
    )
    client.on_publish_topic = lambda mid, data: events.put(("published", mid))
    client.on_subscribe_topic = lambda mid, granted, data: events.put(("subscribed", granted))
    client.on_thing_enable = lambda data: None
    client.on_thing_disable = lambda data: None
    client.on_device_dynamic_register = lambda rc, value, data: events.put(("registered", rc, value))
    client.on_device_dynamic_register_nwl_reply = lambda *reply: events.put(("unit", *reply[:4]))
    return client


def make(**more):
    fields = {
        "host_name": "cn-shanghai",
        "product_key": job["product_key"],
        "device_name": job["device_name"],
        "device_secret": "",
        "instance_id": job.get("instance_id"),
        **more,
    }
    client = watched(linkkit.LinkKit(**fields))
    client.config_mqtt(
        cadata=ca, **({"port": 1883, "secure": ""} if job["scenario"] == "tcp" else {"port": 8883})
    )
    if "thing_model" in job:
        client.thing_setup(job["thing_model"])
    return client


def use(client):
    """Online: a property, a message up, a subscription, a message down, a property set."""
    try:
        flag, rc = expect("connect")
    except queue.Empty:  # the SDK keeps a refused CONNECT to itself and tries again
        return report("nothing")
    report("connect", session_present=flag, rc=rc)
    if rc:
        return
    client.thing_post_property({"temperature": 21})
    request_id, code, data, message = expect("property")
    report("property", code=code, message=message)
    topic = f"/{job['product_key']}/{job['device_name']}/user/update"
    client.publish_topic(topic, "hello", 1)
    expect("published")
    client.subscribe_topic(topic.replace("update", "get"), 1)
    report("subscribed", granted=list(expect("subscribed")[0]))
    for name in ("message", "set"):
        report("wait", **{"for": name})
        report(name, got=expect(name))
    client.disconnect()
    report("disconnect", rc=expect("disconnect")[0])


def unit():
    """Without pre-registration: a ClientID and a token by MQTT, then a connect with them."""
    client = make(product_secret=job["product_secret"], auth_type="regnwl")
    client.connect_async()
    rc, client_id, username, password = expect("unit")
    report("unit", rc=rc, client_id=client_id, username=username, password=password)
    if rc == 0:
        client = make(username=username, client_id=client_id, password=password)
        client.connect_async()
        use(client)


def registered(**more):
    """Registration by HTTPS (no auth_type) or by MQTT, then the connect."""
    client = make(product_secret=job["product_secret"], **more)
    client.connect_async()
    rc, value = expect("registered")
    report("registered", rc=rc, value=value)
    if rc:
        return
    if more:  # by MQTT the SDK wants a new client for the connect
        client = make(device_secret=value)
        client.connect_async()
    use(client)


def connect():
    client = make(device_secret=job["device_secret"])
    client.connect_async()
    use(client)


def gateway():
    linkkit_gateway.use(make(device_secret=job["device_secret"]), events, report, expect, job)


def ota():
    linkkit_ota.use(make(device_secret=job["device_secret"]), events, report, expect, job)


def thing():
    linkkit_thing.use(make(device_secret=job["device_secret"]), events, report, expect)


def services():
    linkkit_services.use(make(device_secret=job["device_secret"]), events, report, expect, job)


def raw():
    linkkit_services.raw(make(device_secret=job["device_secret"]), events, report, expect)


socket.getaddrinfo = resolve_platform
report("versions", **{name: importlib.metadata.version(name) for name in ("aliyun-iot-linkkit", "paho-mqtt")})
{
    "device": connect,
    "tcp": connect,
    "https": registered,
    "mqtt": lambda: registered(auth_type="register"),
    "unit": unit,
    "gateway": gateway,
    "ota": ota,
    "thing": thing,
    "services": services,
    "raw": raw,
}[job["scenario"]]()
os._exit(0)  # the SDK's threads would reconnect for ever
