"""The cloud as a process has it: run directory, listeners, ready.json."""

import asyncio
import contextlib
import errno
import json
import os
import resource
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from tools.emulator.cloud.admin import AdminApp
from tools.emulator.cloud.certificates import Contexts, host_names
from tools.emulator.cloud.https import HttpsApp
from tools.emulator.cloud.instance import Instance
from tools.emulator.cloud.itls.link import ItlsListener
from tools.emulator.cloud.link import Listener
from tools.emulator.cloud.mqtt import MqttPeer
from tools.emulator.cloud.sntp import Sntp
from tools.emulator.cloud.store import Store
from tools.emulator.cloud.x509.mutual import Mutual, MutualListener
from tools.emulator.cloud.x509.peer import CertificatePeer
from tools.errors import UserError

if TYPE_CHECKING:
    from tools.emulator.cloud.console.console import Console

PORTS = ("mqtt_tls", "mqtt_tcp", "https", "admin", "ntp", "itls", "x509")
WANTED_FILES = 16_384  # open files: 5,000 devices, a gateway of tests, and room


class Server:
    """`config` served from `run_dir`; `ports` maps names of `PORTS` to numbers, 0 for any free one.

    `ports` may name "console" too: then there is one. `admin_open` false lets the admin port ask for a token.
    """

    def __init__(self, config, run_dir, host="127.0.0.1", ports=None, tls13=False, admin_open=True):
        self.config, self.run_dir, self.host = config, Path(run_dir), host
        self.wanted = {**dict.fromkeys(PORTS, 0), **(ports or {})}
        self.ports = {}
        self.lock = lock(self.run_dir)
        self.ready_path = self.run_dir / "ready.json"
        self.ready_path.unlink(missing_ok=True)
        contexts = Contexts(self.run_dir, host_names(*config.centres), tls13)
        contexts.get()
        self.store = Store(self.run_dir / "state.sqlite")
        self.instance = Instance(config, self.store)
        self.ntp = None
        mutual = Mutual(self.run_dir, host_names(*config.centres), tls13, self.instance.certificates)
        self.admin = AdminApp(self)
        self.admin.token = None if admin_open else secrets.token_urlsafe(32)
        self.console: Console | None = None
        self.listeners = self.make_listeners(contexts, mutual)

    def make_listeners(self, contexts: Contexts, mutual: Mutual) -> list[Listener]:
        def listener(where, make_handler, tls, kind=Listener):
            return kind(
                where,
                make_handler,
                self.instance.faults,
                self.instance.journal,
                self.config.timing.connect_seconds,
                tls,
            )

        def mqtt(link):
            return MqttPeer(link, self.instance)

        def certified(link):
            return CertificatePeer(link, self.instance)

        return [
            listener("mqtt_tls", mqtt, contexts),
            listener("mqtt_tcp", mqtt, None),
            listener("https", HttpsApp(self.instance).peer, contexts),
            listener("itls", mqtt, self.instance.id2, ItlsListener),
            listener("x509", certified, mutual, MutualListener),
            listener("admin", self.admin.peer, None),
        ]

    async def start(self) -> None:
        """Opens all ports, then writes ready.json; raises UserError."""
        for listener in self.listeners:
            host = "127.0.0.1" if listener.where == "admin" else self.host
            with self.port_errors(listener.where, host):
                self.ports[listener.where] = await listener.start(host, self.wanted[listener.where])
        with self.port_errors("ntp", self.host):
            self.ntp, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: Sntp(self.instance.faults, self.instance.journal), (self.host, self.wanted["ntp"])
            )
        self.instance.ota.run(asyncio.get_running_loop())
        self.ports["ntp"] = self.ntp.get_extra_info("sockname")[1]
        if "console" in self.wanted:
            await self.open_console()
        ready: dict[str, Any] = {"ports": self.ports, "host": self.host, "pid": os.getpid()}
        if self.admin.token:
            ready["admin_token"] = self.admin.token
        fresh = self.ready_path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(json.dumps(ready) + "\n")
        fresh.replace(self.ready_path)

    async def open_console(self) -> None:
        from tools.emulator.cloud.console.console import Console  # only then is any of it loaded

        self.console = Console(self)
        with self.port_errors("console", "127.0.0.1"):
            self.ports["console"] = await self.console.start(self.wanted["console"])

    @contextlib.contextmanager
    def port_errors(self, name: str, host: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            option = "--" + name.replace("_", "-")
            where = f"{host}:{self.wanted[name]}"
            if error.errno == errno.EADDRINUSE:
                raise UserError(f"port {where} is in use; name another with {option}, or 0 for any") from None
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            raise UserError(f"cannot listen on {where} ({option}): {reason}") from None
        except UnicodeError:
            raise UserError(
                f"cannot listen on {host}: that is no host name; name another with --host"
            ) from None

    async def stop(self) -> None:
        if self.console:
            await self.console.stop()
        for listener in self.listeners:
            listener.stop()
        if self.ntp:
            self.ntp.close()
        self.instance.ota.stop()
        await asyncio.sleep(0)
        self.ready_path.unlink(missing_ok=True)
        self.store.close()
        self.lock.release()


def lock(run_dir: Path) -> FileLock:
    """Takes the run directory for this process; returns the lock, which is to be released."""
    held = FileLock(run_dir / "lock", mode=0o600, thread_local=False)
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        held.acquire(blocking=False)
    except Timeout:
        raise UserError(f"another cloud is running in {run_dir}; stop it or name another --run-dir") from None
    except OSError as error:
        raise UserError(
            f"cannot use the run directory {run_dir}: {error.strerror}; name another with --run-dir"
        ) from None
    return held


class Shortage:
    """Says once, in one line, that no file can be opened any more, and again when it has been over for a while.

    asyncio itself waits a second before it accepts again; what is connected is served meanwhile. `report` prints.
    """

    QUIET = 60.0  # seconds without it, after which it is told anew

    def __init__(self, journal, report):
        self.journal, self.report = journal, report
        self.last = None

    def __call__(self, loop, context):
        """What asyncio calls with an error that nobody handles."""
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in (errno.EMFILE, errno.ENFILE):
            loop.default_exception_handler(context)
            return
        now = loop.time()
        if self.last is None or now - self.last > self.QUIET:
            self.journal.event("out of files", reason=os.strerror(error.errno))
            self.report(
                f"note: {os.strerror(error.errno)}: new connections wait until others end, devices on line are "
                "served; more at once need a higher limit (ulimit -Hn)"
            )
        self.last = now


def raise_file_limit(wanted: int = WANTED_FILES) -> str | None:
    """Raises the limit of open files to the hard one; a line about it if that is below `wanted`, or None."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    goal = wanted if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < goal:
        resource.setrlimit(resource.RLIMIT_NOFILE, (goal, hard))
    if goal < wanted:
        return (
            f"open files are limited to {goal} (ulimit -Hn), {wanted} are wanted: "
            f"about {max(goal - 100, 0)} devices can connect"
        )
    return None
