"""The production line in figures: allocations a second, burns against esptool's own calls, eight boards
against one.

`measure()` gives the figures as rows (what, value, unit, ratio or None, bound or None);
`python -m host_tests.bench.line` prints them. Wires are limited to 921600 baud; CPU seconds stand beside
what a busy machine changes.
"""

import contextlib
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from host_tests.bench.allocations import allocation_rows
from host_tests.bench.report import Bound, Column, Report, Table
from tools import boards
from tools.emulator.chip.thread import Bench
from tools.flash import micropython_images
from tools.flash.loader import Loader
from tools.image import flash_image as layouts
from tools.image import identity, nvs
from tools.line.job import Job
from tools.line.job_contents import with_tree
from tools.line.ledger.entries import Who
from tools.line.station import port_wire

PRODUCT = "a1B2c3D4e5F"
BOARD = "ESP32_GENERIC"
BAUD = 921600
WHO = Who("bench", "bench")
BOUNDS = {"burn": 1.15, "eight": 1.25}


def rows_of(title, table):
    return [(f"{title}: {what}", *values) for what, values in table.items()]


# -- burns ---------------------------------------------------------------------------------------------


class Recorder(Loader):
    """A Loader that remembers what it read and wrote."""

    calls = None

    def write_all(self, regions):
        self.calls.append(("write", [(offset, bytes(data)) for offset, data in regions]))
        super().write_all(regions)

    def erase(self, offset, size):
        self.calls.append(("erase", (offset, size)))
        super().erase(offset, size)

    def _sector(self, at):
        before = self.bytes_read
        data = super()._sector(at)
        if self.bytes_read > before:
            self.calls.append(("read", (at, self.bytes_read - before)))
        return data


def replay(url, calls):
    """esptool's own calls for the same reads and writes in one session; seconds from sync to the last
    verify.
    """
    import esptool.cmds as esptool
    from esp_pylib.logger import EspLog

    from tools.flash import loader as loaders
    from tools.flash import port as ports

    kept, EspLog.instance = EspLog.instance, loaders._Quiet(_Silent())
    began = time.perf_counter()
    port = ports.open_port(url, 115200)
    try:
        esp = esptool.run_stub(esptool.detect_chip(port, 115200))
        esp.change_baud(BAUD)
        esptool.attach_flash(esp)
        esptool.detect_flash_size(esp)
        for what, value in _merged(calls):
            if what == "write":
                esptool.write_flash(esp, value)
            elif what == "erase":
                esp.erase_region(*value)
            else:
                esp.read_flash(*value)
        return time.perf_counter() - began
    finally:
        port.close()
        EspLog.instance = kept


class _Silent:
    def progress(self, done, total):
        pass


def _merged(calls):
    """Neighbouring reads as one, as a person would ask for them."""
    made = []
    for what, value in calls:
        if what == "read" and made and made[-1][0] == "read" and sum(made[-1][1]) == value[0]:
            made[-1] = ("read", (made[-1][1][0], made[-1][1][1] + value[1]))
        else:
            made.append((what, value))
    return made


def station_burn(url, job, ident, folder):
    """(seconds from loader sync to the last verify, calls) of what a bay does to one board, without self-
    test.
    """
    Recorder.calls = []
    kept, port_wire.Loader = port_wire.Loader, Recorder
    try:
        began = time.perf_counter()
        wire = port_wire.PortWire(url, job, folder=folder)
        wire.identify()
        wire.held()
        wire.flash(job, lambda step, part: None)
        wire.burn(ident, None, False, lambda step, part: None)
        assert wire.held().burned == ident.fields()
        seconds = time.perf_counter() - began
        wire.close()
        return seconds, Recorder.calls
    finally:
        port_wire.Loader = kept


def _identity(number=1):
    return identity.parse(
        {
            "product_key": PRODUCT,
            "device_name": f"dev{number:06d}",
            "device_secret": f"{number:032x}",
            "region": "cn-shanghai",
        }
    )


def _jobs():
    full = with_tree(
        Job(
            "bench",
            PRODUCT,
            BOARD,
            firmware=str(micropython_images.pinned(boards.load(BOARD))),
            endpoint={"region": "cn-shanghai"},
        )
    )
    return full, Job("bench", PRODUCT, BOARD, endpoint={"region": "cn-shanghai"})


def burn_rows(folder):
    """Full and identity-only burn of one board at 921600 baud, and esptool's own calls for the same."""
    full, only = _jobs()
    size = boards.load(BOARD).flash_size
    found = []
    with Bench(folder / "one.bin", size=size, limit=BAUD) as bench:
        for title, job, number in (("full burn", full, 1), ("identity-only burn", only, 2)):
            before = (folder / "one.bin").read_bytes()
            seconds, calls = station_burn(bench.url, job, _identity(number), str(folder / "state"))
            with Bench(_copy(folder / "again.bin", before), size=size, limit=BAUD) as again:
                plain = replay(again.url, calls)
            found.append(
                (f"{title}, loader sync to last verify", seconds, "s", seconds / plain, BOUNDS["burn"])
            )
            found.append((f"{title}, the same reads and writes by esptool", plain, "s", None, None))
    return found


def _copy(path, data):
    path.write_bytes(data)
    return path


# -- eight boards --------------------------------------------------------------------------------------


def _one_bay(url, number, folder, ready, go, used):
    full, _ = _jobs()
    ready.release()
    go.wait()
    began = time.process_time()
    station_burn(url, full, _identity(number), folder)
    used.put(time.process_time() - began)


def at_once(folder, count):
    """(seconds, CPU seconds of bays, CPU seconds of emulated boards) of `count` full burns at once."""
    context = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as stack:
        urls, boards_ = [], []
        for number in range(count):
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "host_tests.bench.line",
                    "--board",
                    str(folder / f"{count}-{number}.bin"),
                    f"24:0a:c4:00:03:{number:02x}",
                ],
                stdout=subprocess.PIPE,
                stdin=subprocess.PIPE,
                text=True,
            )
            stack.callback(process.wait)
            stack.callback(process.stdin.close)
            boards_.append(process)
            urls.append(process.stdout.readline().strip())
        ready, go, used = context.Semaphore(0), context.Event(), context.Queue()
        bays = [
            context.Process(target=_one_bay, args=(url, n, str(folder / "state"), ready, go, used))
            for n, url in enumerate(urls)
        ]
        for bay in bays:
            bay.start()
        for _ in bays:
            ready.acquire()
        began = time.perf_counter()
        go.set()
        bay_cpu = sum(used.get(timeout=600) for _ in bays)
        seconds = time.perf_counter() - began
        for bay in bays:
            bay.join()
        before = _cpu()
    return seconds, bay_cpu, _cpu() - before


def _cpu():
    """CPU seconds of ended children."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def serve_board(path, mac):
    """An emulated board in a process of its own until standard input ends."""
    with Bench(path, mac=mac, size=boards.load(BOARD).flash_size, limit=BAUD) as bench:
        print(bench.url, flush=True)
        sys.stdin.read()


def eight_rows(folder):
    one, one_cpu, one_board = at_once(folder, 1)
    eight, eight_cpu, eight_boards = at_once(folder, 8)
    return [
        ("full burn of one board, a bay's process", one, "s", None, None),
        ("full burn of eight boards at once", eight, "s", eight / one, BOUNDS["eight"]),
        ("CPU of one bay, and of its emulated board beside it", one_cpu, "s", one_board / one_cpu, None),
        (
            "CPU of eight bays, and of their emulated boards beside them",
            eight_cpu,
            "s",
            eight_boards / eight_cpu,
            None,
        ),
    ]


# -- images --------------------------------------------------------------------------------------------


def image_rows(folder, count=40, calls=6):
    """Identity images (NVS) a second, against esp-idf-nvs-partition-gen called once for each board."""
    layout = layouts.layout_of(BOARD)
    began = time.perf_counter()
    for number in range(count):
        data = _identity(number).to_record(1)
        image = nvs.write([nvs.Entry(layouts.NAMESPACE, layouts.BURNED, "blob", data)], layout.nvs.size)
    rate = count / (time.perf_counter() - began)
    assert nvs.read(image).find(layouts.NAMESPACE, layouts.BURNED) == data
    table = folder / "one.csv"
    began = time.perf_counter()
    for number in range(calls):
        table.write_text(
            "key,type,encoding,value\naliot,namespace,,\nburned,data,hex2bin,"
            + _identity(number).to_record(1).hex()
            + "\n"
        )
        subprocess.run(
            [
                sys.executable,
                "-m",
                "esp_idf_nvs_partition_gen",
                "generate",
                str(table),
                str(folder / "nvs.bin"),
                hex(layout.nvs.size),
            ],
            check=True,
            capture_output=True,
        )
    plain = calls / (time.perf_counter() - began)
    return [
        ("identity images built", rate, "1/s", rate / plain, None),
        ("the same by esp-idf-nvs-partition-gen, one call for each board", plain, "1/s", None, None),
    ]


def measure(count=None):
    """All rows. `count`: allocations for each figure (ALIOT_CAMPAIGN scales the default)."""
    count = count or max(320, int(1600 * float(os.environ.get("ALIOT_CAMPAIGN", "1"))))
    with tempfile.TemporaryDirectory(prefix="aliot-bench-") as name:
        folder = Path(name)
        return allocation_rows(folder, count) + burn_rows(folder) + eight_rows(folder) + image_rows(folder)


def report(scale=1.0):
    """The bench's part: the same as a table, and the bounds on ratios."""
    table = Table("", [Column("what"), Column("figure", ".2f"), Column("unit"), Column("times", ".2f")])
    bounds = []
    for what, value, unit, ratio, bound in measure(max(320, int(1600 * scale))):
        table.add(what, value, unit, ratio)
        if bound:
            bounds.append(Bound(what, ratio, bound, " times"))
    return Report([table], bounds)


def show(rows, out=sys.stdout):
    for what, value, unit, ratio, bound in rows:
        text = f"{what:<72} {value:>9.2f} {unit:<4}"
        if ratio is not None:
            text += f" {ratio:>6.2f} x" + (f" (bound {bound:g})" if bound else "")
        print(text, file=out, flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--board"]:
        serve_board(Path(sys.argv[2]), sys.argv[3])
    else:
        show(measure())
