"""Plays scenarios: a new cloud and a new board each, and what is asked of them; collects rows."""

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tools.emulator.cloud.process import Cloud, CloudError
from tools.errors import UserError
from tools.flash.verbs import image as image_verb
from tools.image import flash_image, identity
from tools.qemu import applications, scenarios
from tools.qemu.machine import Machine, MachineError
from tools.qemu.network import Network
from tools.qemu.results import Result, Row
from tools.qemu.scenarios import FIRST, KICK, LATER, OUTAGE, Scenario

BOARD = "ESP32_GENERIC"
NOTICE_SECONDS = 120  # in which a lost connection or access point is noticed, with the shortest keepalive
MEASURE_TRIES, MEASURE_SECONDS = 4, 15
OUTAGE_SECONDS = 5
LOOK_SECONDS = 0.2
MEDIA = ("nvs", "littlefs")


@dataclass(frozen=True)
class Settings:
    """What a person chose: the QEMU and its access point, the stock image, how long to wait for a board."""

    qemu: Path
    firmware: Path | None = None
    ssid: str = ""
    password: str = ""
    extra: str = ""
    patience: float = 300.0  # seconds


class Player:
    """Plays in `folder`; `network` is told where each cloud's ports are; `report(text)` tells what goes on."""

    def __init__(
        self, settings: Settings, network: Network, folder: Path | str, report: Callable[[str], object]
    ) -> None:
        self.settings, self.network, self.folder, self.report = settings, network, Path(folder), report
        self._made = 0

    # --- what a board is made of

    def image(
        self,
        files: Mapping[str, bytes | None] | None = None,
        who: identity.Identity | None = None,
        roots: Iterable[Path | str] = (),
        config: Mapping[str, Any] | None = None,
        with_firmware: bool = True,
    ) -> bytes:
        """A whole flash, MicroPython in it."""
        made = flash_image.build(
            BOARD, who, files=files, roots=roots, config=config, with_firmware=with_firmware
        )
        return image_verb.with_firmware(made, BOARD, self.settings.firmware)

    def machine(self, image: bytes, name: Path | str) -> Machine:
        return Machine(self.settings.qemu, self.folder / name, image, self.settings.extra)

    @contextmanager
    def _cloud(self, scenario):
        """A cloud that knows the scenario's devices and has seen none of them."""
        self._made += 1
        cloud = Cloud(scenario.cloud, self.folder / f"{scenario.name}-{self._made}" / "cloud")
        try:
            with cloud:
                self.network.ports = cloud.ports
                yield cloud
        except CloudError as error:
            raise UserError(f"the emulated cloud failed: {error}") from None

    def _board(self, scenario, cloud, name=None):
        """The machine of a new board; `name` is its DeviceName where the scenario has more than one."""
        folder = cloud.run_dir.parent
        fields = scenario.fields(cloud, folder)
        if name:
            fields["device_name"] = name
        certificate = folder / f"{name or 'identity'}.json"
        certificate.write_text(json.dumps(fields))
        config = {"ssid": self.settings.ssid, "password": self.settings.password, **scenario.config}
        image = self.image(scenario.files, identity.load(certificate), [cloud.ca_der], config)
        return self.machine(image, folder / (name or "board"))

    def find_network(self) -> None:
        """Take the first open network that a board without our firmware sees. UserError when there is none."""
        image = self.image({"/main.py": applications.SCAN}, with_firmware=False)
        with self.machine(image, "scan") as machine:
            machine.power_on()
            with suppress(MachineError):
                machine.wait(lambda line: line.text.strip() == "scanned", self.settings.patience)
            found = [
                network for line in machine.lines if (network := applications.network(line.text.strip()))
            ]
            last = machine.tail()
        name = next((name for name, is_open in found if is_open), None)
        if name is None and found:
            raise UserError(
                f"this QEMU's access points are not open ({', '.join(name for name, _ in found)}): "
                "say --ssid and --password"
            )
        if name is None:
            raise UserError(
                f"MicroPython finds no access point in this QEMU; the console's last line: {last}"
            )
        self.settings = replace(self.settings, ssid=name)
        self.report(f"the access point is '{name}'")

    # --- playing

    def play(self, name: str, boots: int, cuts: int) -> list[Row]:
        """The rows of a scenario: `boots` new boards, or one that loses power `cuts` times."""
        if name == scenarios.CUTS:
            return [self._play_cuts(scenarios.cut_boards(cuts), cuts)]
        scenario = next(one for one in scenarios.SCENARIOS if one.name == name)
        rows = {moment: Row(scenario.name, scenario.title, moment) for moment in scenario.moments}
        for _ in range(boots):
            with self._cloud(scenario) as cloud, self._board(scenario, cloud) as machine:
                for moment, result in Trial(self, scenario, cloud, machine).run():
                    rows[moment].results.append(result)
                    self.report(f"{scenario.name}, {moment}: {describe(result)}")
        return list(rows.values())

    def _play_cuts(self, scenario, count):
        """New boards, each cut once between power-on and connected, must keep or get their identity."""
        row = Row(scenario.name, scenario.title, "killed while it boots")
        with self._cloud(scenario) as cloud:
            with self._board(scenario, cloud, scenarios.cut_name(0)) as machine:
                whole = Trial(self, scenario, cloud, machine).boot()
            if whole.problem:
                row.results.append(replace(whole, problem=f"without a cut: {whole.problem}"))
                return row
            for number in range(1, count + 1):
                # spread over the whole boot, and random within its part
                moment = (number - 1 + random.random()) / count * whole.seconds
                with self._board(scenario, cloud, scenarios.cut_name(number)) as machine:
                    machine.power_on()
                    time.sleep(max(0.0, moment - machine.seconds))
                    machine.power_off()
                    reached = next(
                        (line.is_state for line in reversed(machine.lines) if line.is_state), "power-on"
                    )
                    result = Trial(self, scenario, cloud, machine, scenarios.cut_name(number)).recover()
                row.results.append(result)
                self.report(f"cut {number} after {moment:.1f} s, at {reached}: {describe(result)}")
        return row


class Trial:
    """One board, from its first boot on."""

    def __init__(
        self, player: Player, scenario: Scenario, cloud: Cloud, machine: Machine, name: str | None = None
    ) -> None:
        self.player, self.scenario, self.cloud, self.machine = player, scenario, cloud, machine
        self.asked = (scenario.asked[0], name) if name else scenario.asked
        self.patience = player.settings.patience

    def run(self) -> Iterator[tuple[str, Result]]:
        """(moment, `Result`) of each; a moment for which the board would have to be online fails when it is not."""
        for moment in self.scenario.moments:
            if moment in (FIRST, LATER):
                self.machine.power_off()
                yield moment, self.boot()
            elif moment == KICK:
                for _ in range(self.scenario.kicks):
                    yield moment, self._again(self._kick)
            elif moment == OUTAGE:
                yield moment, self._again(self._outage)

    def boot(self) -> Result:
        """Power on until online, and both heaps."""
        self.machine.power_on()
        return self._online(0, self.machine.seconds)

    def recover(self) -> Result:
        """Power on after a cut: online with its identity, and both media good at the boot after that."""
        result = self.boot()
        if result.problem:
            return result
        self.machine.power_off()
        self.machine.power_on()
        try:
            state = self.machine.wait_state("boot", timeout=self.patience).state
        except MachineError as error:
            result.problem = f"no boot line: {error}"
            return result
        bad = [f"{medium} is {state.get(medium)}" for medium in MEDIA if state.get(medium) != "ok"]
        if not state.get("issued"):
            bad.append("no identity was kept")
        result.problem = ", ".join(bad) or None
        return result

    def _online(self, since, began):
        """The `Result` of waiting until board and sub-devices are online; lines from number `since` on are its."""
        result = Result()
        try:
            connected = self.machine.wait_state("connected", timeout=self.patience)
            result.seconds = connected.seconds - began
            if self.scenario.subdevices:
                self._wait_for_subdevices()
                result.seconds = self.machine.seconds - began
            result.heaps = self._heaps()
            if not result.heaps:
                result.problem = "online, but it answers nothing"
        except MachineError as error:
            result.seconds = None
            result.problem = f"not online: {error}"
        result.refusals = [line.trouble for line in self.machine.lines[since:] if line.trouble]
        return result

    def _wait_for_subdevices(self):
        wanted = {(self.scenario.asked[0], name) for name in self.scenario.subdevices}
        ends = time.monotonic() + self.patience
        while True:
            online = {
                (device["product_key"], device["device_name"])
                for device in self.cloud.admin("GET", "/devices")
                if device["status"] == "online"
            }
            if wanted <= online:
                return
            if time.monotonic() > ends:
                raise MachineError(
                    f"{len(wanted & online)} of {len(wanted)} sub-devices within {self.patience:g} s"
                )
            time.sleep(LOOK_SECONDS)

    def _heaps(self):
        """Asks the application, by a message and a property set; None when it does not answer."""
        for _ in range(MEASURE_TRIES):
            with suppress(MachineError, CloudError):
                topic = "/".join(("", *self.asked, "user/get"))
                self.cloud.admin("POST", "/publish", {"topic": topic, "payload": "heaps", "qos": 0})
                self.cloud.act(*self.asked, "property", {"params": applications.ASKED})
                line = self.machine.wait(lambda line: applications.heaps(line.text), MEASURE_SECONDS)
                return applications.heaps(line.text)
        return None

    def _again(self, lose):
        """The board loses its connection and must find back by itself."""
        if not self._is_online():
            return Result(problem="was not online before")
        since = len(self.machine.lines)
        self.machine.skip()
        untried = lose()
        if untried:
            return Result(untried=untried)
        return self._online(since, self.machine.seconds)

    def _kick(self):
        self.cloud.act(*self.scenario.device, "kick", {"how": "close"})
        self.machine.wait_state("offline", timeout=NOTICE_SECONDS)

    def _outage(self):
        """The access point is gone for some seconds after the board has noticed; why not, where QEMU cannot."""
        try:
            self.machine.link(False)
        except MachineError as error:
            return f"its set_link: {error}"
        try:
            self.machine.wait_state("wifi", "offline", timeout=NOTICE_SECONDS)
        except MachineError:
            return f"its set_link does not reach the chip within {NOTICE_SECONDS} s"
        finally:
            time.sleep(OUTAGE_SECONDS)
            self.machine.link(True)
        return None

    def _is_online(self):
        with suppress(CloudError):
            return self.cloud.device(*self.scenario.device)["status"] == "online"
        return False


def describe(result: Result) -> str:
    """A result in one line."""
    if result.untried:
        return f"not tried: {result.untried}"
    parts = [f"online after {result.seconds:.1f} s" if result.seconds is not None else None]
    if result.heaps:
        parts.append(f"GC {result.heaps.gc}, C heap {result.heaps.c_free}, least {result.heaps.c_least}")
    if result.refusals:
        parts.append("refusals " + ", ".join(result.refusals))
    return "; ".join(filter(None, (*parts, result.problem)))
