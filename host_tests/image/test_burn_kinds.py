"""Burning gateways, X.509 and ID² identities: what is kept, what is given up, and power cuts at every operation."""

import importlib.util
import shutil

import pytest

from host_tests.image.burning import PRODUCT, SECRET, board, burned, holds, registered, untouched
from host_tests.image.test_kinds import DEVICE, ID2, OTP, SUBS, X509
from host_tests.support import pairs
from host_tests.support.nor import PowerCut, campaign
from host_tests.support.nor_board import MAC, _Files, _Nvs, store
from tools.errors import UserError
from tools.firmware import FOLDER, record
from tools.flash import backup
from tools.image import burn, flash_image, identity, nvs

NAME = {record.PRODUCT_KEY: b"a1X509ProdK", record.DEVICE_NAME: b"sensor-01"}
GIVEN = {record.ID2: b"0" * 24, record.ID2_KEY: bytes(range(16)), record.ID2_KEY_TYPE: b"AES_128"}


def certified(folder, stem="x", private=None, **facts):
    pairs.write(folder, stem, private, **facts)
    return identity.parse({"certificate": f"{stem}.cer", "private_key": f"{stem}.key"}, folder)


def parsed(values):
    return identity.parse(values)


def issue(made, fields, name="issued", generation=None):
    """The board at its first boot, or later: what was issued to it, or came to a slot, lies on both media."""
    burned = max(copy.generation for copy in burn.look(made, made.layout).copies if copy.name == "burned")
    fields = {**fields, record.FOR_GENERATION: burned.to_bytes(4, "little")}
    data = record.encode(record.ISSUED, generation or burned, fields)
    found = burn.look(made, made.layout)
    kept = [e for e in found.nvs.entries if e.key != name]
    part = made.layout.nvs
    made.data[part.offset : part.end] = nvs.write([*kept, nvs.Entry("aliot", name, "blob", data)], part.size)
    begin = made.layout.vfs.offset
    plan = burn.littlefs.plan(found.image, {flash_image.path_of(name): data}, [])
    for at, sector in plan.writes:
        made.data[begin + at : begin + at + len(sector)] = sector


def issued(made, name="issued"):
    """The fields of a record, the same on both media, without its number; None when neither has one."""
    found = burn.look(made, made.layout)
    copies = {found.data(medium, name) for medium in ("nvs", "littlefs")}
    assert len(copies) == 1
    data = copies.pop()
    if data is None:
        return None
    fields = record.decode(data)[2]
    newest = max(copy.generation for copy in found.copies if copy.name == "burned")
    assert int.from_bytes(fields.pop(record.FOR_GENERATION), "little") == newest
    return fields


def later(number, serial):
    """What a slot holds: a certificate that came after the burned one, and its key."""
    return {
        record.KIND: b"x509",
        20: pairs.cer(pairs.Encoding.DER, number=number, serial=serial),
        21: pairs.key_bytes(pairs.key(number), pairs.Encoding.DER),
    }


def test_each_kind_goes_onto_both_media_and_back(tmp_path):
    made = board()
    for who in (
        certified(tmp_path),
        parsed(ID2),
        parsed(OTP),
        parsed({**DEVICE, "sub_products": SUBS}),
        PRODUCT,
    ):
        burned(made, who, tmp_path / "j")
        assert holds(made, who)
        untouched(made)


@pytest.mark.parametrize("name", ["ESP32_GENERIC", "ESP32_GENERIC-OTA"])
def test_the_largest_pair_and_a_second_after_it_fit(tmp_path, name):
    made = board(name=name)
    first = certified(tmp_path, private=pairs.key("large", 4096), number="large", bits=4096)
    burned(made, first, tmp_path / "j")
    issue(made, NAME)
    second = certified(
        tmp_path, "y", private=pairs.key("large", 4096), number="large", bits=4096, serial=0x22
    )
    burned(made, second, tmp_path / "j")
    assert holds(made, second)
    untouched(made)


def test_the_name_of_an_x509_board_stays_with_its_certificate(tmp_path):
    made = board()
    who = certified(tmp_path)
    burned(made, who, tmp_path / "j")
    issue(made, NAME)
    assert burned(made, who, tmp_path / "j").written == 0
    moved = identity.parse({**X509, "host": "a.b"}, tmp_path)
    assert burned(made, moved, tmp_path / "j").kept_issued
    assert issued(made) == NAME


@pytest.mark.parametrize(
    "other",
    [lambda folder: certified(folder, "y", number=1, serial=0x22), lambda _: PRODUCT, lambda _: parsed(ID2)],
)
def test_under_another_identity_that_name_is_gone_without_a_question(tmp_path, other):
    made = board()
    burned(made, certified(tmp_path), tmp_path / "j")
    issue(made, NAME)
    burned(made, other(tmp_path), tmp_path / "j")
    assert issued(made) is None


@pytest.mark.parametrize(
    "other",
    [
        lambda folder: certified(folder),
        lambda _: parsed({**OTP, "device_name": "other"}),
        lambda _: parsed(
            {"product_key": "a1ID2Produ1", "device_name": MAC.replace(":", ""), "device_secret": "x" * 32}
        ),
    ],
)
def test_a_provisioned_id2_is_not_burned_over(tmp_path, other):
    made = board()
    burned(made, parsed(OTP), tmp_path / "j")
    owner = {record.PRODUCT_KEY: b"a1ID2Produ1", record.DEVICE_NAME: MAC.replace(":", "").encode()}
    issue(made, {**GIVEN, **owner})
    before = bytes(made.data)
    with pytest.raises(UserError, match="holds the issued secret of a1ID2Produ1/240ac4000001.*--replace"):
        burned(made, other(tmp_path), tmp_path / "j")
    assert bytes(made.data) == before
    burned(made, parsed({**OTP, "port": 1884}), tmp_path / "j")
    assert issued(made) == {**GIVEN, **owner}


def test_a_renewed_certificate_stays_with_its_board(tmp_path):
    """Other settings are burned, or the board is restored: the key that was made on it is in no other place."""
    made = board()
    who = certified(tmp_path)
    burned(made, who, tmp_path / "j")
    issue(made, NAME)
    issue(made, later(1, 0x33), "renewed")
    issue(made, later(2, 0x44), "next", 4_000_000_000)
    before = bytes(made.data)
    with pytest.raises(UserError, match="holds the issued secret of X.509/33, which is lost when X.509/22"):
        burned(made, certified(tmp_path, "y", number=1, serial=0x22), tmp_path / "j")
    assert bytes(made.data) == before
    burned(made, identity.parse({**X509, "host": "a.b"}, tmp_path), tmp_path / "j")
    assert (issued(made), issued(made, "renewed"), issued(made, "next")) == (
        NAME,
        later(1, 0x33),
        later(2, 0x44),
    )
    saved = backup.load(backup.save(MAC, burn.look(made, made.layout).copies, tmp_path / "b"))
    again = board()
    burn.burn(again, again.layout, saved.burned, MAC, tmp_path / "j", issued=saved.issued, slots=saved.slots)
    assert (issued(again), issued(again, "renewed"), issued(again, "next")) == (
        NAME,
        later(1, 0x33),
        later(2, 0x44),
    )
    slots = {c.name: c.generation for c in burn.look(again, again.layout).copies}
    assert slots["next"] > slots["renewed"]
    burned(made, parsed(ID2), tmp_path / "j", replace=True)
    assert {copy.name for copy in burn.look(made, made.layout).copies} == {"burned"}
    assert not any(
        entry.key in ("renewed", "next")
        for entry in nvs.read(flash_image.region(made.data, made.layout.nvs)).entries
    )


def test_a_certificate_that_was_tried_already_is_not_restored(tmp_path):
    made = board()
    burned(made, certified(tmp_path), tmp_path / "j", now=1000)
    issue(made, later(2, 0x44), "next", 1001)
    issue(made, later(2, 0x44), "renewed", 1001)
    saved = backup.load(backup.save(MAC, burn.look(made, made.layout).copies, tmp_path / "b"))
    assert set(saved.slots) == {"renewed"}


def test_a_registered_board_is_not_made_an_x509_board(tmp_path):
    made = registered(tmp_path / "j")
    with pytest.raises(UserError, match="which is lost when X.509/2BC5C2D8E1EE8A228098 is burned"):
        burned(made, certified(tmp_path), tmp_path / "j")
    burned(made, certified(tmp_path), tmp_path / "j", replace=True)
    assert SECRET.encode() not in b"".join(copy.data for copy in burn.look(made, made.layout).copies)


def test_a_backup_brings_back_certificate_and_name(tmp_path):
    made = board()
    who = certified(tmp_path)
    burned(made, who, tmp_path / "j")
    issue(made, NAME)
    path = backup.save(MAC, burn.look(made, made.layout).copies, tmp_path / "b")
    assert path.stat().st_mode & 0o777 == 0o600
    saved = backup.load(path)
    again = board()
    burn.burn(again, again.layout, saved.burned, MAC, tmp_path / "j", issued=saved.issued)
    assert holds(again, who) and issued(again) == NAME


BURNS = {
    "X.509 over nothing": (None, certified, "ESP32_GENERIC"),
    "X.509 over X.509": (
        certified,
        lambda folder: certified(folder, "y", number=1, serial=0x22),
        "ESP32_GENERIC",
    ),
    "X.509 in the OTA layout": (
        certified,
        lambda folder: certified(folder, "y", number=1, serial=0x22),
        "ESP32_GENERIC-OTA",
    ),
    "X.509 with a renewed one": (
        certified,
        lambda folder: identity.parse({**X509, "host": "a.b"}, folder),
        "ESP32_GENERIC",
    ),
    "ID2 over X.509": (certified, lambda _: parsed(ID2), "ESP32_GENERIC"),
}


@pytest.mark.parametrize("name", BURNS)
def test_a_burn_cut_at_every_operation_is_never_lost_and_never_the_old_one(tmp_path, name):
    """Powered on after the cut, a board finds the old identity or the new one, whole; burned again, the new one."""
    before, after, layout = BURNS[name]
    start, old = board(name=layout), before and before(tmp_path)
    who = after(tmp_path)
    if old:
        burned(start, old, tmp_path / "j")
        issue(start, NAME)
    renewed = name == "X.509 with a renewed one"
    if renewed:
        issue(start, later(1, 0x33), "renewed")
    whole = start.copy()
    burned(whole, who, tmp_path / "j")
    for operation in range(1, whole.operations + 1):
        for torn in TORN:
            made = start.copy()
            made.cut(operation, torn)
            with pytest.raises(PowerCut):
                burned(made, who, tmp_path / "j")
            shutil.copytree(tmp_path / "j", tmp_path / "j2", dirs_exist_ok=True)
            again = made.copy()
            found = fields_at_boot(made)
            assert not renewed or slot_at_boot(made) == later(1, 0x33)
            assert found in [known.fields() for known in (old, who) if known] or (
                old is None and found is None
            )
            burned(again, who, tmp_path / "j")
            untouched(again)
            assert holds(again, who)
            burned(made, who, tmp_path / "j2")
            assert holds(made, who) and fields_at_boot(made) == who.fields()
            assert issued(made) == (NAME if renewed else None)
            assert not renewed or slot_at_boot(made) == issued(made, "renewed") == later(1, 0x33)
            assert not any((tmp_path / "j").glob("*.identity"))


TORN = (0.0, 0.02, 0.5, 0.99)[: max(1, campaign(2))]


def slot_at_boot(made):
    """What the firmware reads out of the slot of the renewed certificate."""
    kept = store.Store((_Nvs(made), _Files(made)))
    fields = slots().Slots(kept.burned()[0], kept).read("renewed")[1]
    return {tag: value for tag, value in fields.items() if tag != record.FOR_GENERATION}


def slots():
    """The module of the firmware by itself: its package wants a chip's clock."""
    path = FOLDER / "aliot" / "x509" / "slots.py"
    spec = importlib.util.spec_from_file_location("slots", path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def fields_at_boot(made):
    """The burned fields that the firmware's store finds, after it has healed both media; None without any."""
    return store.Store((_Nvs(made), _Files(made))).burned()[1] or None
