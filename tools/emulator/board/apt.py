"""Packages of the machine's own archive, unpacked into a folder without root.

apt does the fetching and the verifying, in a state of its own: nothing on the
machine changes, its mirror, proxy and certificates are the ones apt is set up
with, and a package that the archive's key did not sign is refused.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tools.errors import UserError

TIMEOUT = 600  # seconds for one apt command on a slow line
# what would let apt take a package that no key of the archive has signed, whatever the machine's own apt.conf says
SIGNED = dict.fromkeys(
    (
        "Acquire::AllowInsecureRepositories",
        "Acquire::AllowDowngradeToInsecureRepositories",
        "Acquire::AllowWeakRepositories",
        "APT::Get::AllowUnauthenticated",
        "APT::Get::Force-Yes",
        "APT::Authentication::TrustCDROM",
    ),
    "false",
)


def fetch(
    suite: str,
    packages: Sequence[str],
    dest: Path,
    keyring: str,
    components: str = "main",
    dependencies: bool = True,
) -> dict[str, str | None]:
    """Unpack `packages` of `suite` into the folder `dest`; returns {package: version}.

    `dest` appears only when it is complete (unpacked beside it, then renamed).
    With `dependencies` everything they depend on comes too, libc included.
    Raises UserError in one line when apt cannot deliver.
    """
    for tool in ("apt-get", "apt-cache", "dpkg-deb", "dpkg"):
        if not shutil.which(tool):
            raise UserError(f"'{tool}' is missing, so '{packages[0]}' cannot be fetched from the archive")
    if not Path(keyring).exists():
        raise UserError(f"the archive's keys are missing ({keyring}): install {Path(keyring).stem}")
    work = dest.with_name(f".{dest.name}.part")
    shutil.rmtree(work, ignore_errors=True)  # what an interrupted run left
    try:
        apt = _Apt(work, suite, keyring, components)
        apt.update_from(mirrors(work))
        wanted = apt.closure(packages) if dependencies else list(packages)
        versions = apt.unpack(wanted, work / "root")
        os.rename(work / "root", dest)
        return versions
    finally:
        shutil.rmtree(work, ignore_errors=True)


def mirrors(work: Path) -> list[str]:
    """Base addresses of the archives that the machine's apt uses, the likeliest first."""
    lists = work / "none"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    uris = _run(["apt-get", *_options({"Dir::State::lists": lists}), "--print-uris", "update"])
    return mirrors_of(uris)


def mirrors_of(uris: str) -> list[str]:
    """The base addresses in what `apt-get --print-uris update` prints.

    Updates and security suites of the same archive repeat its address or have
    one of their own, which lacks other suites; those go last.
    """
    main: list[str] = []
    beside: list[str] = []
    for base, suite in re.findall(r"^'(\S+?)/+dists/(\S+?)/(?:InRelease|main/binary-)", uris, re.M):
        kind = beside if re.search(r"-(security|updates|backports|pgdg)", suite) else main
        kind.append(base)
    return list(dict.fromkeys(main + beside))


class _Apt:
    """apt with state, cache and sources of its own under `work`."""

    def __init__(self, work, suite, keyring, components):
        self.work, self.suite, self.keyring, self.components = work, suite, keyring, components
        for folder in ("lists/partial", "archives/partial", "debs", "root"):
            (work / folder).mkdir(parents=True, exist_ok=True)
        (work / "status").write_text("")  # nothing is installed: dependencies come too
        self.architecture = _run(["dpkg", "--print-architecture"]).strip()
        self.options = _options(
            {
                "Dir::State": work,
                "Dir::State::lists": work / "lists",
                "Dir::State::status": work / "status",
                "Dir::Cache": work,
                "Dir::Cache::pkgcache": work / "pkgcache.bin",
                "Dir::Cache::srcpkgcache": work / "srcpkgcache.bin",
                "Dir::Etc::sourcelist": work / "sources.list",
                "Dir::Etc::sourceparts": "-",
                "Dir::Etc::preferences": "-",
                "Dir::Etc::preferencesparts": "-",
                "Acquire::Languages": "none",
                "Acquire::Retries": 2,
                "APT::Update::Error-Mode": "any",
                **SIGNED,
            }
        )

    def update_from(self, bases):
        """Read the suite's index from the first of `bases` that has it, signed by the keyring."""
        problem = "apt has no archive set up"
        for base in bases:
            (self.work / "sources.list").write_text(
                f"deb [arch={self.architecture} signed-by={self.keyring}] {base} {self.suite} "
                f"{self.components}\n"
            )
            try:
                _run(["apt-get", *self.options, "update"])
                return
            except UserError as error:
                problem = str(error)
        raise UserError(f"no archive that apt is set up with gives '{self.suite}': {problem}")

    def version(self, package):
        """The version that would be fetched, or None."""
        found = re.search(r"Candidate: (\S+)", _run(["apt-cache", *self.options, "policy", package]))
        return found.group(1) if found and found.group(1) != "(none)" else None

    def closure(self, packages):
        """`packages` and all that they depend on."""
        skip = [
            f"--no-{kind}"
            for kind in ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
        ]
        tree = _run(["apt-cache", *self.options, "depends", "--recurse", *skip, *packages])
        return [line for line in tree.splitlines() if re.match(r"[a-z0-9]", line)]

    def unpack(self, packages, root):
        _run(["apt-get", *self.options, "-q", "download", *packages], cwd=self.work / "debs")
        for deb in sorted((self.work / "debs").glob("*.deb")):
            _run(["dpkg-deb", "-x", str(deb), str(root)])
        return {package: self.version(package) for package in packages}


def candidate(suite: str, package: str, work: Path, keyring: str, components: str = "main") -> str | None:
    """The version of `package` that `suite` has in the machine's archive, or None."""
    shutil.rmtree(work, ignore_errors=True)
    try:
        apt = _Apt(work, suite, keyring, components)
        apt.update_from(mirrors(work))
        return apt.version(package)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _options(settings):
    if os.geteuid() == 0:  # or apt warns that its own user cannot enter `work`
        settings = {**settings, "APT::Sandbox::User": "root"}
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def _run(command, cwd=None):
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            text=True,
            timeout=TIMEOUT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"'{command[0]}' took longer than {TIMEOUT} seconds") from None
    if done.returncode:
        problems = [line for line in done.stderr.splitlines() if re.match(r"(E:|Err|dpkg)", line)]
        raise UserError(f"{command[0]} says: {(problems or [done.stderr.strip()])[0]}")
    return done.stdout
