"""An emulated chip in a thread of this process, for tests and tools that hold it in their hands."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tools.emulator.chip.chip import Chip
from tools.emulator.chip.efuses import Efuses, parse_mac
from tools.emulator.chip.models import MODELS
from tools.emulator.chip.nor import Nor
from tools.emulator.chip.server import Server
from tools.emulator.chip.software import Software

T = TypeVar("T")
# for the environment of a process whose esptool speaks to many of them at once
PATIENT = {"ESPTOOL_CFGFILE": str(Path(__file__).with_name("esptool.cfg"))}


class Bench:
    """A chip on a port of this machine, for the time of a `with`.

    `url` is what esptool and mpremote take. `call(f, ...)` runs f in the
    chip's thread. With `software` it boots MicroPython from its flash; `runs`
    are arguments of `software.Software`: cloud, heap, interpreter, hosts.
    """

    def __init__(
        self,
        flash,
        *,
        chip="esp32",
        mac="24:0a:c4:00:00:01",
        efuses=None,
        size=None,
        limit=None,
        style="bridge",
        faults=None,
        busy=False,
        renumber=False,
        cut_at=None,
        software=False,
        boot_blank=False,
        **runs,
    ):
        model = MODELS[chip]
        self.log = []
        self.nor = Nor(flash, size, cut_at)
        fuses = Efuses(model, parse_mac(mac), efuses)
        self.software = Software(self.nor, mac, fuses, **runs) if software else None
        self.chip = Chip(
            model,
            self.nor,
            fuses,
            style=style,
            application=self.software,
            faults=faults,
            log=self.log.append,
            boot_blank=boot_blank,
        )
        self.server = Server(self.chip, limit, busy, renumber)
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="emulated chip", daemon=True)

    @property
    def url(self) -> str:
        return f"rfc2217://127.0.0.1:{self.server.port}"

    def __enter__(self):
        self._thread.start()
        self._ready.wait()
        self.call(self.chip.power_on)
        return self

    def __exit__(self, *error):
        self.call(self.chip.power_off)
        asyncio.run_coroutine_threadsafe(self.server.stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self.nor.close()

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """The result of `function(*args)`, run in the chip's thread."""

        async def run():
            return function(*args)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(30)

    def _serve(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self.server.start())
        self._ready.set()
        self._loop.run_forever()
