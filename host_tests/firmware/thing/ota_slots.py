"""Updates of firmware and files on a board with two slots: pairs, rollback, power cuts at every flash operation.

host_tests/firmware/test_ota_slots.py makes the packages and asks. OTA data and bootloader are the emulated board's.
"""

import json
import os
import sys

import aliot
import bootloader
import esp32
from aliot.ota import choice, pairs, report, slots, trial
from aliot.ota.writer import UpdateError, Writer
from nor_flash import Flash
from ota_board import POWER, PRODUCT, RESET, WATCHDOG, Board, Device, Resets, get, offer, unhexlify

FILES = 48  # blocks of the file system; OTA data and slots lie behind it
SLOT = 3


class SlotFlash(Flash):
    """The same flash as littlefs has it and, with all that lies behind, as the port's `esp32` has it."""

    def __init__(self):
        super().__init__(FILES + 2 + 2 * SLOT)
        self.size = len(self.data)

    def ioctl(self, command, argument):
        return FILES if command == 4 else super().ioctl(command, argument)

    def read(self, at, size):
        return bytes(self.data[at : at + size])

    def readinto(self, at, buffer):
        buffer[:] = self.data[at : at + len(buffer)]

    def program(self, at, data):
        old = self.data[at : at + len(data)]
        self._do(at, bytes([a & b for a, b in zip(old, data)]))

    def erase(self, at):
        self._do(at, b"\xff" * 4096)


def rows():
    begin = FILES * 4096
    yield 1, 0x81, 0, begin, "vfs", False
    yield 1, 0, begin, 0x2000, "otadata", False
    for number in (0, 1):
        yield 0, 0x10 + number, begin + 0x2000 + number * SLOT * 4096, SLOT * 4096, "ota_%d" % number, False


class SlotBoard(Board):
    """`runs` is a pair: the version of the firmware, and the index of the release whose files run, or "golden".

    `value["firmware"]`: the image that a cable brought.
    """

    good = None  # the pair that is good

    def __init__(self, value):
        self.firmware = unhexlify(value["firmware"])
        choice.__import__ = lambda name: sys.modules[name]  # CPython knows no module with a slash
        super().__init__(value)
        slots.machine = self.machine
        self.good = self.runs

    def made(self, blocks):
        flash = esp32._flash = SlotFlash()
        esp32.rows = rows
        flash.program(list(rows())[2][2], self.firmware)
        return flash

    def start(self, cause):
        """A boot, through the bootloader; the pair that runs."""
        while True:
            esp32.running = bootloader.boot(self.flash, list(rows()))
            sys.modules["aliot/ota/slots"] = slots
            try:
                tree = super().start(cause)
            except Resets:
                cause = RESET
                continue
            finally:
                sys.modules.pop("aliot/ota/slots", None)
            self.runs = pairs.version(), tree
            return self.runs

    @property
    def on_trial(self):
        return trial.on_trial(choice.read())

    def stands(self):
        return self.runs, aliot.tree, self.good, esp32.running

    def stand(self, runs, tree, good, running):
        super().stand(runs, tree)
        self.good, esp32.running = good, running

    def act(self, step):
        """A step by its name: update N, again N (by itself), reset, power, watchdog, good, bad, refused, tidy."""
        name, _, index = step.partition(" ")
        if name in ("update", "again"):
            self.update(int(index), again=name == "update")
        elif name in ("good", "bad", "tidy"):
            self.try_out(answer=name != "bad")
        elif name == "refused":
            device = Device()
            assert trial.begin(device)
            try:
                device.handler("refused", {"code": "connack.4"})
            except Resets:
                pass
            aliot.watchdog = None
        else:
            self.start({"reset": RESET, "power": POWER, "watchdog": WATCHDOG}[name])
            if not self.on_trial:
                self.good = self.runs


def lives(value):
    """Each life of `value["lives"]`: (steps, what runs at last, why the last trial failed)."""
    for steps, runs, why in value["lives"]:
        board = SlotBoard(value)
        for step in steps.split(", "):
            board.act(step)
            if step in ("reset", "power", "watchdog"):
                board.flash.restart()
        assert board.runs == tuple(runs), (steps, board.runs, runs)
        assert choice.read()[8] == why, (steps, choice.read()[8], why)
        assert get("/data.txt") == b"the user's" and get("/aliot/burned") == b"identity"


def published(value):
    """A trial publishes its release, and the version of its firmware for the module `firmware`."""
    for index, versions in value["published"]:
        board = SlotBoard(value)
        board.act("update %d" % index)
        board.act("reset")
        device = board.try_out()
        said = [json.loads(payload)["params"] for _, payload, _ in device.published]
        assert said == versions, said
        assert device.states[-1][1]["state"] == "good"


def powerless(value):
    """Firmware that a power-on in its trial took back: the platform hears why, and it may come again by itself."""
    board = SlotBoard(value)
    for step in ("update 0", "reset", "power"):
        board.act(step)
    device = Device()
    assert report.connected(device, "1.0") == (False, True, "")
    topic, payload, _ = device.published[0]
    wanted = {"step": "-1", "desc": "power went while its firmware was on trial"}
    assert topic.startswith("/ota/device/progress/") and json.loads(payload)["params"] == wanted, payload
    assert report.connected(device, "1.0") == (False, False, "")
    for step in ("again 0", "reset", "good", "reset"):
        board.act(step)
    assert board.runs == ("v2", 0), board.runs


def unnamed(value):
    """Firmware without a version in its header, as MicroPython's own, is called as MicroPython calls itself."""
    SlotBoard(value)
    assert pairs.version() == os.uname()[3].split(" ")[0] != "", pairs.version()


def refused(value):
    """Each package of `cases` [(code, detail, package)] is refused so, and what ran goes on."""
    for code, detail, package in value["cases"]:
        board = SlotBoard(value)
        try:
            writer = Writer(PRODUCT)
            offer(writer, unhexlify(package), 512)
            writer.close()
            writer.switch()
        except UpdateError as problem:
            assert (problem.code, detail in problem.detail) == (code, True), (
                code,
                detail,
                problem.code,
                problem.detail,
            )
        else:
            raise AssertionError("taken: %s %s" % (code, detail))
        assert board.start(RESET) == board.good, (code, detail)
        board.update(0)
        assert board.start(RESET) != board.good


def plain(value):
    """A board without OTA partitions refuses firmware in one sentence."""
    board = Board(value)
    table = esp32.rows
    esp32.rows = lambda: iter([(1, 0x81, 0, FILES * 4096, "vfs", False), (0, 0, 0, 4096, "factory", False)])
    esp32.running = None
    try:
        board.update(0)
        raise AssertionError("taken")
    except UpdateError as problem:
        assert problem.code == "update.slots", problem.code
    finally:
        esp32.rows = table
    assert board.restart(RESET) == "golden"


def resumed(value):
    """After a cut only what is missing of image and files is taken."""
    board = SlotBoard(value)
    data = unhexlify(board.releases[0]["package"])
    assert board.breaks_off(data[: len(data) - 5], 512) == board.good
    taken = board.update(0, piece=64)
    assert taken < len(data) - value["first"], (taken, len(data))
    assert board.start(RESET)[0] != board.good[0]


def begun(value):
    """Before anything of a tree or a slot is written over, the record names it no more: (steps, next update)."""
    for steps, index in value["begun"]:
        board = SlotBoard(value)
        for step in steps.split(", "):
            board.act(step)
        before = choice.read()
        data = unhexlify(board.releases[index]["package"])
        board.breaks_off(data[: len(data) - 300], 512)
        after = choice.read()
        other = [entry for entry in zip(before[4:7], pairs.pairs(before)) if entry[1][0]][1]
        left = list(zip(after[4:7], pairs.pairs(after)))
        assert other not in left and board.start(POWER) == board.good, (steps, other, left)


def worn(value):
    """A flash that keeps another bit than it was given is seen before the switch."""
    board = SlotBoard(value)
    done = board.flash._do
    place = list(rows())[3][2] + 700

    def spoiled(at, data):
        done(at, data)
        if at <= place < at + len(data):
            board.flash.data[place] = 0

    board.flash._do = spoiled
    try:
        board.update(0)
        raise AssertionError("taken")
    except UpdateError as problem:
        assert problem.code == "update.flash", problem.code
    assert board.start(RESET) == board.good


def every_operation(value):
    """Power goes at each flash operation of a life: one of two whole pairs runs, and the board goes on."""
    board = SlotBoard(value)
    cuts = 0
    for step in value["steps"].split(", "):
        before, good = board.runs, board.good
        new = brought(board, step) if step[:6] == "update" else before
        for after in board.cuts(lambda: board.act(step)):
            assert board.runs in (before, good, after, new), (step, board.runs)
            cuts += 1
            if step[:6] == "update" and cuts % value["again"] == 0:
                goes_on(board, step, new)
    assert cuts > 200, cuts


def brought(board, step):
    """The pair that an update brings: firmware alone runs with the files that are there."""
    firmware, index = board.releases[int(step[-1])]["pair"]
    return firmware or board.runs[0], board.runs[1] if index is None else index


def goes_on(board, step, pair):
    """The update that was cut off is done anew, from what was left, and becomes good."""
    if not board.on_trial:
        board.act(step)
        board.act("reset")
    assert board.runs == pair, (board.runs, pair)
    board.act("good")
    board.act("reset")
    assert board.runs == pair == board.good
