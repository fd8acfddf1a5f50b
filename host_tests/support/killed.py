"""Kills `issue` at many of the lines it runs, each time in a process of its own, and looks at what is left.

`python host_tests/support/killed.py CA-FOLDER WORK-FOLDER HOW-MANY`, the passphrase
in ALIOT_CA_PASSPHRASE; prints {"lines": .., "kills": .., "faults": [..]}.
It forks, so it runs as a program of its own with a single thread.
"""

import itertools
import json
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tools import certificates, serials
from tools.ca import delivery, issue, keys
from tools.ca.authority import Authority

DEVICES = [("a1X509ProdK", f"sensor-{number:02}") for number in range(3)]
TOOLS = str(Path(issue.__file__).parents[1])
KILLED = 9


def run(folder, out, unlocked, made):
    """What `ca issue --csv` does for the devices that have no pair yet; `unlocked` saves opening the key."""
    ca = Authority(folder)
    ca._key = unlocked._key
    with delivery.open_folder(out, ca) as held:
        new = [device for device in DEVICES if ca.ledger.newest(*device) is None]
        for issued in issue.issue_many(ca, new, made, keep=held.stage, batch=2):
            held.deliver(issued.stem, issued.serial)


def fork(act, *arguments):
    """Run `act` in a child; returns its exit status."""
    child = os.fork()
    if child == 0:
        try:
            act(*arguments)
            os._exit(0)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def traced(act, at_line):
    """Run `act`, calling `at_line(number)` before each line of tools/."""
    number = itertools.count()

    def local(_frame, event, _argument):
        if event == "line":
            at_line(next(number))
        return local

    sys.settrace(
        lambda frame, _event, _argument: local if frame.f_code.co_filename.startswith(TOOLS) else None
    )
    act()
    sys.settrace(None)
    return next(number)


def killed_run(line, *arguments):
    """A run that ends at its `line`-th line, as by SIGKILL."""
    traced(lambda: run(*arguments), lambda number: os._exit(KILLED) if number == line else None)


def whole_files(out, when):
    """Faults of the files that lie in `out` under their names: each must be whole at any time."""
    for path in out.glob("a1*") if out.exists() else ():
        try:
            if path.suffix == ".key":
                serialization.load_pem_private_key(
                    path.read_bytes(), None, unsafe_skip_rsa_key_validation=True
                )
            else:
                x509.load_pem_x509_certificate(path.read_bytes())
        except ValueError as fault:
            yield f"{when}: {path.name} is not whole: {fault}"


def ended_well(folder, out, when):
    """Faults of a folder in which every device must now have its pair, and of its ledger."""
    ca = Authority(folder)
    rows = [
        row
        for state in ("reserved", "issued", "void")
        for row in ca.ledger.rows(state=state, newest_only=False)
    ]
    if len({row.serial for row in rows}) != len(rows):
        yield f"{when}: a serial was drawn twice"
    for device in DEVICES:
        own = [row for row in rows if (row.product_key, row.device_name) == device and row.state == "issued"]
        if len(own) != 1:
            yield f"{when}: {device} has {len(own)} certificates"
            continue
        stem = out / f"{device[0]}_{device[1]}_{ca.serial}"
        made = x509.load_pem_x509_certificate(stem.with_suffix(".cer").read_bytes())
        key = serialization.load_pem_private_key(
            stem.with_suffix(".key").read_bytes(), None, unsafe_skip_rsa_key_validation=True
        )
        if serials.text(made.serial_number) != own[0].serial or not certificates.same_key(
            key.public_key(), made.public_key()
        ):
            yield f"{when}: the pair of {device} does not belong together"
    if len([path for path in out.iterdir() if path.name != ".issuing"]) != 2 * len(DEVICES):
        yield f"{when}: there are other files in the folder"


def count_lines(master, work, unlocked, made):
    """How many lines of tools/ca an undisturbed run goes through."""
    folder = fresh(master, work)
    return traced(lambda: run(folder, work / "out", unlocked, iter(made)), lambda number: None)


def fresh(master, work):
    shutil.rmtree(work, ignore_errors=True)
    return shutil.copytree(master, work / "ca")


def campaign(master, work, passphrase, kills):
    made = [keys.generate() for _ in range(2 * len(DEVICES))]
    unlocked = Authority(master).unlock(passphrase)
    lines = count_lines(master, work, unlocked, made)
    places = sorted({round(place * (lines - 1) / (kills - 1)) for place in range(kills)})
    faults, done = [], 0
    for line in places:
        when, folder, out = f"killed at line {line}", fresh(master, work), work / "out"
        status = fork(killed_run, line, folder, out, unlocked, iter(made[: len(DEVICES)]))
        done += status == KILLED
        faults += whole_files(out, when)
        if fork(run, folder, out, unlocked, iter(made[len(DEVICES) :])):
            faults.append(f"{when}: the next run failed")
            continue
        faults += ended_well(folder, out, when)
    return {"lines": lines, "kills": done, "faults": faults}


if __name__ == "__main__":
    secret = os.environ["ALIOT_CA_PASSPHRASE"].encode()
    print(json.dumps(campaign(Path(sys.argv[1]), Path(sys.argv[2]), secret, int(sys.argv[3]))))
