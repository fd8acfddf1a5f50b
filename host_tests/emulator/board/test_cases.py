"""The runner of device tests never takes what failed for what passed, on either interpreter."""

import json

import pytest

from host_tests.support import device_tests
from tools.image.folding import fold

GOOD = """
TABLES = {"test_rows": [("one", 1), ("two", 2), ("wrong", 4)], "test_bare": ["x", "y"]}
VECTORS = {"test_vectors": ("v.json", "a-"), "test_section": ("w.json/list", "")}
HEAP = "200K"

from case import Vectors

def test_passes():
    pass

def test_fails():
    found = 1
    assert found == 2, "said why"

def test_rows(name, number):
    assert len(name) == 3 and number < 3

def test_bare(text):
    assert text in "xy"

def test_vectors(vector):
    assert vector["name"] == "a-1", vector["value"]

def test_section(vector):
    assert vector["id"] in ("p", "q")

def test_mapping():
    assert list(Vectors("v.json")) == ["a-1", "a-2", "b-1"] and Vectors("v.json")["b-1"]["value"] == 3
    assert Vectors("w.json")["words"] == {"k": "v"} and Vectors("w.json/list")["q"]["id"] == "q"

def test_ends_the_process():
    import machine
    machine.reset()

def helper():
    pass
"""
EXPECTED = {
    "test_passes": None,
    "test_fails": "said why",
    "test_rows 0-one": None,
    "test_rows 1-two": None,
    "test_rows 2-wrong": "AssertionError",
    "test_bare 0-x": None,
    "test_bare 1-y": None,
    "test_vectors a-1": None,
    "test_vectors a-2": "7",
    "test_section p": None,
    "test_section q": None,
    "test_mapping": None,
    "test_ends_the_process": "ended with 41",
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "device").mkdir()
    (tmp_path / "vectors").mkdir()
    (tmp_path / "vectors" / "v.json").write_text(
        json.dumps([{"name": "a-1", "value": 1}, {"name": "a-2", "value": 7}, {"name": "b-1", "value": 3}])
    )
    (tmp_path / "vectors" / "w.json").write_text(
        json.dumps({"words": {"k": "v"}, "list": [{"id": "p"}, {"id": "q"}]})
    )
    return tmp_path


def write(folder, text):
    path = folder / "device" / "test_sample.py"
    path.write_text(text)
    return path


@pytest.mark.parametrize("which", device_tests.INTERPRETERS)
def test_each_outcome_is_told(folder, which):
    path = write(folder, GOOD)
    found, heap = device_tests.read(path, folder / "vectors")
    assert heap == "200K"
    outcomes = {}
    for name in dict.fromkeys(case.function for case in found):
        mine = [case for case in found if case.function == name]
        outcomes.update(
            {
                f"{case.function} {case.label}".strip(): failure
                for case, failure in device_tests.run(
                    path, mine, which, heap, vectors=folder / "vectors"
                ).items()
            }
        )
    assert list(outcomes) == list(EXPECTED)
    for name, wanted in EXPECTED.items():
        assert (outcomes[name] is None) if wanted is None else wanted in outcomes[name], (
            name,
            outcomes[name],
        )


@pytest.mark.parametrize("which", device_tests.INTERPRETERS)
def test_a_file_that_does_not_import_fails_every_test(folder, which):
    path = write(folder, "import nothing_like_it\ndef test_a(): pass\ndef test_b(): pass\n")
    results = device_tests.run(
        path, device_tests.read(path, folder / "vectors")[0], which, vectors=folder / "vectors"
    )
    assert len(results) == 2 and all("nothing_like_it" in failure for failure in results.values())


@pytest.mark.parametrize("which", device_tests.INTERPRETERS)
def test_each_function_has_a_board_of_its_own(folder, which):
    path = write(
        folder,
        "import os\ndef test_a():\n    assert 'f' not in os.listdir('/')\n    open('/f', 'w').close()\n",
    )
    for _ in range(2):
        assert list(
            device_tests.run(
                path, device_tests.read(path, folder / "vectors")[0], which, vectors=folder / "vectors"
            ).values()
        ) == [None]


def test_vectors_that_nothing_matches_are_a_mistake(folder):
    path = write(folder, 'VECTORS = {"test_a": ("v.json", "zzz")}\ndef test_a(vector): pass\n')
    with pytest.raises(ValueError, match="no vector"):
        device_tests.read(path, folder / "vectors")


FOLDS = [
    (
        "within a module",
        {"m": "A = const(5)\nB = 'b'\ndef f(x):\n    return x + A, B\n"},
        ("m",),
        {"m": "pass\npass\ndef f(x):\n    return x + 5, 'b'\n"},
    ),
    (
        "where it is imported",
        {"m": "A = (-1, 'E')\nx = 1\n", "n": "from m import (\n    A,\n    x,\n)\nprint(*A, x)\n"},
        ("m",),
        {"m": "pass\nx = 1\n", "n": "from m import x\n\n\n\nprint(*(-1, 'E'), x)\n"},
    ),
    (
        "as an attribute",
        {"m": "A = 7\n", "n": "import m\nprint(m.A)\n"},
        ("m",),
        {"m": "pass\n", "n": "import m\nprint(7)\n"},
    ),
    (
        "public names of other modules stay",
        {"m": "A = 1\n_B = 2\nprint(A, _B)\n"},
        (),
        {"m": "A = 1\npass\nprint(A, 2)\n"},
    ),
    (
        "beside text that is longer in bytes",
        {"m": "_A = 1\nprint('\u4e2d', _A)\n"},
        (),
        {"m": "pass\nprint('\u4e2d', 1)\n"},
    ),
]


@pytest.mark.parametrize(
    "sources, internal, folded", [row[1:] for row in FOLDS], ids=[row[0] for row in FOLDS]
)
def test_constants_are_folded_and_lines_stay(sources, internal, folded):
    assert fold(sources, internal) == folded
