"""The place of a firmware: the slot that does not run, and the switch to it.

A stage of a writer, over in a moment.
"""

import aliot
from aliot.ota import pairs, record
from aliot.ota.lines import lines
from aliot.ota.trees import NEW
from aliot.ota.writer import UpdateError
from esp32 import Partition


def steps(writer):
    """The slot of the image has to be one that takes it. UpdateError."""
    writer.slot = slot(NEW)
    return ()


def said(manifest):
    """What the manifest at a path says, {name: rest}, and the bytes of its image."""
    found = {}
    size = 0
    for line in lines(manifest):
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
    has, size = said(manifest)
    room = found.info()[3]
    if size > room:
        raise UpdateError("it has %d bytes, its slot %d" % (size, room), "update.image")
    own = int(has["number"])
    if "rollback" not in has and own < pairs.number(record.read(), pairs.pair(running)):
        raise UpdateError("number %d" % own, "update.older")
    return found


def clear(part):
    """Nothing of the record means this partition's firmware, before anything of it is written over. OSError."""
    found = record.read()
    if len(found) > 17:
        before = bytes(found)
        pairs.remove(found, 0, part.info()[1] + 1)
        if found != before:
            record.write(found)


def switch(writer, module):
    """The next reset begins the trial of the firmware that was written, with the files that came with it. UpdateError.

    The record comes first: where power goes between the two, the old firmware finds a trial that is not its own.
    """
    part = writer.slot
    tree = writer.tree[-1] if writer.path != NEW else aliot.tree[-1:]
    has, _ = said(writer.path)
    found = record.read() or bytearray(17)
    pairs.widen(found)
    found[4:9] = bytes((ord(tree) if tree else 0, found[5], found[6], 0, 0))
    found[9:17] = writer.seal
    found[17:30] = pairs.pair(part) + int(has["number"]).to_bytes(4, "big")
    found[56] = module == "firmware"
    record.write(found)
    try:
        part.set_boot()
    except OSError as problem:
        found[4] = 0
        found[17:30] = bytes(13)
        record.write(found)
        raise UpdateError("the bootloader does not start it: %s" % problem.args[0], "update.image")
