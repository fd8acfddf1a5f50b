"""What an open console costs a device: QoS 1 round trips with and without it, in turns, while the cloud is busy.

20,000 devices are registered and 500 on line, which publish 1,000 messages a second. The console that is open follows
the overview and the message log of a device that publishes, as a browser's windows do. Then its pages are opened, one
after another, under the same load.
"""

import asyncio
import contextlib
import itertools
import os
import re
import statistics
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

from host_tests.bench.load import CONFIG, PK, Load, memory
from host_tests.bench.report import Bound, Column, Report, Table
from host_tests.support.fleet import running
from tools.emulator.cloud.codec import Publish

REGISTERED, ONLINE, RATE = 20_000, 500, 1_000  # devices, devices, messages a second
RUNS, TRIPS = 5, 300  # of each kind; of one run
GAP = 0.01  # seconds between two round trips
TICKS = 50  # a second, in which the devices publish
MEDIAN, TAIL = 1.1, 5.0  # times; ms
VISITS, SLOW = 5, 1000.0  # of each page; ms that a page may take when the cloud is busy
PAGES = {
    "overview": "/",
    "devices": f"/products/{PK}",
    "devices, a search": f"/products/{PK}?search=9999",
    "devices, the last page": f"/products/{PK}?page=400",
    "messages of a device": f"/products/{PK}/devices/bench_00001/messages",
    "log": "/log",
    "log, a text that is nowhere": "/log?text=nowhere",
    "log, what went wrong": "/log?show=wrong",
    "faults": "/faults",
}
BODY = b'{"id":"1","version":"1.0","params":{"Temperature":21.5,"Heating":1}}'


class Watcher:
    """An open console: the regions of some pages, read as they come."""

    def __init__(self, cloud, pages):
        self.cloud, self.pages = cloud, pages
        self.port, self.cookie = cloud.ports["console"], None
        self.bytes, self.tasks, self.writers = 0, [], []

    async def request(self, path, more=""):
        """(reader, writer) of a request that was sent."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        cookie = f"Cookie: {self.cookie}\r\n" if self.cookie else ""
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{cookie}{more}\r\n".encode())
        return reader, writer

    async def visit(self, path):
        """Milliseconds until a page is there as a whole."""
        start = time.perf_counter()
        reader, writer = await self.request(path, "Connection: close\r\n")
        answer = await reader.read()
        writer.close()
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{path}: {answer[:60]!r}")
        return 1000 * (time.perf_counter() - start)

    async def enter(self):
        """Takes the session of the address that the cloud has printed."""
        parts = urlsplit(self.cloud.console_address)
        reader, writer = await self.request(f"{parts.path}?{parts.query}")
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        writer.close()
        self.cookie = re.search(r"(?i)set-cookie: ([^;]+)", head)[1]

    async def follow(self, path):
        reader, writer = await self.request(f"/events?page={quote(path)}")
        self.writers.append(writer)
        while data := await reader.read(65536):
            self.bytes += len(data)

    async def __aenter__(self):
        if self.cookie is None:
            await self.enter()
        self.tasks = [asyncio.ensure_future(self.follow(path)) for path in self.pages]
        await asyncio.sleep(0.5)
        return self

    async def __aexit__(self, *_):
        for task in self.tasks:
            task.cancel()
        for writer in self.writers:
            writer.transport.abort()


async def publishing(load, names):
    """RATE messages a second from all devices but the first, until it is cancelled."""
    turns = itertools.cycle(range(1, len(names)))
    began, ticks = time.perf_counter(), 0
    while True:
        for at in itertools.islice(turns, RATE // TICKS):
            topic = f"/{PK}/{names[at]}/user/update"
            load.open[at][1].write(Publish(topic, BODY, 0).encode())
        ticks += 1
        await asyncio.sleep(max(0, began + ticks / TICKS - time.perf_counter()))


async def round_trips(load, names, count):
    """Milliseconds of each QoS 1 round trip of the first device."""
    reader, writer = load.open[0]
    found = []
    for number in range(1, count + 1):
        packet = Publish(f"/{PK}/{names[0]}/user/probe", BODY, 1, packet_id=number).encode()
        start = time.perf_counter()
        writer.write(packet)
        await reader.readexactly(4)
        found.append(1000 * (time.perf_counter() - start))
        await asyncio.sleep(GAP)
    return found


async def figures(cloud, measured):
    """(median, 99th percentile) in ms of round trips, and the share of a processor that the cloud took meanwhile."""
    busy, began = processor(cloud.process.pid), time.perf_counter()
    trips = await measured
    share = (processor(cloud.process.pid) - busy) / (time.perf_counter() - began)
    return statistics.median(trips), statistics.quantiles(trips, n=100)[98], 100 * share


def processor(pid):
    """Seconds of a processor that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def run(cloud, registered, online, runs, trips):
    names = [f"bench_{n:05}" for n in range(registered)]
    secrets = {}
    for at in range(0, registered, 1000):
        made = cloud.admin(
            "POST", f"/products/{PK}/devices?secret=1", {"device_names": names[at : at + 1000]}
        )
        secrets |= {one["device_name"]: one["device_secret"] for one in made}
    load, rows = Load(cloud), []
    try:
        for dn in names[:online]:  # in their order, so that a link's place is its device's
            await load.online("mqtt_tcp", dn, secrets[dn])
        noise = asyncio.ensure_future(publishing(load, names[:online]))
        watcher = Watcher(cloud, ("/", f"/products/{PK}/devices/{names[1]}/messages"))
        await round_trips(load, names, 50)
        for _ in range(runs):
            rows.append(("without", *await figures(cloud, round_trips(load, names, trips)), 0))
            before = watcher.bytes
            async with watcher:
                found = await figures(cloud, round_trips(load, names, trips))
            rows.append(("with", *found, watcher.bytes - before))
        visits = {name: [await watcher.visit(path) for _ in range(VISITS)] for name, path in PAGES.items()}
        noise.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await noise
    finally:
        load.close()
    return rows, visits, memory(cloud.process.pid)


def report(scale=1.0):
    """The bench's part."""
    share = min(scale, 1)
    registered, online = max(20, round(REGISTERED * share)), max(10, round(ONLINE * share))
    with running(CONFIG, console=True) as cloud:
        runs = max(1, round(RUNS * share))
        rows, visits, megabytes = asyncio.run(
            run(cloud, registered, online, runs, max(50, round(TRIPS * share)))
        )
    table = Table(
        f"QoS 1 round trips of a device, {online} others on line at {RATE} messages a second",
        [
            Column("console"),
            Column("median, ms", ".2f"),
            Column("p99, ms", ".2f"),
            Column("the cloud's processor, %", ".0f"),
            Column("bytes to it"),
        ],
    )
    for row in rows:
        table.add(*row)
    opened = Table(
        "Pages, opened under the same load",
        [Column("page"), Column("median, ms", ".0f"), Column("slowest, ms", ".0f")],
    )
    for name, times in visits.items():
        opened.add(name, statistics.median(times), max(times))
    (median, tail), (median_with, tail_with) = (
        [statistics.median(row[column] for row in rows if row[0] == kind) for column in (1, 2)]
        for kind in ("without", "with")
    )
    bounds = [
        Bound("median with a console", median_with / median, MEDIAN, " times"),
        Bound("p99 with a console, more", tail_with - tail, TAIL, " ms"),
        Bound("the slowest page", max(statistics.median(times) for times in visits.values()), SLOW, " ms"),
    ]
    return Report([table, opened], bounds, [f"the cloud with {registered} devices has {megabytes:.0f} MB"])
