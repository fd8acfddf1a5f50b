"""What a board holds as files: compiled, complete, and refused in one line where it cannot be compiled."""

import ast

import pytest

from tools.emulator.board import umqtt
from tools.errors import UserError
from tools.image import device_files, release, shortening


def folder(path, **files):
    for name, text in files.items():
        place = path / name.replace("__", "/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_all_but_what_the_chip_runs_from_source_is_compiled(tmp_path):
    tree = device_files.compile_tree(
        folder(
            tmp_path,
            **{
                "main.py": "import aliot",
                "boot.py": "",
                "aliot__a.py": "x = 1",
                "aliot__roots__r.der": b"\x30",
                "manifest.py": "package('aliot')",
                "aliot__advice.txt": "|a|b",
                "aliot__notes.md": "no",
                "package.json": "{}",
            },
        )
    )
    assert sorted(tree) == ["/aliot/a.mpy", "/aliot/advice.txt", "/aliot/roots/r.der", "/boot.py", "/main.py"]
    assert tree["/aliot/advice.txt"] == b"|a|b"
    assert tree["/main.py"] == b"import aliot" and tree["/aliot/roots/r.der"] == b"\x30"


def test_mpy_is_of_the_version_that_1_24_and_later_read():
    assert device_files.compile_module(b"x = 1", "a.py")[:2] == b"M\x06"


def test_an_error_is_one_line_that_names_the_module(tmp_path):
    with pytest.raises(UserError) as caught:
        device_files.compile_tree(folder(tmp_path, **{"aliot__bad.py": "def f(:\n"}))
    assert str(caught.value).startswith("mpy-cross cannot compile aliot/bad.py: SyntaxError")
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there():
    with pytest.raises(UserError, match="is not a folder of device sources"):
        device_files.compile_tree("/nowhere")


def test_the_firmware_compiles_and_each_unit_has_a_size():
    tree, sizes = device_files.compile_tree(), device_files.sizes()
    assert set(sizes) == {release.file(name) for name in release.build().units}
    assert sizes["aliot/store"] == len(tree["/aliot/store.mpy"])
    assert {"/main.py", "/boot.py", "/aliot/roots/aliyun.der"} <= set(tree)


def test_optimisation_saves_bytes():
    assert sum(device_files.sizes(optimisation=3).values()) < sum(device_files.sizes(optimisation=0).values())


def test_the_names_that_are_kept_for_umqtt_are_those_of_the_pinned_umqtt():
    source = ast.parse((umqtt.folder() / "umqtt" / "simple.py").read_text())
    assert shortening.listed(release.UMQTT) == shortening.identifiers(source)


def test_a_method_called_like_a_function_of_python_leaves_that_its_name():
    one = "class Upkeep:\n    def round(self):\n        return self.rounds_that_were\n"
    other = "def half(number):\n    return round(number / 2)\n"
    short = shortening.table([one, other], set(), frozenset())
    assert "round" not in short
    assert "round(" in shortening.shorten(other, short, set(), set())
