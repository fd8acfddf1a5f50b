"""What the tests of the emulated chip share: chips on ports, esptool's own command line, a stock image.

pyserial's RFC 2217 client asks every 50 ms whether an answer has come, and
esptool asks hundreds of times in a session. Here the client looks every 2 ms;
nothing else of it is touched, and `test_untouched` runs without even that.
"""

import contextlib
import io
import sys
import time
import types

import pytest
import serial.rfc2217

from tools import boards
from tools.emulator.chip.thread import Bench
from tools.flash import micropython_images
from tools.image import flash_image


@pytest.fixture
def quick_client(monkeypatch):
    quick = types.SimpleNamespace(**{name: getattr(time, name) for name in dir(time) if name[0] != "_"})
    quick.sleep = lambda seconds: time.sleep(min(seconds, 0.002))
    monkeypatch.setattr(serial.rfc2217, "time", quick)


@pytest.fixture
def bench(quick_client, tmp_path):
    """Makes chips on ports: `bench(chip="esp32c3")`; all are switched off at the end."""
    with contextlib.ExitStack() as stack:

        def make(flash="flash.bin", **options):
            options.setdefault("size", 4 << 20)
            return stack.enter_context(Bench(tmp_path / flash, **options))

        yield make


@pytest.fixture
def plugged_in(cloud, tmp_path):
    """`plugged_in(identity, **image)`: the address of an emulated board that was burned with it, or with None.

    `heap` is that of the board, `config` its settings.
    """
    with contextlib.ExitStack() as boards:

        def plug_in(identity, heap=None, config=None, **image):
            config = {"ssid": "lab", "password": "12345678", **(config or {})}
            (tmp_path / "flash.bin").write_bytes(
                flash_image.build(identity=identity, roots=[cloud.ca_der], config=config, **image)
            )
            board = Bench(
                tmp_path / "flash.bin", software=True, boot_blank=True, cloud=cloud.run_dir, heap=heap
            )
            return boards.enter_context(board).url

        yield plug_in


class Outcome(str):
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
    outcome = Outcome(out.getvalue())
    outcome.status = status
    return outcome


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
    """The stock MicroPython 1.25.0 image for ESP32_GENERIC: (path, bytes); pinned by the hashes in boards/."""
    path = micropython_images.pinned(boards.load("ESP32_GENERIC"))
    return path, path.read_bytes()
