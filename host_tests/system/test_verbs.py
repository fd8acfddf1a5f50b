"""Every verb: its help, and bad input of each kind gets one clear line and a status that is not 0."""

import os
import re
import socket
import subprocess
import sys

import pytest

from host_tests.support.paths import ROOT
from tools import cli

CONFIG = '[[product]]\nproduct_key = "a1VERBS0001"\nproduct_secret = "s"\n'
GOOD = '{"product_key": "a1VERBS0001", "device_name": "dev1", "device_secret": "0123456789abcdef"}'
BAD_NAME = '{"product_key": "a1VERBS0001", "device_name": "d\\u00e9v 1", "device_secret": "0123456789abcdef"}'
NO_SECRET = '{"product_key": "a1VERBS0001", "device_name": "dev1"}'
NO_PORT = ["--port", "/dev/there-is-none"]


@pytest.fixture
def tools(tmp_path, capsys, monkeypatch):
    """`tools(*words)`: (status, output, error output), in a folder with some good and some bad files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for name, text in (
        ("good.json", GOOD),
        ("name.json", BAD_NAME),
        ("none.json", NO_SECRET),
        ("list.json", "[]"),
        ("broken.json", "{"),
        ("broken.toml", "[instance\n"),
        ("good.toml", CONFIG),
        ("text", "x" * 9000),
        ("unknown.toml", CONFIG + "colour = 'red'\n"),
        ("short.bin", "x"),
    ):
        (tmp_path / name).write_text(text)
    (tmp_path / "binary").write_bytes(bytes(range(128, 256)))
    (tmp_path / "folder").mkdir()

    def run(*arguments):
        try:
            status = cli.main(list(arguments))
        except SystemExit as ended:  # argparse
            status = ended.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.mark.parametrize("verb", list(cli.VERBS))
def test_help_of_every_verb(tools, verb):
    status, out, err = tools(verb, "--help")
    assert status == 0 and not err and out.startswith(f"usage: python -m tools {verb}")


def test_help_of_all(tools):
    status, out, _ = tools("--help")
    assert status == 0 and all(re.search(rf"^    {verb}\b", out, re.M) for verb in cli.VERBS)


@pytest.mark.parametrize(
    "arguments", [[], ["no-such-verb"], *([verb, "--no-such-option"] for verb in cli.VERBS)], ids=" ".join
)
def test_wrong_usage_is_status_2(tools, arguments):
    status, out, err = tools(*arguments)
    assert status == 2 and not out and err.startswith("usage: python -m tools") and "error: " in err


FILES = ["missing", "folder", "binary", "broken.json", "list.json", "name.json", "none.json"]
OTA = [("sign", ["--key", "missing"]), ("inspect", []), ("verify", ["--key", "text"])]
ON_A_BOARD = ["erase", "backup", "inspect", "monitor", "flash"]
BAD = [
    *(["burn", "--flash", "text", "--cert", file] for file in FILES),
    *(["image", "--out", "out.bin", "--cert", file] for file in FILES),
    *(["explain", file] for file in FILES),
    *(["doctor", file] for file in FILES),
    *(["flash", "--cert", file, *NO_PORT] for file in FILES),
    *(["image", "--out", "out.bin", "--root", file] for file in FILES[:4]),
    *(["image", "--out", "out.bin", "--config", file] for file in FILES[:5]),
    *(["image", "--out", "out.bin", "--firmware", file] for file in (*FILES[:2], "text")),
    *(
        ["cloud", "--run-dir", "run", "--config", file]
        for file in ("missing", "folder", "binary", "broken.toml", "unknown.toml")
    ),
    *(["inspect", file] for file in ("missing", "folder", "binary", "text", "short.bin")),
    *([verb, *NO_PORT] for verb in ON_A_BOARD),
    *(["restore", "--from", file, *NO_PORT] for file in FILES[:5]),
    *(["boards", "--firmware", file, "ESP32_GENERIC"] for file in ("missing", "folder", "text")),
    *(["new", file] for file in ("good.json", "good.json/below", ".")),
    *(["test", file] for file in ("missing", "good.json", "folder")),
    ["boards", "NO_SUCH_BOARD"],
    ["image", "--out", "out.bin", "--board", "NO_SUCH_BOARD"],
    ["image", "--out", "folder"],
    ["burn", "--flash", "missing", "--cert", "good.json"],
    ["burn", "--flash", "short.bin", "--cert", "good.json"],
    ["burn", "--cert", "good.json", *NO_PORT],
    ["burn", "--flash", "text", "--cert", "good.json", "--mac", "24:0a"],
    ["board", "--flash", "folder", "--listen", "127.0.0.1:0"],
    ["board", "--flash", "short.bin", "--listen", "127.0.0.1:0"],
    ["board", "--flash", "new.bin", "--listen", "nowhere"],
    ["board", "--flash", "new.bin", "--listen", "127.0.0.1:0", "--mac", "x"],
    ["board", "--flash", "new.bin", "--listen", "127.0.0.1:0", "--cloud", "missing"],
    ["board", "--flash", "new.bin", "--listen", "127.0.0.1:0", "--files", "folder"],
    ["board", "--flash", "new.bin", "--listen", "127.0.0.1:0", "--play", "play", "--files", "missing"],
    ["board", "--flash", "new.bin", "--listen", "127.0.0.1:0", "--fault", "earthquake"],
    ["board", "--flash", "new.bin", "--listen", "127.0.0.1:0", "--heap", "much"],
    ["cloud", "--config", "good.toml", "--run-dir", "text"],
    ["cloud", "--config", "good.toml", "--run-dir", "run", "--host", "not a host"],
    ["bench", "no-such-part"],
    ["ca", "issue", "--ca", "missing"],
    ["ca", "check", "missing"],
    *(["ota", verb, file, *more] for verb, more in OTA for file in FILES[:4]),
    ["ota", "key", "text"],
    ["ota", "pack", "--release", "1", "--number", "1", "--out", "out.ota"],
    ["line", "status", "--ledger", "missing.sqlite"],
    ["line", "intake", "missing.csv"],
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("arguments", BAD, ids=" ".join)
def test_bad_input_gets_one_line(tools, arguments):
    status, out, err = tools(*arguments)
    assert status != 0
    lines = [line for line in err.splitlines() if line]
    if status == 2 and lines[0].startswith("usage: "):
        lines = lines[-1:]
    assert len(lines) == 1 and "error: " in lines[0], err
    assert "Traceback" not in err + out and "0123456789abcdef" not in err + out


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            ["cloud", "--config", "good.toml", "--run-dir", "run", option, "PORT"]
            for option in ("--mqtt-tls", "--mqtt-tcp", "--https", "--admin", "--console")
        ),
        ["board", "--flash", "new.bin", "--listen", "127.0.0.1:PORT"],
    ],
    ids=lambda arguments: f"{arguments[0]} {arguments[-2]}",
)
def test_a_port_in_use_gets_one_line(tools, arguments):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, out, err = tools(*(word.replace("PORT", port) for word in arguments))
    assert status == 1 and err.count("\n") == 1 and err.startswith("error: ") and port in err, err


def test_as_a_program_too(tmp_path):
    """The same by `python -m tools`: one line, status 1; and Ctrl-C or a closed pipe are no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "tools", "inspect", str(tmp_path / "missing")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and done.stderr.startswith("error: ")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "tools", "boards"], cwd=ROOT, stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    assert b"Traceback" not in done.stderr


def test_a_name_that_the_terminal_cannot_show_breaks_no_tool(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tools", "image", "--out", str(tmp_path / "\U0001f4f6.bin")],
        env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0 and "\\U0001f4f6.bin: " in done.stdout, done.stderr
