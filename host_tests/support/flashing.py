"""What the tests of flashing share: small stock images, boards from the field, a loader without a wire."""

import struct

from host_tests.support import app_images
from tools import boards, partitions
from tools.chips import CHIPS
from tools.emulator.chip.nor import SECTOR, Nor
from tools.flash import file_list as owned
from tools.image import device_files, flash_image, identity, littlefs, nvs

MAC = "24:0a:c4:00:00:01"
SECRET = "s3cretS3cretS3cretS3cretS3cret12"
USER_FILES = {
    "/config.json": b'{"ssid": "home", "password": "12345678"}',
    "/mine.txt": b"the user's own\n" * 40,
    "/data/log.bin": bytes(range(256)) * 20,
    "/data/small": b"x",
}


def stock_bin(board="ESP32_GENERIC", mark=b"A", size=9000, rows=None):
    """A small image laid out as a stock one: the headers that the ROM and the tools look at, then `mark`.

    With OTA slots the application is one that a bootloader takes.
    """
    board = boards.load(board)
    chip = CHIPS[board.chip].image_id
    header = (
        bytes([0xE9, 1, boards.MODES[board.flash_mode], 0x20])
        + struct.pack("<I", 0x40080000)
        + bytes(4)
        + struct.pack("<H", chip)
        + bytes(10)
    )
    image = bytearray(b"\xff" * (board.application - board.bootloader + size))
    image[: len(header) + 200] = header + mark * 200
    table = partitions.encode(rows or board.rows)
    at = board.partition_table - board.bootloader
    image[at : at + len(table)] = table
    at = board.application - board.bootloader
    image[at:] = header + mark * (size - len(header))
    if any(row.label == "otadata" for row in board.rows):
        application = app_images.app_image(chip=board.chip, size=size - 400, mark=mark)
        image[at : at + len(application)] = application
    return bytes(image)


def an_identity():
    return identity.parse({"product_key": "a1MZxOdcBnO", "product_secret": "h4I4dneEFp7EImTv"})


def records(generation=1_700_000_000):
    """(burned, issued) records of `an_identity` on the board MAC."""
    from tools.firmware import record

    who = an_identity()
    issued = record.encode(
        record.ISSUED,
        generation,
        {
            record.PRODUCT_KEY: who.product_key.encode(),
            record.DEVICE_NAME: MAC.replace(":", "").encode(),
            record.DEVICE_SECRET: SECRET.encode(),
            record.FOR_GENERATION: struct.pack("<I", generation),
        },
    )
    return who.to_record(generation), issued


def field_board(
    board="ESP32_GENERIC", stale=True, files=None, media=("nvs", "littlefs"), application=b"A", listed=True
):
    """The flash of a board in use: identity, Wi-Fi entries in NVS, the user's files, an older release.

    `listed`: a release that kept the list of what tools wrote.
    """
    layout = boards.load(board).layout
    burned, issued = records()
    tree = dict(device_files.compile_tree())
    if stale:
        tree["/aliot/rare/retry.mpy"] = b"M\x06\x00\x1f" + b"older release" * 30
        tree.pop("/aliot/rare/topics.mpy")
        tree["/main.py"] = b"# the main.py of an older release\n"
        tree["/aliot/dropped/__init__.mpy"] = b"M\x06\x00\x1f" + b"a module that the release has no more"
    if listed:
        tree[owned.LIST] = owned.encode(
            {path: {owned.sha(data): owned.RELEASE} for path, data in tree.items()}
        )
    tree.update(USER_FILES if files is None else files)
    entries = [
        nvs.Entry("nvs.net80211", "sta.ssid", "blob", b"\x04\0\0\0home" + bytes(28)),
        nvs.Entry("phy", "cal_version", "u32", 4711),
    ]
    if "littlefs" in media:
        tree.update({"/aliot/burned": burned, "/aliot/issued": issued})
    if "nvs" in media:
        entries += [
            nvs.Entry("aliot", "burned", "blob", burned),
            nvs.Entry("aliot", "issued", "blob", issued),
        ]
    image = bytearray(flash_image.assemble(layout, entries, tree))
    if application:
        start = boards.load(board).bootloader
        stock = stock_bin(board, application)
        for at in range(0, len(stock), SECTOR):
            piece = stock[at : at + SECTOR]
            if piece.strip(b"\xff"):
                image[start + at : start + at + len(piece)] = piece
    return bytes(image)


def what_is_kept(image, layout):
    """({path: bytes} of the user's files, {medium: records}, foreign NVS entries) in the bytes of a flash."""
    tree = littlefs.read(flash_image.region(image, layout.vfs))
    part = nvs.read(flash_image.region(image, layout.nvs))
    found = {
        "nvs": {name: part.find("aliot", name) for name in ("burned", "issued")},
        "littlefs": {name: tree.get(f"/aliot/{name}") for name in ("burned", "issued")},
    }
    foreign = {entry for entry in part.entries if entry.namespace != "aliot"}
    return {path: tree.get(path) for path in USER_FILES}, found, foreign


class NorLoader:
    """What `loader.Loader` offers, on a flash file: no wire, no chip, the same power cuts."""

    def __init__(self, path, cut_at=None, mac=MAC):
        self.nor = Nor(path, cut_at=cut_at)
        self.size, self.mac, self.progress = self.nor.size, mac, lambda done, total: None
        self.bytes_written = self.bytes_read = 0

    def expect(self, sectors):
        pass

    def read(self, offset, size):
        return self.nor.read(offset, size)

    def md5(self, offset, size):
        return self.nor.md5(offset, size).hex()

    def write(self, offset, data):
        self.write_all([(offset, data)])

    def write_all(self, regions):
        for offset, data in regions:
            self.nor.erase(offset, len(data))
            self.nor.program(offset, data)
            self.bytes_written += len(data)

    def erase(self, offset, size):
        self.nor.erase(offset, size)


__all__ = [
    "MAC",
    "SECRET",
    "USER_FILES",
    "NorLoader",
    "an_identity",
    "field_board",
    "records",
    "stock_bin",
    "what_is_kept",
]
