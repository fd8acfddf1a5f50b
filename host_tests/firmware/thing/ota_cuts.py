"""Updates with power cuts at every flash operation, and random sequences; host_tests/firmware/test_ota.py asks."""

import os
import random

import aliot
from aliot.ota import choice, removal, room, trial
from aliot.ota.writer import UpdateError, Writer
from ota_board import POWER, PRODUCT, RESET, USER, WATCHDOG, Board, Device, get, offer, put, unhexlify


def life(value):
    """An update becomes good, the next fails, the one after becomes good: which tree runs, and what is left."""
    board = Board(value)
    assert board.runs == "golden" and not board.machine.armed
    board.update(0)
    assert board.restart(RESET) == 0 and board.on_trial and board.machine.armed
    device = board.try_out()
    topic = "/ota/device/inform/%s/dev_0001" % PRODUCT
    assert device.published == [(topic, '{"id": "1", "params": {"version": "1.0.0"}}', 1)], device.published
    assert device.states[-1] == ("update", {"state": "good", "release": "1.0.0"})
    put("/old.bin", b"x")
    assert board.restart(RESET) == 0 and not board.on_trial and not board.machine.armed
    board.try_out()
    assert "old.bin" not in os.listdir("/"), "what the manifest deletes"
    board.update(1)
    assert board.restart(RESET) == 1
    board.try_out(answer=False)
    assert board.restart(RESET) == 0
    assert choice.read()[8] == 6 - 1  # check() said no
    try:
        board.update(1, again=False)
    except UpdateError as problem:
        assert problem.code == "update.tried"
    else:
        raise AssertionError("tried again by itself")
    board.update(2)
    assert board.restart(RESET) == 2
    board.try_out()
    assert board.restart(POWER) == 2 and sorted(os.listdir("/ota")) == ["a", "b", "r"]
    for path in USER:
        assert get(path) == USER[path]


def starts(value):
    """A trial may start three times; power-ons do not count; a watchdog, or one start more, ends it."""
    for causes, runs in (
        ([RESET] * 3, 0),
        ([RESET] * 4, "golden"),
        ([POWER] * 9, 0),
        ([RESET, POWER, RESET, POWER, RESET, POWER], 0),
        ([RESET, WATCHDOG], "golden"),
        ([WATCHDOG], 0),
        ([POWER, RESET, 5, 4, RESET], "golden"),
    ):
        board = Board(value)
        board.update(0)
        for cause in causes:
            board.restart(cause)
        assert board.runs == runs, (causes, board.runs)
        assert (choice.read()[8] in (1, 2)) == (runs == "golden")


def outcomes(value):
    """What fails a trial, what waits, and what does not."""
    for event, runs in (
        (("refused", {"code": "connack.4"}), "golden"),
        (("offline", {}), 0),
        (("wifi", {"up": False}), 0),
    ):
        board = Board(value)
        board.update(0)
        board.restart(RESET)
        device = Device()
        device.check = lambda: None
        assert trial.begin(device)
        try:
            device.handler(*event)
            aliot.watchdog.feed()
        except BaseException as problem:
            assert runs == "golden", problem
        aliot.watchdog = None
        assert board.restart(POWER) == runs, event
    board = Board(value)
    board.update(0)
    board.restart(RESET)
    trial.crashed()
    assert board.restart(RESET) == "golden" and choice.read()[8] == trial.CRASHED


def rooms(value):
    """Any number of updates needs no more room than the second."""
    board = Board(value)
    free = []
    for turn in range(value["turns"]):
        board.update(turn % len(board.releases))
        assert board.restart(RESET) == turn % len(board.releases)
        board.try_out()
        board.restart(RESET)
        board.try_out()
        free.append(os.statvfs("/")[3])
    assert min(free[1:]) == max(free[1:]), free


def refused(value):
    """Each package of `cases` [(code, package)] is refused so; what ran goes on, and the next one is taken."""
    board = Board(value, value.get("blocks", 48))
    for code, package in value["cases"]:
        data = unhexlify(package)
        writer = None
        try:
            writer = Writer(PRODUCT)
            offer(writer, data, 300)
            writer.close()
        except UpdateError as problem:
            assert problem.code == code, (code, problem.code, problem.detail)
        else:
            raise AssertionError("taken: " + code)
        assert not writer.done and board.restart(POWER) == "golden", code
    if value.get("then", True):
        board.update(0)
        assert board.restart(RESET) == 0


def fallbacks(value):
    """When a good tree is gone the one before it runs, unless its place was begun to be written over."""
    for overwrite, runs in ((False, 0), (True, "golden")):
        board = Board(value)
        for index in (0, 1):
            board.update(index)
            board.restart(RESET)
            board.try_out()
            board.restart(RESET)
            board.try_out()
        assert board.runs == 1
        if overwrite:
            board.breaks_off(unhexlify(board.releases[2]["package"])[:-5])
        for _ in removal.remove(aliot.tree):
            pass
        assert board.restart(POWER) == runs, overwrite


def older(value):
    """A lower number is refused, unless the manifest says that rollback is meant."""
    board = Board(value)
    board.update(1)
    board.restart(RESET)
    board.try_out()
    board.restart(RESET)
    board.try_out()
    try:
        board.update(0)
        raise AssertionError("taken")
    except UpdateError as problem:
        assert problem.code == "update.older"
    board.update(2)  # lower too, with `rollback`
    assert board.restart(RESET) == 2


def read_only(value):
    """A file system that takes nothing refuses in one sentence; so does one that a trial runs on."""
    board = Board(value)
    written = board.flash._do

    def refuses(*arguments):
        raise OSError(30)

    board.flash._do = refuses
    try:
        board.update(0)
        raise AssertionError("taken")
    except UpdateError as problem:
        assert problem.code in ("update.flash", "update.room"), problem.code
    board.flash._do = written
    assert board.restart(POWER) == "golden"
    board.update(0)
    assert board.restart(RESET) == 0
    try:
        board.update(1)
        raise AssertionError("taken")
    except UpdateError as problem:
        assert problem.code == "update.trial"


def resumed(value):
    """After a cut only what is missing is taken."""
    board = Board(value)
    data = unhexlify(board.releases[0]["package"])
    assert board.breaks_off(data[:-5]) == "golden"
    taken = board.update(0, piece=64)
    assert taken < len(data) - value["first"], (taken, len(data))
    assert board.restart(RESET) == 0


# Power cuts.

STEPS = (
    ("update", 0),
    ("start", RESET),
    ("good", None),
    ("start", RESET),
    ("tidy", None),
    ("update", 1),
    ("start", RESET),
    ("bad", None),
    ("start", RESET),
    ("update", 2),
    ("start", RESET),
    ("start", WATCHDOG),
    ("update", 2),
    ("start", RESET),
    ("good", None),
)


def act(board, step, value):
    if step == "update":
        board.update(value)
    elif step == "start":
        board.start(value)
    else:
        board.try_out(answer=step != "bad")


def every_operation(value):
    """Power goes at each flash operation of a life: the board comes up whole each time, and goes on."""
    board = Board(value)
    cuts = 0
    for step, argument in STEPS:
        if step == "start":
            board.flash.mount()
        before = board.runs
        good = "golden" if before == "golden" else 0
        new = argument if step == "update" else before
        for after in board.cuts(lambda: act(board, step, argument)):
            assert board.runs in (before, after, new, good), (step, argument, board.runs)
            cuts += 1
            if step == "update" and cuts % value["again"] == 0:
                goes_on(board, argument)
    assert cuts > 200, cuts


def goes_on(board, index):
    """The update that was cut off is done anew, from what was left."""
    try:
        board.update(index)
    except UpdateError as problem:
        assert problem.code == "update.trial", problem.code
    assert board.restart(RESET) == index


GOOD, BAD, CRASH, BITES, STARTS, UPDATE, CABLE = range(7)
ON_TRIAL = (GOOD, GOOD, BAD, CRASH, BITES, STARTS, STARTS, CABLE)
OTHERWISE = (UPDATE, UPDATE, UPDATE, STARTS, CABLE)


def sequence(value):
    """Random updates, older ones too, trials, crashes, cuts, flashes by cable: the right whole release runs."""
    random.seed(value["seed"])
    draw = random.randrange
    board = Board(value)
    good = "golden"
    seen = []
    for turn in range(value["count"]):
        events = ON_TRIAL if board.on_trial else OTHERWISE
        event = events[draw(len(events))]
        index = draw(len(board.releases))
        before = board.runs
        if event != CABLE and draw(2):
            board.flash.cut(1 + draw(120), draw(2))
        runs = happens(board, event, index, good, turn)
        cut = board.flash.dark
        seen.append((event, index, before, runs, cut))
        board.restart(POWER if cut else WATCHDOG if event == BITES else RESET)
        assert board.runs == runs or cut and board.runs == before, (board.runs, seen)
        if not board.on_trial:
            good = board.runs
            board.try_out()
        for path in USER:
            assert get(path) == USER[path]
        assert room.free() > 0


def happens(board, event, index, good, turn):
    """Does it; what runs after the next reset, if power does not go."""
    starts = choice.read()[7] if board.on_trial else 0
    if event == UPDATE:
        board.update(index)
        return index
    if event == CABLE:
        board.cable(b"golden %d" % turn)
        return "golden"
    if event in (GOOD, BAD):
        board.try_out(answer=event == GOOD)
    elif event == CRASH:
        trial.crashed()
    if event in (BAD, CRASH) or event == BITES and starts or event == STARTS and starts > 2:
        return good
    return board.runs


def full(value):
    """Updates to releases of full size, cut at random places until each is there."""
    random.seed(value["seed"])
    draw = random.randrange
    board = Board(value, value["blocks"])
    for index in range(len(board.releases)):
        before = board.runs
        while board.runs != index:
            board.flash.cut(1 + draw(4000), draw(2))
            board.update(index)
            cut = board.flash.dark
            board.restart(POWER if cut else RESET)
            assert board.runs == index or cut and board.runs == before, (index, board.runs, cut)
        board.try_out()
        assert board.restart(RESET) == index
        board.try_out()
