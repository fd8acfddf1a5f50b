"""`python -m tools cloud`: what it makes, and the one line it says when it cannot start."""

import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time

import pytest

from host_tests.support.cloud.client import DN, PK, WAIT, Client, connect_packet, settings
from host_tests.support.paths import ROOT
from tools.emulator.cloud import server
from tools.emulator.cloud.codec import Publish
from tools.emulator.cloud.process import Cloud, CloudError, toml


def verb(*arguments, **more):
    """The finished process of one run that is meant to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "tools", "cloud", "--until-eof", *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        **more,
    )


def refused(*arguments):
    done = verb(*arguments)
    assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1, done
    return done.stderr.rstrip("\n")


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "cloud.toml"
    path.write_text(toml(settings()))
    return path


def test_the_contract_of_the_run_directory(tmp_path, config):
    with Cloud(config.read_text(), tmp_path / "run") as cloud:
        ready = json.loads((tmp_path / "run" / "ready.json").read_text())
        assert set(ready["ports"]) == {"mqtt_tls", "mqtt_tcp", "https", "admin", "ntp", "itls", "x509"}
        assert all(0 < number < 65536 for number in ready["ports"].values())
        assert cloud.ca_pem.read_text().startswith("-----BEGIN CERTIFICATE-----")
        for name in ("ca.key.pem", "server.key.pem"):
            assert stat.S_IMODE((tmp_path / "run" / name).stat().st_mode) == 0o600
        with pytest.raises(CloudError, match="another cloud is running"):
            Cloud(config.read_text(), tmp_path / "run").start()


def test_events_go_to_a_file_that_can_be_written(tmp_path, config):
    run = ("--config", config, "--run-dir", tmp_path / "run", "--events")
    assert verb(*run, tmp_path / "events").returncode == 0 and (tmp_path / "events").read_text() == ""
    missing = tmp_path / "none" / "events"
    assert refused(*run, missing) == (
        f"error: cannot write {missing}: No such file or directory; name another with --events"
    )


def test_a_test_calls_the_clouds_api_and_reads_what_a_business_server_gets(tmp_path, config):
    device = {"ProductKey": PK, "DeviceName": DN}
    with Cloud(config.read_text(), tmp_path / "run") as cloud:
        assert cloud.call("SetDeviceDesiredProperty", **device, Items={"Count": 5}) == {
            "Versions": {"Count": 1}
        }
        with pytest.raises(CloudError, match="VersionConflict: the version of Count is 1, not 7"):
            cloud.call("SetDeviceDesiredProperty", **device, Items={"Count": 5}, Versions={"Count": 7})
        assert cloud.server_messages() == []
        cloud.call("SetDeviceProperty", **device, Items={"Count": 5})
        topic = f"/{PK}/{DN}/thing/downlink/reply/message"
        (message,) = cloud.server_messages(wait=20, topic=topic)
        assert message["body"]["code"] == 9200
        assert cloud.server_messages(message["seq"]) == []


def test_it_stops_when_its_input_ends_and_says_where_it_was(tmp_path, config):
    done = verb("--config", config, "--run-dir", tmp_path / "run")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith("ready on 127.0.0.1: mqtt_tls ") and done.stdout.count("\n") == 1


def test_ports_that_were_asked_for_are_the_ports(tmp_path, config):
    with Cloud(config.read_text(), tmp_path / "run") as cloud:
        first = dict(cloud.ports)
        cloud.restart()
        assert cloud.ports == first


def test_a_restart_waits_for_a_port_that_another_program_had_meanwhile(tmp_path, config):
    with Cloud(config.read_text(), tmp_path / "run") as cloud:
        first = dict(cloud.ports)
        cloud.stop()
        taken = socket.create_server(("127.0.0.1", first["https"]))
        threading.Timer(0.5, taken.close).start()
        cloud.start()
        assert cloud.ports == first


def test_a_port_in_use(tmp_path, config):
    for option, kind in (
        ("--mqtt-tls", socket.SOCK_STREAM),
        ("--https", socket.SOCK_STREAM),
        ("--admin", socket.SOCK_STREAM),
        ("--console", socket.SOCK_STREAM),
        ("--ntp", socket.SOCK_DGRAM),
    ):
        with socket.socket(socket.AF_INET, kind) as taken:
            taken.bind(("127.0.0.1", 0))
            if kind == socket.SOCK_STREAM:
                taken.listen()
            number = taken.getsockname()[1]
            assert refused("--config", config, "--run-dir", tmp_path / "run", option, number) == (
                f"error: port 127.0.0.1:{number} is in use; name another with {option}, or 0 for any"
            )


@pytest.mark.parametrize(
    "arguments, text",
    [
        ((), "the following arguments are required: --config, --run-dir"),
        (
            ("--config", "x", "--run-dir", "y", "--console", "eighty"),
            "argument --console: invalid port value: 'eighty'",
        ),
        (
            ("--config", "x", "--run-dir", "y", "--mqtt-tls", "70000"),
            "argument --mqtt-tls: invalid port value: '70000'",
        ),
        (("--config", "x", "--run-dir", "y", "--ntp", "x"), "argument --ntp: invalid port value: 'x'"),
        (("--config", "", "--run-dir", "y"), "argument --config: invalid path value: ''"),
        (("--config", "x", "--run-dir", ""), "argument --run-dir: invalid path value: ''"),
        (("--config", "x", "--run-dir", "y", "--host", ""), "argument --host: invalid host value: ''"),
    ],
)
def test_wrong_usage(arguments, text):
    done = verb(*arguments)
    assert done.returncode == 2 and done.stderr.rstrip().endswith(text)


def test_files_and_folders_that_cannot_be_used(tmp_path, config):
    missing, folder, binary, file = (tmp_path / name for name in ("no.toml", "folder", "binary.toml", "file"))
    folder.mkdir()
    binary.write_bytes(b"\xff\xfe")
    file.write_text("")
    run = tmp_path / "run"
    assert refused("--config", missing, "--run-dir", run) == (
        f"error: cannot read {missing}: No such file or directory; name a cloud.toml with --config"
    )
    assert refused("--config", folder, "--run-dir", run) == (
        f"error: cannot read {folder}: Is a directory; name a cloud.toml with --config"
    )
    assert refused("--config", binary, "--run-dir", run) == f"error: {binary} is not UTF-8 text"
    assert refused("--config", config, "--run-dir", file) == (
        f"error: cannot use the run directory {file}: File exists; name another with --run-dir"
    )
    assert refused("--config", config, "--run-dir", file / "x") == (
        f"error: cannot use the run directory {file / 'x'}: Not a directory; name another with --run-dir"
    )
    assert refused("--config", config, "--run-dir", run, "--host", "no.such.host.invalid").startswith(
        "error: cannot listen on no.such.host.invalid:0 (--mqtt-tls): "
    )
    assert refused("--config", config, "--run-dir", run, "--host", "a" * 64) == (
        f"error: cannot listen on {'a' * 64}: that is no host name; name another with --host"
    )


def test_a_run_directory_that_was_damaged(tmp_path, config):
    run = tmp_path / "run"
    assert verb("--config", config, "--run-dir", run).returncode == 0
    good = {
        name: (run / name).read_bytes() for name in ("state.sqlite", "ca.pem", "server.pem", "server.json")
    }
    for name in ("state.sqlite", "server.pem", "ca.pem"):
        (run / name).write_bytes(b"rubbish" * 100)
        if name == "ca.pem":
            (run / "server.json").unlink()
        message = refused("--config", config, "--run-dir", run)
        assert str(run) in message and "remove" in message
        for name, data in good.items():
            (run / name).write_bytes(data)
    assert verb("--config", config, "--run-dir", run).returncode == 0


PRODUCT = '[[product]]\nproduct_key = "a1"\n'
DEVICE = "  [[product.device]]\n  device_name = "


def test_such_a_configuration_is_one_line_for_a_person(tmp_path):
    path = tmp_path / "my.toml"
    path.write_text(PRODUCT + DEVICE + '"abc"')
    assert refused("--config", path, "--run-dir", tmp_path / "run") == (
        "error: my.toml, line 4: product.device.device_name: must be 4 to 32 characters out of letters, "
        "digits and - _ @ . :"
    )


def test_the_file_limit_is_raised_or_the_reason_said(monkeypatch):
    class Limits:
        RLIMIT_NOFILE, RLIM_INFINITY = 7, -1
        now = (1024, 4096)

        @classmethod
        def getrlimit(cls, which):
            return cls.now

        @classmethod
        def setrlimit(cls, which, limits):
            cls.now = limits

    monkeypatch.setattr(server, "resource", Limits)
    assert server.raise_file_limit(2048) is None and Limits.now == (4096, 4096)  # the hard one
    assert server.raise_file_limit(16_384) == (
        "open files are limited to 4096 (ulimit -Hn), 16384 are wanted: about 3996 devices can connect"
    )


def test_a_low_hard_limit_is_told_in_one_line_and_the_cloud_starts(tmp_path, config):
    import resource

    def low():
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))

    done = verb("--config", config, "--run-dir", tmp_path / "run", preexec_fn=low)
    assert done.returncode == 0
    assert (
        done.stderr == "note: open files are limited to 256 (ulimit -Hn), 16384 are wanted: "
        "about 156 devices can connect\n"
    )


def test_out_of_files_one_line_is_said_and_devices_on_line_keep_their_service(tmp_path, config):
    import resource

    def low():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    command = [
        sys.executable,
        "-m",
        "tools",
        "cloud",
        "--json",
        "--config",
        config,
        "--run-dir",
        tmp_path / "run",
    ]
    with open(tmp_path / "said", "wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=output, stdin=subprocess.DEVNULL, preexec_fn=low
        )
    crowd = []
    try:
        ports = json.loads(process.stdout.readline())["ports"]

        def client():
            return Client(socket.create_connection(("127.0.0.1", ports["mqtt_tcp"]), WAIT))

        device = client().online(connect_packet(mode="3"))
        device.subscribe(f"/{PK}/{DN}/user/get")
        crowd += [socket.create_connection(("127.0.0.1", ports["mqtt_tcp"]), WAIT) for _ in range(100)]
        deadline = time.monotonic() + WAIT
        while "Too many open files" not in (tmp_path / "said").read_text() and time.monotonic() < deadline:
            time.sleep(0.01)
        for number in range(20):
            device.send(Publish(f"/{PK}/{DN}/user/get", b"%d" % number))
            assert device.read().payload == b"%d" % number
        for one in crowd:
            one.close()
        with client() as later:  # it is accepted again
            later.link.settimeout(WAIT)
            later.online(connect_packet(mode="3", extra="x=1,"))
        lines = (tmp_path / "said").read_text().splitlines()
        assert len(lines) == 2 and lines[0].startswith("note: open files are limited to 64"), lines
        assert lines[1].startswith("note: Too many open files: new connections wait until others end")
        device.link.close()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_nothing_of_it_needs_root(tmp_path, config):
    assert (
        os.access(tmp_path, os.W_OK)
        and verb("--config", config, "--run-dir", tmp_path / "deep" / "er").returncode == 0
    )
