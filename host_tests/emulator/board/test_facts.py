"""The port behaves as a chip does, on both interpreters.

Each row is a fact that was measured on a chip or read in its source.
"""

import pytest

from host_tests.support import peers
from tools.emulator.board.boot import MAC, BoardError

NET = """
import network, socket, errno, time
w = network.WLAN(network.STA_IF)
w.active(True)
w.connect("home", "password")
def fails(call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        return error.args[0]
def connected(name="echo.test", port=7, timeout=None):
    s = socket.socket()
    s.settimeout(timeout)
    s.connect(socket.getaddrinfo(name, port)[0][-1])
    return s
"""

# (name, program, what it prints)
FACTS = [
    (
        "time counts whole seconds since 2000",
        "import time; print(time.gmtime(0)[0], type(time.time()) is int, time.mktime((2000, 1, 1, 0, 0, 0, "
        "0, 0)), len(time.gmtime()))",
        ["2000 True 0 8"],
    ),
    ("it powers up in 2000", "import time; print(time.gmtime()[:3])", ["(2000, 1, 1)"]),
    (
        "ticks wrap and their difference has a sign",
        "import time; a = time.ticks_ms(); print(time.ticks_diff(time.ticks_add(a, -5), a), "
        "time.ticks_diff(a, time.ticks_add(a, -5)))",
        ["-5 5"],
    ),
    (
        "ticks have a period of 2^30 and no larger steps than half of it",
        "import time; print(time.ticks_add(2**30 - 1, 1), time.ticks_diff(0, 2**30 - 1))\n"
        "try:\n    time.ticks_add(0, 2**29)\nexcept OverflowError as e:\n    print(e)",
        ["0 1", "ticks interval overflow"],
    ),
    (
        "the clock's setting does not disturb ticks",
        "import time, machine; a = time.ticks_ms(); machine.RTC().datetime((2026, 11, 20, 4, 1, 2, 3, 0)); "
        "print(time.gmtime()[:6], time.ticks_diff(time.ticks_ms(), a) < 5000)",
        ["(2026, 11, 20, 1, 2, 3) True"],
    ),
    (
        "the clock reads back what was set",
        "import machine; r = machine.RTC(); r.datetime((2027, 2, 28, 6, 23, 59, 58, 0)); "
        "print(r.datetime()[:7])",
        ["(2027, 2, 28, 6, 23, 59, 58)"],
    ),
    (
        "unique_id is the MAC, and so is the station's",
        "import machine, network, binascii; print(binascii.hexlify(machine.unique_id()), "
        "network.WLAN(network.STA_IF).config('mac') == machine.unique_id())",
        [f"b'{MAC.replace(':', '')}' True"],
    ),
    ("power on is cause 1", "import machine; print(machine.reset_cause(), machine.PWRON_RESET)", ["1 1"]),
    (
        "error numbers are newlib's",
        "from errno import ETIMEDOUT, ENOTCONN, EINPROGRESS, EHOSTUNREACH, EAGAIN, errorcode\n"
        "print(ETIMEDOUT, ENOTCONN, EINPROGRESS, EHOSTUNREACH, EAGAIN, errorcode[116])",
        ["116 128 119 118 11 ETIMEDOUT"],
    ),
    (
        "without Wi-Fi no name resolves",
        "import socket\ntry:\n    socket.getaddrinfo('echo.test', 7)\nexcept OSError as e:\n"
        "    print(e.args[0])",
        ["-202"],
    ),
    ("an unknown name is -202", NET + "print(fails(socket.getaddrinfo, 'nobody.test', 7))", ["-202"]),
    (
        "an address is a tuple of text and number",
        NET
        + "a = socket.getaddrinfo('echo.test', 7)[0]; print(a[0], a[1], a[2], type(a[4]) is tuple, a[4][1])",
        ["2 1 0 True 7"],
    ),
    ("a port that nobody serves refuses", NET + "print(fails(connected, 'echo.test', 8))", ["111"]),
    (
        "an eleventh socket is ENFILE",
        NET + "l = [socket.socket() for _ in range(10)]; print(fails(socket.socket)); l.pop().close(); "
        "socket.socket(); print('one more')",
        ["23", "one more"],
    ),
    ("a new socket cannot be read", NET + "print(fails(socket.socket().read, 1))", ["128"]),
    (
        "a closed socket is EBADF",
        NET + "s = connected(); s.close(); s.close(); print(fails(s.write, b'x'))",
        ["9"],
    ),
    (
        "read gives exactly what was asked for, write takes all",
        NET + "s = connected(); print(s.write(b'abc' * 3000)); print(len(s.read(9000))); s.write(b'abc', 2); "
        "print(s.read(2))",
        ["9000", "9000", "b'ab'"],
    ),
    (
        "read gives what is left at the end of the stream",
        NET + "s = connected(); s.write(b'abc'); s.read(3); s.write(b'close'); print(s.read(5), s.read(5))",
        ["b'' b''"],
    ),
    (
        "a read that times out is ETIMEDOUT",
        NET + "s = connected(timeout=0.2); s.write(b'half'); print(fails(s.read, 5))",
        ["116"],
    ),
    ("so is a receive", NET + "s = connected('silent.test', timeout=0.2); print(fails(s.recv, 5))", ["116"]),
    (
        "a timeout counts in tenths of a second and rounds up",
        NET + "s = connected('silent.test', timeout=0.25); a = time.ticks_ms(); fails(s.read, 1); "
        "print(time.ticks_diff(time.ticks_ms(), a) >= 290)",
        ["True"],
    ),
    (
        "a timeout below a tenth of a second ends as 'would block'",
        NET + "s = connected('silent.test', timeout=0.05); print(fails(s.recv, 1))",
        ["11"],
    ),
    (
        "a read that may not block gives None",
        NET + "s = connected(); s.setblocking(False); print(s.read(1))",
        ["None"],
    ),
    (
        "a receive that may not block is EAGAIN",
        NET + "s = connected(); s.setblocking(False); print(fails(s.recv, 1))",
        ["11"],
    ),
    (
        "poll tells what is there",
        NET + "import select\ns = connected(); p = select.poll(); p.register(s, select.POLLIN); "
        "print(p.poll(0)); s.write(b'x'); "
        "r = p.poll(5000); print(r[0][0] is s, r[0][1] & select.POLLIN); p.modify(s, select.POLLOUT); "
        "print(p.poll(0)[0][1])",
        ["[]", "True 1", "4"],
    ),
    (
        "TCP_NODELAY can be set, an unknown option warns",
        NET
        + "s = connected(); s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1); s.setsockopt(1, 99, 1)",
        ["Warning: lwip.setsockopt() option not implemented"],
    ),
    (
        "the old names are aliases",
        "import usocket, socket, utime, time, ujson, ubinascii, ustruct; print(usocket is socket, utime is "
        "time)",
        ["True True"],
    ),
    ("there is no ussl", "try:\n    import ussl\nexcept ImportError:\n    print('none')", ["none"]),
    (
        "hosts' modules are not there",
        "for name in ('logging', 'unittest', 'subprocess', 'threading', 'typing'):\n"
        "    try:\n        __import__(name)\n        print(name)\n    except ImportError:\n        pass",
        [],
    ),
    (
        "the root holds the board's files and nothing else",
        "import os; print(sorted(os.listdir('/')))",
        ["['main.py']"],
    ),
    (
        "a file is written, renamed over another, and read",
        "import os\nfor n in 'ab':\n    with open(n, 'w') as f:\n        f.write(n * 3)\n"
        "os.rename('/a', '/b')\n"
        "print(open('/b').read(), open('/b', 'rb').read(2), os.stat('/b')[6], sorted(os.listdir()))",
        ["aaa b'aa' 3 ['b', 'main.py']"],
    ),
    ("a missing file is ENOENT", "try:\n    open('/x')\nexcept OSError as e:\n    print(e.args[0])", ["2"]),
    (
        "folders",
        "import os\nos.mkdir('/d')\nopen('/d/f', 'w').close()\n"
        "print(list(os.ilistdir('/d'))[0][:2], os.stat('/d')[0] == 0x4000)\n"
        "try:\n    os.rmdir('/d')\nexcept OSError as e:\n    print(e.args[0])\nos.remove('/d/f')\n"
        "os.rmdir('/d')\nprint(os.listdir('/'))",
        ["('f', 32768) True", "39", "['main.py']"],
    ),
    ("littlefs has a chip's size", "import os; print(os.statvfs('/')[:3])", ["(4096, 4096, 512)"]),
    (
        "NVS keeps numbers and blobs, and names what is missing",
        "import esp32\nn = esp32.NVS('aliot'); n.set_i32('k', -5); n.set_blob('b', b'xyz'); b = "
        "bytearray(8)\n"
        "print(n.get_i32('k'), n.get_blob('b', b), bytes(b[:3]))\ntry:\n    n.get_i32('x')\n"
        "except OSError as e:\n    print(e.args)",
        ["-5 3 b'xyz'", "(-4354, 'ESP_ERR_NVS_NOT_FOUND')"],
    ),
    (
        "the partition table says what a chip says",
        "import esp32; print(esp32.Partition.find(esp32.Partition.TYPE_DATA, label='vfs')[0].info())",
        ["(1, 129, 2097152, 2097152, 'vfs', False)"],
    ),
    (
        "Wi-Fi does nothing before it is active",
        "import network\nw = network.WLAN(network.STA_IF)\nprint(w.active(), w.isconnected(), w.status())\n"
        "try:\n    w.connect('home', 'password')\nexcept OSError as e:\n    print(e.args[0])",
        ["False False 1000", "Wifi Not Started"],
    ),
    (
        "a short key is refused by the driver",
        "import network\nw = network.WLAN()\nw.active(True)\ntry:\n    w.connect('home', 'short')\n"
        "except OSError as e:\n    print(e.args[0])",
        ["Wifi Internal Error"],
    ),
]


@pytest.fixture(scope="module")
def hosts(serve):
    return {"echo.test": {7: serve(peers.echo)}, "silent.test": {7: serve(peers.silent)}}


@pytest.mark.parametrize("program, printed", [row[1:] for row in FACTS], ids=[row[0] for row in FACTS])
def test_fact(prints, hosts, program, printed):
    assert prints(program, hosts=hosts) == printed


def test_setblocking_clears_the_timeout_so_that_a_read_waits_for_ever(board, hosts):
    """What a chip does and the Unix port alone does not; umqtt's wait_msg() ends with setblocking(True)."""
    running = board(
        NET + "s = connected('silent.test', timeout=0.1); s.setblocking(True); print('reads'); s.read(1); "
        "print('never')",
        hosts=hosts,
    )
    running.start()
    running.wait_line("reads")
    with pytest.raises(BoardError, match="did not print"):
        running.wait_line("never", timeout=0.5)
    assert running.power_off().lines == ["reads"]


def test_an_error_that_nobody_catches_is_printed_and_ends_main(board):
    boot = board("print('a')\n1 / 0\nprint('b')").boot(timeout=20)
    assert (boot.reason, boot.lines[0], "ZeroDivisionError" in boot.lines[-1]) == ("failed", "a", True)
