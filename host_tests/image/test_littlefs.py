"""The board's file system: built, read, and updated by sectors so that a cut leaves old or new files."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from littlefs import LittleFS

from host_tests.support.nor import campaign
from tools.errors import UserError
from tools.image import littlefs

SIZE = 0x40000
NAMES = st.text("abcdefghijklmnop", min_size=1, max_size=12)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(
    lambda parts: "/" + "/".join(["d_" + part for part in parts[:-1]] + parts[-1:])
)
CONTENT = st.one_of(st.binary(max_size=60), st.binary(min_size=100, max_size=9000))
TREES = st.dictionaries(PATHS, CONTENT, max_size=8)
FILES = {
    "/main.py": b"import app",
    "/aliot/store.mpy": b"\0" * 1800,
    "/aliot/roots/a.der": b"1" * 900,
    "/config.json": b"{}",
}
RECORDS = ("/aliot/burned", "/aliot/issued")


def apply(image, update):
    image = bytearray(image)
    for offset, data in update.writes:
        assert len(data) == littlefs.BLOCK and offset % littlefs.BLOCK == 0
        image[offset : offset + len(data)] = data
    return bytes(image)


@settings(max_examples=campaign(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(TREES)
def test_what_was_built_is_read(tree):
    image = littlefs.build(tree, SIZE)
    assert len(image) == SIZE
    assert littlefs.read(image) == tree


@settings(max_examples=campaign(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(TREES, TREES, st.data())
def test_an_update_leaves_every_other_file_as_it_is(tree, put, data):
    remove = data.draw(st.lists(st.sampled_from(sorted(tree)), unique=True)) if tree else []
    remove = [path for path in remove if path not in put] + ["/not/there"]
    image = littlefs.update(littlefs.build(tree, SIZE), put, remove)
    expected = {path: content for path, content in {**tree, **put}.items() if path not in remove}
    assert littlefs.read(image) == expected


def test_an_update_with_nothing_new_changes_no_byte():
    image = littlefs.build(FILES, SIZE)
    assert littlefs.update(image, {"/main.py": b"import app"}, ["/none"]) == image
    assert littlefs.plan(image, {"/main.py": b"import app"}, ["/none"]) == littlefs.Update((), True)


def test_micropythons_parameters_are_in_the_superblock():
    image = littlefs.build(FILES, SIZE)
    memory = littlefs._Memory(littlefs.Image.of(image))
    system = LittleFS(context=memory, mount=False, block_count=SIZE // 4096, **littlefs._PARAMETERS)
    system.mount()
    stat = system.fs_stat()
    assert (stat.disk_version, stat.block_size, stat.block_count) == (0x00020000, 4096, SIZE // 4096)


def test_an_image_of_version_2_1_is_read_and_updated():
    memory = littlefs._Memory(littlefs.Image(SIZE, lambda at, length: b"\xff" * length))
    system = littlefs._open(memory, littlefs.VERSION_2_1)
    system.format()
    system.mount()
    with system.open("/a", "wb") as file:
        file.write(b"1")
    system.unmount()
    image = littlefs.update(memory.bytes(), {"/b": b"2"})
    assert littlefs.read(image) == {"/a": b"1", "/b": b"2"}


def test_blank_is_what_micropython_formats():
    assert littlefs.is_blank(b"\xff" * SIZE)
    for call in (
        littlefs.read,
        lambda image: littlefs.update(image, {"/a": b""}),
        lambda image: littlefs.plan(image, {"/a": b""}),
    ):
        with pytest.raises(littlefs.Blank):
            call(b"\xff" * SIZE)


@pytest.mark.parametrize(
    "image",
    [
        b"\0" * SIZE,
        b"FAT " * (SIZE // 4),
        b"\0" * 8192 + littlefs.build(FILES, SIZE)[8192:],
    ],
    ids=["zeros", "text", "superblocks lost"],
)
def test_garbage_is_unreadable_and_is_never_formatted(image):
    assert not littlefs.is_blank(image)
    with pytest.raises(littlefs.Unreadable):
        littlefs.read(image)
    with pytest.raises(littlefs.Unreadable):
        littlefs.update(image, {"/a": b""})


def test_what_does_not_fit_is_refused_in_one_line():
    with pytest.raises(UserError, match="do not fit into the board's file system of 256 KB"):
        littlefs.build({"/big": bytes(SIZE)}, SIZE)
    with pytest.raises(UserError, match="do not fit"):
        littlefs.update(littlefs.build(FILES, SIZE), {"/big": bytes(SIZE)})


def test_only_what_is_looked_at_is_fetched():
    image = littlefs.build({**FILES, "/user": bytes(100_000)}, SIZE)
    fetched = set()

    def fetch(offset, size):
        fetched.add(offset)
        return image[offset : offset + size]

    littlefs.read_files(littlefs.Image(SIZE, fetch), ["/aliot/store.mpy", "/none"])
    assert len(fetched) <= 8


def test_a_blank_first_sector_alone_is_not_blank():
    """The superblock has two blocks, and one of them is enough to mount."""
    image = b"\xff" * 4096 + littlefs.build(FILES, SIZE)[4096:]
    assert not littlefs.is_blank(image)
    assert littlefs.read(image) == FILES


@pytest.mark.parametrize(
    "before, put, remove",
    [
        ({}, {RECORDS[0]: b"b" * 90}, []),
        ({}, {RECORDS[0]: b"b" * 900, RECORDS[1]: b"i" * 90}, []),
        ({RECORDS[0]: b"b" * 90}, {RECORDS[1]: b"i" * 90}, []),
        (
            {RECORDS[0]: b"b" * 90, RECORDS[1]: b"i" * 5000},
            {RECORDS[0]: b"B" * 4000, RECORDS[1]: b"I" * 90},
            [],
        ),
        ({RECORDS[0]: b"b" * 90, RECORDS[1]: b"i" * 90}, {RECORDS[0]: b"B" * 90}, [RECORDS[1]]),
        ({RECORDS[0]: b"b" * 90, RECORDS[1]: b"i" * 90}, {}, list(RECORDS)),
    ],
)
@pytest.mark.parametrize(
    "tree",
    [
        FILES,
        {"/main.py": b"#", "/aliot/a": b""},
        {f"/aliot/m{i}.mpy": b"x" * i for i in range(30)},
    ],
    ids=["firmware", "small", "full folder"],
)
def test_a_plan_is_whole_before_and_after_at_every_byte_of_a_torn_sector(tree, before, put, remove):
    image = littlefs.build({**tree, **before}, SIZE)
    update = littlefs.plan(image, put, remove)
    old = {**tree, **before}
    new = {path: data for path, data in {**old, **put}.items() if path not in remove}
    assert update.atomic
    assert len(update.writes) <= 2 + sum(-(-len(data) // 4096) for data in put.values())
    done = image
    for write in update.writes:
        for length in range(0, 4097, 64):
            torn = littlefs.Update(((write[0], write[1][:length].ljust(4096, b"\xff")),), True)
            assert littlefs.read(apply(done, torn)) in (old, new)
        done = apply(done, littlefs.Update((write,), True))
    assert littlefs.read(done) == new


def test_a_plan_that_makes_a_folder_is_atomic_too():
    update = littlefs.plan(littlefs.build({"/main.py": b"#"}, SIZE), {RECORDS[0]: b"b" * 90})
    assert update.atomic


def test_plans_one_after_another_stay_atomic_through_many_moves():
    image = littlefs.build(FILES, SIZE)
    for i in range(campaign(120)):
        update = littlefs.plan(image, {RECORDS[i % 2]: bytes([i % 251]) * (i * 37 % 700)})
        assert update.atomic or not update.writes, i
        image = apply(image, update)
    assert littlefs.read(image).keys() == {*FILES, *RECORDS}


def test_a_board_that_cannot_be_read_is_never_taken_for_one_whose_files_are_broken(capfd):
    """littlefs cannot be told of an error: whichever block it meets, the call ends with it, and nothing else does."""
    whole = littlefs.build({"/a": b"1" * 9000, "/b/c": b"2" * 5000}, SIZE)
    calls = {
        "read": littlefs.read,
        "read_files": lambda image: littlefs.read_files(image, ["/a", "/b/c"]),
        "update": lambda image: littlefs.update(image, {"/b/d": b"3"}),
        "plan": lambda image: littlefs.plan(image, {"/b/d": b"3"}, ["/a"]),
        "is_blank": littlefs.is_blank,
        "blocks_in_use": littlefs.blocks_in_use,
    }
    for name, call in calls.items():
        fetched = 0
        for limit in range(100):
            left = [limit]

            def fetch(at, length):
                left[0] -= 1
                if left[0] < 0:
                    raise UserError("the cable")
                return whole[at : at + length]

            image = littlefs.Image(len(whole), fetch)
            try:
                call(image)
                break
            except UserError as error:
                assert str(error) == "the cable"
                fetched += 1
        assert fetched > 0, name
        left[0] = 100
        call(image)  # an image can be asked again
    assert capfd.readouterr().err == ""


def test_the_last_file_of_a_folder_goes_with_the_folder_in_one_safe_step():
    image = littlefs.build({**FILES, "/lamp/__init__.mpy": b"x" * 900, "/lamp/in/old.mpy": b"y"}, SIZE)
    files, folders = littlefs.below(image, "/lamp")
    assert (sorted(files), folders) == (["/lamp/__init__.mpy", "/lamp/in/old.mpy"], ["/lamp/in"])
    assert littlefs.below(image, "/nowhere") == ([], [])
    update = littlefs.plan(image, {}, ["/lamp", *folders, *files])
    assert update.atomic
    after = bytearray(image)
    for at, data in update.writes:
        after[at : at + littlefs.BLOCK] = data
    assert littlefs.read(bytes(after)) == FILES and littlefs.read_files(bytes(after), ["/lamp"]) == {}
