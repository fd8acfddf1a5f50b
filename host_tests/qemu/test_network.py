"""The private network: names, the platform's ports, and what a machine lacks that cannot have one."""

import errno
import socket
import struct
import subprocess
import sys
import threading

import pytest

from host_tests.qemu.test_names import QUESTION
from host_tests.support.paths import ROOT
from tools import host_names
from tools.errors import UserError
from tools.qemu import network

FREE = ("127.0.0.1", 0)


@pytest.fixture
def private():
    """A network of names and of two doors, https and ntp, on free ports of this machine's own."""
    with network.Network(FREE, [(*FREE, "https"), (*FREE, "ntp")]) as made:
        yield made


@pytest.fixture
def cloud(private):
    """A listener where the network believes the cloud's https."""
    with socket.create_server(FREE) as server:
        server.settimeout(10)
        private.ports = {"https": server.getsockname()[1]}
        yield server


def datagram(at, data):
    with socket.socket(type=socket.SOCK_DGRAM) as link:
        link.settimeout(10)
        link.sendto(data, at)
        return link.recv(2048)


def test_the_name_server_answers_packets(private):
    assert socket.inet_ntoa(datagram(private.at, QUESTION)[-4:]) == network.ADDRESSES["ntp"]
    assert private.asked == ["ntp.aliyun.com"]


def test_each_name_of_the_platform_leads_to_a_door_for_each_of_its_ports():
    doors = network.doors()
    for pattern, ports in host_names.PLATFORM.items():
        name = pattern.replace("*", "some-label")
        for port, service in ports.items():
            assert (network.address_of(name), port, service) in doors, name
    assert len({(address, port) for address, port, _ in doors}) == len(doors)
    assert network.address_of("example.com") is None


def test_a_door_carries_both_ways_and_ends_when_the_cloud_ends(private, cloud):
    with socket.create_connection(private.doors[0], 10) as board:
        far, _ = cloud.accept()
        data = bytes(range(256)) * 4096
        threading.Thread(target=board.sendall, args=(data,)).start()
        assert far.recv(len(data), socket.MSG_WAITALL) == data
        far.sendall(b"answer")
        far.close()
        assert board.recv(100, socket.MSG_WAITALL) == b"answer"


def test_a_door_passes_a_reset_on(private, cloud):
    with socket.create_connection(private.doors[0], 10) as board:
        far, _ = cloud.accept()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        far.close()
        with pytest.raises(ConnectionResetError):
            board.recv(1)


def test_a_door_without_a_cloud_refuses(private):
    with pytest.raises(ConnectionResetError), socket.create_connection(private.doors[0], 10) as board:
        board.recv(1)


def test_datagrams_are_carried(private):
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind(FREE)
        private.ports = {"ntp": server.getsockname()[1]}

        def answer():
            data, peer = server.recvfrom(100)
            server.sendto(data[::-1], peer)

        threading.Thread(target=answer, daemon=True).start()
        assert datagram(private.doors[1], b"asked") == b"deksa"


INSIDE = """
import socket
from tools.errors import UserError
from tools.qemu import network
try:
    at = network.enter()
except UserError as error:
    raise SystemExit(f"untried: {error}")
with network.Network((at, 53), network.doors()) as private, socket.create_server(("127.0.0.1", 0)) as cloud:
    private.ports = {"mqtt_tls": cloud.getsockname()[1]}
    board = socket.create_connection(("a1k.iot-as-mqtt.cn-shanghai.aliyuncs.com", 443), 10)
    cloud.accept()[0].sendall(b"inside")
    print(board.recv(6, socket.MSG_WAITALL).decode())
    try:
        socket.gethostbyname("example.com")
    except OSError:
        print("alone")
"""


def test_a_process_enters_and_the_platforms_names_lead_to_its_cloud():
    done = subprocess.run(
        [sys.executable, "-c", INSIDE], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    if done.stderr.startswith("untried: "):  # the machine lets nobody in: that has to be said in one line
        assert done.stdout == "" and done.stderr.count("\n") == 1, done.stderr
    else:
        assert done.stdout.split() == ["inside", "alone"], done.stderr


@pytest.mark.parametrize(
    "text, found",
    [
        ("nameserver 10.0.0.7\nnameserver 10.0.0.8\n", "10.0.0.7"),
        ("# nameserver 10.0.0.7\nnameserver fe80::1\nnameserver 127.0.0.53\n", "127.0.0.53"),
    ],
)
def test_the_name_server_is_the_one_that_qemu_asks(tmp_path, text, found):
    (tmp_path / "resolv.conf").write_text(text)
    assert network.name_server(tmp_path / "resolv.conf") == found


def test_without_a_name_server_of_ipv4_qemu_asks_nobody(tmp_path):
    (tmp_path / "resolv.conf").write_text("nameserver fe80::1\n")
    for name in ("resolv.conf", "missing"):
        with pytest.raises(UserError, match="name server"):
            network.name_server(tmp_path / name)


def test_a_machine_without_ip_is_told_what_is_missing(monkeypatch):
    monkeypatch.setattr(network.shutil, "which", lambda _: None)
    with pytest.raises(UserError, match="'ip' is missing: apt-get install iproute2"):
        network.enter()


def test_a_machine_that_gives_no_namespace_is_told_what_to_do(monkeypatch):
    asked = []

    def refuse(flags):
        asked.append(flags)
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(network, "_call", refuse)
    monkeypatch.setattr(network.shutil, "which", lambda _: "/bin/ip")
    monkeypatch.setattr(network, "name_server", lambda: "127.0.0.53")
    with pytest.raises(UserError, match="Operation not permitted.*as root, or allow user namespaces"):
        network.enter()
    assert len(asked) == 2  # by right, and as root of a user namespace


def test_another_system_is_told_that_it_takes_linux(monkeypatch):
    monkeypatch.setattr(network.sys, "platform", "darwin")
    with pytest.raises(UserError, match="needs Linux"):
        network.enter()
