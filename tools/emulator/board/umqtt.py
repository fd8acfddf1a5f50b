"""umqtt.simple for the host's interpreters: the released package, pinned by hash, never a copy in here.

The package is a tarball of 2017 without setup.py, so pip downloads and verifies
it but cannot go on to build it. pip is therefore asked to keep what it
unpacked, and the one module in it is taken from there: index, mirrors, proxy
and certificates are the ones that pip is configured for.
"""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from tools import cache
from tools.errors import UserError

CACHE = cache.FOLDER
NAME = "micropython-umqtt.simple"
VERSION = "1.3.4"
# version -> (SHA-256 of the package, SHA-256 of umqtt/simple.py in it)
PINNED = {
    "1.3.4": (
        "b6a2520239e3992c63a7de9370ee9b3d9d27819a90359c521f1c0f7ccab8d12f",
        "8555d2f654deb8eb0d724f79b0811a78cc94029d070f3d96bbd74288653d63a5",
    )
}
TIMEOUT = 300  # seconds for pip


def folder(version: str = VERSION) -> Path:
    """A folder that holds `umqtt/simple.py` of that version, fetched on the first call; raises UserError."""
    package, module = PINNED[version]
    root = CACHE / f"umqtt-{version}"
    with cache.locked(CACHE / "umqtt.lock"):
        if not root.exists():
            _fetch(version, package, module, root)
    if _digest(root / "umqtt" / "simple.py") != module:
        raise UserError(f"{root.name} in the cache was changed: delete that folder and start again")
    return root


def others() -> dict[str, Path]:
    """{version: folder} of further umqtt.simple sources that the environment offers.

    ALIOT_UMQTT may name folders, joined by ':', each with an `umqtt/simple.py`
    (1.4 to 1.8, as `mip` or micropython-lib has it); the folder's name stands
    for the version.
    """
    found = {}
    for name in filter(None, os.environ.get("ALIOT_UMQTT", "").split(":")):
        path = Path(name)
        if not (path / "umqtt" / "simple.py").is_file():
            raise UserError(f"ALIOT_UMQTT names '{name}', which holds no umqtt/simple.py")
        found[path.resolve().name] = path.resolve()
    return found


def _fetch(version, package, module, root):
    work = root.with_name(f".{root.name}.part")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        problem = _pip_download(version, package, work)
        found = sorted(work.glob("**/umqtt/simple.py"))
        if not found:
            raise UserError(f"pip could not fetch {NAME} {version}: {problem}")
        if _digest(found[0]) != module:
            raise UserError(f"{NAME} {version} as fetched is not the release that is pinned here")
        os.rename(found[0].parent.parent, root)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _pip_download(version, package, work):
    """Let pip fetch and unpack the pinned package under `work`; returns pip's last word."""
    try:
        done = cache.pip_download(
            f"{NAME}=={version}",
            package,
            work,
            TIMEOUT,
            "--no-binary",
            ":all:",
            "--no-clean",
            TMPDIR=str(work),
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"pip took longer than {TIMEOUT} seconds to fetch {NAME}") from None
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
    return (errors or ["it said nothing"])[-1].removeprefix("ERROR: ")


def _digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None
