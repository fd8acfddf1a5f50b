"""Packages: their files in the run directory, what describes them, their verification (application.md 5.3)."""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools import files
from tools.emulator.cloud.cloud_api import Failed
from tools.errors import UserError

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance

KIND = "ota_package/"
MD5, SHA256 = "MD5", "SHA256"
DEFAULT = "default"
UNCHECKED, UNVERIFIED, VERIFIED, VERIFYING, REFUSED = -1, 0, 1, 2, 3  # Status of a package
TEXT = re.compile(r"[A-Za-z0-9._-]{1,64}")  # versions and modules, application.md 5.1
FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
SUFFIXES = ("bin", "dav", "tar", "gz", "zip", "gzip", "apk", "tar.gz", "tar.xz", "pack")


@dataclass(frozen=True)
class File:
    """`sign` by the package's method, lower-case hex."""

    name: str
    size: int
    sign: str


@dataclass
class Package:
    """`source` is the version that a differential package starts from, "" for a full one."""

    firmware_id: str
    product_key: str
    name: str
    version: str
    source: str
    module: str
    sign_method: str
    udi: str
    desc: str
    created: int
    status: int
    files: list[File]


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    """A disk that refuses is a failed call."""
    try:
        yield
    except OSError as error:
        raise Failed("iot.ota.Storage", f"the file cannot be kept: {error.strerror}") from None
    except UserError as error:
        raise Failed("iot.ota.Storage", str(error)) from None


class Packages:
    """The packages of `instance`, by FirmwareId."""

    def __init__(self, instance: Instance):
        self.instance, self.store = instance, instance.store
        self.limits = instance.config.limits
        self.folder: Path = instance.store.folder / "ota"
        self.packages: dict[str, Package] = {}
        for _, _, body in self.store.states(KIND):
            found = Package(**{**body, "files": [File(**one) for one in body["files"]]})
            self.packages[found.firmware_id] = found

    # ---- uploads

    def new_upload(self, suffix: str) -> str:
        """The key of a file that may be uploaded from now on."""
        if suffix not in SUFFIXES:
            raise Failed("iot.ota.FileSuffix", f"FileSuffix must be one of {', '.join(SUFFIXES)}")
        return f"{secrets.token_hex(12)}.{suffix}"

    def upload_path(self, key: str) -> Path:
        """Where the file `key` lies until its package is made; raises `Failed`."""
        head, _, suffix = key.partition(".")
        if not re.fullmatch("[0-9a-f]{24}", head) or suffix not in SUFFIXES:
            raise Failed("iot.ota.FileUrl", f"{key[:100]} is no file of GenerateOTAUploadURL")
        return self.folder / f"upload-{key}"

    def upload(self, key: str, data: bytes) -> None:
        path = self.upload_path(key)
        if not 0 < len(data) <= self.limits.ota_file_bytes:
            raise Failed("iot.ota.FileSize", f"a file has 1 to {self.limits.ota_file_bytes} bytes")
        with disk_errors():
            self.folder.mkdir(mode=0o700, exist_ok=True)
            files.write(path, data, files.PRIVATE)

    # ---- packages

    def find(self, firmware_id: str) -> Package:
        if firmware_id not in self.packages:
            raise Failed("iot.ota.FirmwareNotFound", f"there is no package {firmware_id}")
        return self.packages[firmware_id]

    def path(self, package: Package, number: int) -> Path:
        """The file `number`, counted from 1, of a package."""
        return self.folder / f"{package.firmware_id}-{number}"

    def create(self, package: Package, uploads: list[tuple[str, dict[str, Any]]]) -> Package:
        """Makes a package of (upload key, what the caller says of it: FileSize, FileSign, Name); raises `Failed`."""
        self.check(package, len(uploads))
        paths = [self.upload_path(key) for key, _ in uploads]
        if len(set(paths)) != len(paths):
            raise Failed("iot.ota.FileUrl", "a file is there twice")
        for (key, claims), path in zip(uploads, paths):
            package.files.append(describe(key, path, package.sign_method, claims))
        names = [one.name for one in package.files]
        if len(set(names)) != len(names):
            raise Failed("iot.ota.FileName", "a file's name is there twice")
        with disk_errors():
            for number, path in enumerate(paths, 1):
                path.replace(self.path(package, number))
        self.packages[package.firmware_id] = package
        self.save(package)
        return package

    def check(self, package: Package, count: int) -> None:
        for name, text in (("DestVersion", package.version), ("ModuleName", package.module)):
            if not TEXT.fullmatch(text):
                raise Failed(
                    "ParameterError", f"{name} must be 1 to 64 letters, digits and . _ -, not {text[:80]!r}"
                )
        if package.source and not TEXT.fullmatch(package.source):
            raise Failed("ParameterError", "SrcVersion must be 1 to 64 letters, digits and . _ -")
        if package.source == package.version:
            raise Failed("ParameterError", "SrcVersion and DestVersion are the same")
        if package.sign_method not in (MD5, SHA256):
            raise Failed("ParameterError", "SignMethod must be MD5 or SHA256")
        if len(package.udi) > self.limits.ota_extra_characters:
            raise Failed("ParameterError", f"Udi has at most {self.limits.ota_extra_characters} characters")
        if any(one.name == package.name for one in self.packages.values()):
            raise Failed("iot.ota.FirmwareName", f"there is a package {package.name!r} already")
        if len(self.packages) >= self.limits.ota_packages:
            raise Failed("iot.ota.TooManyFirmware", f"there are {self.limits.ota_packages} packages already")
        if not 1 <= count <= self.limits.ota_files:
            raise Failed("ParameterError", f"a package has 1 to {self.limits.ota_files} files")

    def save(self, package: Package) -> None:
        self.store.save_state(package.product_key, "", KIND + package.firmware_id, asdict(package))

    def set_status(self, package: Package, status: int) -> None:
        package.status = status
        self.save(package)

    def delete(self, package: Package) -> None:
        self.store.save_state(package.product_key, "", KIND + package.firmware_id, None)
        for number in range(1, len(package.files) + 1):
            self.path(package, number).unlink(missing_ok=True)
        del self.packages[package.firmware_id]

    def read(self, package: Package, number: int, start: int, size: int) -> bytes:
        """`size` bytes of a file from `start`, fewer at its end; raises OSError."""
        with self.path(package, number).open("rb") as file:
            file.seek(start)
            return file.read(size)


def describe(key: str, path: Path, method: str, claims: dict[str, Any]) -> File:
    """The `File` of an upload, if what the caller says of it is true; raises `Failed`."""
    name = claims.get("Name") or key
    if not isinstance(name, str) or not FILE_NAME.fullmatch(name):
        raise Failed("iot.ota.FileName", "a file's name is 1 to 100 letters, digits and . _ -")
    try:
        data = path.read_bytes()
    except OSError:
        raise Failed("iot.ota.FileUrl", f"{key} was not uploaded") from None
    sign = hashlib.new(method.lower(), data).hexdigest()
    claimed, size = claims.get("FileSign"), claims.get("FileSize", len(data))
    if claimed is not None and str(claimed).lower() != sign:
        raise Failed("iot.ota.FirmwareSign", f"the {method} of {name} is {sign}")
    if size != len(data):
        raise Failed("iot.ota.FirmwareSize", f"{name} has {len(data)} bytes")
    return File(name, len(data), sign)
