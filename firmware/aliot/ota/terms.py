"""What a package is for, and what refuses it: a stage of a writer, over in a moment."""

import os
from sys import implementation

import aliot
from aliot.ota import record
from aliot.ota.lines import lines
from aliot.ota.trees import NEW
from aliot.ota.writer import UpdateError
from micropython import const

_POWER = const(9)  # aliot.ota.slots: power went, and nothing is said against the release
STORE = const(1)  # format of what this release stores; a later one only adds tags


def steps(writer):
    """Refuse what is not for this board, and name the stages that follow. UpdateError."""
    product_key, again, version = writer.terms
    writer.terms = None
    check_record(writer.seal, again)
    firmware, files = check(NEW, product_key, aliot.tree, version)
    writer.path = "%s/manifest" % writer.tree if files else NEW
    image = ["image"] if firmware else []
    if firmware:
        writer.next.append("place")
    if files:
        writer.next += ["room"] + image + ["reading", "file", "reading"]
    else:
        writer.next += image
    writer.next += image
    return ()


def check_record(digest, again):
    """UpdateError while a release is on trial; and, without `again`, when the trial of this one has failed.

    `digest`: the first 8 bytes of its manifest's SHA-256.
    """
    found = record.read()
    if found and (found[4] or any(found[17:18])):
        raise UpdateError("a release is on trial", "update.trial")
    if found and found[8] & 127 not in (0, _POWER) and found[9:17] == digest and not again:
        raise UpdateError("its trial failed", "update.tried")


def number(tree):
    """The number of the release in a tree (/ota/a, /ota/b); 0 for the golden one, or where there is none."""
    try:
        for line in lines("%s/manifest" % tree) if tree else ():
            if line[0] == "number":
                return int(line[1])
    except (OSError, ValueError):
        pass
    return 0


def check(path, product_key, tree, version):
    """(whether the manifest at `path` brings firmware, whether files). UpdateError when it is not for this board, or
    older than the release in `tree`.

    `version`: what its release has to be called, "" for anything. ValueError, KeyError or IndexError when it is none.
    """
    products = []
    said = {}
    for line in lines(path):
        if line[0] == "product":
            products.append(line[1])
        elif line[0] in (
            "release",
            "number",
            "mpy",
            "store",
            "least",
            "board",
            "rollback",
            "firmware",
            "file",
        ):
            said[line[0]] = line[-1]
    if products and product_key not in products:
        raise UpdateError("it is only for " + " ".join(products), "update.product")
    chip = os.uname()[4].split("with ")[-1].split(" ")[0]
    if said.get("board", chip) != chip:
        raise UpdateError("it is only for " + said["board"], "update.board")
    if int(said["mpy"]) != implementation._mpy & 255:
        raise UpdateError("it has .mpy version " + said["mpy"], "update.mpy")
    firmware = "firmware" in said
    if not firmware and tuple([int(part) for part in said["least"].split(".")]) > implementation.version[:2]:
        raise UpdateError("MicroPython " + said["least"], "update.least")
    if int(said["store"]) > STORE:
        raise UpdateError("what it stores has format " + said["store"], "update.store")
    if version not in ("", said["release"]):
        raise UpdateError("release %s, not %s" % (said["release"], version), "update.version")
    if "rollback" not in said and "file" in said and int(said["number"]) < number(tree):
        raise UpdateError("its number is " + said["number"], "update.older")
    return firmware, "file" in said
