"""Resets, what outlives them, the watchdog and Wi-Fi, on both interpreters."""

import subprocess
import sys
import time

import pytest

from tools.emulator.board.boot import Board, BoardError

REPORT = (
    "import machine, time; print('cause', machine.reset_cause(), machine.RTC().memory(), time.gmtime()[0])\n"
)

SET = "machine.RTC().memory(b'kept'); machine.RTC().datetime((2026, 11, 20, 4, 1, 2, 3, 0))\n"


def test_clock_and_rtc_memory_outlive_a_reset_but_not_the_power(board):
    one = board(REPORT + f"if machine.reset_cause() == 1:\n    {SET.strip()}\n    machine.reset()\n")
    one.start(follow=True)
    assert one.wait_line("cause 1", 20) == "cause 1 b'' 2000"
    assert one.wait_line("cause 2", 20) == "cause 2 b'kept' 2026"
    assert one.wait() == "exit"
    assert one.boot().lines[0] == "cause 1 b'' 2000"


def test_the_reset_button_keeps_the_clock(board):
    one = board(
        REPORT + f"if machine.reset_cause() == 1:\n    {SET.strip()}\nprint('set')\nwhile True:\n"
        f"    time.sleep_ms(10)\n"
    )
    one.start()
    one.wait_line("set")
    one.reset()
    assert one.wait_line("cause 2", 20) == "cause 2 b'kept' 2026"


@pytest.mark.parametrize(
    "call, reason, cause",
    [
        ("machine.reset()", "reset", 2),
        ("machine.soft_reset()", "soft reset", 5),
        ("machine.deepsleep(1)", "deep sleep", 4),
    ],
)
def test_each_reset_is_told_and_names_its_cause(board, call, reason, cause):
    one = board(REPORT + f"if machine.reset_cause() == 1:\n    {call}\n")
    assert one.boot().reason == reason
    one.start(follow=True)
    assert one.wait_line(f"cause {cause}", timeout=20)


TICKS = "import time, machine\nfrom time import ticks_ms, ticks_us, ticks_diff\n"


def test_ticks_begin_at_zero_with_power(board):
    assert board(TICKS + "print(ticks_ms() < 60000, ticks_us() < 60000000)\n").boot(timeout=20).lines == [
        "True True"
    ]


def test_ticks_wrap_in_the_middle_of_a_run_when_a_test_wants_it(board):
    main = TICKS + "print(ticks_ms() < 60000, 0 < ticks_diff(ticks_ms(), 2**30 - 1) < 60000)\n"
    assert board(main, ticks=2**30 - 1).boot(timeout=20).lines == ["True True"]


@pytest.mark.parametrize(
    "call, begins",
    [("machine.reset()", 5), ("machine.deepsleep(1)", 5), ("machine.soft_reset()", 2)],
)
def test_ticks_begin_anew_after_every_reset_but_a_soft_one(board, call, begins):
    """What they begin with is changed while the board runs, so that it can be seen whether they do."""
    main = (
        TICKS + "print('hundred million', ticks_ms() // 100000000)\nif machine.reset_cause() == 1:\n"
        f"    __import__('sys').stdin.readline()\n    {call}\n"
    )
    one = board(main, ticks=200000000)
    one.start(follow=True)
    assert one.wait_line("hundred") == "hundred million 2"
    one.ticks = 500000000
    one.send(b"go on\n")
    assert one.wait_line("hundred") == f"hundred million {begins}"


def test_ticks_begin_anew_after_a_watchdog(board):
    one = board(
        TICKS + "print('hundred million', ticks_ms() // 100000000)\nif machine.reset_cause() == 1:\n"
        "    machine.WDT(timeout=2000)\n    while True:\n        pass\n",
        ticks=200000000,
    )
    one.start(follow=True)
    assert one.wait_line("hundred", 20) == "hundred million 2"
    one.ticks = 500000000
    assert one.wait_line("hundred", 20) == "hundred million 5"


TASKS = """
import asyncio

async def later(ms, word):
    await asyncio.sleep_ms(ms)
    print(word)
    return word

async def main():
    print(await asyncio.gather(later(60, "third"), later(20, "first"), later(40, "second")))
    task = asyncio.create_task(later(100000, "never"))
    await asyncio.sleep_ms(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("cancelled", task.done())
    try:
        await asyncio.wait_for_ms(later(100000, "never"), 10)
    except asyncio.TimeoutError:
        print("too late")
    event = asyncio.Event()
    task = asyncio.create_task(event.wait())
    await asyncio.sleep_ms(0)
    event.set()
    print(await task)

asyncio.run(main())
"""


@pytest.mark.parametrize("ticks", [0, 2**30 - 30])
def test_asyncio_goes_by_the_board_s_ticks(image, tmp_path, ticks):
    boot = Board(image(TASKS), folder=tmp_path / "board", ticks=ticks).boot(timeout=20)
    order = ["first", "second", "third", "['third', 'first', 'second']", "cancelled True", "too late", "True"]
    assert boot.lines == order


def test_a_reset_unwinds_nothing(board):
    boot = board("import machine\ntry:\n    machine.reset()\nfinally:\n    print('no')\n").boot()
    assert (boot.reason, boot.lines) == ("reset", [])


def test_a_watchdog_that_is_not_fed_resets(board):
    one = board(
        REPORT
        + "if machine.reset_cause() == 1:\n    w = machine.WDT(timeout=200)\n    while True:\n        pass\n"
    )
    assert one.boot(timeout=20).reason == "watchdog"
    one.start(follow=True)
    assert one.wait_line("cause 3", 20)


def test_a_watchdog_bites_in_a_call_that_blocks(board, serve):
    hosts = {"silent.test": {7: serve(lambda connection: connection.recv(1))}}
    one = board(
        "import machine, network, socket\nw = network.WLAN()\nw.active(True)\nw.connect('home')\n"
        "s = socket.socket()\ns.connect(socket.getaddrinfo('silent.test', 7)[0][-1])\n"
        "machine.WDT(timeout=300)\nprint('reads')\ns.read(1)\n",
        hosts=hosts,
    )
    boot = one.boot(timeout=20)
    assert (boot.lines, boot.reason) == (["reads"], "watchdog")


def test_a_watchdog_that_is_fed_does_not(board):
    boot = board(
        "import machine, time\nw = machine.WDT(timeout=2000)\nfor _ in range(5):\n    time.sleep_ms(20)\n"
        "    w.feed()\n"
        "print('done')\n"
    ).boot(timeout=20)
    assert (boot.lines, boot.reason) == (["done"], "exit")


WIFI = """
import network, time, machine
w = network.WLAN()
if machine.reset_cause() == 1:
    w.active(True)
    w.connect("home", "password")
was = None
while True:
    now = (w.isconnected(), w.status())
    if now != was:
        print(now)
        was = now
    time.sleep_ms(5)
"""


def test_wifi_joins_the_right_access_point_and_comes_back_to_it(board):
    one = board(WIFI)
    one.access_point("home", "other password")
    one.start()
    assert one.wait_line("(") == "(False, 202)"
    one.access_point("next door", "password")
    assert one.wait_line("(") == "(False, 201)"
    one.access_point("home", "password")
    assert one.wait_line("(") == "(True, 1010)"
    one.access_point()
    assert one.wait_line("(") == "(False, 201)"
    one.access_point("home", "password")
    assert one.wait_line("(") == "(True, 1010)"


def test_a_connection_falls_silent_with_the_access_point_and_goes_on_when_it_is_back(board, serve):
    def beat(connection):
        while connection.recv(1):
            connection.sendall(b"x")

    one = board(
        "import network, socket, time\nw = network.WLAN()\nw.active(True)\nw.connect('home', 'password')\n"
        "s = socket.socket()\ns.settimeout(0.2)\ns.connect(socket.getaddrinfo('beat.test', 7)[0][-1])\n"
        "while True:\n    try:\n        s.write(b'.')\n        s.read(1)\n        print('answered')\n"
        "    except OSError as e:\n        print('error', e.args[0])\n    time.sleep_ms(20)\n",
        hosts={"beat.test": {7: serve(beat)}},
    )
    one.access_point("home", "password")
    one.start()
    one.wait_line("answered")
    one.access_point()
    one.wait_line("error 116")
    one.access_point("home", "password")
    one.wait_line("answered")


def test_a_stream_that_never_waits_has_nothing_while_the_access_point_is_away(board, serve):
    one = board(
        "import network, socket, time\nw = network.WLAN()\nw.active(True)\nw.connect('home', 'password')\n"
        "s = socket.socket()\ns.connect(socket.getaddrinfo('silent.test', 7)[0][-1])\ns.setblocking(False)\n"
        "print('joined')\nwhile w.isconnected():\n    time.sleep_ms(5)\n"
        "print(s.read(1), s.readinto(bytearray(1)), s.write(b'x'))\n"
        "try:\n    s.recv(1)\nexcept OSError as e:\n    print('error', e.args[0])\n",
        hosts={"silent.test": {7: serve(lambda connection: connection.recv(1))}},
    )
    one.access_point("home", "password")
    one.start()
    one.wait_line("joined")
    one.access_point()
    assert one.wait_line("None") == "None None None"
    one.wait_line("error 11")


def test_a_soft_reset_stays_joined_a_hard_one_does_not(board):
    one = board(
        "import network, machine, time\nw = network.WLAN()\n"
        "print('cause', machine.reset_cause(), w.isconnected())\n"
        "if machine.reset_cause() == 1:\n    w.active(True)\n    w.connect('home', 'password')\n"
        "    machine.soft_reset()\n"
        "if machine.reset_cause() == 5:\n    machine.reset()\n"
    )
    one.access_point("home", "password")
    one.start(follow=True)
    assert [one.wait_line("cause") for _ in range(3)] == ["cause 1 False", "cause 5 True", "cause 2 False"]


def test_two_starts_are_refused(board):
    one = board("while True: pass")
    one.start()
    with pytest.raises(BoardError):
        one.start()


def test_a_board_that_has_died_says_how_to_whoever_writes_to_it(board):
    one = board("print('runs')\ninput()\n1 / 0\n")
    one.start()
    one.wait_line("runs")
    one.send(b"\n")
    with pytest.raises(BoardError, match=r"ended \(failed, exit status 1\) before"):
        one.wait_for("connected")
    for _ in range(2):
        with pytest.raises(BoardError, match=r"died \(failed, exit status 1\):\n(.*\n)*.*ZeroDivisionError"):
            one.send(b"anybody there?\n")
    assert one.power_off().reason == "failed"


def test_the_flash_of_a_board_that_is_not_there(tmp_path):
    with pytest.raises(Exception, match="no flash file"):
        Board(tmp_path / "none.bin", folder=tmp_path / "board").start()


def test_a_board_ends_with_the_program_that_started_it(interpreter, image, tmp_path):
    (tmp_path / "flash.bin").write_bytes(
        image("import time\nprint('runs')\nwhile True:\n    time.sleep_ms(10)\n")
    )
    program = (
        f"import sys; from tools.emulator.board.boot import Board; b = "
        f"Board({str(tmp_path / 'flash.bin')!r}, "
        f"interpreter={interpreter!r}, folder={str(tmp_path / 'board')!r}); b.start(); b.wait_line('runs'); "
        "print(b._process.pid, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    board = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 20
    while _runs(board):
        assert time.monotonic() < deadline, "the board goes on"
        time.sleep(0.01)


def _runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
