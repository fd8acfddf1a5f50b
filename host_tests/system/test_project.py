"""An application's folder, anywhere: `new` makes it, `test` runs its tests and shows the console of a failure."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from host_tests.support.paths import ROOT
from tools import cli
from tools.firmware import FOLDER
from tools.flash import settings
from tools.image import application, config
from tools.project import new

EXAMPLE = FOLDER / "examples" / "thermostat"


def run_tests(folder: Path, *options: str) -> tuple[int, str]:
    """(exit status, output) of `python -m tools test`."""
    command = [sys.executable, "-m", "tools", "test", str(folder), "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The folder that `new` made."""
    folder = tmp_path / "somewhere else" / "lamp"
    assert cli.main(["new", str(folder)]) == 0
    return folder


def test_the_example_passes_outside_the_checkout(tmp_path):
    folder = shutil.copytree(
        EXAMPLE, tmp_path / "copy", ignore=shutil.ignore_patterns(".*cache", "__pycache__")
    )
    before = contents(folder)
    status, printed = run_tests(folder)
    assert status == 0 and " 7 passed" in printed, printed
    assert contents(folder) == before


def test_what_new_makes_passes(project):
    status, printed = run_tests(project)
    assert status == 0 and " 1 passed" in printed, printed


def test_what_new_makes_is_short_and_goes_onto_a_board(project):
    assert len((project / "main.py").read_text().splitlines()) <= 32
    assert len((project / "tests/test_main.py").read_text().splitlines()) <= 10
    assert set(application.read(project).sources) == {"main.py"}
    assert not list(config.missing(settings.parsed((project / "config.json").read_bytes())))


def test_a_broken_application_fails_with_its_console(project):
    main = project / "main.py"
    main.write_text(main.read_text().replace("device.start()", "device.begin()"))
    (project / "tests/test_main.py").write_text(
        "def test_online(board):\n    board.wait_for('connected', timeout=3)\n"
    )
    status, printed = run_tests(project)
    assert status == 1 and "Failed: the board was not 'connected' within 3 seconds" in printed, printed
    console = printed.partition("- console of the board -")[2]
    assert '"aliot":"error"' in console and "begin" in console and 'File \\"/main.py\\", line' in console
    assert printed.count("begin") == console.count("begin")  # said once
    assert "boot.py" not in printed  # the test's own lines, and none of the tools'


def test_each_thing_that_fails_says_what(project):
    (project / "tests/test_main.py").write_text(
        """
def test_nothing_published(cloud, board):
    cloud.wait_for("user/none", timeout=0.1)

def test_nobody_hears(cloud, board):
    cloud.publish("user/get", "x")

def test_no_such_line(board):
    board.wait_line("no such line", timeout=0.1)
"""
    )
    status, printed = run_tests(project)
    assert status == 1 and " 3 failed" in printed, printed
    for text in (
        "Failed: the device published nothing to /a1PROJECT01/board-1/user/none within 0.1 seconds",
        "Failed: the device did not get what was sent to user/get: it is offline, or has not subscribed",
        "Failed: the board did not print 'no such line' within 0.1 seconds",
    ):
        assert text in printed
    assert printed.count("- console of the board -") == 3


@pytest.mark.parametrize(
    ("file", "text", "printed"),
    [
        ("lamp.py", "def lamp(:\n", "mpy-cross cannot compile lamp.py"),
        ("config.json", '{"ssid": 5}', "ssid"),
        (
            "secrets.py",
            'DEVICE_SECRET = "0123456789abcdef0123456789abcde0"',
            "secrets.py looks as if it held",
        ),
        ("model.json", '{"schema": "", "properties": 5}', "model.json: properties: 5 is no list"),
    ],
    ids=lambda value: value.split(" ")[0],
)
def test_what_cannot_be_flashed_is_an_error_of_one_line(project, file, text, printed):
    (project / file).write_text(text)
    status, output = run_tests(project)
    assert status == 1 and " 1 error" in output and printed in output and "tools/" not in output, output


def test_the_cloud_has_the_model_of_the_application(project):
    switch = {
        "identifier": "Lit",
        "name": "Lit",
        "accessMode": "rw",
        "dataType": {"type": "bool", "specs": {}},
    }
    whole = {"schema": "", "profile": {}, "properties": [switch], "events": [], "services": []}
    for model in (whole, [whole]):
        (project / "model.json").write_text(json.dumps(model))
        (project / "tests/test_main.py").write_text(
            """
def test_model(cloud):
    found = cloud.admin("GET", f"/products/{cloud.product_key}/tsl")
    assert [one["identifier"] for one in found["properties"]] == ["Lit"]
"""
        )
        status, printed = run_tests(project)
        assert status == 0, printed


def test_options_go_to_pytest_and_its_status_comes_back(project):
    assert run_tests(project, "-k", "no_such_test")[0] == 5
    status, printed = run_tests(project, "--collect-only", "-q")
    assert status == 0 and "1 test collected" in printed


def contents(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_new_leaves_what_is_there(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "folder").mkdir()
    assert cli.main(["new", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1 and "is not empty" in printed.err and not printed.out
    assert contents(tmp_path) == {"notes.txt": b"mine"}
    assert cli.main(["new", str(tmp_path / "notes.txt")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert cli.main(["new", str(tmp_path / "folder")]) == 0  # an empty one will do
    assert f"python -m tools test {tmp_path / 'folder'}" in capsys.readouterr().out
    assert contents(tmp_path / "folder") == contents(new.TEMPLATE)


@pytest.mark.parametrize("name", ["missing", "notes.txt", "empty"])
def test_a_folder_without_tests_gets_one_line(tmp_path, capsys, name):
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "main.py").write_text("print('runs')\n")
    assert cli.main(["test", str(tmp_path / name)]) == 1
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1 and printed.err.startswith("error: ") and not printed.out
