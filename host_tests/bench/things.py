"""What the cloud's thing model carries: devices with all their values after a restart, and posts a second."""

import asyncio
import json
import tempfile
import time
from pathlib import Path

from host_tests.bench.load import PK, Load, memory
from host_tests.bench.report import Bound, Column, Report, Table
from tools.emulator.cloud import config
from tools.emulator.cloud.instance import Instance
from tools.emulator.cloud.process import Cloud, toml
from tools.emulator.cloud.store import Store

DEVICES, PROPERTIES = 20_000, 50
MEGABYTES, SECONDS = 600, 5  # what so many may take, and how long a start
# topic -> how often a message of it goes out to one of the other: both take the cloud some tenths of a second a turn
TOPICS = {"/sys/{}/{}/thing/event/property/post": 1, "/{}/{}/user/update": 10}
TURNS = 5
RATIO = 0.045  # posts that the cloud carries, against raw publishes; 0.056 was seen


def chosen():
    """A cloud.toml's dict whose product has the model in model.json."""
    return {
        "instance": {"kind": "enterprise", "id": "iot-bench01"},
        "product": [{"product_key": PK, "tsl": "model.json", "tsl_check": "strict"}],
    }


def write_model(folder, properties):
    listed = [
        {
            "identifier": f"Property{number:02}",
            "accessMode": "rw",
            "dataType": {"type": "double", "specs": {"min": "-100", "max": "100"}},
        }
        for number in range(properties)
    ]
    (folder / "model.json").write_text(json.dumps({"properties": listed}))


def values(properties):
    return {f"Property{number:02}": number + 0.5 for number in range(properties)}


def fill(folder, devices, properties):
    """Makes `devices` that have posted each of their properties; the cloud does not run meanwhile."""
    store = Store(folder / "state.sqlite")
    instance = Instance(config.parse(toml(chosen()), folder=folder), store)
    product, things = instance.registry.products[PK], instance.things
    with store.transaction():
        for device in instance.registry.add(product, [f"bench_{number:05}" for number in range(devices)]):
            checked = things.check(device.key, values(properties).items())
            things.keep(device.key, checked.accepted)
    store.close()


def restart(folder, devices, properties):
    """(seconds from the start to the ready line, megabytes then and after a query of each hundredth device)."""
    cloud = Cloud(chosen(), folder)
    begun = time.perf_counter()
    with cloud:
        took = time.perf_counter() - begun
        for number in range(0, devices, 100):
            found = cloud.device(PK, f"bench_{number:05}")["properties"]
            if len(found) != properties:
                raise RuntimeError(f"device {number} has {len(found)} properties")
        return took, memory(cloud.process.pid)


def publish(topic, number, body):
    payload = json.dumps({"id": str(number), "version": "1.0", "params": body}).encode()
    rest = len(topic).to_bytes(2, "big") + topic.encode() + payload
    length, head = len(rest), bytearray(b"\x30")
    while length > 127:
        head.append(length & 127 | 128)
        length >>= 7
    return bytes(head) + bytes((length,)) + rest


async def carried(cloud, links, rounds, properties):
    """(posts, publishes of the same bytes on a custom topic) a second of a core.

    `links` devices send each `rounds` times, all of their properties; the two take turns.
    """
    made = cloud.admin(
        "POST", f"/products/{PK}/devices?secret=1", {"device_names": [f"post_{n:02}" for n in range(links)]}
    )
    load, turn, took = Load(cloud), rounds // TURNS, dict.fromkeys(TOPICS, 0)
    for one in made:
        await load.online("mqtt_tcp", one["device_name"], one["device_secret"])
    for _ in range(TURNS):
        for topic, times in TOPICS.items():
            topics = [topic.format(PK, one["device_name"]) for one in made]
            took[topic] += await sent(cloud, load, topics, turn * times, properties)
    load.close()
    return [links * turn * times * TURNS / took[topic] for topic, times in TOPICS.items()]


async def sent(cloud, load, topics, rounds, properties):
    """Seconds of a core that the cloud takes for `rounds` messages of each device."""
    before = cpu(cloud.process.pid)
    for (_, writer), topic in zip(load.open, topics):
        for number in range(rounds):
            writer.write(publish(topic, number, values(properties)))
            await writer.drain()
    for reader, writer in load.open:  # a PINGRESP comes when all that was before it is done
        writer.write(b"\xc0\x00")
        if await reader.readexactly(2) != b"\xd0\x00":
            raise RuntimeError("no PINGRESP")
    return cpu(cloud.process.pid) - before


def cpu(pid):
    """Seconds of a core that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def measure(devices=DEVICES, properties=PROPERTIES, rounds=500):
    """(seconds of a start, megabytes, [posts with a model of 20 properties, raw publishes] a second of a core)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_model(folder, properties)
        fill(folder, devices, properties)
        took, megabytes = restart(folder, devices, properties)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_model(folder, 20)
        with Cloud(chosen(), folder) as cloud:
            rates = asyncio.run(carried(cloud, 8, rounds, 20))
    return took, megabytes, rates


def report(scale=1.0):
    """The bench's part; the bounds are for 20,000 devices, fewer with a scale below 1."""
    devices = max(100, round(DEVICES * min(scale, 1)))
    took, megabytes, (posts, raw) = measure(devices, rounds=max(50, round(500 * min(scale, 1))))
    table = Table(
        "The cloud's thing model",
        [
            Column("what"),
            Column("start, s", ".2f"),
            Column("MB", ".0f"),
            Column("messages a second of a core", ".0f"),
        ],
    )
    table.add(f"{devices} devices with {PROPERTIES} properties each, after a restart", took, megabytes, None)
    table.add("posts of 20 properties, checked strictly, over TCP", None, None, posts)
    table.add("the same bytes on a custom topic", None, None, raw)
    return Report(
        [table],
        [
            Bound(f"start with {devices} devices", took, SECONDS, " s"),
            Bound(f"memory with {devices} devices", megabytes, MEGABYTES, " MB"),
            Bound("posts of 20 properties, against a custom topic", posts / raw, RATIO, " times", least=True),
        ],
    )
