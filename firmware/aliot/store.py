"""The credentials in flash: load, save, read back, heal.

Each record lies on two media, NVS and a file on littlefs, the same bytes in both (aliot.record). Of the good
copies the newest generation counts, and a medium whose copy is lost, torn or older is written again. A
record that was saved is read back before anybody may use it; one good copy is enough, none is an error.
"""

import os

import esp32
from aliot import record
from aliot.errors import StoreError


class Nvs:
    """Records as blobs in NVS. `read` gives bytes, or None when there is none; both may raise OSError."""

    NAME = "nvs"

    def read(self, key):
        nvs = esp32.NVS("aliot")
        for size in (128, 512, 2048, record.RECORD_LIMIT):
            data = bytearray(size)
            try:
                data[nvs.get_blob(key, data) :] = b""  # in place: a certificate is 2 KB
                return data
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

    A medium that fails, however it fails, is a sick medium, and no reason to stop.
    """

    def __init__(self, media=None):
        self.media = media or (Nvs(), Files())
        self.health = {}

    def burned(self):
        """(generation, fields) of the burned record, healed; (0, {}) when no medium has a good one."""
        found = self.newest("burned", {})
        return found[:2] if found else (0, {})

    def found(self):
        """(generation, burned fields, issued fields or None, health) for a start.

        Whose the issued record is, beside its generation and ProductKey, is for the start to see.
        """
        generation, fields = self.burned()
        health = dict(self.health)  # that of an issued record counts once there is one
        issued = None
        if fields.get(record.KIND) == b"product":
            issued = self.newest(
                "issued",
                {
                    record.PRODUCT_KEY: fields.get(record.PRODUCT_KEY),
                    record.FOR_GENERATION: generation.to_bytes(4, "little"),
                },
            )
            if issued:
                health = self.health
                issued = issued[1]
        return generation, fields, issued, health

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
        fields = made.fields()
        fields.update(owner(generation, credential))
        data = record.encode(record.ISSUED, self.after("issued", generation), fields)
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
        best = None
        good = []
        for medium in self.media:
            copy = self.copy(name, medium, best)
            if copy and all([copy[1].get(tag) == wanted[tag] for tag in wanted]):
                if copy is best:
                    good.append(medium)
                elif not best or copy[0] > best[0]:
                    best = copy
                    good = [medium]
            copy = None
        for medium in self.media:
            if (
                best and medium not in good and self.health[medium.NAME] != "MemoryError"
            ):  # that is no medium's fault
                self.write(name, best[2], medium)
        return best

    def after(self, name, generation):
        """The generation of a record to be written: at least the one given, and above those of all copies."""
        for medium in self.media:
            generation = max(
                generation, (self.copy(name, medium) or (-1,))[0] + 1
            )  # a copy is held no longer
        return generation

    def copy(self, name, medium, known=None):
        """(generation, fields, bytes) of a medium's copy, or None; what is wrong goes to health.

        A copy that has the bytes of `known` is that itself: two of a certificate would fill a chip's memory.
        """
        copy = None
        state = "empty"
        try:
            data = medium.read(name)
            if known and data == known[2]:
                copy = known
                state = "ok"
            elif data:
                kind, generation, fields = record.decode(data)
                if kind == (record.BURNED if name == "burned" else record.ISSUED):
                    copy = (generation, fields, data)
                    state = "ok"
        except Exception as problem:
            state = _reason(problem)
        self.health[medium.NAME] = state
        return copy

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
