import pytest

from tools.errors import UserError
from tools.image import firmware, release


def folder(path, **files):
    for name, text in files.items():
        place = path / name.replace("__", "/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_all_but_what_the_chip_runs_from_source_is_compiled(tmp_path):
    tree = firmware.compile_tree(folder(tmp_path, **{
        "main.py": "import aliot", "boot.py": "", "aliot__a.py": "x = 1", "aliot__roots__r.der": b"\x30",
        "manifest.py": "package('aliot')", "aliot__advice.txt": "|a|b", "aliot__notes.md": "no",
        "package.json": "{}"}))
    assert sorted(tree) == ["/aliot/a.mpy", "/aliot/advice.txt", "/aliot/roots/r.der", "/boot.py", "/main.py"]
    assert tree["/aliot/advice.txt"] == b"|a|b"
    assert tree["/main.py"] == b"import aliot" and tree["/aliot/roots/r.der"] == b"\x30"


def test_mpy_is_of_the_version_that_1_24_and_later_read():
    assert firmware.compile_module(b"x = 1", "a.py")[:2] == b"M\x06"


def test_an_error_is_one_line_that_names_the_module(tmp_path):
    with pytest.raises(UserError) as caught:
        firmware.compile_tree(folder(tmp_path, **{"aliot__bad.py": "def f(:\n"}))
    assert str(caught.value).startswith("mpy-cross cannot compile aliot/bad.py: SyntaxError")
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there():
    with pytest.raises(UserError, match="is not a folder of device sources"):
        firmware.compile_tree("/nowhere")


def test_the_firmware_compiles_and_each_unit_has_a_size():
    tree, sizes = firmware.compile_tree(), firmware.sizes()
    assert set(sizes) == {release.file(name) for name in release.build().units}
    assert sizes["aliot/store"] == len(tree["/aliot/store.mpy"])
    assert {"/main.py", "/boot.py", "/aliot/roots/aliyun.der"} <= set(tree)


def test_optimisation_saves_bytes():
    assert sum(firmware.sizes(optimisation=3).values()) < sum(firmware.sizes(optimisation=0).values())
