"""A line with emulated boards in its bays."""

import json
import os
import subprocess
import sys

from host_tests.line.conftest import PRODUCT, secret
from tools.emulator.chip.thread import PATIENT, Bench
from tools.firmware import record
from tools.image import burn
from tools.image import flash_image as layouts
from tools.image.flash_file import FlashFile
from tools.line.ledger.connection import Patience
from tools.line.ledger.entries import Product, Who
from tools.line.ledger.ledger import Ledger

WHO = Who("hall-2", "lin")
WIFI = {"ALIOT_WIFI_SSID": "line-net", "ALIOT_WIFI_PASSWORD": "line-password"}
FLASH = 4 << 20


class Line:
    """A ledger with ten identities, a job and a folder: what `line burn` needs."""

    def __init__(self, folder, until="boot", roots=(), wifi=False, files=None, seconds=60):
        self.folder = folder
        self.url = f"sqlite:///{folder}/ledger.db"
        with self.ledger(new=True) as ledger:
            ledger.add_product(Product(PRODUCT), WHO)
            ledger.add_identities(
                PRODUCT, [(f"dev{n:05d}", {"device_secret": secret(n)}) for n in range(10)], WHO
            )
        (folder / "files").mkdir()
        for name, text in (files or {"line.json": "{}"}).items():
            (folder / "files" / name).write_text(text)
        (folder / "job.toml").write_text(
            f'name = "lamp"\nproduct_key = "{PRODUCT}"\nboard = "ESP32_GENERIC"\nfiles = "files"\n'
            f'roots = {json.dumps([str(root) for root in roots])}\n[endpoint]\nregion = "cn-shanghai"\n'
            f'[self_test]\nuntil = "{until}"\nseconds = {seconds}\nwifi = {str(wifi).lower()}\n'
        )
        (folder / "station.toml").write_text('name = "hall-2"\n')

    def ledger(self, new=False):
        make = Ledger.create if new else Ledger.open
        return make(self.url, **({"plain": True} if new else {}), patience=Patience(limit=20))

    def start(self, *boards, **how):
        bays = [f"--bay={number}={board.url}" for number, board in enumerate(boards, 1)]
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tools",
                "line",
                "burn",
                str(self.folder / "job.toml"),
                "--ledger",
                self.url,
                "--station-file",
                str(self.folder / "station.toml"),
                "--once",
                "--json",
                *bays,
                *how.get("more", ()),
            ],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, **PATIENT, **WIFI, "XDG_STATE_HOME": str(self.folder / "state")},
        )

    def burn(self, *boards, **how):
        """(exit status, events) of one station's run."""
        with self.start(*boards, **how) as process:
            events = [json.loads(line) for line in process.stdout]
        return process.wait(), events


def results(events):
    return {
        event["bay"]: (event["outcome"], event.get("why")) for event in events if event["event"] == "result"
    }


def mac(number):
    return f"24:0a:c4:00:01:{number:02x}"


def bench(folder, number, **how):
    """The n-th emulated board: a partition table in its flash and nothing else; it runs MicroPython all the
    same.
    """
    path = folder / f"flash{number}.bin"
    if not path.exists():
        path.write_bytes(
            layouts.assemble(layouts.layout_of("ESP32_GENERIC"), [], {})[:0x9000].ljust(FLASH, b"\xff")
        )
    return Bench(
        folder / f"flash{number}.bin",
        mac=mac(number),
        size=FLASH,
        software=True,
        boot_blank=True,
        folder=folder / f"board{number}",
        **how,
    )


def burned_name(folder, number):
    """The DeviceName that both media of a board's flash hold, decoded from its flash file."""
    with FlashFile(folder / f"flash{number}.bin") as flash:
        found = burn.look(flash, layouts.layout_of("ESP32_GENERIC"))
    names = {copy.fields[record.DEVICE_NAME].decode() for copy in found.copies if copy.name == layouts.BURNED}
    assert len(names) == 1 and {copy.medium for copy in found.copies} == {"nvs", "littlefs"}
    return names.pop()
