"""Units of the release: what is joined speaks of what it spoke of in the sources, under the same names everywhere."""

import ast

import pytest

from tools.image import release, shortening
from tools.image.joining import Joiner, JoinError, Module

HOMES = {
    "aliot": "aliot",
    "aliot.pace": "aliot.thing",
    "aliot.thing": "aliot.thing",
    "aliot.rest": "aliot.rest",
}


def joined(text):
    return Joiner("aliot.rest", [Module("aliot.rest", text)], HOMES).join().text


def test_a_local_name_that_hides_the_unit_of_what_is_used_is_refused():
    """`pace` is in the unit `aliot.thing`; pace.next_id would be asked of the argument `thing`."""
    with pytest.raises(JoinError, match="aliot.rest line 3: a local name hides aliot.thing"):
        joined("from aliot import pace\ndef send(thing):\n    return pace.next_id(thing.device)\n")
    text = joined("from aliot.pace import next_id\ndef send(thing):\n    return next_id(thing.device)\n")
    assert text.startswith("from aliot.thing import next_id\n")
    text = joined("from aliot import pace\ndef send(device):\n    return pace.next_id(device)\n")
    assert text == "from aliot import thing\ndef send(device):\n    return thing.next_id(device)\n"


def test_a_global_that_the_import_of_a_unit_would_replace_is_refused(tmp_path):
    """aliot.thing.pack, once imported, is the attribute `pack` of aliot.thing, whatever that was before."""
    for place, text in (
        ("__init__.py", '__version__ = "1"'),
        ("thing/__init__.py", "from struct import pack\ndef size(n):\n    return pack('<I', n)\n"),
        ("thing/pack.py", "def send(n):\n    return n\n"),
    ):
        (tmp_path / "aliot" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "aliot" / place).write_text(text)
    with pytest.raises(JoinError, match="aliot.thing has a global 'pack'"):
        release.build(tmp_path)
    (tmp_path / "aliot/thing/pack.py").rename(tmp_path / "aliot/thing/packs.py")
    assert "aliot.thing.packs" in release.build(tmp_path).units


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """`kept(version)`: a small package, built as by a program that has just started; the folder of what is kept."""
    monkeypatch.setattr(release, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(release, "RELEASES", 2)

    def build(version):
        (tmp_path / "aliot").mkdir(exist_ok=True)
        (tmp_path / "aliot/__init__.py").write_text(
            f'__version__ = "{version}"\n\ndef passed(argument):\n    pass\n'
        )
        release._once.cache_clear()
        return release.build(tmp_path)

    yield build
    release._once.cache_clear()


def test_a_release_is_made_once(kept, monkeypatch):
    made, changed = kept(1), kept(2)
    assert made.version != changed.version
    monkeypatch.setattr(release, "_build", None)
    assert kept(1) == made and kept(2) == changed


def test_what_is_kept_of_releases_is_bounded_and_may_be_lost(kept):
    made = [kept(number) for number in range(4)]
    files = sorted(release.KEPT.glob("*.json"))
    assert len(files) == 2
    for file in files:
        file.write_text("{")
    assert [kept(number) for number in range(4)] == made


def test_where_nothing_can_be_kept_a_release_is_made_all_the_same(kept):
    release.KEPT.write_text("no folder")
    assert kept(1).version.startswith("1+")


def members(text):
    """The attributes and what class bodies define, in the order of the tree."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ClassDef):
            for statement in node.body:
                yield from [statement.name] if isinstance(statement, ast.FunctionDef) else []
                for target in getattr(statement, "targets", ()):
                    yield from (name.id for name in ast.walk(target) if isinstance(name, ast.Name))


def test_an_attribute_has_one_name_in_all_units_and_no_two_share_it():
    plain = release._joined(release.sources())
    short = release.build().units
    forward, back = {}, {}
    for unit in plain:
        for name, new in zip(members(plain[unit].text), members(short[unit].text), strict=True):
            assert forward.setdefault(name, new) == new, (unit, name)
            assert back.setdefault(new, name) == name, (unit, new)
    assert forward["passed"] != "passed"


def test_what_python_has_keeps_its_name():
    """A method may be called like a function of Python's that another unit calls: Upkeep.round, and round()."""
    assert "round(" in release.build().units["aliot.thing.model"].text


def test_names_that_are_to_come_last_do():
    """There are more names than short ones: a gateway's get theirs before those of Things and services."""
    texts = [*[""] * 6, "class Item:\n    deferred = urgent = 0", "class Other:\n    deferred = 0"]
    assert list(shortening.table(texts, set(), set()))[0] == "deferred"
    assert list(shortening.table(texts, set(), set(), last={"deferred": 1}))[-1] == "deferred"


def test_a_text_in_the_condition_of_a_load_names_no_module():
    """A method `https` is one although a module has that name too."""
    homes = {"aliot.https": "aliot.ota.https", "aliot.first": "aliot.unit"}
    text = 'load("first" if method == "https" else "https")'
    assert release._loads(text, homes) == "load('unit' if method == \"https\" else 'ota.https')"
