"""`line demo`: a whole production line without hardware, faults and a dead station included.

A cloud, eight emulated boards behind RFC 2217 ports, a sealed ledger, a CSV, a
signed job, one station. One board loses power in mid-burn, one cable is pulled
out, and the station is killed in the middle and started again.
"""

import argparse
import contextlib
import csv
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tools import boards
from tools.emulator.chip.thread import PATIENT, Bench
from tools.emulator.cloud.process import Cloud
from tools.errors import UserError
from tools.flash import micropython_images
from tools.image import flash_image as layouts

BAYS = 8
CUT_BAY, CUT_AT = 3, 60  # this board loses power at that flash operation
PULLED_BAY = 6
BOARD = "ESP32_GENERIC"
CONNECTED_SECONDS = 60.0


class Demo:
    """Runs in `folder`, which is made anew; `report` hears of each step in one line."""

    def __init__(self, folder: Path | str, report: Callable[[str], object], firmware: bool = True) -> None:
        self.folder = folder
        self.report = report
        self.firmware = firmware
        self.product = "a1" + secrets.token_hex(8)[:9]
        self._pulled = self._cut = self._killed = False

    def run(self) -> int:
        """Returns the number of boards that are online at the end. UserError when it is not all of them."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        with contextlib.ExitStack() as stack:
            cloud = stack.enter_context(Cloud(self._config(), self._path("cloud")))
            self.report(f"cloud: {self.product} in the emulated cloud, {BAYS} devices created")
            self._export(cloud)
            self._line("init", "--key-file", self._path("ledger.key"))
            self._line("intake", self._path("devices.csv"), key=True)
            self._job(cloud)
            made = [stack.enter_context(self._board(number, cloud)) for number in range(1, BAYS + 1)]
            self.report(f"boards: {BAYS} blank emulated boards on rfc2217://127.0.0.1")
            self._station_file(made)
            self._station(made, kill=True)
            self.report("station: killed (SIGKILL) in the middle; started again")
            status = self._station(made, kill=False)
            online = self._online(cloud)
            self._check(status, online)
        return online

    def _path(self, *parts):
        return os.path.join(self.folder, *parts)

    # --- before the line

    def _config(self):
        return {
            "instance": {"kind": "public", "region": "cn-shanghai"},
            "product": [
                {
                    "product_key": self.product,
                    "product_secret": secrets.token_hex(8),
                    "auth": "secret",
                    "device": [
                        {"device_name": f"lamp-{n:04d}", "device_secret": secrets.token_hex(16)}
                        for n in range(1, BAYS + 3)
                    ],
                }
            ],
        }

    def _export(self, cloud):
        """The CSV that the console gives after it created devices: Chinese headers, a BOM, CRLF."""
        import tomllib

        with open(cloud.config_path, "rb") as file:
            devices = tomllib.load(file)["product"][0]["device"]
        with open(self._path("devices.csv"), "w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["设备名称", "设备密钥", "产品Key"])
            writer.writerows(
                [device["device_name"], device["device_secret"], self.product] for device in devices
            )

    def _job(self, cloud):
        """The engineer's side: a job, signed."""
        firmware = ""
        if self.firmware:
            shutil.copy(micropython_images.pinned(boards.load(BOARD)), self._path("micropython.bin"))
            firmware = 'firmware = "micropython.bin"\n'
        os.makedirs(self._path("files"))
        with open(
            self._path("files", "config.json"), "w"
        ) as file:  # where the boards will live; not the line's Wi-Fi
            json.dump({"ssid": "site-net", "password": secrets.token_hex(8)}, file)
        shutil.copy(cloud.ca_der, self._path("lab.der"))
        with open(self._path("job.toml"), "w") as file:
            file.write(
                f'name = "lamp-demo"\nproduct_key = "{self.product}"\nboard = "{BOARD}"\n{firmware}'
                'files = "files"\nroots = ["lab.der"]\n[endpoint]\nregion = "cn-shanghai"\n'
                '[self_test]\nuntil = "connected"\nseconds = 120\nwifi = true\n'
            )
        self._line("job", "keygen", self._path("line.key"), ledger=False)
        self._line("job", "sign", self._path("job.toml"), "--key", self._path("line.key"), ledger=False)

    def _station_file(self, made):
        """What root writes at a station: the key of jobs, the ledger and its key, the bays."""
        with open(self._path("line.key.pub")) as file:
            public = file.read()
        bays = ", ".join(
            f'{{name = "{number}", port = "{board.url}"}}' for number, board in enumerate(made, 1)
        )
        with open(self._path("station.toml"), "w") as file:
            file.write(
                f'name = "demo"\njob_key = """{public}"""\nledger = "sqlite:///{self._path("ledger.db")}"\n'
                f'key_file = "{self._path("ledger.key")}"\nbays = [{bays}]\n'
            )

    def _board(self, number, cloud):
        path = self._path(f"board{number}.bin")
        size = boards.load(BOARD).flash_size
        if not self.firmware:  # a partition table, as a board with MicroPython has one
            table = layouts.assemble(layouts.layout_of(BOARD), [], {})[:0x9000]
            with open(path, "wb") as file:
                file.write(table.ljust(size, b"\xff"))
        return Bench(
            path,
            mac=f"24:0a:c4:00:02:{number:02x}",
            size=size,
            software=True,
            boot_blank=not self.firmware,
            cloud=cloud.run_dir,
            cut_at=CUT_AT if number == CUT_BAY else None,
        )

    # --- the line

    def _environment(self):
        return {
            **os.environ,
            **PATIENT,
            "ALIOT_WIFI_SSID": "line-net",
            "ALIOT_WIFI_PASSWORD": secrets.token_hex(8),
            "ALIOT_OPERATOR": "demo",
            "XDG_STATE_HOME": self._path("state"),
            "ALIOT_LEDGER": "sqlite:///" + self._path("ledger.db"),
        }

    def _line(self, *arguments, ledger=True, key=False):
        """One command of the line, its output shown."""
        command = ["line", *arguments]
        if key:
            command += ["--key-file", self._path("ledger.key")]
        done = subprocess.run(
            [sys.executable, "-m", "tools", *command], env=self._environment(), text=True, capture_output=True
        )
        self.report(
            "$ "
            + " ".join(
                os.path.relpath(word, self.folder) if os.path.isabs(word) else word for word in command
            )
        )
        for line in (done.stdout + done.stderr).splitlines():
            self.report("  " + line.replace(self.folder, "."))
        if done.returncode:
            raise UserError(f"the demo stopped: line {arguments[0]} failed")
        return done.stdout

    def _station(self, made, kill):
        """Run the station until it ends, or until it is killed; its exit status."""
        command = [
            sys.executable,
            "-m",
            "tools",
            "line",
            "burn",
            self._path("job.signed.toml"),
            "--once",
            "--json",
            "--station-file",
            self._path("station.toml"),
            "--journal",
            self._path("journal.jsonl"),
        ]
        process = subprocess.Popen(
            command, env=self._environment(), stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            for text in process.stdout:
                event = json.loads(text)
                self._show(event)
                self._faults(event, made)
                if kill and self._time_to_kill(event):
                    return None
            return process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            process.stdout.close()

    def _time_to_kill(self, event):
        self._killed += event["event"] == "written"
        return self._killed >= BAYS // 2

    def _faults(self, event, made):
        if event["event"] == "flash" and event["bay"] == str(PULLED_BAY) and not self._pulled:
            self._pulled = True
            self.report(
                f"fault: the cable of bay {PULLED_BAY} is pulled out in mid-flash, and plugged in again"
            )
            made[PULLED_BAY - 1].call(made[PULLED_BAY - 1].server.drop)
        cut = made[CUT_BAY - 1]
        if not self._cut and cut.call(lambda: cut.chip.cut is not None):
            self._cut = True
            self.report(
                f"fault: the board in bay {CUT_BAY} lost power at flash operation {CUT_AT}; it comes back"
            )
            threading.Timer(0.3, cut.call, (cut.chip.power_on,)).start()

    def _show(self, event):
        if event["event"] in ("reserved", "written", "pulled", "result", "died"):
            event_name = {"result": event.get("outcome", "").upper()}.get(event["event"], event["event"])
            why = f": {event['why']}" if event.get("why") else ""
            self.report(f"  bay {event['bay']}: {event_name} {event.get('device_name') or ''}{why}")

    # --- after the line

    def _online(self, cloud):
        """How many devices of the product the cloud has online, once the boards have had time to come
        back.
        """
        end = time.monotonic() + CONNECTED_SECONDS
        while True:
            online = sum(device["status"] == "online" for device in cloud.admin("GET", "/devices"))
            if online >= BAYS or time.monotonic() > end:
                return online
            time.sleep(0.2)

    def _check(self, status, online):
        self.report(f"cloud: {online} of {BAYS} boards online, on the site's own Wi-Fi")
        self._line("status")
        self._line("report", self._path("report.html"), self._path("report.csv"), self._path("report.json"))
        self._line("labels", "--out", self._path("labels"))
        report = json.load(open(self._path("report.json")))
        done = [row for row in report["boards"] if row["state"] == "done"]
        names, macs = {row["device_name"] for row in done}, {row["mac"] for row in done}
        self.report(
            f"faults: power cut {'seen' if self._cut else 'missed'}, "
            f"cable {'pulled' if self._pulled else 'not pulled'}"
        )
        if not (status == 0 and online == len(names) == len(macs) == BAYS and self._cut and self._pulled):
            raise UserError(
                f"the demo did not end as it should: {len(names)} identities on {len(macs)} boards, "
                f"{online} online"
            )
        self.report(f"{BAYS} boards, {len(names)} identities, each once; report and labels in {self.folder}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--folder", default=os.path.join("build", "line-demo"), help="made anew (default %(default)s)"
    )
    parser.add_argument(
        "--no-firmware",
        action="store_true",
        help="boards that hold MicroPython already: files and identities only",
    )


def run(args: argparse.Namespace) -> None:
    Demo(os.path.abspath(args.folder), lambda line: print(line, flush=True), not args.no_firmware).run()
