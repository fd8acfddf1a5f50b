"""Power goes while a board is flashed again: identity, settings and the user's files are never lost.

ALIOT_CAMPAIGN scales how many re-flashes are tried (12 is 100 over the wire).
"""

import os
import random
import shutil

import pytest

from host_tests.support.flashing import (
    MAC,
    USER_FILES,
    NorLoader,
    field_board,
    records,
    stock_bin,
    what_is_kept,
)
from tools import boards
from tools.cli import main
from tools.emulator.chip.nor import PowerCut
from tools.errors import UserError
from tools.flash import backup, contents, file_list, flasher, micropython_images, plan
from tools.image import device_files, flash_image, littlefs, nvs

SCALE = float(os.environ.get("ALIOT_CAMPAIGN", "1"))
BOARD = boards.load("ESP32_GENERIC")
LAYOUT = BOARD.layout
KEPT = what_is_kept(field_board(), LAYOUT)


def _whole(image):
    """Nothing of the board's own is lost."""
    own, found, foreign = what_is_kept(image, LAYOUT)
    assert own == USER_FILES
    assert found == KEPT[1] and foreign == KEPT[2]


def _flash(path, wanted, cut_at=None, journal=None, relayout=False, layout=LAYOUT, image=None):
    """One flash without a wire; the number of flash operations it took. UserError and PowerCut pass."""
    loader = NorLoader(path, cut_at)
    if isinstance(wanted, dict):
        wanted = file_list.Wanted(wanted)
    try:
        rescue = backup.load_rescue(MAC, journal)
        held = contents.look(loader, BOARD, wanted.tree)
        image = image or micropython_images.Stock("", (), held.layout)
        if rescue:
            todo = plan.Plan(image.parts, wanted.tree, plan.WHOLE, move=True)
        else:
            todo = plan.decide(held, image, wanted, image.parts, MAC, relayout=relayout)
        flasher.Flasher(loader, held, image, wanted, folder=journal, backups=journal).carry_out(todo, rescue)
        return loader.nor.operations
    finally:
        loader.nor.close()


def test_a_cut_at_each_flash_operation_of_an_update_loses_nothing(tmp_path):
    """Every operation in turn at full scale; some of them, other ones each time, by default."""
    wanted = device_files.compile_tree()
    before = field_board()
    path = tmp_path / "flash.bin"
    path.write_bytes(before)
    total = _flash(path, wanted, journal=tmp_path)
    _whole(path.read_bytes())
    assert total > 20
    rnd = random.Random(1)
    cuts = sorted(rnd.sample(range(1, total + 1), min(total, int(40 * SCALE))))
    for cut in cuts:
        path.write_bytes(before)
        with pytest.raises(PowerCut):
            _flash(path, wanted, cut, tmp_path)
        _whole(path.read_bytes())  # before anybody mends anything
        tree = littlefs.read(flash_image.region(path.read_bytes(), LAYOUT.vfs))
        old = littlefs.read(flash_image.region(before, LAYOUT.vfs))
        for name, data in wanted.items():
            assert tree.get(name) in (data, old.get(name)), f"{name} is torn after a cut at {cut}"
        _flash(path, wanted, journal=tmp_path)
        _whole(path.read_bytes())
        tree = littlefs.read(flash_image.region(path.read_bytes(), LAYOUT.vfs))
        assert {name: tree[name] for name in wanted} == wanted
    assert not list(tmp_path.glob("*.identity"))
    print(f"cuts tried: {len(cuts)} of {total}")


def _app(*numbers):
    """An application's files as a folder brings them, in some version of it."""
    return {
        f"/{name}.mpy": bytes([number]) * 700
        for name, number in zip(("lamp/__init__", "lamp/old", "motor"), numbers)
    }


def test_a_cut_while_a_folders_files_come_and_go_loses_none_of_the_users_and_leaves_a_true_list(tmp_path):
    """The list names each file that a tool wrote, be it the older one, and none that the user has."""
    release, old = device_files.compile_tree(), _app(1, 2, 3)
    new = {"/lamp.mpy": b"l" * 700, "/motor.mpy": b"m" * 700, "/main.py": b"print('app')\n"}
    own = {**USER_FILES, "/main.py": b"print('mine')\n", "/motor/notes.txt": b"mine"}
    lines = {
        **{path: (data, "release") for path, data in release.items() if path != "/main.py"},
        **{path: (data, "FILES") for path, data in old.items()},
    }
    listed = file_list.encode({path: {file_list.sha(data): source} for path, (data, source) in lines.items()})
    before = field_board(files={**release, **old, **own, file_list.LIST: listed}, stale=False)
    wanted = file_list.Wanted({**release, **new}, dict.fromkeys(new, "FILES"), files=True)
    path = tmp_path / "flash.bin"
    path.write_bytes(before)
    total = _flash(path, wanted, journal=tmp_path)
    for cut in sorted(random.Random(6).sample(range(1, total + 1), min(total, int(16 * SCALE)))):
        for saved in tmp_path.glob("*.files"):
            shutil.rmtree(saved)
        path.write_bytes(before)
        with pytest.raises(PowerCut):
            _flash(path, wanted, cut, tmp_path)
        tree = littlefs.read(flash_image.region(path.read_bytes(), LAYOUT.vfs))
        assert {name: tree.get(name) for name in own if name != "/main.py"} == {
            name: data for name, data in own.items() if name != "/main.py"
        }
        found = file_list.parse(tree[file_list.LIST])
        for name, data in tree.items():
            reported = file_list.sha(data) in found.get(name, {})
            assert reported == (data in (release.get(name), old.get(name), new.get(name))), (
                f"{name} after a cut at {cut}"
            )
        (saved,) = tmp_path.glob("*.files")
        assert (saved / "main.py").read_bytes() == own["/main.py"]
        _flash(path, wanted, journal=tmp_path)
        tree = littlefs.read(flash_image.region(path.read_bytes(), LAYOUT.vfs))
        assert {name: tree.get(name) for name in (*new, *old)} == {**dict.fromkeys(old), **new}
        assert file_list.parse(tree[file_list.LIST]) == {
            name: {file_list.sha(data): "FILES" if name in new else "release"}
            for name, data in wanted.tree.items()
        }
    print(f"operations: {total}")


def test_a_cut_while_everything_moves_is_mended_from_the_journal(tmp_path):
    ota = boards.load("ESP32_GENERIC-OTA")
    image = micropython_images.take_apart(ota, stock_bin("ESP32_GENERIC-OTA"), "ota")
    wanted = device_files.compile_tree()
    before, path = field_board(), tmp_path / "flash.bin"
    path.write_bytes(before)
    total = _flash(path, wanted, journal=tmp_path, relayout=True, image=image)
    assert what_is_kept(path.read_bytes(), ota.layout) == KEPT
    rnd = random.Random(2)
    for cut in sorted(rnd.sample(range(1, total), min(total - 1, int(10 * SCALE)))):
        path.write_bytes(before)
        with pytest.raises(PowerCut):
            _flash(path, wanted, cut, tmp_path, relayout=True, image=image)
        _flash(path, wanted, journal=tmp_path, relayout=True, image=image)
        assert what_is_kept(path.read_bytes(), ota.layout) == KEPT
        assert not list(tmp_path.glob("*.identity"))


def _filled(free):
    """A board from the field whose file system has about `free` blocks left."""
    used = littlefs.blocks_in_use(flash_image.region(field_board(), LAYOUT.vfs))
    blocks = LAYOUT.vfs.size // littlefs.BLOCK - used - free
    return field_board(files={**USER_FILES, "/data/filler.bin": b"f" * (blocks * (littlefs.BLOCK - 8) - 100)})


@pytest.mark.parametrize("free", [14, 9])
def test_a_file_system_that_is_nearly_full_loses_nothing_either(tmp_path, free):
    before = _filled(free)
    wanted = {**device_files.compile_tree(), "/aliot/new.mpy": bytes(range(256)) * 36}
    path = tmp_path / "flash.bin"
    path.write_bytes(before)
    total = _flash(path, wanted, journal=tmp_path)
    assert what_is_kept(path.read_bytes(), LAYOUT) == KEPT
    for cut in sorted(random.Random(3).sample(range(1, total), max(4, int(6 * SCALE)))):
        path.write_bytes(before)
        with pytest.raises(PowerCut):
            _flash(path, wanted, cut, tmp_path)
        _flash(path, wanted, journal=tmp_path)
        _whole(path.read_bytes())
    assert not list(tmp_path.glob("*.identity"))


def test_files_that_do_not_fit_are_told_and_nothing_is_lost(tmp_path):
    path = tmp_path / "flash.bin"
    before = _filled(3)
    path.write_bytes(before)
    with pytest.raises(UserError, match="do not fit into the board's file system of 2048 KB"):
        _flash(path, {**device_files.compile_tree(), "/aliot/new.mpy": os.urandom(60_000)}, journal=tmp_path)
    assert path.read_bytes() == before


def test_random_reflashes_over_the_wire_with_power_cuts_in_them(bench, tmp_path, capsys):
    """Other releases, other applications, power gone anywhere: 100 at full scale."""
    rnd = random.Random(os.environ.get("ALIOT_SEED", "4"))
    count = max(3, int(8.4 * SCALE))
    lost = cut = 0
    board = None
    release = tmp_path / "release"
    release.mkdir()
    (tmp_path / "flash.bin").write_bytes(field_board())
    board = bench()
    for number in range(count):
        for name in rnd.sample(["alpha", "beta", "gamma"], 2):
            (release / f"{name}.py").write_text(f"value = {rnd.random()}\n" * rnd.randint(1, 40))
        (tmp_path / "stock.bin").write_bytes(
            stock_bin(mark=bytes([65 + number % 26]), size=rnd.randint(3000, 30000))
        )
        command = [
            "flash",
            "--port",
            board.url,
            "--firmware",
            str(tmp_path / "stock.bin"),
            "--files",
            str(release),
            "--journal",
            str(tmp_path / "journal"),
            "--wait",
            "0",
        ]
        board.nor.cut_at = board.nor.operations + rnd.randint(1, 160)
        status = main(command)
        if board.chip.cut:
            cut += 1
            assert status == 1
            _whole(board.nor.read(0, board.nor.size))
            board.nor.cut_at = None
            board.call(board.chip.power_on)
            if rnd.random() < 0.7:
                assert main(command) == 0, capsys.readouterr().err
        else:
            assert status == 0, capsys.readouterr().err
        board.nor.cut_at = None
        _whole(board.nor.read(0, board.nor.size))
    assert cut > 0
    print(f"re-flashes: {count}, cut: {cut}, lost: {lost}")


def test_a_first_flash_cut_anywhere_ends_whole_the_next_time(tmp_path):
    image = micropython_images.take_apart(BOARD, stock_bin(), "stock")
    wanted = device_files.compile_tree()
    path = tmp_path / "flash.bin"
    path.write_bytes(b"\xff" * LAYOUT.flash_size)
    total = _flash(path, wanted, journal=tmp_path, image=image)
    for cut in sorted(random.Random(5).sample(range(1, total), int(min(total - 1, 12 * SCALE)))):
        path.write_bytes(b"\xff" * LAYOUT.flash_size)
        with pytest.raises(PowerCut):
            _flash(path, wanted, cut, tmp_path, image=image)
        _flash(path, wanted, journal=tmp_path, image=image)
        tree = littlefs.read(flash_image.region(path.read_bytes(), LAYOUT.vfs))
        assert tree == {**wanted, file_list.LIST: tree[file_list.LIST]}
        assert file_list.parse(tree[file_list.LIST]) == {
            path: {file_list.sha(data): "release"} for path, data in wanted.items()
        }


def test_the_board_of_these_tests_has_something_to_lose():
    burned, issued = records()
    assert KEPT[1] == {
        "nvs": {"burned": burned, "issued": issued},
        "littlefs": {"burned": burned, "issued": issued},
    }
    assert set(KEPT[0]) == set(USER_FILES) and len(KEPT[2]) == 2


def test_what_cannot_be_written_safely_is_kept_on_this_machine_until_it_is_back(tmp_path, monkeypatch):
    """When littlefs has no room to move a block, the whole file system waits in the journal."""
    path = tmp_path / "flash.bin"
    wanted = device_files.compile_tree()
    safe = littlefs.plan
    monkeypatch.setattr(littlefs, "plan", lambda *args: littlefs.Update(safe(*args).writes, False))
    path.write_bytes(field_board())
    total = _flash(path, wanted, journal=tmp_path)
    assert not list(tmp_path.glob("*.identity"))
    for cut, torn_too in ((1, True), (total // 2, True), (total, True), (total, False)):
        path.write_bytes(field_board())
        with pytest.raises(PowerCut):
            _flash(path, wanted, cut, tmp_path)
        (kept,) = tmp_path.glob("*.files.identity")
        assert kept.stat().st_mode & 0o777 == 0o600
        torn = bytearray(path.read_bytes())
        if torn_too:
            torn[LAYOUT.vfs.offset : LAYOUT.vfs.offset + 0x2000] = bytes(0x2000)  # the worst that may be
        path.write_bytes(torn)
        _flash(path, wanted, journal=tmp_path)
        _whole(path.read_bytes())
        tree = littlefs.read(flash_image.region(path.read_bytes(), LAYOUT.vfs))
        assert "/aliot/dropped/__init__.mpy" not in tree
        assert file_list.parse(tree[file_list.LIST]) == {
            name: {file_list.sha(data): "release"} for name, data in wanted.items()
        }
        assert not list(tmp_path.glob("*.identity"))


def test_what_a_board_was_given_after_an_interrupted_flash_is_newer_than_the_journal(tmp_path):
    """The board ran in between and was issued a secret: the journal's older state does not undo that."""
    path = tmp_path / "flash.bin"
    before = field_board(files={**USER_FILES}, media=("nvs", "littlefs"))
    burned, issued = records()
    old = nvs.read(flash_image.region(before, LAYOUT.nvs))
    without = tuple(entry for entry in old.entries if (entry.namespace, entry.key) != ("aliot", "issued"))
    tree = littlefs.read(flash_image.region(before, LAYOUT.vfs))
    tree.pop("/aliot/issued")
    backup.save_rescue(MAC, without, {**tree, "/lost.txt": b"only in the journal"}, tmp_path)
    path.write_bytes(before)
    _flash(path, device_files.compile_tree(), journal=tmp_path)
    _whole(path.read_bytes())
    after = littlefs.read(flash_image.region(path.read_bytes(), LAYOUT.vfs))
    assert after["/aliot/issued"] == issued and after["/aliot/burned"] == burned
    assert after["/lost.txt"] == b"only in the journal"


def test_a_record_that_goes_into_nvs_first_does_not_leave_the_plan_of_the_files_behind(tmp_path):
    """The burn that keeps it mends the file system's older copy too, in the folder that is written next."""
    path = tmp_path / "flash.bin"
    image = bytearray(field_board())
    older = records(1_600_000_000)[0]
    vfs = littlefs.update(flash_image.region(image, LAYOUT.vfs), {"/aliot/burned": older})
    image[LAYOUT.vfs.offset : LAYOUT.vfs.offset + LAYOUT.vfs.size] = vfs
    entries = [
        e
        for e in nvs.read(flash_image.region(image, LAYOUT.nvs)).entries
        if (e.namespace, e.key) != ("aliot", "issued")
    ]
    image[LAYOUT.nvs.offset : LAYOUT.nvs.offset + LAYOUT.nvs.size] = nvs.write(entries, LAYOUT.nvs.size)
    path.write_bytes(image)
    wanted = device_files.compile_tree()
    _flash(path, wanted, journal=tmp_path)
    _whole(path.read_bytes())
    tree = littlefs.read(flash_image.region(path.read_bytes(), LAYOUT.vfs))
    assert {name: tree[name] for name in wanted} == wanted
    assert file_list.parse(tree[file_list.LIST]) == {
        name: {file_list.sha(data): "release"} for name, data in wanted.items()
    }
