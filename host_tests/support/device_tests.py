"""Device tests: functions of one file, run on an emulated board on either interpreter.

A case file (`host_tests/device/test_*.py`) is plain MicroPython. It imports the
firmware and whatever a chip has, and asserts. Functions named `test_...`:

    def test_plain(): ...                        one test for each interpreter

    TABLES = {"test_rows": [("a", 1), ("b", 2)]}
    def test_rows(name, number): ...             one test for each row, a literal

    VECTORS = {"test_vector": ("vectors.json", "connect-")}
    def test_vector(vector): ...                 one test for each vector of host_tests/support/vectors/vectors.json
                                                 whose name begins so; it comes as a dict, one at a time

    from case import Vectors
    Vectors("vectors.json")["name"]              {name: vector}, read one at a time; of an object
    Vectors("vectors_id2.json/decrypt")["0"]     its sections, and of a section that is a list its items by
                                                 name, id or position

    HEAP = "112K"                                the heap on MicroPython, if the file needs another

TABLES, VECTORS and HEAP are literals: the host reads them without running the
file. Every function starts a board of its own: blank flash with a partition
table, formatted littlefs at '/', network without Wi-Fi, the host's clock; the
rows of one table share it. Other files of that folder, and of its LENDERS, can be imported.
With ALIOT_UMQTT (tools/emulator/board/umqtt.py) MicroPython runs every test once more for each
umqtt.simple that it names.
"""

import ast
import json
import os
import select
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest

from host_tests.support.paths import VECTORS
from tools.emulator.board import interpreter, modules, umqtt
from tools.emulator.board.launch import CPYTHON, Clock
from tools.firmware import FOLDER as FIRMWARE
from tools.image import flash_image

INTERPRETERS = {"cpython": "cpython", "micropython": None}  # name -> what `Board` takes
TIMEOUT = 120  # seconds for the rows of one function
MARK = b"\x1e"
# folder -> those beside it whose modules its tests import too
LENDERS = {"services": ("thing", "device"), "thing": ("device",)}


@dataclass(frozen=True, eq=False)
class Case:
    """One test: a function and, if it has rows, which one."""

    function: str
    label: str = ""  # of the row, for people
    row: int | None = None  # index in TABLES
    value: object = None  # a vector


def read(path, vectors):
    """(cases, heap) of a case file; `vectors` is the folder of the JSON files. ValueError if malformed."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    constants = {"TABLES": {}, "VECTORS": {}, "HEAP": "112K"}
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) in constants:
            constants[node.targets[0].id] = _literal(node.value)
    cases = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            cases += _cases(node.name, constants, vectors)
    return cases, constants["HEAP"]


def _literal(node):
    """The value of a literal; of a table only how many rows there are and what a row is called matters."""
    if isinstance(node, ast.Dict):
        return {ast.literal_eval(key): _literal(value) for key, value in zip(node.keys, node.values)}
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_literal(item) for item in node.elts]
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


def _cases(name, constants, vectors):
    if name in constants["TABLES"]:
        rows = constants["TABLES"][name]
        return [Case(name, _label(row, index), row=index) for index, row in enumerate(rows)]
    if name in constants["VECTORS"]:
        file, prefix = constants["VECTORS"][name]
        file, _, section = file.partition("/")
        content = json.loads((Path(vectors) / file).read_text(encoding="utf-8"))
        found = [
            (label, value)
            for label, value in _named(content[section] if section else content)
            if label.startswith(prefix)
        ]
        if not found:
            raise ValueError(f"{name}: no vector in {file} begins with '{prefix}'")
        return [Case(name, label, value=value) for label, value in found]
    return [Case(name)]


def _label(row, index):
    first = row[0] if isinstance(row, list) and row else row
    return f"{index}-{first}" if isinstance(first, (str, int)) else str(index)


def run(path, cases, which, heap="112K", mqtt=None, vectors=VECTORS):
    """Run cases of one file on one board; returns {case: None or why it failed}."""
    with tempfile.TemporaryDirectory(prefix="aliot-case-") as folder:
        command, environment = _start(Path(path), which, Path(folder), heap, mqtt, vectors)
        asked = "".join(json.dumps([case.function, case.row, case.value]) + "\n" for case in cases)
        try:
            done = subprocess.run(
                command,
                input=asked.encode(),
                capture_output=True,
                timeout=TIMEOUT,
                env={**os.environ, **environment},
                cwd=folder,
            )
            printed, ended = done.stdout + done.stderr, f"the interpreter ended with {done.returncode}"
            answered = done.stdout
        except subprocess.TimeoutExpired as error:
            answered = error.stdout or b""
            printed, ended = answered + (error.stderr or b""), f"no end after {TIMEOUT} seconds"
    answers = [json.loads(line[1:]) for line in answered.splitlines() if line.startswith(MARK)]
    rest = b"\n".join(line for line in printed.splitlines() if not line.startswith(MARK)).decode(
        errors="replace"
    )
    lost = f"{rest}\n{ended} before it answered"
    results = dict.fromkeys(cases, lost)
    results.update({case: answer and f"{rest}\n{answer}".strip() for case, answer in zip(cases, answers)})
    return results


@contextmanager
def conversation(path, which, heap="112K", mqtt=None, vectors=VECTORS):
    """A board that runs a case file, for as long as the context lasts: `ask(function, value, timeout=TIMEOUT)`
    calls that function with a value of JSON and returns None or why it failed."""
    with tempfile.TemporaryDirectory(prefix="aliot-case-") as folder:
        command, environment = _start(Path(path), which, Path(folder), heap, mqtt, vectors)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with subprocess.Popen(
            command, env={**os.environ, **environment}, cwd=folder, bufsize=0, **pipes
        ) as board:

            def ask(function, value, timeout=TIMEOUT):
                printed = b""
                try:
                    board.stdin.write(json.dumps([function, None, value]).encode() + b"\n")
                except BrokenPipeError:
                    pass
                while not (printed.endswith(b"\n") and printed.splitlines()[-1].startswith(MARK)):
                    ready = select.select([board.stdout], [], [], timeout)[0]
                    data = os.read(board.stdout.fileno(), 65536) if ready else b""
                    if not data:
                        ended = f"ended with {board.wait()}" if ready else f"gave no answer in {timeout} s"
                        return f"{printed.decode(errors='replace')}\nthe interpreter {ended}"
                    printed += data
                return json.loads(printed.splitlines()[-1][1:])

            try:
                yield ask
            finally:
                board.kill()


def asking(path, heap):
    """A fixture `ask(function, **value)` of a module: calls a function of a case file, on each interpreter."""

    @pytest.fixture(scope="module", params=list(INTERPRETERS))
    def ask(request):
        with conversation(path, request.param, heap) as asked:

            def call(function, **value):
                failed = asked(function, value)
                assert failed is None, (value, failed)

            yield call

    return ask


def _start(path, which, folder, heap, mqtt=None, vectors=VECTORS):
    """(command, environment) of a board in `folder` that runs the case file."""
    (folder / "flash.bin").write_bytes(blank())
    (folder / "rtc").write_bytes(b"")
    (folder / "clock").write_bytes(b"+0\n")
    settings = {
        "flash": str(folder / "flash.bin"),
        "rtc": str(folder / "rtc"),
        "clock": str(folder / "clock"),
        "mac": "24:0a:c4:00:00:01",
        "wired": True,
        "case": path.stem,
        "vectors": str(split(vectors)),
    }
    file = folder / "settings.json"
    clock = Clock(folder / "clock").environment()
    if which == "cpython":
        settings["path"] = [*map(str, _folders(path.parent)), str(FIRMWARE), str(mqtt or umqtt.folder())]
        file.write_text(json.dumps(settings))
        preload = {"LD_PRELOAD": interpreter.host_faketime()}
        return [*CPYTHON, str(file)], {**clock, **preload}
    found = interpreter.find()
    start, rom = modules.port(rom=found.rom, mqtt=mqtt)
    settings.update(rom=str(rom), cases=str(_compiled(path.parent, found.rom)))
    file.write_text(json.dumps(settings))
    command = found.command("-X", f"heapsize={heap}", "-m", "start", file, faketime=True)
    return command, {"MICROPYPATH": str(start), **clock, **found.environment(faketime=True)}


def _compiled(folder, rom):
    """The device tests' modules and the firmware, as a ROM image or a folder."""
    sources = {
        f"device/{path.name}": path
        for each in _folders(folder)
        for path in sorted(each.glob("*.py"))
        if path.name != "conftest.py" and (each == folder or not path.name.startswith("test_"))
    }
    for path in sorted(FIRMWARE.rglob("*")):
        if path.suffix in (".py", ".der") and path.name not in ("boot.py", "main.py", "manifest.py"):
            sources["firmware/" + path.relative_to(FIRMWARE).as_posix()] = path
    return modules.compiled(sources, 0, modules.into_rom) / ("rom.romfs" if rom else "rom")


def _folders(folder):
    """A folder of device tests, and those that lend it modules."""
    return [folder, *(folder.parent / name for name in LENDERS.get(folder.name, ()))]


def split(folder):
    """A folder in the cache with each vector of each JSON file in `folder` as a file of its own."""
    return modules.compiled({path.name: path for path in sorted(folder.glob("*.json"))}, 0, _split)


def _split(made):
    for path in sorted(made.glob("*.json")):
        content = json.loads(path.read_bytes())
        path.unlink()
        _lay(path, _named(content))
        for section, value in content.items() if isinstance(content, dict) else ():
            if isinstance(value, list):
                _lay(path / section, _named(value))


def _named(content):
    """[(name, value)] of a JSON object, or of a list by its items' names, ids or positions."""
    if isinstance(content, dict):
        return list(content.items())
    return [
        (str(item.get("name", item.get("id", at))) if isinstance(item, dict) else str(at), item)
        for at, item in enumerate(content)
    ]


def _lay(folder, items):
    folder.mkdir()
    (folder / "names").write_text("".join(f"{name}\n" for name, _ in items))
    for index, (_, value) in enumerate(items):
        (folder / str(index)).write_text(json.dumps(value))


@lru_cache(maxsize=1)
def blank():
    """A flash with a partition table, and in its file system what modules read there beside their code."""
    texts = {f"/aliot/{path.name}": path.read_bytes() for path in (FIRMWARE / "aliot").glob("*.txt")}
    return flash_image.build(with_firmware=False, files=texts)
