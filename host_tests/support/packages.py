"""Small packages for boards in memory: a key for tests, releases of three files, and what asks a board with them."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from host_tests.support.device_tests import INTERPRETERS, conversation
from tools.image import device_files, updates
from tools.ota import keys, manifest, package
from tools.ota.manifest import Manifest

PASSPHRASE = b"a passphrase for tests only"
CHEAP = 2**10  # scrypt cost
MPY = b"M\x06\x00\x1f"
HEAD = Manifest("1.0.0", 1, 6, 1, "1.24", ("a1OtaTests0",), delete=("/old.bin",))


def record(trial, good, other, generation=5):
    """A record of updates: the letters of its trees, or ""."""
    letters = (ord(code) if code else 0 for code in (trial, good, other))
    data = struct.pack(">I5B8x", generation, *letters, 0, 0)
    return data + zlib.crc32(data).to_bytes(4, "little")


_MANIFEST = b"aliot-ota 1\nrelease 1.2.0\nnumber 7\n"
# files of a board with release 1.2.0, which is good, and 1.3.0 on trial
UPDATE = {
    "/ota/a/manifest": _MANIFEST,
    "/ota/a/main.py": b"update",
    "/ota/b/manifest": _MANIFEST.replace(b"1.2.0", b"1.3.0").replace(b"7", b"8"),
    "/ota/r/0": record("", "a", ""),
    "/ota/r/1": record("b", "a", "", 6),
}


def signing_key(folder):
    """A key, made in `folder` as `ota key` does."""
    keys.create(folder, PASSPHRASE, cost=CHEAP)
    return keys.unlock(folder, PASSPHRASE)


def key_files(key):
    """{path on a board: bytes} of a key's public half."""
    public = key.public_key()
    return {updates.KEYS + updates.key_id(public): updates.modulus(public)}


@contextmanager
def any_tree() -> Iterator[None]:
    """Packages need no file of the firmware."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest, "NEEDED", ())
        yield


def tree(name, size=900):
    return {
        "main.py": f"import {name}\n".encode(),
        "aliot/__init__.mpy": MPY + name.encode() * (size // len(name)),
        "aliot/start.mpy": MPY + name.encode(),
    }


def firmware_tree(without=()):
    """The firmware as a release has it, without main.py and the rooms of aliot that are named."""
    found = {path[1:]: data for path, data in device_files.compile_tree().items()}
    rooms = [[room] for room in without]
    return {
        path: data for path, data in found.items() if path != "boot.py" and path.split("/")[1:2] not in rooms
    }


def release(key, number, files, image=b"", head=HEAD, **more):
    """What a board is asked with: a package, and what has to run once it is there; `more` is of its manifest."""
    head = replace(head, **{"release": f"{number}.0.0", "number": number, **more})
    made = package.pack(files, head, image).signed(key)
    return {
        "package": made.encode().hex(),
        "manifest": made.manifest.encode().hex(),
        "files": {path: data.hex() for path, data in files.items()},
    }


def asking(path, interpreters=tuple(INTERPRETERS), heap="4M"):
    """A fixture `ask(function, releases, **value)` of a module: its board in memory trusts the fixture `key`."""

    @pytest.fixture(scope="module", params=interpreters)
    def ask(request, key):
        with conversation(path, request.param, heap=heap) as asked:

            def call(function, releases, **value):
                [(place, modulus)] = key_files(key).items()
                own = [place.rpartition("/")[2], modulus.hex()]
                failed = asked(function, {"key": own, "releases": releases, **value})
                assert failed is None, failed

            yield call

    return ask
