"""The files of a package, written one after another; a stage of a writer."""

import os

from aliot.ota.writer import UpdateError


def steps(writer):
    """Write the files that are not there from before. UpdateError."""
    at = writer.whole  # of the manifest
    while True:
        entry = writer.entry(at)
        if not entry:
            return
        size, wanted, path, at = entry
        if (yield from writer.copy(path, size)).hex() != wanted:
            os.remove(path)
            raise UpdateError(path, "update.changed")
        yield
