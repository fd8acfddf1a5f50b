"""Root certificates as DER files: the platform's beside this file, extra ones in /roots; direct.md 5.2."""

import hashlib
import os
from binascii import hexlify

from aliot import part

BUILT_IN = "/aliot/roots/"
EXTRA = "/roots/"


def load(names, add):
    """Give `add` the DER of each built-in root named, and of every extra root, one at a time.

    CertificateError names a file that cannot be read or that `add` refuses with ValueError.
    """
    paths = [BUILT_IN + name + ".der" for name in names] + [EXTRA + name for name in extra()]
    for path in paths:
        try:
            with open(path, "rb") as file:
                add(file.read())
        except (OSError, ValueError):
            raise part("transport.faults").CertificateError(path + " is no certificate", "certificate.root")


def extra():
    """File names of the extra roots, sorted."""
    try:
        return sorted([name for name in os.listdir(EXTRA) if name.endswith(".der")])
    except OSError:
        return []


def fingerprints():
    """What a state line says of the extra roots: `name:` and the first 8 hex digits of the DER's SHA-256."""
    found = []
    for name in extra():
        with open(EXTRA + name, "rb") as file:
            found.append(name + ":" + hexlify(hashlib.sha256(file.read()).digest()[:4]).decode())
    return found
