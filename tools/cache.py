"""The cache folder of the checkout: what is fetched or built once, by whoever asks first."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

FOLDER = Path(__file__).resolve().parent.parent / ".cache"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock file `path` for as long as the block runs; others wait. Its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path):
        yield


def pip_download(
    package: str, digest: str, folder: Path | str, timeout: float, *options: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Lets pip put `package` ("name==version") into `folder`, verified by its SHA-256 `digest`.

    `variables` go into pip's environment. Returns the finished process with its output as text; raises
    subprocess.TimeoutExpired after `timeout` seconds.
    """
    pin = Path(folder) / "pin.txt"
    pin.write_text(f"{package} --hash=sha256:{digest}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    command.append("--no-build-isolation")  # or pip fetches, without a hash, what builds a source package
    return subprocess.run(
        [*command, *options, "--dest", str(folder), "-r", str(pin)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **variables},
        stdin=subprocess.DEVNULL,
    )
