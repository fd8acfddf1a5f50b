"""A private network in which the platform's names and ports are real: a Linux network namespace.

QEMU's user network asks the machine's own name server, so that server's address belongs to this network, and
`names` answers there. Each service of the emulated cloud has an address, on which the platform's own ports are
carried to the cloud's on 127.0.0.1. Nothing leads out of it.
"""

import asyncio
import ctypes
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from tools import host_names
from tools.errors import UserError
from tools.qemu.name_server import reply

# port's name in the cloud's ready.json -> its address here
ADDRESSES = {
    "https": "10.77.0.2",
    "mqtt_tls": "10.77.0.3",
    "x509": "10.77.0.4",
    "itls": "10.77.0.5",
    "ntp": "10.77.0.6",
}
UDP = ("ntp",)
NAMES = 53  # port of the name server
RESOLVER = Path("/etc/resolv.conf")
_NEW_USER, _NEW_NET = 0x10000000, 0x40000000  # sched.h: CLONE_NEWUSER, CLONE_NEWNET
_PIECE = 65536
_UDP_SECONDS = 10.0
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER for no time: closing sends a reset


def enter() -> str:
    """This process, and what it starts from now on, has a network of its own. UserError says what that lacks.

    Returns the address at which its name server has to be. It must have one thread only.
    """
    if not sys.platform.startswith("linux"):
        raise UserError("a private network needs Linux (network namespaces)")
    if not shutil.which("ip"):
        raise UserError("the command 'ip' is missing: apt-get install iproute2")
    resolver = name_server()
    _unshare()
    _ip("link", "set", "lo", "up")
    for address in (*ADDRESSES.values(), resolver):
        if not address.startswith("127."):
            _ip("address", "add", f"{address}/32", "dev", "lo")
    return resolver


def name_server(path: Path | str = RESOLVER) -> str:
    """The address that QEMU's user network asks for names: the first IPv4 one of resolv.conf."""
    try:
        text = Path(path).read_text()
    except OSError as error:
        raise UserError(f"cannot read {path}, where QEMU looks for a name server: {error.strerror}") from None
    found = re.search(r"^\s*nameserver\s+(\d+\.\d+\.\d+\.\d+)\s*$", text, re.M)
    if not found:
        raise UserError(
            f"{path} names no IPv4 name server, and QEMU's user network asks no other: add one, any"
        )
    return found[1]


def _unshare():
    """A network namespace: by right, or as root of a user namespace of one's own."""
    uid, gid = os.geteuid(), os.getegid()
    try:
        try:
            _call(_NEW_NET)
        except PermissionError:
            _call(_NEW_USER | _NEW_NET)
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
            Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    except OSError as error:
        raise UserError(
            f"this machine gives no private network ({error.strerror}): run it as root, or allow user namespaces "
            "(sysctl kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)"
        ) from None


def _call(flags):
    if ctypes.CDLL(None, use_errno=True).unshare(flags):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _ip(*arguments):
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise UserError(
            f"'ip {' '.join(arguments)}' failed: {(done.stderr.strip() or 'no reason given').splitlines()[0]}"
        )


def doors() -> list[tuple[str, int, str]]:
    """(address, port, service) of each port of the platform in this network."""
    known = {(port, service) for ports in host_names.PLATFORM.values() for port, service in ports.items()}
    return sorted((ADDRESSES[service], port, service) for port, service in known)


def address_of(name: str) -> str | None:
    """The address of a host name of the platform, or None."""
    service = next(iter(host_names.services(name).values()), None)
    return ADDRESSES.get(service) if service else None


class Network:
    """`with Network(at) as network:` serves names at `at`, (address, port), and the doors; a thread does it.

    `ports`: {service: port on 127.0.0.1} is set by who runs a cloud. `asked`: the names that were asked for.
    """

    def __init__(
        self,
        at: tuple[str, int],
        doors: Sequence[tuple[str, int, str]],
        find: Callable[[str], str | None] = address_of,
    ) -> None:
        self.ports: dict[str, int] = {}
        self.asked: list[str] = []
        self._at, self._doors, self._find = at, doors, find
        self._loop = self._stop = self._failed = None
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self):
        self._thread.start()
        self._up.wait()
        if self._failed:
            raise UserError(self._failed)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _serve(self):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            self.at = await self._datagrams(self._at, lambda: _Names(self._answer))
            self.doors = [await self._open(*door) for door in self._doors]
        except OSError as error:
            self._failed = f"the private network cannot be served: {error.strerror or error}"
            self._stop.set()
        self._up.set()
        await self._stop.wait()

    async def _open(self, address, port, service):
        """Open one door; returns (address, port) as they are."""
        if service in UDP:
            return await self._datagrams((address, port), lambda: _Datagrams(lambda: self.ports.get(service)))
        server = await asyncio.start_server(lambda *ends: self._carry(service, *ends), address, port)
        return server.sockets[0].getsockname()

    async def _datagrams(self, at, protocol):
        transport, _ = await self._loop.create_datagram_endpoint(protocol, local_addr=at)
        return transport.get_extra_info("sockname")

    def _answer(self, query):
        def find(name):
            self.asked.append(name)
            return self._find(name)

        return reply(query, find)

    async def _carry(self, service, reader, writer):
        """One connection, carried to the cloud's port; an end or a reset of one side is one of the other."""
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.ports[service])
        except (KeyError, OSError):
            _reset(writer)
            return
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))


async def _pump(reader, writer):
    try:
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()
        writer.close()
    except OSError:
        _reset(writer)


def _reset(writer):
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


class _Names(asyncio.DatagramProtocol):
    def __init__(self, answer):
        self._answer = answer

    def connection_made(self, transport):
        self._transport = transport

    def datagram_received(self, data, peer):
        packet = self._answer(data)
        if packet:
            self._transport.sendto(packet, peer)


class _Datagrams(asyncio.DatagramProtocol):
    """Carries each datagram to a port on 127.0.0.1, and the answers back."""

    def __init__(self, port):
        self._port = port

    def connection_made(self, transport):
        self._transport = transport

    def datagram_received(self, data, peer):
        port = self._port()
        if port:
            asyncio.ensure_future(self._ask(port, data, peer))

    async def _ask(self, port, data, peer):
        loop = asyncio.get_running_loop()
        far, _ = await loop.create_datagram_endpoint(
            lambda: _Back(lambda answer: self._transport.sendto(answer, peer)),
            remote_addr=("127.0.0.1", port),
        )
        far.sendto(data)
        loop.call_later(_UDP_SECONDS, far.close)


class _Back(asyncio.DatagramProtocol):
    def __init__(self, send):
        self._send = send

    def datagram_received(self, data, _):
        self._send(data)
