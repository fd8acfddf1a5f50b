"""How much the emulated cloud carries: registrations and connects a second, and devices held at once.

`measure()` gives the figures as rows; `python -m host_tests.bench.load`
prints them. The client side is bare sockets on one event loop of its own, so
that the cloud's process has a core to itself where there are two.
"""

import asyncio
import os
import ssl
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

from host_tests.bench.report import Column, Report, Table
from host_tests.support.cloud.client import AUTH_HOST, connect_packet, form
from host_tests.support.fleet import running
from tools.emulator.cloud.server import raise_file_limit

PK, PS = "a1BENCHpk01", "BenchProductSec1"
HOST = "iot-bench01.mqtt.iothub.aliyuncs.com"
CONFIG = {
    "instance": {"kind": "enterprise", "id": "iot-bench01"},
    "product": [{"product_key": PK, "product_secret": PS, "dynamic_registration": True}],
}


def connect(dn, secret, mode, pk=PK):
    """A signed CONNECT, encoded."""
    return connect_packet(dn, pk, secret, client_id=dn, mode=mode, keep_alive=1200).encode()


def registration(dn):
    """The whole HTTPS request of a registration."""
    text = urlencode(form(dn, PK, PS, random="1"))
    return (
        f"POST /auth/register/device HTTP/1.1\r\nHost: {AUTH_HOST}\r\nConnection: close\r\n"
        f"Content-Length: {len(text)}\r\n\r\n{text}"
    ).encode()


class Load:
    """Devices against a running `cloud`, `width` connections being opened at a time."""

    def __init__(self, cloud, width=64):
        self.cloud, self.gate = cloud, asyncio.Semaphore(width)
        self.trust = ssl.create_default_context(cafile=cloud.ca_pem)
        self.trust.set_ciphers("AES128-GCM-SHA256")
        self.trust.maximum_version = ssl.TLSVersion.TLSv1_2
        self.open = []

    async def online(self, where, dn, secret):
        async with self.gate:
            tls = {"ssl": self.trust, "server_hostname": HOST} if where == "mqtt_tls" else {}
            reader, writer = await asyncio.open_connection("127.0.0.1", self.cloud.ports[where], **tls)
            writer.write(connect(dn, secret, 2 if tls else 3))
            if await reader.readexactly(4) != b"\x20\x02\x00\x00":
                raise RuntimeError(f"{dn} was not let in")
        self.open.append((reader, writer))

    async def register(self, dn):
        async with self.gate:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", self.cloud.ports["https"], ssl=self.trust, server_hostname=AUTH_HOST
            )
            writer.write(registration(dn))
            if b'"deviceSecret"' not in await reader.read():
                raise RuntimeError(f"{dn} was not registered")
            writer.close()

    async def round_trips(self, rounds):
        """Each open device sends `rounds` pings and awaits each answer."""

        async def one(reader, writer):
            for _ in range(rounds):
                writer.write(b"\xc0\x00")
                if await reader.readexactly(2) != b"\xd0\x00":
                    raise RuntimeError("no PINGRESP")

        await asyncio.gather(*(one(*link) for link in self.open))

    def close(self):
        for _, writer in self.open:
            writer.transport.abort()


def memory(pid):
    """Resident megabytes of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def timed(work):
    start = time.perf_counter()
    await work
    return time.perf_counter() - start


async def run(cloud, tcp, tls, registrations):
    names = [f"bench_{n:05}" for n in range(max(tcp, tls, registrations))]
    made = cloud.admin("POST", f"/products/{PK}/devices?secret=1", {"device_names": names})
    secrets = {one["device_name"]: one["device_secret"] for one in made}
    rows, pid = [], cloud.process.pid
    for where, count in (("mqtt_tcp", tcp), ("mqtt_tls", tls)):
        load, before = Load(cloud), memory(pid)
        try:
            took = await timed(asyncio.gather(*(load.online(where, dn, secrets[dn]) for dn in names[:count])))
            online = cloud.admin("GET", "/stats")["online"]
            trips = await timed(load.round_trips(2))
            rows.append(
                {
                    "what": f"devices online over {where[5:].upper()}",
                    "count": online,
                    "connects_per_second": round(count / took),
                    "pings_per_second": round(2 * count / trips),
                    "kilobytes_per_device": round((memory(pid) - before) * 1000 / count, 1),
                }
            )
        finally:
            load.close()
        while cloud.admin("GET", "/stats")["online"]:
            await asyncio.sleep(0.05)
    for dn in names[:registrations]:  # they have connected: registration is open again only after ResetThing
        cloud.act(PK, dn, "reset")
    load = Load(cloud)
    took = await timed(asyncio.gather(*(load.register(dn) for dn in names[:registrations])))
    rows.append(
        {
            "what": "HTTPS registrations over new TLS connections",
            "count": registrations,
            "registrations_per_second": round(registrations / took),
        }
    )
    return rows


def measure(tcp=5000, tls=500, registrations=500):
    """Starts a cloud and loads it; rows of figures as dicts. `tcp` and `tls` devices are held at once."""
    warning = raise_file_limit()
    if warning:
        print(f"note: {warning}", file=sys.stderr)
    with running(CONFIG) as cloud:
        return asyncio.run(run(cloud, tcp, tls, registrations))


def report(scale=1.0):
    """The bench's part: the same as a table, iTLS and mutual TLS."""
    from host_tests.bench import load_itls, load_x509

    rows = measure(*(max(20, round(count * min(scale, 1))) for count in (5000, 500, 500)))
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = [Column(name.replace("_", " ")) for name in names]
    table = Table("One process of the cloud, one of clients", columns)
    for row in rows:
        table.add(*(row.get(name) for name in names))
    return Report([table, load_itls.table(scale), load_x509.table(scale)])


if __name__ == "__main__":
    for row in measure():
        print(", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in row.items()))
