"""Both records lie on two media: a boot needs one good copy of each, mends the other, and never takes an old one."""

import pytest

from host_tests.support.fleet import MICROPYTHON, comes_back, online
from tools import boards
from tools.firmware import record
from tools.image import littlefs, nvs

LAYOUT = boards.load("ESP32_GENERIC").layout
NVS, VFS = LAYOUT.nvs, LAYOUT.vfs
RECORDS = ("burned", "issued")


def region(board, row):
    return bytearray(board.flash.read_bytes()[row.offset : row.offset + row.size])


def put(board, row, data):
    with open(board.flash, "r+b") as file:
        file.seek(row.offset)
        file.write(data)


def in_nvs(board):
    """{name: bytes} of the records in NVS."""
    return {
        entry.key: entry.value
        for entry in nvs.read(bytes(region(board, NVS))).entries
        if entry.namespace == "aliot"
    }


def in_files(board):
    tree = littlefs.read(bytes(region(board, VFS)))
    return {name: tree[f"/aliot/{name}"] for name in RECORDS if f"/aliot/{name}" in tree}


def set_nvs(board, records):
    put(
        board,
        NVS,
        nvs.write([nvs.Entry("aliot", name, "blob", data) for name, data in records.items()], NVS.size)
        if records
        else b"\xff" * NVS.size,
    )


def set_files(board, records):
    tree = littlefs.read(bytes(region(board, VFS)))
    for name in RECORDS:
        tree.pop(f"/aliot/{name}", None)
    tree.update({f"/aliot/{name}": data for name, data in records.items()})
    put(board, VFS, littlefs.build(tree, VFS.size))


def torn(records):
    return {name: data[:-6] + bytes(6) for name, data in records.items()}


def nvs_erased(board):
    put(board, NVS, b"\xff" * NVS.size)


def nvs_of_another_version(board):
    data = region(board, NVS)
    for page in range(0, NVS.size, 4096):
        data[page + 8] = 0xFD  # a format that this firmware does not know: the chip erases it at boot
    put(board, NVS, data)


def nvs_torn(board):
    set_nvs(board, torn(in_nvs(board)))


def files_gone(board):
    set_files(board, {})


def files_torn(board):
    set_files(board, torn(in_files(board)))


LOSSES = [nvs_erased, nvs_of_another_version, nvs_torn, files_gone, files_torn]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
@pytest.mark.parametrize("kind", ["https", "regnwl"])
def test_one_good_copy_is_enough_and_heals_the_other(fleet, kind, loss):
    board = fleet.board(kind)
    online(board)
    whole = in_nvs(board)
    assert set(whole) == set(RECORDS) and in_files(board) == whole
    loss(board)
    assert (in_nvs(board), in_files(board)) != (whole, whole)
    boot = online(board)
    assert not boot.state("registering"), boot.lines
    assert in_nvs(board) == in_files(board) == whole
    assert fleet.registrations(board) == 1


@MICROPYTHON
@pytest.mark.parametrize("torn_too", [False, True], ids=["before", "torn"])
def test_power_cuts_while_it_heals(fleet, torn_too, tally):
    board = fleet.board("https")
    online(board)
    for loss in (nvs_erased, files_gone):
        loss(board)
        damaged = board.flash.read_bytes()
        whole = online(board).operations
        for operation in range(1, whole + 1):
            board.flash.write_bytes(damaged)
            assert board.boot(until="connected", cut_at=operation, torn=torn_too).reason == "power cut"
            assert not comes_back(board).state("registering")
            tally("power cuts")
    assert fleet.registrations(board) == 1


@pytest.mark.parametrize("remove", [set_nvs, set_files], ids=["nvs", "littlefs"])
def test_an_older_identity_never_comes_back(fleet, remove):
    """An old burn on one medium, a newer one on the other: the newer is used, whichever medium it is on."""
    board = fleet.board("https")
    online(board)
    old = in_nvs(board)
    fresh = fleet.identity("device", "another-device", "s" * 32).to_record(1_800_000_001)
    remove(board, {"burned": fresh})
    boot = board.boot(until="connecting")
    assert boot.state("boot")["device_name"] == "another-device"
    assert boot.state("boot")["generation"] == 1_800_000_001
    for records in (in_nvs(board), in_files(board)):
        assert records["burned"] == fresh
    other = set_files if remove is set_nvs else set_nvs
    other(board, old)  # the old records return, as from a restored backup of one medium
    assert board.boot(until="connecting").state("boot")["device_name"] == "another-device"
    assert in_nvs(board)["burned"] == in_files(board)["burned"] == fresh


def test_an_issued_record_of_an_older_burn_is_not_used(fleet):
    board = fleet.board("https")
    online(board)
    kind, generation, fields = record.decode(in_nvs(board)["burned"])
    again = record.encode(kind, generation + 1, fields)
    for put_records, records in ((set_nvs, in_nvs(board)), (set_files, in_files(board))):
        put_records(board, {**records, "burned": again})
    boot = board.boot(until=lambda state: state["aliot"] in ("connected", "refused"))
    assert boot.state("registering") and boot.state("refused")["code"] == "register.6289", boot.lines


def fillers(beside):
    """Numbers that take every entry of NVS but those of the page that must stay free."""
    one = nvs.read(nvs.write([beside, nvs.Entry("user", "n0", "u8", 0)], NVS.size))
    room = 126 * (NVS.size // 4096 - 1) - sum(page.written for page in one.pages)
    return [nvs.Entry("user", f"n{number}", "u8", 0) for number in range(room + 1)]


def test_a_full_nvs_is_named_and_the_file_serves(fleet):
    board = fleet.board("https")
    burned = nvs.Entry("aliot", "burned", "blob", in_nvs(board)["burned"])
    put(board, NVS, nvs.write([burned, *fillers(burned)], NVS.size))
    boot = online(board)
    assert boot.state("stored") == {"aliot": "stored", "nvs": "full", "littlefs": "ok"}
    assert "issued" in in_files(board) and "issued" not in in_nvs(board)
    boot = online(board)
    assert boot.state("boot")["nvs"] == "full" and not boot.state("registering")
    put(board, NVS, nvs.write([burned], NVS.size))
    online(board)
    assert in_nvs(board) == in_files(board), "the next boots try the bad medium again"


def test_without_any_burned_record_it_does_not_connect(fleet):
    board = fleet.board("https")
    set_nvs(board, {})
    set_files(board, {})
    boot = board.boot(timeout=30)
    assert boot.reason in ("failed", "exit", "reset") and not boot.state("connecting")
    assert any("nothing is burned" in line for line in boot.lines), boot.lines
