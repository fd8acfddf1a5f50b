"""Where the trees of updates lie, /ota/a and /ota/b, and what lies beside them."""

import os


FOLDER = "/ota/"
NEW = "/ota/r/manifest"  # a manifest, before its release has a tree
NOTE = "/ota/r/task"  # what is under way: module, digest and how it is taken; below it the URL


def mkdir(path):
    """Make the folders that a file needs."""
    at = path.find("/", 1)
    while at > 0:
        try:
            os.mkdir(path[:at])
        except OSError as problem:
            if problem.args[0] != 17:  # EEXIST
                raise
        at = path.find("/", at + 1)
