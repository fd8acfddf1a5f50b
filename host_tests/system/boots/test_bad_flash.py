"""NVS, roots and settings that are not what they should be: each is named on the console, and the board connects."""

import json

import pytest

from host_tests.support.fleet import MICROPYTHON, online
from host_tests.support.paths import VECTORS
from host_tests.system.boots.test_media import NVS, VFS, put, region
from tools.image import littlefs, nvs

ROWS = json.loads((VECTORS / "settings.json").read_text(encoding="utf-8"))
# an application that takes its settings from the board's file, whatever network that names
MAIN = """
from aliot.device import Device
from aliot.wifi import Wifi
device = Device(network=Wifi("boots", "of the test"))
device.start()
while True:
    device.poll(10)
"""
# NVS that nobody has initialised: every namespace is refused
CLOSED = (
    """
import esp32
def refused(space):
    raise OSError(-4353, "ESP_ERR_NVS_NOT_INITIALIZED")
esp32.NVS = refused
"""
    + MAIN
)


def put_files(board, files):
    """Files onto a board's littlefs, beside what is there."""
    tree = littlefs.read(bytes(region(board, VFS)))
    put(board, VFS, littlefs.build({**tree, **files}, VFS.size))


# --- NVS that cannot be opened


def full(board):
    """No room for a namespace of one's own."""
    entries = NVS.size // nvs.PAGE * nvs.ENTRIES
    while True:
        entries -= 1
        try:
            data = nvs.write(
                [nvs.Entry("other", f"k{number}", "u8", 1) for number in range(entries)], NVS.size
            )
        except Exception:
            continue
        pages = nvs.read(data).pages
        if sum(page.state == "unused" for page in pages) == 1 and all(
            page.written in (0, nvs.ENTRIES) for page in pages
        ):
            return put(board, NVS, data)


def crowded(board):
    """All the 254 namespaces that there can be, and none of them aliot's."""
    put(board, NVS, nvs.write([nvs.Entry(f"n{number}", "k", "u8", 1) for number in range(254)], NVS.size))


@pytest.mark.parametrize("kind", ["device", "https", "mqtt", "regnwl"])
@pytest.mark.parametrize("spoil", [full, crowded], ids=lambda spoil: spoil.__name__)
def test_an_nvs_without_room_for_a_namespace(fleet, spoil, kind):
    # the emulated NVS keeps the names of its namespaces in the heap; a chip keeps them elsewhere
    board = fleet.board(kind, **({"heap": "160K"} if spoil is crowded else {}))
    spoil(board)
    boot = online(board)
    assert (boot.state("boot")["nvs"], boot.state("boot")["littlefs"]) == ("full", "ok"), boot.lines
    if kind != "device":
        assert (boot.state("stored")["nvs"], boot.state("stored")["littlefs"]) == ("full", "ok")
    again = online(board)
    assert not again.state("registering") and again.state("boot")["nvs"] == "full", again.lines
    assert fleet.registrations(board) == (kind != "device")


@pytest.mark.parametrize("kind", ["device", "https", "regnwl"])
def test_an_nvs_that_is_not_initialised(fleet, kind):
    board = fleet.board(kind, main=CLOSED)
    boot = online(board)
    assert boot.state("boot")["nvs"] == "error -4353" and boot.state("boot")["littlefs"] == "ok", boot.lines
    again = online(board)
    assert not again.state("registering") and again.state("connected"), again.lines


@MICROPYTHON
def test_a_board_of_a_kind_that_asks_where_to_connect_asks_at_each_boot_without_nvs(fleet):
    fleet.endpoint = {"region": "cn-shanghai", "auth": "mqtt", "bootstrap": "region"}
    board = fleet.board("device", main=CLOSED)
    for _ in range(2):
        boot = board.boot(until="kept")
        assert boot.state("asking") and boot.state("kept")["nvs"] == "error -4353", boot.lines


# --- extra roots


REFUSED = {
    "folder.der/inner": b"x",
    "large.der": b"\x30\x82\xff\xff" + bytes(100_000),
    "garbage.der": b"\xff" * 700,
    "empty.der": b"",
    "text.der": b"-----BEGIN CERTIFICATE-----\n",
    "tls.der": b"\x30\x82\x02\x00" + bytes(512),
}


def test_extra_roots_that_are_none_are_named_and_the_board_connects(fleet):
    board = fleet.board("device")
    put_files(board, {f"/roots/{name}": data for name, data in REFUSED.items()})
    boot = online(board)
    reported = boot.state("boot")
    assert [name.partition(":")[0] for name in reported["roots"]] == ["ca.der"]
    assert sorted(reported["roots_refused"]) == sorted(name.partition("/")[0] for name in REFUSED)
    assert not boot.state("offline") and not boot.state("error"), boot.lines


def test_200_files_among_the_extra_roots(fleet):
    board = fleet.board("device")
    put_files(board, {f"/roots/z{number:03}.der": b"x" for number in range(200)})  # behind ca.der
    boot = online(board)
    assert (
        len(boot.state("boot")["roots_refused"]) == 16
        and boot.state("boot")["roots_refused"][-1] == "185 more"
    )
    assert [name.partition(":")[0] for name in boot.state("boot")["roots"]] == ["ca.der"]


@MICROPYTHON
def test_a_root_that_is_gone_when_the_board_connects_costs_one_try(fleet):
    """A file that was there at the start: the connect says so, and the next goes on without it."""
    gone = MAIN.replace("device.start()\n", "device.start()\nimport os\nos.remove('/roots/b.der')\n")
    board = fleet.board("device", main=gone)
    tree = littlefs.read(bytes(region(board, VFS)))
    put_files(board, {"/roots/b.der": tree["/roots/ca.der"]})
    boot = online(board)
    reported = boot.state("offline")
    assert (
        reported["code"] == "certificate.root"
        and "/roots/b.der" in reported["detail"]
        and reported["retry"] == "now"
    ), boot.lines


# --- settings


@MICROPYTHON
@pytest.mark.parametrize("row", [pytest.param(row, id=row["name"]) for row in ROWS["files"]])
def test_a_file_of_settings(fleet, row):
    board = fleet.board("device", main=MAIN)
    put_files(board, {"/config.json": row["bytes"].encode("latin-1").ljust(row["pad"])})
    boot = online(board)
    reported = [state for state in boot.states if state["aliot"] == "error"]
    if "fault" in row:
        assert [state["code"] for state in reported] == ["settings"], boot.lines
        assert reported[0]["detail"] == "/config.json " + row["fault"] and reported[0]["advice"]
        assert boot.states.index(reported[0]) == 1, "right after the boot line"
    else:
        assert not reported, boot.lines


WRONG = [
    {"keepalive": 10},
    {"every": "60"},
    {"ntp": "ntp.aliyun.com"},
    {"timeout": 0},
    {"watchdog": 100},
    {"clean": 1},
    {"push": "x"},
    {"endpoint": "cn-shanghai"},
    {"endpoint": {"region": 5}},
    {"endpoint": {"place": "x"}},
    {"endpoint": {"port": 70000}},
    {"endpoint": {"auth": "x", "bootstrap": 1}, "keepalive": 1201, "ssid": 7, "password": "short"},
]


@pytest.mark.parametrize("config", WRONG, ids=json.dumps)
def test_a_setting_that_is_wrong_is_named_and_the_default_serves(fleet, config):
    board = fleet.board("device", main=MAIN)
    put_files(
        board, {"/config.json": json.dumps({"ssid": "shop", "password": "12345678", **config}).encode()}
    )
    boot = online(board)
    names = [name for name in config if name != "endpoint" or not isinstance(config["endpoint"], dict)]
    names += [
        f"endpoint.{name}" for name in config.get("endpoint", ()) if isinstance(config["endpoint"], dict)
    ]
    reported = [state for state in boot.states if state["aliot"] == "error"]
    assert {state["detail"].split()[1] for state in reported} == set(names), boot.lines
    assert all(state["code"] == "settings" and " has to be " in state["detail"] for state in reported)


@pytest.mark.parametrize(
    "config, air",
    [
        ({"ssid": "\U0001f4f6Café"}, "\U0001f4f6Café"),
        ({"ssid_hex": "\U0001f4f6Café".encode().hex()}, "\U0001f4f6Café"),
        ({"ssid": "shop"}, "shop"),
        ({"ssid": " my shop "}, " my shop "),
        ({"ssid_hex": "436166e9"}, b"Caf\xe9"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("escaped", [True, False])
def test_the_name_of_an_access_point_is_its_bytes(fleet, config, air, escaped):
    """As json.dumps writes an emoji, in two halves, and as an editor does."""
    board = fleet.board("device", main=MAIN.replace('network=Wifi("boots", "of the test")', ""))
    board.access_point(air, "12345678")
    settings = json.dumps({**config, "password": "12345678"}, ensure_ascii=escaped)
    put_files(board, {"/config.json": settings.encode()})
    assert online(board).state("connected")


def test_a_key_of_64_hex_digits_is_taken(fleet):
    key = "0123456789abcdef" * 4
    board = fleet.board("device", main=MAIN.replace('network=Wifi("boots", "of the test")', ""))
    board.access_point("shop", key)
    put_files(board, {"/config.json": json.dumps({"ssid": "shop", "password": key}).encode()})
    boot = online(board)
    assert not boot.state("error") and key not in "\n".join(boot.lines)
