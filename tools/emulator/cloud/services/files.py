"""Files in the run directory, and the addresses at which devices fetch them (application.md 10, 12, 13)."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.codes import Refused
from tools.emulator.cloud.ota import urls
from tools.emulator.cloud.ota.downloads import Stored
from tools.files import PRIVATE

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance
    from tools.emulator.cloud.registry import Device

PREFIX = "/files/"
NAME = re.compile(r"[0-9a-f]{32}")
SIGN_METHOD = "Sha256"
SERVER_ERROR = 500


@dataclass(frozen=True)
class File:
    """One file: its `name` in the run directory, its size in bytes, its SHA-256 in hex."""

    name: str
    size: int
    sign: str


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    """Turn an error of the disk into the platform's own error, code 500."""
    try:
        yield
    except OSError as error:
        raise Refused(SERVER_ERROR, text=f"the file cannot be kept: {error.strerror}") from None


class Files:
    """The files of `instance`."""

    def __init__(self, instance: Instance):
        self.instance, self.folder = instance, instance.store.folder / "files"

    def new_name(self) -> str:
        return secrets.token_hex(16)

    def path(self, name: str) -> Path:
        return self.folder / name

    def add(self, content: bytes) -> File:
        """Keeps a file, mode 0600; raises `Refused` with 500."""
        name = self.new_name()
        self.write(name, 0, content)
        return File(name, len(content), hashlib.sha256(content).hexdigest())

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Puts bytes at `offset`, behind which nothing stays; raises `Refused` with 500."""
        with disk_errors():
            self.folder.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, PRIVATE)
            with open(descriptor, "wb") as stream:
                stream.seek(offset)
                stream.write(data)
                stream.truncate()

    def read(self, name: str) -> bytes:
        """Raises `Refused` with 500."""
        with disk_errors():
            return self.path(name).read_bytes()

    def remove(self, name: str) -> None:
        self.path(name).unlink(missing_ok=True)

    # ---- what devices fetch

    def url(self, name: str, device: Device, seconds: float) -> str:
        """An address of the file that is signed for the device, and good for so long."""
        config, secret = self.instance.config, self.instance.ota.downloads.secret
        expires = int(self.instance.wall() + seconds)
        length = config.limits.ota_url_characters
        return urls.make(secret, config.region, PREFIX + name, device.key, expires, length)

    def show(self, file: dict[str, Any], device: Device, seconds: float, name: str = "url") -> dict[str, Any]:
        """`sign`, `signMethod` and the address, under `name`, of a `File` as a dict."""
        return {
            "sign": file["sign"],
            "signMethod": SIGN_METHOD,
            name: self.url(file["name"], device, seconds),
        }

    def find(self, path: str) -> Stored | None:
        """The file of an address."""
        name = path.removeprefix(PREFIX)
        if not path.startswith(PREFIX) or not NAME.fullmatch(name) or not self.path(name).is_file():
            return None
        about = self.path(name).stat()
        return Stored(about.st_size, name, int(about.st_mtime * 1000), partial(self.part, name))

    def part(self, name: str, start: int, size: int) -> bytes:
        """`size` bytes from `start`, fewer at the end."""
        with self.path(name).open("rb") as file:
            file.seek(start)
            return file.read(size)
