"""Burning into a flash, cut at every operation: no identity is lost, and the old one never comes back."""

import random

import pytest

from host_tests.image.burning import (
    ELSEWHERE,
    FILES,
    FOREIGN,
    OTHER,
    PRODUCT,
    SECRET,
    board,
    burned,
    entries,
    holds,
    on_files_only,
    on_nvs_only,
    registered,
    untouched,
    without_files,
)
from host_tests.support.nor import PowerCut, campaign
from host_tests.support.nor_board import MAC, BoardFlash, Booted
from tools.image import burn, flash_image, journal, littlefs, owner
from tools.image.nvs import Entry

STATES = {
    "blank": (lambda folder: board(), PRODUCT, None),
    "blank file system": (lambda folder: board(files=False), PRODUCT, None),
    "both media": (registered, ELSEWHERE, SECRET),
    "NVS only": (lambda folder: on_nvs_only(registered(folder)), ELSEWHERE, SECRET),
    "littlefs only": (lambda folder: on_files_only(registered(folder)), ELSEWHERE, SECRET),
    "no file system": (lambda folder: without_files(registered(folder)), ELSEWHERE, SECRET),
    "another identity": (registered, OTHER, None),
    "another identity on NVS only": (lambda folder: on_nvs_only(registered(folder)), OTHER, None),
    "OTA layout": (lambda folder: registered(folder, name="ESP32_GENERIC-OTA"), ELSEWHERE, SECRET),
}


@pytest.mark.parametrize("name", STATES)
def test_a_burn_cut_at_every_operation_ends_well(name, tmp_path):
    """Cut, then burned again; or powered on between. A boot finds the old state or the new one, whole."""
    make, who, secret = STATES[name]
    start = make(tmp_path)
    old = Booted(start.copy())
    replace = who is OTHER
    whole = start.copy()
    before = whole.operations
    burned(whole, who, tmp_path, replace=replace)
    count = whole.operations - before
    assert count
    for operation in range(1, count + 1):
        for torn in (0.0, 0.02, 0.5, 0.99):
            made = start.copy()
            made.cut(operation, torn)
            with pytest.raises(PowerCut):
                burned(made, who, tmp_path, replace=replace)
            again = made.copy()
            check_after_burn(again, who, secret, tmp_path, (operation, torn))
            journaled = journal.load(tmp_path, MAC)
            assert journaled is None
            made = start.copy()
            made.cut(operation, torn)
            with pytest.raises(PowerCut):
                burned(made, who, tmp_path, replace=replace)
            check_boot(made, old, who, secret, name)
            check_after_burn(made, who, secret, tmp_path, (operation, torn))
    print(f"{name}: {count} operations, {count * 4} cuts")


def check_boot(made, old, who, secret, name):
    """The board starts, with the old identity and its secret or the new one; or waits for the burn."""
    found = Booted(made)
    if not found.fields:
        assert name in ("blank", "blank file system", "no file system")
    elif found.fields == who.fields():
        assert found.secret == secret
    else:
        assert (found.fields, found.secret) == (old.fields, old.secret)


def check_after_burn(made, who, secret, folder, cut):
    report = burned(made, who, folder)  # without --replace: what was said once is kept in the journal
    assert holds(made, who), cut
    untouched(made)
    found = Booted(made)
    assert (found.generation, found.fields, found.secret) == (report.generation, who.fields(), secret), cut
    for copy in burn.look(made, made.layout).copies:
        assert owner.owner(copy.fields, MAC) == owner.owner(who.fields(), MAC)


def test_a_file_system_that_a_cut_left_unreadable_is_mended_by_the_next_burn(tmp_path, monkeypatch):
    """Where no harmless order of writes is found, the journal keeps the sectors as they were."""
    monkeypatch.setattr(littlefs, "_fillers", lambda *_: iter(()))
    monkeypatch.setattr(
        littlefs, "_short", lambda memory, _: memory
    )  # metadata that has grown, as on a board
    start = registered(tmp_path)
    whole = start.copy()
    burned(whole, ELSEWHERE, tmp_path)
    unreadable = 0
    for operation in range(1, whole.operations + 1):
        for torn in (0.0, 0.02, 0.5, 0.99):
            made = start.copy()
            made.cut(operation, torn)
            with pytest.raises(PowerCut):
                burned(made, ELSEWHERE, tmp_path)
            unreadable += burn.look(made, made.layout).vfs == "unreadable"
            check_after_burn(made, ELSEWHERE, SECRET, tmp_path, (operation, torn))
    assert unreadable


def test_finish_does_what_was_begun_and_nothing_without_a_journal(tmp_path):
    made = registered(tmp_path)
    assert burn.finish(made, made.layout, MAC, tmp_path) is None
    made.cut(3)
    with pytest.raises(PowerCut):
        burned(made, OTHER, tmp_path, replace=True)
    assert burn.finish(made, made.layout, MAC, tmp_path).generation
    assert holds(made, OTHER) and journal.load(tmp_path, MAC) is None


def test_a_secret_issued_after_the_cut_is_the_one_that_stays(tmp_path):
    made = on_nvs_only(registered(tmp_path))
    made.cut(2)
    with pytest.raises(PowerCut):
        burned(made, ELSEWHERE, tmp_path)
    Booted(made).register("5d" * 16)
    burned(made, ELSEWHERE, tmp_path)
    assert Booted(made).secret == "5d" * 16


@pytest.mark.parametrize("seed", range(campaign(12)))
def test_random_burns_boots_cuts_and_losses_never_lose_an_identity(seed, tmp_path):
    rng = random.Random(seed)
    made = board()
    identities, current, secret = [PRODUCT, ELSEWHERE, OTHER], None, None
    for step in range(14):
        who = rng.choice(identities)
        same = current and owner.owner(who.fields(), MAC) == owner.owner(current.fields(), MAC)
        if rng.random() < 0.5:
            made.cut(rng.randrange(1, 8), rng.random())
        try:
            burned(made, who, tmp_path, replace=True)
        except PowerCut:
            if rng.random() < 0.5:
                Booted(made)
            burn.finish(made, made.layout, MAC, tmp_path)
        made.cut_at = None
        current, secret = who, secret if same else None
        untouched(made)
        if rng.random() < 0.3:
            made = rng.choice([on_nvs_only, on_files_only])(made)
        found = Booted(made)
        assert (found.fields, found.secret) == (current.fields(), secret), (seed, step)
        if who is not OTHER and secret is None and rng.random() < 0.7:
            secret = f"{seed:02x}{step:02x}" * 8
            found.register(secret)


def test_no_cut_gives_an_entry_to_another_namespace(tmp_path):
    """Old and new pages number their namespaces differently; they must never be read together."""
    many = (
        *(Entry(f"space{i}", "first", "u8", i) for i in range(9)),
        Entry("space0", "big", "blob", bytes(3500)),
        *(Entry(f"space{i}", "second", "u32", i) for i in range(9)),
    )
    ours = Entry("aliot", "burned", "blob", PRODUCT.to_record(5))
    start = BoardFlash(
        flash_image.assemble(flash_image.layout_of("ESP32_GENERIC"), (ours, *FOREIGN, *many), FILES)
    )
    start.data[0x10000:0x1000B] = b"application"
    whole = start.copy()
    burned(whole, ELSEWHERE, tmp_path)
    for operation in range(1, whole.operations + 1):
        made = start.copy()
        made.cut(operation, 0.5)
        with pytest.raises(PowerCut):
            burned(made, ELSEWHERE, tmp_path)
        found = [entry for entry in entries(made).entries if entry.namespace != "aliot"]
        assert set(found) <= {*FOREIGN, *many}, operation
        burned(made, ELSEWHERE, tmp_path)
        assert {entry for entry in entries(made).entries if entry.namespace != "aliot"} == {*FOREIGN, *many}
