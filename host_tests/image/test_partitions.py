import hashlib

import pytest

from tools import boards, partitions

# The table of ESP32_GENERIC-20250415-v1.25.0.bin as it lies at 0x8000: four rows and their MD5.
STOCK_1_25 = bytes.fromhex(
    "aa50010200900000006000006e76730000000000000000000000000000000000"
    "aa50010100f00000001000007068795f696e6974000000000000000000000000"
    "aa5000000000010000001f00666163746f727900000000000000000000000000"
    "aa50018100002000000020007666730000000000000000000000000000000000"
    "ebebfffffffffffffffffffffffffffffcbb2b925747711e3b24bc188f657bac"
) + b"\xff" * (partitions.SIZE - 160)


def stock_rows():
    return partitions.with_vfs(boards.load("ESP32_GENERIC").layout).rows


def test_writes_the_bytes_that_a_stock_image_has():
    assert partitions.encode(stock_rows()) == STOCK_1_25


def test_reads_the_bytes_that_a_stock_image_has():
    assert partitions.decode(STOCK_1_25) == list(stock_rows())


@pytest.mark.parametrize("name", boards.names())
def test_every_board_comes_back_as_it_was_written(name):
    rows = boards.load(name).layout.rows
    assert partitions.decode(partitions.encode(rows)) == list(rows)
    partitions.check(rows, boards.load(name).flash_size)


def test_vfs_is_what_the_table_leaves_when_it_is_not_in_it():
    layout = boards.load("ESP32_GENERIC").layout
    assert (layout.vfs.offset, layout.vfs.size) == (0x200000, 0x200000)
    assert partitions.find(layout.rows, "vfs") is None


def test_vfs_begins_on_a_sector_and_there_is_none_in_a_full_flash():
    rows = [partitions.Partition("app", partitions.APP, 0, 0x10000, 0x1800)]
    assert partitions.vfs(rows, 0x20000).offset == 0x12000
    assert partitions.vfs(rows, 0x12000) is None


def test_nvs_is_the_data_partition_of_that_label():
    wrong = partitions.Partition("nvs", partitions.APP, 0, 0x9000, 0x6000)
    assert partitions.nvs([wrong]) is None
    assert partitions.nvs(stock_rows()).size == 0x6000


def test_a_flipped_bit_is_noticed():
    broken = bytearray(STOCK_1_25)
    broken[40] ^= 1
    with pytest.raises(ValueError, match="MD5"):
        partitions.decode(broken)


@pytest.mark.parametrize(
    "data, message",
    [
        (b"\xff" * partitions.SIZE, "no partition table"),
        (b"", "no partition table"),
        (b"\0" * partitions.SIZE, "row 0"),
        (STOCK_1_25[:32] + b"junk" * 8, "row 1"),
    ],
)
def test_what_is_no_table_is_said(data, message):
    with pytest.raises(ValueError, match=message):
        partitions.decode(data)


def test_a_table_without_md5_is_read():
    assert len(partitions.decode(STOCK_1_25[:128] + b"\xff" * 64)) == 4


def test_more_rows_than_fit_are_refused():
    row = partitions.Partition("p", partitions.DATA, 0x40, 0x10000, 0x1000)
    assert len(partitions.decode(partitions.encode([row] * 95))) == 95
    with pytest.raises(ValueError, match="95 rows at most"):
        partitions.encode([row] * 96)
    with pytest.raises(ValueError, match="longer than 16"):
        partitions.encode([partitions.Partition("seventeen letters", 1, 0x40, 0, 0x1000)])


@pytest.mark.parametrize(
    "rows, message",
    [
        ([("a", 0x9000, 0x2000), ("b", 0xA000, 0x1000)], "overlap"),
        ([("a", 0x9000, 0x400000)], "ends at"),
        ([("a", 0x9800, 0x1000)], "whole sectors"),
    ],
)
def test_a_layout_that_cannot_be_is_refused(rows, message):
    rows = [partitions.Partition(label, partitions.DATA, 0x40, offset, size) for label, offset, size in rows]
    with pytest.raises(ValueError, match=message):
        partitions.check(rows, 0x400000)


def test_the_md5_covers_the_rows_only():
    assert STOCK_1_25[144:160] == hashlib.md5(STOCK_1_25[:128]).digest()
