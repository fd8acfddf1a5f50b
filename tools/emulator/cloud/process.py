"""The emulated cloud for tests and demos: a subprocess with its ports, its CA and its admin API."""

import http.client
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import tenacity

from tools import secrets

ROOT = Path(__file__).resolve().parents[3]
CA_FILES = ("ca.pem", "ca.der", "ca.key.pem")
START_SECONDS = 60


class CloudError(Exception):
    """The cloud did not start, or its admin API refused; the text is what it said."""


class PortTaken(CloudError):
    """A port that the cloud had before is another program's now; a client's own port soon is free again."""


class Cloud:
    """`with Cloud(config, run_dir) as cloud:` runs `python -m tools cloud`.

    `config` is the text of a cloud.toml or a dict of the same shape; `ca` is
    the run directory of another cloud whose CA this one takes over. With
    `console` it has one; `console_address` is what opens it, once.
    """

    def __init__(self, config, run_dir, tls13=False, ca=None, console=False):
        self.run_dir, self.tls13 = Path(run_dir).absolute(), tls13  # the process runs elsewhere
        self.run_dir.mkdir(parents=True, exist_ok=True)
        self.config_path = self.run_dir / "cloud.toml"
        secrets.write(self.config_path, config if isinstance(config, str) else toml(config))
        for name in CA_FILES if ca else ():
            shutil.copy(Path(ca) / name, self.run_dir / name)
        self.ports, self.process = {}, None
        self.console, self.console_address, self.headers = console, None, {}

    ca_pem = property(lambda self: self.run_dir / "ca.pem")
    ca_der = property(lambda self: self.run_dir / "ca.der")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(PortTaken),
        wait=tenacity.wait_fixed(0.2),
        stop=tenacity.stop_after_delay(START_SECONDS),
        reraise=True,
    )
    def start(self) -> None:
        """Starts the process, on the ports it had before if it ran before; raises `CloudError`."""
        command = [
            sys.executable,
            "-m",
            "tools",
            "cloud",
            "--json",
            "--until-eof",
            "--config",
            str(self.config_path),
            "--run-dir",
            str(self.run_dir),
            *(["--tls13"] if self.tls13 else []),
            *(["--console"] if self.console and "console" not in self.ports else []),
        ]
        for name, number in self.ports.items():
            command += ["--" + name.replace("_", "-"), str(number)]
        with open(self.run_dir / "cloud.log", "ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        line = self.process.stdout.readline()
        if not line:
            self.process.wait(START_SECONDS)
            last = (self.run_dir / "cloud.log").read_text(errors="replace").strip().splitlines()[-1:]
            self.stop()
            taken = self.ports and last and " is in use" in last[0]
            raise (PortTaken if taken else CloudError)(*last or ["the cloud said nothing"])
        ready = json.loads(line)
        self.ports, self.console_address = ready["ports"], ready.get("console")
        token = json.loads((self.run_dir / "ready.json").read_text()).get("admin_token")
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def stop(self) -> None:
        """Ends the process in good order."""
        if self.process is None:
            return
        self.process.stdin.close()
        try:
            self.process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process = None

    def kill(self) -> None:
        """Ends the process at once, as a crash would."""
        self.process.kill()
        self.stop()

    def restart(self) -> None:
        self.stop()
        self.start()

    def admin(self, method: str, path: str, body: object = None) -> Any:
        """One admin call, bytes as they are; the answer's JSON. The caller quotes `path`; raises `CloudError`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["admin"], timeout=START_SECONDS)
        try:
            data = body if body is None or isinstance(body, bytes) else json.dumps(body)
            kind = {"Content-Type": "application/json"} if data else {}
            connection.request(method, path, data, kind | self.headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise CloudError(answer.get("error", f"HTTP {response.status}"))
        return answer

    def device(self, product_key: str, device_name: str, secret: bool = False) -> dict[str, Any]:
        """What the console shows of a device; with `secret` unmasked."""
        path = f"/devices/{quote(product_key, safe='')}/{quote(device_name, safe='')}"
        return self.admin("GET", path + ("?secret=1" if secret else ""))

    def act(self, product_key: str, device_name: str, action: str, body: object = None) -> Any:
        """POST /devices/{pk}/{dn}/{action}."""
        path = f"/devices/{quote(product_key, safe='')}/{quote(device_name, safe='')}/{action}"
        return self.admin("POST", path, body)

    def call(self, action: str, **parameters: Any) -> Any:
        """`Data` of a call of the cloud's own API, such as SetDeviceProperty; raises `CloudError` if it fails."""
        answer = self.admin("POST", f"/api/{quote(action, safe='')}", parameters)
        if not answer["Success"]:
            raise CloudError(f"{answer['Code']}: {answer['ErrorMessage']}")
        return answer["Data"]

    def upload(self, data: bytes, suffix: str = "bin") -> str:
        """The FirmwareUrl of a package's file, for CreateOTAFirmware; raises `CloudError`."""
        given = self.call("GenerateOTAUploadURL", FileSuffix=suffix)
        self.admin("POST", f"/ota/uploads/{given['Key']}", data)
        return given["FirmwareUrl"]

    def server_messages(
        self, after: int = 0, wait: int = 0, topic: str | None = None
    ) -> list[dict[str, Any]]:
        """What a business server gets above the number `after`, of one topic or all; waits so many seconds for one."""
        query = {"after": after, "wait": wait, **({"topic": topic} if topic else {})}
        return self.admin("GET", "/server_messages?" + urlencode(query))

    def arm(self, *faults: dict[str, Any]) -> list[dict[str, Any]]:
        """Arms faults, each a dict as in faults.md."""
        return self.admin("POST", "/faults", list(faults))

    def advance(self, seconds: float) -> float:
        """Puts the cloud's clock ahead; returns its time in Unix seconds."""
        return self.admin("POST", "/clock", {"advance": seconds})["time"]


def toml(config: Mapping[str, Any]) -> str:
    """A cloud.toml of the dict `config`: tables, and arrays of tables for lists of dicts."""
    lines: list[str] = []
    write_table(lines, (), config)
    return "\n".join(lines) + "\n"


def write_table(lines: list[str], path: tuple[str, ...], table: Mapping[str, Any]) -> None:
    for key, value in table.items():
        if not is_table(value):
            lines.append(f"{key} = {literal(value)}")
    for key, value in table.items():
        for one in (
            value if is_table(value) and isinstance(value, list) else [value] if is_table(value) else []
        ):
            name = ".".join((*path, key))
            lines.append(f"[[{name}]]" if isinstance(value, list) else f"[{name}]")
            write_table(lines, (*path, key), one)


def is_table(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def literal(value: object) -> str:
    """A TOML value; JSON's text, numbers, booleans and lists are TOML's."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
