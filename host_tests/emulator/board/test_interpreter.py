"""Which MicroPython is used and why, how it is fetched, and what is said when there is none."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from host_tests.support.paths import ROOT
from tools.emulator.board import apt, interpreter, umqtt
from tools.errors import UserError


def program(folder, text):
    """An executable that answers as an interpreter of that kind does."""
    path = folder / "micropython"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def fresh(monkeypatch):
    """`find` forgets what it found."""
    monkeypatch.delenv("MICROPYTHON", raising=False)
    interpreter.find.cache_clear()
    yield
    interpreter.find.cache_clear()


# what an interpreter answers to the probe, and what is said of it
REFUSED = [
    ("old", "echo micropython 1.22.1 1 1 1 0", "too old"),
    ("no tls", "echo micropython 1.25.0 0 1 1 1", "no module tls"),
    ("no littlefs", "echo micropython 1.25.0 1 0 1 1", "no littlefs"),
    ("no ffi", "echo micropython 1.25.0 1 1 0 1", "no module ffi"),
    ("another program", "echo Python 3.11", "not a MicroPython interpreter"),
    ("one that fails", "exit 1", "not a MicroPython interpreter"),
    ("nothing", None, "does not start"),
]


@pytest.mark.parametrize("answer, outputs", [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_the_one_that_is_named_must_serve(fresh, monkeypatch, tmp_path, answer, outputs):
    named = program(tmp_path, answer) if answer else str(tmp_path / "none")
    monkeypatch.setenv("MICROPYTHON", named)
    with pytest.raises(UserError, match=outputs) as caught:
        interpreter.find()
    assert "\n" not in str(caught.value)


def test_the_one_that_is_named_goes_before_the_one_on_path(fresh, monkeypatch, tmp_path):
    monkeypatch.setenv("MICROPYTHON", program(tmp_path, "echo micropython 1.26.1 1 1 1 1"))
    found = interpreter.find()
    assert (found.version, found.rom, found.loader) == ("1.26.1", True, False)
    assert "MICROPYTHON" in found.why


def test_one_on_path_that_is_new_enough_is_taken(fresh, monkeypatch, tmp_path):
    program(tmp_path, "echo micropython 1.24.0 1 1 1 0")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    found = interpreter.find()
    assert (found.version, found.rom) == ("1.24.0", False)
    assert "PATH" in found.why


def test_one_on_path_that_is_too_old_is_passed_over_and_said(fresh, monkeypatch, tmp_path):
    program(tmp_path, "echo micropython 1.19.1 1 1 1 0")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    try:
        found = interpreter.find()
    except UserError as error:  # a machine without apt
        assert "1.19.1, too old" in str(error)
    else:
        assert found.loader and "1.19.1, too old" in found.why


def test_without_apt_one_line_says_what_to_install(fresh, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="install MicroPython 1.24 or later") as caught:
        interpreter.find()
    assert "\n" not in str(caught.value)


def test_what_is_found_runs_with_a_clock_that_can_be_set(tmp_path):
    (tmp_path / "clock").write_text("-86400000\n")
    found = interpreter.find()
    outputs = subprocess.run(
        found.command("-c", "import time; print(int(time.time()))", faketime=True),
        capture_output=True,
        text=True,
        check=True,
        env={
            **os.environ,
            **found.environment(faketime=True),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_TIMESTAMP_FILE": str(tmp_path / "clock"),
        },
    )
    assert abs(time.time() - 86400000 - int(outputs.stdout)) < 30


URIS = """'http://mirror.example/debian/dists/bookworm/InRelease' mirror_InRelease 0
'http://mirror.example/debian/dists/bookworm-updates/InRelease' mirror_updates 0
'http://security.example/debian-security/dists/bookworm-security/InRelease' security 0
'https://docker.example/linux/debian/dists/bookworm/InRelease' docker 0
'mirror+file:/etc/apt/mirrors/debian.list/dists/bookworm/InRelease' listed 0
'http://mirror.example/debian/dists/bookworm/main/binary-amd64/Packages.xz' packages 0
"""


def test_the_mirror_is_the_machine_s_own_updates_and_security_last():
    assert apt.mirrors_of(URIS) == [
        "http://mirror.example/debian",
        "https://docker.example/linux/debian",
        "mirror+file:/etc/apt/mirrors/debian.list",
        "http://security.example/debian-security",
    ]


needs_apt = pytest.mark.skipif(
    not shutil.which("apt-get") or not Path(interpreter.DEBIAN_KEYS).exists(),
    reason="not a Debian machine: nothing is fetched here",
)


@pytest.fixture
def apart():
    """A copy of the tools with an empty cache; a process asks it for its interpreter, `as_nobody` without rights."""
    home = Path(tempfile.mkdtemp(prefix="aliot-apart-"))  # pytest's own folders are closed to other users
    home.chmod(0o755)
    shutil.copytree(ROOT / "tools", home / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {key: value for key, value in os.environ.items() if key != "MICROPYTHON"}
    # the rights go after the imports: this Python may lie where only root can read
    code = (
        "import os, sys; from tools.emulator.board import interpreter as i\nif sys.argv[1:]:\n    os.setgroups([])\n"
        "    os.setgid(65534)\n    os.setuid(65534)\nprint(i.find().version, i.find().why)"
    )

    def start(as_nobody=False):
        if as_nobody:
            for path in (home, *home.rglob("*")):
                os.chown(path, 65534, 65534)
        return subprocess.Popen(
            [sys.executable, "-c", code, *(["nobody"] if as_nobody else [])],
            cwd=home,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environment, "HOME": str(home)},
        )

    start.cache = home / ".cache"
    yield start
    shutil.rmtree(home)


def answer(process):
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    return out


@needs_apt
@pytest.mark.parametrize(
    "release", [False, True], ids=["no release file", "a release file that nobody signed"]
)
def test_a_package_that_nobody_signed_is_refused_whatever_the_machine_allows(tmp_path, monkeypatch, release):
    """An archive of an attacker's, on a machine whose apt.conf takes anything."""
    index = tmp_path / "archive/dists/trixie/main" / f"binary-{architecture()}" / "Packages"
    index.parent.mkdir(parents=True)
    deb = tmp_path / "archive/evil.deb"
    (tmp_path / "evil/DEBIAN").mkdir(parents=True)
    control = (
        f"Package: micropython\nVersion: 9\nArchitecture: {architecture()}\nMaintainer: x\nDescription: x\n"
    )
    (tmp_path / "evil/DEBIAN/control").write_text(control)
    subprocess.run(["dpkg-deb", "-b", tmp_path / "evil", deb], check=True, capture_output=True)
    digest = hashlib.sha256(deb.read_bytes()).hexdigest()
    index.write_text(f"{control}Filename: evil.deb\nSize: {deb.stat().st_size}\nSHA256: {digest}\n")
    if release:
        lists = hashlib.sha256(index.read_bytes()).hexdigest()
        (index.parents[2] / "Release").write_text(
            f"Suite: trixie\nCodename: trixie\nDate: {time.strftime('%a, %d %b %Y %H:%M:%S UTC', time.gmtime())}\n"
            f"SHA256:\n {lists} {index.stat().st_size} main/{index.parent.name}/Packages\n"
        )
    (tmp_path / "keys.gpg").touch()
    (tmp_path / "apt.conf").write_text("".join(f"{name} true;\n" for name in apt.SIGNED))
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    monkeypatch.setattr(apt, "mirrors", lambda work: [f"copy:{tmp_path / 'archive'}"])
    with pytest.raises(UserError, match="no archive that apt is set up with gives 'trixie'") as caught:
        apt.fetch("trixie", ["micropython"], tmp_path / "made", tmp_path / "keys.gpg", dependencies=False)
    assert "\n" not in str(caught.value) and not (tmp_path / "made").exists()


def architecture():
    return subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True).stdout.strip()


@needs_apt
def test_two_at_once_fetch_it_once_and_what_an_interrupted_run_left_does_no_harm(apart):
    if shutil.which("micropython"):
        pytest.skip("one on PATH is used here")
    first = apart()
    deadline = time.monotonic() + 60
    while not list(apart.cache.glob(".*.part/lists")) and time.monotonic() < deadline:
        time.sleep(0.005)
    first.kill()
    first.communicate()
    assert not [path for path in apart.cache.glob("micropython-*")]
    both = [apart(), apart()]
    outputs = {answer(process) for process in both}
    assert len(outputs) == 1 and "verified by apt" in outputs.pop()
    assert not list(apart.cache.glob(".*.part"))


@needs_apt
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take another user's rights")
def test_a_user_without_rights_fetches_it_too(apart):
    assert "verified by apt" in answer(apart(as_nobody=True))


def test_umqtt_is_the_pinned_release():
    folder = umqtt.folder()
    assert umqtt._digest(folder / "umqtt" / "simple.py") == umqtt.PINNED[umqtt.VERSION][1]


def test_a_changed_umqtt_is_refused(monkeypatch, tmp_path):
    shutil.copytree(umqtt.folder(), tmp_path / f"umqtt-{umqtt.VERSION}")
    with open(tmp_path / f"umqtt-{umqtt.VERSION}" / "umqtt" / "simple.py", "a") as file:
        file.write("# changed\n")
    monkeypatch.setattr(umqtt, "CACHE", tmp_path)
    with pytest.raises(UserError, match="was changed"):
        umqtt.folder()


def test_an_index_without_it_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(umqtt, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(UserError, match="pip could not fetch") as caught:
        umqtt.folder()
    assert "\n" not in str(caught.value)


def test_another_umqtt_is_named_by_folder(monkeypatch, tmp_path):
    (tmp_path / "1.8.0" / "umqtt").mkdir(parents=True)
    (tmp_path / "1.8.0" / "umqtt" / "simple.py").write_text("")
    monkeypatch.setenv("ALIOT_UMQTT", str(tmp_path / "1.8.0"))
    assert umqtt.others() == {"1.8.0": tmp_path / "1.8.0"}
    monkeypatch.setenv("ALIOT_UMQTT", str(tmp_path))
    with pytest.raises(UserError, match="no umqtt/simple.py"):
        umqtt.others()


def test_the_verb_says_which_and_why_also_as_json():
    run = [sys.executable, "-m", "tools", "interpreter"]
    plain = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = json.loads(
        subprocess.run([*run, "--json"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    )
    assert plain.startswith(f"MicroPython {found['version']}: {found['why']}")
    ran = subprocess.run(
        [*run, "--run", "-c", "print(6 * 7)"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "42\n"
