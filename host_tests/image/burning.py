"""Boards that are burned in these tests, and what is on them."""

from host_tests.support.nor_board import MAC, BoardFlash, Booted
from tools.firmware import record
from tools.image import burn, flash_image, identity, littlefs, nvs
from tools.image.nvs import Entry

FOREIGN = (
    Entry("nvs.net80211", "sta.ssid", "blob", b"\4\0\0\0home" + bytes(28)),
    Entry("phy", "cal", "u32", 1),
    Entry("misc", "note", "string", "höflich"),
    Entry("app", "count", "i64", -7),
)

FILES = {
    "/boot.py": b"#",
    "/main.py": b"import app",
    "/config.json": b'{"ssid": "x"}',
    "/user/data.txt": b"mine" * 700,
    "/aliot/store.mpy": b"\0" * 1800,
}

PRODUCT = identity.parse({"product_key": "a1MZxOdcBnO", "product_secret": "h4I4dneEFp7EImTv"})
ELSEWHERE = identity.parse(
    {"product_key": "a1MZxOdcBnO", "product_secret": "h4I4dneEFp7EImTv", "method": "mqtt"}
)

OTHER = identity.parse(
    {"product_key": "a1ZZZZZZZZZ", "device_name": "other", "device_secret": "0" * 31 + "1"}
)

SECRET = "2b" * 16


def board(files=True, entries=FOREIGN, name="ESP32_GENERIC"):
    made = BoardFlash(flash_image.assemble(flash_image.layout_of(name), entries, FILES if files else {}))
    made.data[0x10000:0x11000] = b"application" + bytes(4085)
    return made


def burned(made, who, folder, **options):
    return burn.burn(made, made.layout, who.fields(), MAC, folder, **options)


def registered(folder, files=True, name="ESP32_GENERIC"):
    """A board that was burned with PRODUCT, has booted and holds an issued secret on both media."""
    made = board(files, name=name)
    burned(made, PRODUCT, folder)
    Booted(made).register(SECRET)
    return made


def on_nvs_only(made):
    begin = made.layout.vfs.offset
    image = flash_image.region(bytes(made.data), made.layout.vfs)
    image = littlefs.update(image, {}, [flash_image.path_of("burned"), flash_image.path_of("issued")])
    made.data[begin : begin + len(image)] = image
    return made


def without_files(made):
    made.data[made.layout.vfs.offset :] = b"\xff" * made.layout.vfs.size
    return made


def on_files_only(made):
    part = made.layout.nvs
    kept = [e for e in nvs.read(flash_image.region(made.data, part)).entries if e.namespace != "aliot"]
    made.data[part.offset : part.end] = nvs.write(kept, part.size)
    return made


def entries(made):
    return nvs.read(flash_image.region(bytes(made.data), made.layout.nvs))


def holds(made, who):
    """Whether both media hold `who` burned, the same bytes."""
    found = burn.look(made, made.layout)
    copies = {found.data(medium, "burned") for medium in ("nvs", "littlefs")[: 1 + (found.vfs == "good")]}
    return len(copies) == 1 and None not in copies and record.decode(*copies)[2] == who.fields()


def untouched(made):
    """The application, the user's files and the foreign NVS entries are as they were."""
    assert bytes(made.data[0x10000:0x1000B]) == b"application"
    assert set(entries(made).entries) >= set(FOREIGN)
    image = flash_image.region(bytes(made.data), made.layout.vfs)
    if not littlefs.is_blank(image):
        tree = littlefs.read(image)
        formatted = dict.fromkeys(FILES) | {"/boot.py": b"#"}
        assert {path: tree.get(path) for path in FILES} in (FILES, formatted)


def copy(medium, name, generation, fields):
    kind = record.BURNED if name == "burned" else record.ISSUED
    return burn.Copy(medium, name, generation, fields, record.encode(kind, generation, fields))
