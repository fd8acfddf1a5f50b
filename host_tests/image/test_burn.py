"""Burning into a flash: both media, generations, lost copies, journals, and records that do not fit."""

import pytest

from host_tests.image.burning import (
    ELSEWHERE,
    FOREIGN,
    OTHER,
    PRODUCT,
    SECRET,
    board,
    burned,
    copy,
    holds,
    on_files_only,
    on_nvs_only,
    registered,
    untouched,
    without_files,
)
from host_tests.support.nor import PowerCut
from host_tests.support.nor_board import MAC, Booted
from tools.errors import UserError
from tools.firmware import record
from tools.image import burn, journal, owner
from tools.image.nvs import Entry


def test_a_first_burn_goes_onto_both_media(tmp_path):
    made = board()
    report = burned(made, PRODUCT, tmp_path)
    assert holds(made, PRODUCT) and report.written
    untouched(made)
    assert list(tmp_path.iterdir()) == []


def test_the_same_again_writes_nothing(tmp_path):
    made = registered(tmp_path)
    before = bytes(made.data)
    report = burned(made, PRODUCT, tmp_path)
    assert report.written == 0 and report.kept_issued
    assert bytes(made.data) == before


def test_only_sectors_that_change_are_written(tmp_path):
    made = board()
    before = bytes(made.data)
    burned(made, PRODUCT, tmp_path)
    after = bytes(made.data)
    changed = [at for at in range(0, len(before), 4096) if after[at : at + 4096] != before[at : at + 4096]]
    # one page of NVS; on littlefs the folder's twin block and at most a block of data
    assert len(changed) <= 3
    assert made.operations <= 2 * len(changed) + 1  # the page of NVS is erased first of all


def test_other_settings_keep_the_issued_secret_under_the_new_generation(tmp_path):
    made = registered(tmp_path)
    old = Booted(made.copy()).generation
    report = burned(made, ELSEWHERE, tmp_path, now=100)
    assert report.generation > old and report.kept_issued
    found = Booted(made)
    assert (found.generation, found.secret) == (report.generation, SECRET)
    assert found.fields == ELSEWHERE.fields()


@pytest.mark.parametrize("state", [lambda made: made, on_nvs_only, on_files_only, without_files])
def test_the_generation_is_above_every_one_found_on_either_medium(tmp_path, state):
    made = registered(tmp_path)
    highest = max(copy.generation for copy in burn.look(made, made.layout).copies)
    assert burned(state(made), ELSEWHERE, tmp_path, now=1).generation == highest + 1


def test_the_generation_is_the_time_when_that_is_larger(tmp_path):
    made = board()
    assert burned(made, PRODUCT, tmp_path, now=4_000_000_000).generation == 4_000_000_000


def test_the_issued_secret_of_another_identity_is_not_burned_over(tmp_path):
    made = registered(tmp_path)
    before = bytes(made.data)
    with pytest.raises(UserError, match="holds the issued secret of a1MZxOdcBnO/240ac4000001.*--replace"):
        burned(made, OTHER, tmp_path)
    assert bytes(made.data) == before


def test_replace_removes_both_old_records_from_both_media(tmp_path):
    made = registered(tmp_path)
    burned(made, OTHER, tmp_path, replace=True)
    assert holds(made, OTHER)
    found = burn.look(made, made.layout)
    assert [copy.name for copy in found.copies] == ["burned", "burned"]
    assert SECRET.encode() not in b"".join(copy.data for copy in found.copies)
    untouched(made)


def test_an_identity_that_never_registered_may_be_burned_over(tmp_path):
    made = board()
    burned(made, OTHER, tmp_path)
    burned(made, PRODUCT, tmp_path)
    assert holds(made, PRODUCT)


@pytest.mark.parametrize("state", [on_nvs_only, on_files_only, without_files])
def test_a_lost_copy_is_put_back_and_the_record_stays_as_it_is(tmp_path, state):
    made = registered(tmp_path)
    generation = Booted(made.copy()).generation
    made = state(made)
    assert burned(made, PRODUCT, tmp_path).generation == generation
    assert holds(made, PRODUCT) and Booted(made).secret == SECRET


def test_an_issued_record_is_put_back_where_there_is_none(tmp_path):
    made = board()
    burned(made, PRODUCT, tmp_path, issued={record.DEVICE_SECRET: SECRET.encode()})
    assert Booted(made).secret == SECRET


def test_a_board_keeps_its_own_issued_record_before_one_that_is_given(tmp_path):
    made = registered(tmp_path)
    burned(made, ELSEWHERE, tmp_path, issued={record.DEVICE_SECRET: b"older"})
    assert Booted(made).secret == SECRET


def test_a_foreign_entry_that_cannot_be_read_stops_it(tmp_path):
    made = board()
    at = made.data.index(b"sta.ssid", made.layout.nvs.offset) + 3
    made.data[at] ^= 4
    before = bytes(made.data)
    with pytest.raises(UserError, match="cannot be read, and a burn would lose it: page 0 entry"):
        burned(made, PRODUCT, tmp_path)
    assert bytes(made.data) == before


def test_our_own_torn_record_does_not(tmp_path):
    made = registered(tmp_path)
    place = made.data.index(b"AL\x01I", made.layout.nvs.offset)
    made.data[place + 20] ^= 1
    burned(made, PRODUCT, tmp_path)
    assert holds(made, PRODUCT) and Booted(made).secret == SECRET


def test_an_unreadable_file_system_is_said_and_left_alone(tmp_path):
    made = board()
    begin = made.layout.vfs.offset
    made.data[begin : begin + 8192] = b"\0" * 8192
    report = burned(made, PRODUCT, tmp_path)
    assert "file system cannot be read" in report.notes[0]
    assert burn.look(made, made.layout).data("nvs", "burned")
    assert bytes(made.data[begin : begin + 8192]) == b"\0" * 8192


def test_flash_that_does_not_keep_what_is_written_is_noticed_and_the_journal_stays(tmp_path):
    made = registered(tmp_path)
    made.write = lambda offset, data: None
    with pytest.raises(UserError, match="reads back otherwise"):
        burned(made, ELSEWHERE, tmp_path)
    kept = journal.load(tmp_path, MAC)
    assert {name for name, _ in kept.records} == {"burned", "issued"} and set(kept.entries) == set(FOREIGN)


def test_a_journal_is_for_its_owner_only_and_shows_nothing_when_printed(tmp_path):
    made = registered(tmp_path / "j")
    made.erase = lambda offset, size=0: (_ for _ in ()).throw(PowerCut())
    with pytest.raises(PowerCut):
        burned(made, ELSEWHERE, tmp_path / "j")
    path = tmp_path / "j" / "240ac4000001.identity"
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o077 == 0
    shown = repr(journal.load(tmp_path / "j", MAC))
    assert SECRET not in shown and "h4I4" not in shown


def test_a_damaged_journal_stops_in_one_line(tmp_path):
    (tmp_path / "240ac4000001.identity").write_text("{")
    with pytest.raises(UserError, match="journal .* is damaged"):
        burned(board(), PRODUCT, tmp_path)


@pytest.mark.parametrize("name", ["ESP32_GENERIC", "ESP32_GENERIC-OTA"])
def test_a_record_with_certificate_and_key_fits_beside_the_rest_and_is_burned_again(name, tmp_path):
    """The OTA layouts have 16 KB of NVS."""
    made = board(name=name)
    fields = {
        record.KIND: b"x509",
        record.PRODUCT_KEY: b"a1MZxOdcBnO",
        record.DEVICE_NAME: b"dev1",
        record.CERTIFICATE: bytes(range(256)) * 12,
        record.PRIVATE_KEY: bytes(range(255, -1, -1)) * 7,
    }
    for turn in range(3):
        fields[record.DEVICE_NAME] = b"dev%d" % turn
        burn.burn(made, made.layout, fields, MAC, tmp_path, now=turn)
        found = burn.look(made, made.layout)
        assert [copy.fields for copy in found.copies] == [fields, fields]
        untouched(made)


def test_a_record_that_no_nvs_holds_is_refused_and_nothing_is_written(tmp_path):
    made = board(entries=(*FOREIGN, *(Entry("app", f"b{i}", "blob", bytes(3900)) for i in range(4))))
    before = bytes(made.data)
    fields = {record.KIND: b"x509", record.PRODUCT_KEY: b"a1MZxOdcBnO", record.CERTIFICATE: bytes(3900)}
    with pytest.raises(UserError, match="NVS is full"):
        burn.burn(made, made.layout, fields, MAC, tmp_path)
    assert bytes(made.data) == before and list(tmp_path.iterdir()) == []


def issued_fields(secret, generation, who=PRODUCT):
    key, name = owner.owner(who.fields(), MAC)
    return {
        record.PRODUCT_KEY: key.encode(),
        record.DEVICE_NAME: name.encode(),
        record.DEVICE_SECRET: secret,
        record.FOR_GENERATION: generation.to_bytes(4, "little"),
    }


@pytest.mark.parametrize(
    "issued, secret",
    [
        ([(8, 5, b"for an older burn")], b"for an older burn"),
        ([(8, 5, b"older"), (7, 9, b"belongs")], b"belongs"),
        ([(8, 9, b"older"), (12, 9, b"newer")], b"newer"),
        ([], None),
    ],
)
def test_of_several_issued_records_the_one_in_use_is_kept(issued, secret):
    """Each is (its generation, the burned generation that it is for, the secret); 9 is burned."""
    copies = [copy("nvs", "burned", 9, PRODUCT.fields())]
    copies += [copy("nvs", "issued", made, issued_fields(text, of)) for made, of, text in issued]
    decision = burn.decide(tuple(copies), ELSEWHERE.fields(), MAC, now=1)
    assert decision.generation == max([9, *(made for made, _, _ in issued)]) + 1
    if secret is None:
        assert decision.issued is None
        return
    _, generation, fields = record.decode(decision.issued)
    assert fields == issued_fields(secret, decision.generation)
    assert generation >= max(made for made, _, text in issued if text == secret)


def test_the_last_generation_is_refused(tmp_path):
    copies = (copy("nvs", "burned", 2**32 - 1, PRODUCT.fields()),)
    with pytest.raises(UserError, match="is the last one"):
        burn.decide(copies, ELSEWHERE.fields(), MAC)
    assert burn.decide(copies, PRODUCT.fields(), MAC).generation == 2**32 - 1


@pytest.mark.parametrize(
    "burned_at, issued_at, given",
    [
        (9, 2**32 - 1, {}),  # an issued record for an earlier burn, which is written anew
        (2**32 - 1, 0, {"slots": {"next": {record.CERTIFICATE: b"x"}}}),  # it goes behind the burned record
    ],
)
def test_no_record_gets_a_generation_behind_the_last_one(burned_at, issued_at, given):
    copies = [copy("nvs", "burned", burned_at, PRODUCT.fields())]
    if issued_at:
        copies.append(copy("nvs", "issued", issued_at, issued_fields(b"secret", 5)))
    with pytest.raises(UserError, match="is the last one.*make erase PORT=.*make restore PORT=") as caught:
        burn.decide(tuple(copies), PRODUCT.fields(), MAC, **given)
    assert "\n" not in str(caught.value)
