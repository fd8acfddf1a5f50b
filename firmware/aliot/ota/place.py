"""The place of a firmware: the slot that does not run, and the switch to it.

Loaded for these moments.
"""

from aliot.ota import choice, pairs, trees
from aliot.ota.writer import UpdateError
from esp32 import Partition


def said(manifest):
    """What the manifest at a path says, {name: rest}, and the bytes of its image."""
    found = {}
    size = 0
    for line in trees.lines(manifest):
        found[line[0]] = line[-1]
        if line[0] == "image":
            size += int(line[1].split(" ")[0])
    return found, size


def slot(manifest):
    """The partition for the image of the manifest at a path. UpdateError: there is none, it is too small or newer."""
    running = Partition(Partition.RUNNING)
    try:
        found = running.get_next_update()
    except OSError:
        raise UpdateError("firmware needs OTA partitions", "update.slots")
    lines, size = said(manifest)
    room = found.info()[3]
    if size > room:
        raise UpdateError("it has %d bytes, its slot %d" % (size, room), "update.image")
    own = int(lines["number"])
    if "rollback" not in lines and own < pairs.number(choice.read(), pairs.pair(running)):
        raise UpdateError("number %d" % own, "update.older")
    return found


def clear(part):
    """Nothing of the record means this partition's firmware, before anything of it is written over. OSError."""
    found = choice.read()
    if len(found) > 17:
        before = bytes(found)
        pairs.forget(found, 0, part.info()[1] + 1)
        if found != before:
            choice.write(found)


def switch(part, tree, digest, manifest, module):
    """The next reset begins the trial of the firmware in `part` with the tree `tree`, a letter or "". UpdateError.

    The record comes first: where power goes between the two, the old firmware finds a trial that is not its own.
    """
    lines, _ = said(manifest)
    found = choice.read() or bytearray(17)
    pairs.widen(found)
    found[4:9] = bytes((ord(tree) if tree else 0, found[5], found[6], 0, 0))
    found[9:17] = digest
    found[17:30] = pairs.pair(part) + int(lines["number"]).to_bytes(4, "big")
    found[56] = module == "firmware"
    choice.write(found)
    try:
        part.set_boot()
    except OSError as problem:
        found[4] = 0
        found[17:30] = bytes(13)
        choice.write(found)
        raise UpdateError("the bootloader does not start it: %s" % problem.args[0], "update.image")
