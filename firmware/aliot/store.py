"""The credentials in flash: load, save, read back, heal.

Each record lies on two media, NVS and a file on littlefs, the same bytes in both (aliot.record). Of the good
copies the newest generation counts, and a medium whose copy is lost, torn or older is written again. A
record that was saved is read back before anybody may use it; one good copy is enough, none is an error.
"""

import os

import esp32
from aliot import record
from aliot.errors import CredentialError, StoreError


class Nvs:
    """Records as blobs in NVS. `read` gives None when there is none; both may raise OSError."""

    NAME = "nvs"

    def read(self, key):
        nvs = esp32.NVS("aliot")
        for size in (512, 2048, record.RECORD_LIMIT):
            data = bytearray(size)
            try:
                return bytes(data[: nvs.get_blob(key, data)])
            except OSError as problem:
                number = problem.args[0]
                if number == -4354:  # ESP_ERR_NVS_NOT_FOUND
                    return None
                if number != -4364 or size == record.RECORD_LIMIT:  # ESP_ERR_NVS_INVALID_LENGTH
                    raise

    def write(self, key, data):
        nvs = esp32.NVS("aliot")
        nvs.set_blob(key, data)
        nvs.commit()


class Files:
    """Records as files; a new one is written beside the old and takes its name."""

    NAME = "littlefs"
    folder = "/aliot/"

    def read(self, key):
        try:
            size = os.stat(self.folder + key)[6]
            with open(self.folder + key, "rb") as file:
                return file.read(min(size, record.RECORD_LIMIT + 1))
        except OSError as problem:
            if problem.args[0] == 2:  # ENOENT
                return None
            raise

    def write(self, key, data):
        path = self.folder + key
        with open(path + ".new", "wb") as file:
            file.write(data)
        os.rename(path + ".new", path)


class Store:
    """The records of one board on `media`; `health` maps a medium's name to "ok" or to what is wrong with it.

    A medium that fails in any way is a sick medium, and no reason to stop.
    """

    def __init__(self, media=None):
        self.media = media or (Nvs(), Files())
        self.health = {}

    def burned(self):
        """(generation, fields) of the burned record, healed; CredentialError when no medium has a good one."""
        found = self.newest("burned", {})
        if not found:
            raise CredentialError("nothing is burned: %s" % self.health)
        return found[:2]

    def issued(self, generation, credential):
        """The fields that were issued to this burned generation of this identity, or None.

        A record of another identity or another generation is never used.
        """
        found = self.newest("issued", owner(generation, credential))
        return found[1] if found else None

    def save(self, generation, credential, made):
        """Keep the issued `made`, which has fields(); returns all fields of the record as read back from flash.

        StoreError when no medium has a good copy. A medium that failed is named in `health`.
        """
        newest = generation
        for copy in self.copies("issued"):
            newest = max(newest, copy[0] + 1 if copy else 0)
        fields = made.fields()
        fields.update(owner(generation, credential))
        data = record.encode(record.ISSUED, newest, fields)
        for medium in self.media:
            self.write("issued", data, medium)
        written = dict(self.health)
        found = self.newest("issued", fields)
        if not found:
            problem = StoreError(str(written))
            problem.health = written
            raise problem
        return found[1]

    def newest(self, name, wanted):
        """(generation, fields, bytes) of the newest copy that has all `wanted` fields, or None; heals the others."""
        copies = self.copies(name)
        best = None
        for copy in copies:
            if copy and (not best or copy[0] > best[0]) and all([copy[1].get(tag) == wanted[tag] for tag in wanted]):
                best = copy
        for medium, copy in zip(self.media, copies):
            if best and (not copy or copy[2] != best[2]):
                self.write(name, best[2], medium)
        return best

    def copies(self, name):
        """For each medium (generation, fields, bytes) or None; what is wrong goes to health."""
        copies = []
        for medium in self.media:
            copy = None
            state = "empty"
            try:
                data = medium.read(name)
                if data:
                    kind, generation, fields = record.decode(data)
                    if kind == (record.BURNED if name == "burned" else record.ISSUED):
                        copy = (generation, fields, data)
                        state = "ok"
            except Exception as problem:
                state = _reason(problem)
            self.health[medium.NAME] = state
            copies.append(copy)
        return copies

    def write(self, name, data, medium):
        """Write one copy and read it back; what is wrong goes to health."""
        try:
            medium.write(name, data)
            state = "ok" if medium.read(name) == data else "differs"
        except Exception as problem:
            state = _reason(problem)
        self.health[medium.NAME] = state


def owner(generation, credential):
    """The fields that say to whom, and to which burned generation, a record belongs."""
    return {
        record.PRODUCT_KEY: credential.product_key.encode(),
        record.DEVICE_NAME: credential.device_name.encode(),
        record.FOR_GENERATION: generation.to_bytes(4, "little"),
    }


def _reason(problem):
    if isinstance(problem, ValueError):
        return "torn"
    if not isinstance(problem, OSError):
        return type(problem).__name__
    # NVS: ESP_ERR_NVS_NOT_ENOUGH_SPACE; littlefs: ENOSPC
    return "full" if problem.args[0] in (-4357, 28) else "error %s" % problem.args[0]
