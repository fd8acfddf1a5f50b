"""What stands before the files of a package, head, signature and manifest; the first stage of a writer."""

from aliot import load, unload
from aliot.ota.trees import NEW
from micropython import const

_HEAD = const(20)  # bytes before the signature


def steps(writer):
    """Take them; the manifest lies beside the record then. UpdateError."""
    head = yield from _all(writer, _HEAD)
    signature, size, modulus = load("ota.keys").head(head)
    unload("ota.keys")
    signature = yield from _all(writer, signature)
    digest = yield from writer.copy(NEW, size)
    load("ota.keys").check(signature, digest, modulus)
    unload("ota.keys")
    writer.seal = digest[:8]


def _all(writer, size):
    """The next `size` bytes."""
    data = bytearray()
    while len(data) < size:
        data += writer.take(size - len(data))
        if writer.wants:
            yield
    return data
