"""Uses paho-mqtt 1.6.1 with a client certificate, as any MQTT program would.

Reads one JSON job from standard input, prints one JSON line per event. Only
name resolution is bent, which leads the platform's name to the emulated
cloud's port; TLS and the host name are verified.
"""

import json
import os
import queue
import socket
import ssl
import sys

from paho.mqtt import client as mqtt

HOST, PORT = "x509.itls.cn-shanghai.aliyuncs.com", 1883
IDENTITY = "/ext/auth/identity/response"

job = json.load(sys.stdin)
events = queue.Queue()
resolve = socket.getaddrinfo


def resolve_platform(host, port, *args, **kwargs):
    """The platform's name and port, and no other."""
    if (host, port) != (HOST, PORT):
        raise OSError(f"{host}:{port} is not to be resolved here")
    return resolve("127.0.0.1", job["ports"]["x509"], *args, **kwargs)


def report(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def expect(name):
    """The next event, which must be called `name`."""
    event = events.get(timeout=30)
    if event[0] != name:
        raise SystemExit(f"{event} came where {name} was expected")
    return event[1:]


def make(client_id, username=None, password=None):
    client = mqtt.Client(client_id, protocol=mqtt.MQTTv311)
    client.tls_set(
        os.environ["CLOUD_CA"], job["certificate"], job["private_key"], tls_version=ssl.PROTOCOL_TLS_CLIENT
    )
    if username is not None:
        client.username_pw_set(username, password)
    client.on_connect = lambda client, data, flags, rc: events.put(("connect", rc))
    client.on_disconnect = lambda client, data, rc: events.put(("disconnect", rc))
    client.on_message = lambda client, data, message: events.put(
        ("message", message.topic, message.payload.decode())
    )
    client.on_subscribe = lambda client, data, number, granted: events.put(("subscribed", granted))
    client.on_publish = lambda client, data, number: events.put(("published",))
    return client


def connect(client):
    """The CONNACK's code, or what TLS said."""
    try:
        client.connect(HOST, PORT, keepalive=300)
    except ssl.SSLError as error:
        return error.reason
    client.loop_start()
    return expect("connect")[0]


def own_identity(client):
    topic, payload = expect("message")
    report("message", topic=topic, payload=payload)
    return json.loads(payload)


def use(client, identity):
    """An ordinary device: a subscription, a message down and one up."""
    base = f"/{identity['productKey']}/{identity['deviceName']}/user/"
    client.subscribe(base + "get", qos=1)
    report("subscribed", granted=list(expect("subscribed")[0]))
    report("wait", **{"for": "message"})
    topic, payload = expect("message")
    report("message", topic=topic, payload=payload)
    client.publish(base + "update", "hello", qos=1)
    expect("published")


def end(client):
    client.disconnect()
    report("disconnect", rc=expect("disconnect")[0])
    client.loop_stop()


socket.getaddrinfo = resolve_platform
device = make(".|securemode=2|", *job["login"])
code = connect(device)
report("connect", rc=code)
if code == 0:
    who = own_identity(device)
    use(device, who)
    end(device)
    username = f"{who['deviceName']}&{who['productKey']}"
    device = make("mac-001|securemode=2,signmethod=hmacsha256|", username, "")
    report("connect", rc=connect(device))
    own_identity(device)
    end(device)
