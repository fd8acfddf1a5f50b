"""Root certificates as DER files: the platform's beside this file, extra ones in /roots; direct.md 5.2."""

from aliot import tree
from aliot.errors import CertificateError

BUILT_IN = tree + "/aliot/roots/"
EXTRA = "/roots/"
extra = ()  # file names of the extra roots that are trusted; aliot.start has looked at them


def trust(names, add):
    """Give `add` the DER of each built-in root named, and of every extra root, one at a time.

    CertificateError names a file that cannot be read or that `add` refuses with ValueError. An extra root that is
    refused is not asked again: the next connect goes on without it.
    """
    for name in names:
        _give(BUILT_IN + name + ".der", add)
    for name in extra:
        _give(EXTRA + name, add, name)


def _give(path, add, name=None):
    global extra
    try:
        with open(path, "rb") as file:
            add(file.read())
    except (OSError, ValueError):
        extra = tuple([other for other in extra if other != name])
        raise CertificateError(path + " is no certificate", "certificate.root")
