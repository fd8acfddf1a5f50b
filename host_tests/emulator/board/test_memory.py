"""The chip's two heaps: the figures against what was measured on a chip, and what a board makes of them."""

import datetime
import importlib.util

import pytest

from host_tests.support import peers
from host_tests.support.paths import ROOT
from tools.emulator.board.boot import RELEASES, Board
from tools.errors import UserError

K = 1024
UNTRUSTED = "\nThe certificate is not correctly signed by the trusted CA\n"


def _load():
    path = ROOT / "tools" / "emulator" / "board" / "port" / "shared" / "memory.py"
    spec = importlib.util.spec_from_file_location("chip_memory", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


memory = _load()


# KB, from a chip: (name, release, GC allocated, TLS connections, C heap's free, largest block and minimum)
CHIP = [
    ("unique certificate", "1.25", 38.0, (1, 0), 66.6, 61, 58.6),
    ("unique certificate", "1.26", 38.8, (1, 0), 63.1, 59, 57.1),
    ("registers", "1.25", 38.4, (1, 0), 65, 60, 58.5),
    ("registers", "1.26", 39.1, (1, 0), 65, 60, 58.5),
    ("X.509", "1.25", 44.4, (0, 1), 58.4, 53, 52.5),
    ("X.509", "1.26", 44.4, (0, 1), 58.4, 53, 52.5),
    ("ID²", "1.25", 46.4, (0, 0), 93.7, 90, 91.5),
    ("ID²", "1.26", 46.4, (0, 0), 93.7, 90, 91.5),
    ("gateway", "1.25", 60.6, (1, 0), 9.2, 4, 1.5),
]


@pytest.mark.parametrize("release, held, links, free, largest, least", [row[1:] for row in CHIP], ids=str)
def test_the_c_heap_is_a_chip_s_within_6_kb(release, held, links, free, largest, least):
    one = memory.Memory(release, on=True, open=(1, 0, 0))
    one.load(round(held * K))
    if any(links):
        assert one.connect(links[1]) is None
    one.open = (1, *links)
    for found, seen in ((one.free(), free), (one.block(), largest), (one.min, least)):
        assert abs(found / K - seen) <= 6, (found / K, seen)


def test_a_gateway_of_60_kb_is_refused_by_1_26():
    """35.5 KB were free before TLS, the largest block had 26.6 KB; 72 to 248 bytes were left in the handshake."""
    one = memory.Memory("1.26", on=True)
    one.load(round(60.9 * K))
    assert (round(one.free() / K, 1), round(one.block() / K, 1)) == (35.5, 26.5)
    one.open = (1, 0, 0)
    assert str(one.connect(0)) == UNTRUSTED
    assert 72 <= one.min <= 248


# bytes that the Unix port's Python holds, the port's share left out -> what the chip's holds, KB
HELD = [(20 * K, 7.1), (68 * K, 38.4), (0, 0)]


@pytest.mark.parametrize("unix, chip", HELD)
def test_what_python_holds_is_less_on_a_32_bit_chip(unix, chip):
    assert abs(memory.size(unix) / K - chip) <= 0.2


def test_the_limit_is_the_same_on_both():
    one = memory.Memory("1.26", on=True)
    assert abs(memory.size(one.limit()) - (one.room() - memory.HOLES)) <= 1
    assert 110 * K < one.limit() + 23 * K < 118 * K  # the rule of 112 KB, 23 of which the port takes


def test_python_s_heap_grows_by_as_much_as_it_is_and_gives_it_back_when_the_first_area_is_enough():
    one = memory.Memory("1.26", on=True)
    free, fits = one.free(), 56000 - memory.HOLES
    one.load(fits)
    assert one.heap == 0
    one.load(fits + 1)
    assert one.heap == 57344 and one.free() == free - 57344
    one.collect(fits + 1)
    assert one.heap == 57344
    one.collect(fits)
    assert (one.heap, one.free(), one.min) == (0, free, free - 57344)


def test_growth_takes_the_largest_block_when_that_is_less_and_fails_when_there_is_none():
    one = memory.Memory("1.26", on=True)
    one.load(60000)
    block = one.block()
    assert one.heap == 57344 and memory.NEEDED < block < 57344
    one.load(one.room())
    assert one.heap == 57344 + block
    with pytest.raises(MemoryError):
        one.load(200000)


# KB of the C heap that are free when a handshake begins -> what becomes of it
ENDS = [
    (60, None),
    (36, None),
    (35, UNTRUSTED),
    (32, UNTRUSTED),
    (31, -17040),
    (28, -17040),
    (27, False),
    (26.5, False),
    (25, -32512),  # its largest block is too small
    (10, -32512),
]


@pytest.mark.parametrize("free, end", ENDS)
def test_what_becomes_of_a_handshake_goes_by_what_is_missing(free, end):
    one = memory.Memory("1.26", on=True, open=(1, 0, 0))
    one.heap = one.free() - round(free * K)
    try:
        found = one.connect(0)
    except OSError as error:
        found = error
    assert (found.args[0] if isinstance(found, Exception) else found) == end


def test_there_are_figures_of_each_release_and_of_no_other():
    assert tuple(name for name, _ in memory.RELEASES) == RELEASES
    with pytest.raises(UserError, match="1.19"):
        Board(b"", memory="1.19")


# --- on a board

LOOK = """
import esp32, gc
def look():
    regions = esp32.idf_heap_info(esp32.HEAP_DATA)
    return sum(r[1] for r in regions), max(r[2] for r in regions), sum(r[3] for r in regions)
"""
NET = (
    LOOK
    + """
import network, socket, tls, machine
machine.RTC().datetime(%r)
w = network.WLAN()
w.active(True)
w.connect("home", "password")
def stream(timeout=5, shake=True):
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(%r)
    s = socket.socket()
    s.settimeout(timeout)
    s.connect(socket.getaddrinfo("good.test", 443)[0][-1])
    try:
        return context.wrap_socket(s, server_hostname="good.test", do_handshake_on_connect=shake)
    except BaseException:
        s.close()
        raise
def fails(call, *arguments):
    try:
        call(*arguments)
        return "no"
    except (OSError, ValueError) as error:
        return error.args[0]
"""
)
GROWN = "held = bytearray(110000)\ngc.collect()\n"


@pytest.fixture(scope="module")
def hosts(authority, serve):
    return {"good.test": {443: serve(peers.tls(authority.issue("good.test"), peers.echo))}}


@pytest.fixture
def net(authority):
    now = datetime.datetime.now(datetime.timezone.utc)
    fields = (now.year, now.month, now.day, now.weekday(), now.hour, now.minute, now.second, 0)
    return NET % (fields, authority.der)


@pytest.fixture
def chip(image, tmp_path, hosts):
    """`chip(main, memory="1.26")`: the lines of this text on MicroPython with a chip's two heaps."""

    def run(main, memory="1.26", heap=None):
        one = Board(image(main), folder=tmp_path / "board", hosts=hosts, memory=memory, heap=heap)
        boot = one.boot(timeout=30)
        assert boot.reason == "exit", "\n".join(boot.lines)
        return boot.lines

    return run


@pytest.mark.parametrize("release", [None, "1.25", "1.26"])
def test_what_is_open_is_missing_from_the_c_heap_until_it_is_closed(prints, hosts, net, release):
    begin = LOOK + "print(*look())\n" + net.replace(LOOK, "")
    main = begin + "print(*look())\nt = stream()\nprint(*look())\nt.close()\nprint(*look())\n"
    power, wifi, secured, closed = [
        [int(word) for word in line.split()] for line in prints(main, hosts=hosts, memory=release)
    ]
    assert power[0] - wifi[0] == memory.WIFI
    assert wifi[0] - secured[0] == memory.SOCKET + memory.LINK
    assert closed[:2] == wifi[:2]
    assert secured[2] == secured[0] - memory.HANDSHAKE
    assert all(largest < free for free, largest, _ in (power, wifi, secured))


def test_the_regions_are_tuples_as_a_chip_gives_them(prints):
    main = (
        "import esp32\nfor kind in (esp32.HEAP_DATA, esp32.HEAP_EXEC):\n    r = esp32.idf_heap_info(kind)\n"
    )
    main += "    print(type(r) is list, all(len(x) == 4 and x[0] >= x[1] >= x[2] and x[1] >= x[3] >= 0 for x in r))\n"
    assert prints(main) == ["True True"] * 2


# a refused one is closed again, so that the next one finds as much
SEVERAL = [("1.25", ["no", "no", "no", -32512]), ("1.26", ["no", "no", UNTRUSTED, UNTRUSTED])]


@pytest.mark.parametrize("release, answers", SEVERAL, ids=RELEASES)
def test_several_tls_connections_at_a_time(prints, hosts, net, release, answers):
    main = net + "kept = []\nfor _ in range(4):\n    print(repr(fails(lambda: kept.append(stream()))))\n"
    assert prints(main, hosts=hosts, memory=release) == [repr(answer) for answer in answers]


def test_one_heap_has_no_end_of_memory_beside_it(prints, hosts, net):
    main = net + "kept = [stream() for _ in range(4)]\nprint(len(kept))\n"
    assert prints(main, hosts=hosts) == ["4"]


def test_python_s_heap_grows_at_once_and_a_collection_gives_it_back(chip):
    main = LOOK + "gc.collect()\na = look()\n" + GROWN + "b = look()\nheld = None\nc = look()\ngc.collect()\n"
    main += "d = look()\nprint(a[0] - b[0], a[0] - c[0], a[0] - d[0], a[2] - d[2])\n"
    assert chip(main) == ["57344 57344 0 57344"]


def test_growth_is_seen_without_a_collection_that_is_asked_for(chip):
    """A socket, an open TLS connection or a look at the C heap is when the board looks at what Python holds."""
    main = LOOK + "gc.collect()\na = look()\nheld = bytearray(110000)\nprint(a[0] - look()[0])\n"
    assert chip(main) == ["57344"]


def test_free_python_memory_counts_what_growth_may_add(chip):
    main = LOOK + "gc.collect()\nprint(gc.mem_alloc() + gc.mem_free() - look()[1])\n"
    assert abs(int(chip(main)[0]) - 56000) < 4096


def test_what_fits_nowhere_is_a_memory_error(chip):
    main = (
        LOOK
        + "held = bytearray(700000)\ntry:\n    gc.collect()\nexcept MemoryError as error:\n    print(error)\n"
    )
    assert chip(main, heap="1M")[0].startswith("memory allocation failed, allocating ")


# sockets open beside it, where Python's heap has grown -> what a handshake comes to
SHORT = [(0, UNTRUSTED), (5, -17040), (6, 116), (9, -32512)]


@pytest.mark.parametrize("sockets, output", SHORT, ids=[str(row[1]) for row in SHORT])
def test_a_handshake_beside_a_second_area_fails_as_on_a_chip(chip, net, sockets, output):
    main = (
        net + GROWN + f"kept = [socket.socket() for _ in range({sockets})]\nprint(repr(fails(stream, 0.2)))\n"
    )
    main += "held = kept = None\ngc.collect()\n"
    assert chip(main)[0] == repr(output)


def test_a_handshake_passes_again_when_the_area_is_given_back(chip, net):
    main = net + GROWN + "print(fails(stream) != 'no')\nheld = None\ngc.collect()\nprint(fails(stream))\n"
    assert chip(main) == ["True", "no"]


def test_a_handshake_that_the_first_write_begins_fails_in_it(chip, net):
    main = net + GROWN + "t = stream(shake=False)\nfor _ in range(2):\n"
    main += "    print(repr(fails(t.write, b'x')), repr(fails(t.read, 1)))\n"
    assert chip(main) == [f"{UNTRUSTED!r} {UNTRUSTED!r}"] * 2


def test_no_answer_comes_in_for_a_stream_that_does_not_block(chip, net):
    main = (
        net.replace("        return context", "        s.setblocking(False)\n        return context") + GROWN
    )
    main += "kept = [socket.socket() for _ in range(6)]\nt = stream(shake=False)\nprint(t.write(b'x'), t.read(1))\n"
    assert chip(main) == ["None None"]


def test_the_figures_of_both_heaps_are_taken_in_a_state(image, tmp_path):
    main = 'held = bytearray(30000)\nprint(\'{"aliot":"here"}\')\n'
    heap = Board(image(main), measure="here", memory="1.26", folder=tmp_path / "board").boot(timeout=30).heap
    assert abs(heap["gc"] - memory.size(heap["used"] - heap["port"])) < 1024
    one = memory.Memory("1.26")
    assert (heap["c_free"], heap["c_largest"], heap["c_min"]) == (one.free(), one.block(), one.min)
