"""The official SDKs, installed once into the cache folder, pinned, whoever asks first.

Several test workers may ask at once: one builds behind a file lock, the
others wait. A build that was broken off is begun anew; a finished one has a
stamp of what it was made from.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.cache import FOLDER, locked

HERE = Path(__file__).parent
CACHE = FOLDER / "clients"


def built(name, sources, build):
    """The folder `name`-`hash of sources`, made by `build(folder)` if it is not there yet."""
    digest = hashlib.sha256(
        b"".join((HERE / source).read_bytes() for source in sources) + sys.version.encode()
    )
    folder = CACHE / f"{name}-{digest.hexdigest()[:16]}"
    with locked(CACHE / f"{name}.lock"):
        if not (folder / "finished").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            build(folder)
            (folder / "finished").touch()
    return folder


def call(*command, **more):
    """Runs one step; its output becomes the error if it fails."""
    done = subprocess.run(
        [*map(str, command)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **more,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command[:4]))} ... failed:\n{done.stdout[-3000:]}")


def python():
    """The interpreter of an environment with the Python SDK."""

    def build(folder):
        call(sys.executable, "-m", "venv", folder)
        install = (
            folder / "bin" / "python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--require-hashes",
            "--no-deps",
        )
        lines = (HERE / "requirements.txt").read_text().splitlines()
        first = folder / "setuptools.txt"
        first.write_text(next(line for line in lines if line.startswith("setuptools==")))
        call(*install, "-r", first)
        call(*install, "--no-build-isolation", "--use-pep517", "-r", HERE / "requirements.txt")

    return built("python", ("requirements.txt",), build) / "bin" / "python"


def node():
    """The folder whose node_modules hold the Node SDK."""

    def build(folder):
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder / name)
        call("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)

    return built("node", ("package.json", "package-lock.json"), build)


def plain_environment(**more):
    """The process environment without proxies and Python settings, with `more`."""
    dropped = ("http_proxy", "https_proxy", "all_proxy", "pythonpath", "pythonhome", "node_options")
    kept = {name: value for name, value in os.environ.items() if name.lower() not in dropped}
    return {**kept, "NO_PROXY": "*", **more}
