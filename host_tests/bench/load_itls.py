"""Devices with an ID2 on the emulated cloud: handshakes of iTLS a second, and what they cost on the wire."""

import asyncio

from host_tests.bench.load import Load, connect, memory, timed
from host_tests.bench.report import Column, Table
from host_tests.support.cloud.itls import DATA, HANDSHAKE, Device
from host_tests.support.fleet import running

PK = "a1BENCHpk02"
CONFIG = {"product": [{"product_key": PK, "auth": "id2"}]}
COLUMNS = (
    "suite",
    "devices online",
    "handshakes per second",
    "pings per second",
    "bytes to the cloud",
    "bytes from the cloud",
    "kilobytes per device",
)


class ItlsLoad(Load):
    """As `Load`, over iTLS; a device's part of the handshake is done in this process."""

    async def online(self, where, dn, identity):
        device = Device(identity["id2"], identity["id2_key"], PK)
        async with self.gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.cloud.ports[where])
            device.take_challenge(await ask(reader, writer, device.hello()))
            device.take_server_hello(await ask(reader, writer, device.hello(device.code())))
            device.take_finished(await ask(reader, writer, device.finished()))
            writer.write(device.writing.seal(DATA, connect(dn, "any", "8,authtype=id2", PK)))
            if device.reading.open(*await record(reader)) != b"\x20\x02\x00\x00":
                raise RuntimeError(f"{dn} was not let in")
        self.open.append((device, reader, writer))

    async def round_trips(self, rounds):
        async def one(device, reader, writer):
            for _ in range(rounds):
                writer.write(device.writing.seal(DATA, b"\xc0\x00"))
                if device.reading.open(*await record(reader)) != b"\xd0\x00":
                    raise RuntimeError("no PINGRESP")

        await asyncio.gather(*(one(*link) for link in self.open))

    def close(self):
        for *_, writer in self.open:
            writer.transport.abort()


async def record(reader):
    """(type, body) of the next record."""
    head = await reader.readexactly(5)
    return head[0], await reader.readexactly(int.from_bytes(head[3:], "big"))


async def ask(reader, writer, data):
    writer.write(data)
    kind, body = await record(reader)
    if kind != HANDSHAKE:
        raise RuntimeError(f"the cloud sent alert {body.hex()}")
    return body


async def run(cloud, suite, count):
    """One row of `COLUMNS`; the bytes are those of a device's handshake, CONNECT and two pings."""
    made = cloud.admin("POST", f"/products/{PK}/identities?secret=1", {"count": count})
    names = [f"bench_{suite}_{number:05}" for number in range(count)]
    load, before = ItlsLoad(cloud), memory(cloud.process.pid)
    try:
        took = await timed(asyncio.gather(*map(load.online, ["itls"] * count, names, made)))
        trips = await timed(load.round_trips(2))
        online, traffic = cloud.admin("GET", "/stats")["online"], cloud.device(PK, names[0])["traffic"]
        return (
            suite,
            online,
            round(count / took),
            round(2 * count / trips),
            traffic["bytes_in"],
            traffic["bytes_out"],
            round((memory(cloud.process.pid) - before) * 1000 / count, 1),
        )
    finally:
        load.close()


def table(scale=1.0):
    """Suites side by side, each with a cloud of its own."""
    found = Table(
        "iTLS, the devices' own part of it in one other process", [Column(name) for name in COLUMNS]
    )
    for suite in ("D003", "D004"):
        config = {**CONFIG, "switches": {"itls_suites": [suite]}}
        with running(config) as cloud:
            found.add(*asyncio.run(run(cloud, suite, max(20, round(500 * min(scale, 1))))))
    return found
