"""NVS partitions on the host: Espressif's generator writes, our reader reads, a merge keeps the rest."""

import io
import random
import struct
import zlib

import pytest
from esp_idf_nvs_partition_gen import nvs_partition_gen as espressif
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_tests.support.nor import Nor, campaign, nvs_boot
from tools.errors import UserError
from tools.image import nvs
from tools.image.nvs import Entry

SIZE = 0x6000
RANGES = {
    "u8": (0, 255),
    "i8": (-128, 127),
    "u16": (0, 65535),
    "i16": (-32768, 32767),
    "u32": (0, 2**32 - 1),
    "i32": (-(2**31), 2**31 - 1),
    "u64": (0, 2**64 - 1),
    "i64": (-(2**63), 2**63 - 1),
}
NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=15)
VALUES = st.one_of(
    *(st.tuples(st.just(kind), st.integers(*limits)) for kind, limits in RANGES.items()),
    st.tuples(st.just("blob"), st.one_of(st.binary(max_size=300), st.binary(min_size=3900, max_size=5000))),
    st.tuples(
        st.just("string"),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=120),
    ),
)
ENTRIES = st.dictionaries(st.tuples(NAMES, NAMES), VALUES, max_size=12).map(
    lambda d: [Entry(space, key, kind, value) for (space, key), (kind, value) in d.items()]
)


@settings(max_examples=campaign(150), deadline=None, suppress_health_check=list(HealthCheck))
@given(ENTRIES)
def test_what_was_written_is_read(entries):
    data = nvs.write(entries, 0x10000)
    found = nvs.read(data)
    assert len(data) == 0x10000
    assert set(found.entries) == set(entries)
    assert (found.faults, found.traces) == ((), ())


@settings(max_examples=campaign(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(ENTRIES)
def test_the_boards_nvs_reads_what_was_written_and_changes_nothing(entries):
    flash = Nor(nvs.write(entries, 0x10000))
    storage = nvs_boot.mount(flash, 0, 0x10000)
    assert flash.operations == 0
    for entry in (entry for entry in entries if entry.type == "blob"):
        buffer = bytearray(8000)
        size = storage.get_blob(storage.namespace(entry.namespace), entry.key, buffer)
        assert buffer[:size] == entry.value


def test_espressifs_wifi_keys_get_no_company():
    """The generator's command line adds entries of its own beside these keys; a merge must not."""
    keys = ("sta.ssid", "sta.pswd", "ap.ssid", "ap.passwd")
    entries = [Entry("nvs.net80211", key, "blob", b"x" * 36) for key in keys]
    assert set(nvs.read(nvs.write(entries, SIZE)).entries) == set(entries)


def test_blobs_of_format_version_1_are_read():
    out = io.BytesIO()
    with espressif.nvs_open(out, SIZE - 4096, espressif.Page.VERSION1) as partition:
        partition.write_namespace("old")
        partition.write_entry("b", bytes(range(256)), "binary")
        partition.write_entry("s", "text", "string")
    found = nvs.read(out.getvalue())
    assert found.entries == (
        Entry("old", "b", "blob", bytes(range(256))),
        Entry("old", "s", "string", "text"),
    )
    assert found.pages[0].version == 1


def test_one_page_stays_free():
    pages = nvs.read(nvs.write([Entry("a", f"b{i}", "blob", bytes(3900)) for i in range(5)], SIZE)).pages
    assert pages[-1].state == "unused"


def test_too_much_is_refused_in_one_line():
    with pytest.raises(UserError, match="NVS is full: these 6 entries do not fit into 24 KB"):
        nvs.write([Entry("a", f"b{i}", "blob", bytes(3900)) for i in range(6)], SIZE)


@pytest.mark.parametrize(
    "entry",
    [
        Entry("sixteen-letters!", "k", "u8", 1),
        Entry("a", "sixteen-letters!", "u8", 1),
        Entry("", "k", "u8", 1),
        Entry("a", "k", "float", 1),
    ],
)
def test_names_and_types_outside_the_format_are_refused(entry):
    with pytest.raises(ValueError):
        nvs.write([entry], SIZE)


def crc(data):
    return zlib.crc32(data, 0xFFFFFFFF)


def item(namespace, kind, key, data, span=1, chunk=0xFF):
    head, rest = bytes((namespace, kind, span, chunk)), key.encode().ljust(16, b"\0") + data.ljust(8, b"\xff")
    return head + struct.pack("<I", crc(head + rest)) + rest


def page(items, state=0xFFFFFFFE, sequence=0, version=0xFE, states=None):
    """A page with one entry after another, all written unless `states` says otherwise."""
    states = states or [2] * len(items)
    header = struct.pack("<IIB", state, sequence, version) + b"\xff" * 19
    header += struct.pack("<I", crc(header[4:28]))
    table = bytearray(b"\xff" * 32)
    for i, value in enumerate(states):
        table[i // 4] &= ~((3 ^ value) << i % 4 * 2)
    return (header + table + b"".join(items)).ljust(4096, b"\xff")


SPACE = item(0, 0x01, "aliot", b"\x01")


def test_an_erased_entry_is_not_there():
    data = page([SPACE, item(1, 0x04, "a", b"\1\0\0\0"), item(1, 0x04, "a", b"\2\0\0\0")], states=[2, 0, 2])
    found = nvs.read(data + b"\xff" * 4096)
    assert found.entries == (Entry("aliot", "a", "u32", 2),)
    assert (found.pages[0].written, found.pages[0].erased) == (2, 1)


def test_of_two_of_one_name_the_newer_counts():
    older = page([SPACE, item(1, 0x04, "a", b"\1\0\0\0")], state=0xFFFFFFFC, sequence=7)
    newer = page([item(1, 0x04, "a", b"\2\0\0\0")], sequence=8)
    for data in (older + newer, newer + older):
        found = nvs.read(data + b"\xff" * 4096)
        assert found.entries == (Entry("aliot", "a", "u32", 2),)
        assert found.faults == () and "twice" in found.traces[0]


def test_a_page_being_freed_is_read_with_its_copy():
    freed = page([SPACE, item(1, 0x04, "a", b"\1\0\0\0")], state=0xFFFFFFF8, sequence=1)
    found = nvs.read(freed + page([SPACE], sequence=2))
    assert found.entries == (Entry("aliot", "a", "u32", 1),)


def test_a_namespace_may_lie_behind_its_entries():
    first = page([item(1, 0x04, "a", b"\1\0\0\0")], state=0xFFFFFFFC, sequence=0)
    assert nvs.read(first + page([SPACE], sequence=1)).entries == (Entry("aliot", "a", "u32", 1),)


def broken(entry, at=24):
    data = bytearray(entry)
    data[at] ^= 1
    return bytes(data)


BODY = b"hello".ljust(32, b"\xff")
TEXT = item(1, 0x21, "s", struct.pack("<HHI", 5, 0xFFFF, crc(b"hell\0")), span=2)
INDEX = item(1, 0x48, "b", struct.pack("<IBBH", 5, 1, 0, 0xFFFF))
CHUNK = item(1, 0x42, "b", struct.pack("<HHI", 5, 0xFFFF, crc(b"hello")), span=2, chunk=0)


@pytest.mark.parametrize(
    "data, message",
    [
        (page([SPACE, broken(item(1, 0x04, "a", b"\1\0\0\0"))]), "page 0 entry 1: wrong CRC"),
        (page([SPACE, CHUNK, broken(BODY, 0), INDEX]), "the value of 'b' has a wrong CRC"),
        (page([SPACE, INDEX]), "blob 'b' in 'aliot' is not whole"),
        (
            page([SPACE, item(1, 0x21, "s", struct.pack("<HHI", 5, 0xFFFF, crc(b"hello")), span=2), BODY]),
            "not UTF-8",
        ),
        (
            page(
                [
                    SPACE,
                    item(1, 0x21, "s", struct.pack("<HHI", 2, 0xFFFF, crc(b"\xff\0")), span=2),
                    b"\xff\0".ljust(32, b"\xff"),
                ]
            ),
            "not UTF-8",
        ),
        (page([SPACE, item(2, 0x04, "a", b"\1\0\0\0")]), "namespace 2, which has no name"),
        (page([SPACE, item(1, 0x99, "a", b"\1\0\0\0")]), "type 0x99, which is not known"),
        (page([SPACE, item(1, 0x21, "s", b"\0" * 8, span=200)]), "spans 200 entries"),
        (page([SPACE, item(1, 0x21, "s", b"\0" * 8, span=0)]), "spans 0 entries"),
        (page([SPACE], version=0xFD), "newer than this tool"),
        (page([SPACE], state=0x12345678), "state 0x12345678"),
        (broken(page([SPACE]), 5), "wrong header CRC"),
    ],
)
def test_damage_is_told_and_the_rest_is_read(data, message):
    good = page([item(0, 0x01, "other", b"\x05"), item(5, 0x14, "n", b"\xff\xff\xff\xff")], sequence=9)
    found = nvs.read(data + good)
    assert any(message in fault for fault in found.faults), found.faults
    assert Entry("other", "n", "i32", -1) in found.entries
    with pytest.raises(UserError, match="left alone"):
        nvs.merge(data + good, {})


@pytest.mark.parametrize(
    "data, message",
    [
        (page([SPACE, TEXT, b"\xff" * 32], states=[2, 2, 3]), "'s' was being written"),
        (page([SPACE, TEXT, b"\xff" * 32], states=[2, 2, 0]), "'s' was being written or erased"),
        (broken(page([]), 5), "page 0 was being begun"),
        (b"\xff" * 64 + page([SPACE])[64:], "page 0 was being erased"),
        (page([SPACE], state=0xFFFFFFF8), "page 0 was being freed"),
    ],
)
def test_what_a_power_cut_leaves_is_no_damage(data, message):
    found = nvs.read(data + b"\xff" * 4096)
    assert found.faults == ()
    assert any(message in trace for trace in found.traces), found.traces


@settings(max_examples=campaign(300), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32), st.integers(1, 40))
def test_no_damage_makes_the_reader_fail(seed, flips):
    rng = random.Random(seed)
    entries = [Entry("aliot", f"k{i}", "blob", rng.randbytes(rng.randrange(6000))) for i in range(3)]
    entries += [Entry("a", "s", "string", "x" * 90), Entry("b", "i", "i64", -1)]
    data = bytearray(nvs.write(entries, SIZE))
    for _ in range(flips):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    assert set(nvs.read(bytes(data)).entries) <= set(entries)


def test_a_size_that_is_no_number_of_pages_is_refused():
    for size in (0, 100, 4097):
        with pytest.raises(ValueError, match="pages"):
            nvs.read(b"\xff" * size)


FOREIGN = [
    Entry("nvs.net80211", "sta.ssid", "blob", b"\4\0\0\0home" + bytes(28)),
    Entry("phy", "cal_version", "u32", 1),
    Entry("misc", "log", "string", "höflich"),
    Entry("app", "count", "i64", -7),
    Entry("app", "flag", "u8", 1),
    Entry("app", "empty", "blob", b""),
]


def test_a_merge_keeps_every_other_entry_with_its_type():
    ours = [Entry("aliot", "burned", "blob", b"old"), Entry("aliot", "issued", "blob", b"gone")]
    old = nvs.write(FOREIGN + ours, SIZE)
    new = nvs.merge(old, {("aliot", "burned"): b"new", ("aliot", "issued"): None})
    assert set(nvs.read(new).entries) == {*FOREIGN, Entry("aliot", "burned", "blob", b"new")}


def test_a_merge_into_a_blank_partition_is_a_first_write():
    new = nvs.merge(b"\xff" * SIZE, {("aliot", "burned"): b"new"})
    assert nvs.read(new).entries == (Entry("aliot", "burned", "blob", b"new"),)


def test_printing_an_entry_shows_no_value():
    assert "secret" not in repr(Entry("aliot", "burned", "blob", b"secret"))
