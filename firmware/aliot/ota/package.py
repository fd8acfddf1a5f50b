"""A package's head and its manifest: the signature, what it is for, and what refuses it. Loaded twice for a moment.

The form of both is that of tools/ota: package.py has the head, manifest.py the lines. A manifest is read line by line
from a file, so that nothing of a size is held.
"""

import os
import struct
from sys import implementation

from aliot.ota import choice
from aliot.ota.trees import hexadecimal, lines
from aliot.ota.writer import UpdateError
from micropython import const

KEYS = "/aliot/keys/"
_PLATFORM = "platform"
LARGEST = const(32768)  # bytes of a manifest
STORE = const(1)  # format of what this release stores; a later one only adds tags
# DigestInfo of a SHA-256; RFC 8017 9.2, note 1
_DIGEST = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"


def head(data):
    """(bytes of the signature, bytes of the manifest, modulus of its key) of the first 20 bytes. UpdateError."""
    mark, form, _, signature, size, key = struct.unpack("<4sBBHI8s", data)
    if mark != b"ALOT" or form != 1 or size > LARGEST or signature > 384:
        raise UpdateError("no package of form 1", "update.form")
    name = hexadecimal(key)
    try:
        with open(KEYS + name, "rb") as file:
            modulus = file.read(512)
    except OSError:
        modulus = b""
    if not modulus:
        try:
            known = [one for one in os.listdir(KEYS[:-1]) if one != _PLATFORM]
        except OSError:
            known = ()
        if not known:
            raise UpdateError("no key on the board", "update.keyless")
        raise UpdateError("signed by the key " + name, "update.key")
    if signature != len(modulus):
        raise UpdateError("not signed", "update.signature")
    return signature, size, modulus


def check_signature(signature, digest, modulus):
    """UpdateError unless `signature` is that of a SHA-256 digest; RSA, PKCS#1 v1.5, exponent 65537."""
    found = pow(int.from_bytes(signature, "big"), 65537, int.from_bytes(modulus, "big"))
    size = len(modulus)
    padded = b"\x00\x01" + b"\xff" * (size - 54) + b"\x00" + _DIGEST + digest
    if found.to_bytes(size, "big") != padded:
        raise UpdateError("wrong signature", "update.signature")


def platform_key():
    """The modulus of the platform's key for digests; b"" where the board has none."""
    try:
        with open(KEYS + _PLATFORM, "rb") as file:
            return file.read(512)
    except OSError:
        return b""


def check_record(digest, again):
    """UpdateError while a release is on trial; and, without `again`, when the trial of this one has failed.

    `digest`: the first 8 bytes of its manifest's SHA-256.
    """
    found = choice.read()
    if found and (found[4] or any(found[17:18])):
        raise UpdateError("a release is on trial", "update.trial")
    if found and found[8] and found[9:17] == digest and not again:
        raise UpdateError("its trial failed", "update.tried")


def number(tree):
    """The number of the release in a tree (/ota/a, /ota/b); 0 for the golden one, or where there is none."""
    try:
        for line in lines(tree + "/manifest") if tree else ():
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
        raise UpdateError("for " + ", ".join(products), "update.product")
    chip = os.uname()[4].split("with ")[-1].split(" ")[0]
    if said.get("board", chip) != chip:
        raise UpdateError("for " + said["board"], "update.board")
    if int(said["mpy"]) != implementation._mpy & 255:
        raise UpdateError("version " + said["mpy"], "update.mpy")
    firmware = "firmware" in said
    if not firmware and tuple([int(part) for part in said["least"].split(".")]) > implementation.version[:2]:
        raise UpdateError("MicroPython " + said["least"], "update.least")
    if int(said["store"]) > STORE:
        raise UpdateError("format " + said["store"], "update.store")
    if version not in ("", said["release"]):
        raise UpdateError("release %s, not %s" % (said["release"], version), "update.version")
    if "rollback" not in said and "file" in said and int(said["number"]) < number(tree):
        raise UpdateError("number " + said["number"], "update.older")
    return firmware, "file" in said
