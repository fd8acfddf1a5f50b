"""The old tree taken away, where a new one is to be; a stage of a writer. It waits after each file that it deletes."""

import os

from aliot import feed
from aliot.ota.trees import NEW, mkdir
from micropython import const

_FOLDERS = const(0x4000)


def steps(writer):
    """The tree is that of the new manifest from then on, which was beside the record. OSError."""
    yield from remove(writer.tree)
    mkdir(writer.path)
    os.rename(NEW, writer.path)


def remove(path):
    """Remove a folder and all that is in it, a file between two yields. OSError."""
    try:
        entries = list(os.ilistdir(path))
    except OSError:
        return
    for entry in entries:
        name = path + "/" + entry[0]
        feed()
        if entry[1] == _FOLDERS:
            yield from remove(name)
        else:
            os.remove(name)
            yield
    os.rmdir(path)
