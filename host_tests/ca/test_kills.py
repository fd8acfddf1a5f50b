"""A kill at any moment of issuing: no serial used twice, no half file, and the next run finishes."""

import json
import os
import signal
import subprocess
import sys
import time

from host_tests.support.paths import ROOT
from tools import certificates
from tools.ca.authority import Authority


def environment(passphrase):
    return {**os.environ, "ALIOT_CA_PASSPHRASE": passphrase.decode(), "PYTHONDONTWRITEBYTECODE": "1"}


def test_killed_at_any_line_the_next_run_ends_well(made_once, tmp_path, passphrase, campaign):
    kills = int(40 * campaign)
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "host_tests" / "support" / "killed.py",
            made_once,
            tmp_path / "work",
            str(kills),
        ],
        capture_output=True,
        text=True,
        env=environment(passphrase),
        timeout=280 * max(1, campaign),
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["faults"] == []
    assert report["kills"] >= min(kills, report["lines"]) - 1
    print(f"{report['kills']} kills at {report['lines']} lines")


def issue(folder, out, passphrase):
    return subprocess.Popen(
        # a runner in the background may have SIGINT ignored, and a child inherits that
        [
            "env",
            "--default-signal=INT",
            sys.executable,
            "-m",
            "tools",
            "ca",
            "issue",
            folder,
            "--csv",
            folder.parent / "devices.csv",
            "--product",
            "a1X509ProdK",
            "--out",
            out,
            "--workers",
            "2",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(passphrase),
        cwd=ROOT,
        text=True,
    )


def wait_for_a_pair(process, out):
    """Until the first certificate has its name; the command says nothing before its end."""
    while process.poll() is None and not list(out.glob("a1*.cer")):
        time.sleep(0.01)


def test_a_killed_command_takes_its_workers_with_it_and_is_resumed(folder, tmp_path, passphrase):
    """SIGKILL in the middle of 40 devices; the workers hold its output open, so its end is theirs."""
    (tmp_path / "devices.csv").write_text("DeviceName\n" + "".join(f"sensor-{n:02}\n" for n in range(40)))
    out = tmp_path / "out"
    first = issue(folder, out, passphrase)
    wait_for_a_pair(first, out)
    first.send_signal(signal.SIGKILL)
    output = first.communicate(timeout=60)[0]
    assert first.returncode == -signal.SIGKILL, output
    before = {path.name: path.read_bytes() for path in out.glob("a1*")}
    assert 0 < len(before) < 80
    second = issue(folder, out, passphrase)
    output = second.communicate(timeout=200)[0]
    assert second.returncode == 0, output
    assert len(list(out.glob("a1*.cer"))) == len(list(out.glob("a1*.key"))) == 40
    assert not [path for path in out.iterdir() if path.name.startswith(".a1")]
    assert all((out / name).read_bytes() == data for name, data in before.items() if name.endswith(".key"))
    ca = Authority(folder)
    issued = {row.serial for row in ca.ledger.rows(newest_only=False)}
    held = {format(certificates.certificate(path.read_bytes()).serial, "X") for path in out.glob("a1*.cer")}
    assert held == issued and len(issued) == 40


def test_ctrl_c_ends_with_a_line_and_leaves_no_staged_file(folder, tmp_path, passphrase):
    (tmp_path / "devices.csv").write_text("DeviceName\n" + "".join(f"sensor-{n:03}\n" for n in range(400)))
    out = tmp_path / "out"
    running = issue(folder, out, passphrase)
    wait_for_a_pair(running, out)
    running.send_signal(signal.SIGINT)
    output = running.communicate(timeout=60)[0]
    assert (running.returncode, output) == (130, "error: stopped by Ctrl-C\n")
    assert not [path for path in out.iterdir() if path.name.startswith(".a1")]
    pairs = {path.stem for path in out.glob("a1*.cer")}
    assert pairs == {path.stem for path in out.glob("a1*.key")}
    assert 0 < len(Authority(folder).ledger.rows()) == len(pairs) < 400
