"""The credentials in flash: load, save, read back, heal.

Each record lies on two media, NVS and a file on littlefs, the same bytes in both (aliot.record). Of the good
copies the newest generation counts, and a medium whose copy is lost, torn or older is written again. A
record that was saved is read back before anybody may use it; one good copy is enough, none is an error.
"""

import os

import esp32
from aliot import record
from aliot.credentials import issued
from aliot.errors import CredentialError, StoreError
from micropython import const

_PRODUCT_KEY = const(2)  # tags of aliot.record
_DEVICE_NAME = const(3)
_FOR_GENERATION = const(13)


class Nvs:
    """Records as blobs in NVS. `read` gives None when there is none; both may raise OSError."""

    NAME = "nvs"

    def __init__(self):
        self.nvs = esp32.NVS("aliot")

    def read(self, key):
        size = 512
        while True:
            data = bytearray(size)
            try:
                return bytes(data[: self.nvs.get_blob(key, data)])
            except OSError as problem:
                if problem.args[0] == -4354:  # ESP_ERR_NVS_NOT_FOUND
                    return None
                if problem.args[0] != -4364 or size > 4096:  # ESP_ERR_NVS_INVALID_LENGTH
                    raise
                size *= 2

    def write(self, key, data):
        self.nvs.set_blob(key, data)
        self.nvs.commit()


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
    """The records of one board on `media`; `health` maps a medium's name to "ok" or to what is wrong with it."""

    def __init__(self, media=None):
        self.media = media or (Nvs(), Files())
        self.health = {}

    def burned(self):
        """(generation, fields) of the burned record, healed; CredentialError when no medium has a good one."""
        found = self._load("burned", {})
        if not found:
            raise CredentialError("nothing is burned: %s" % self.health)
        return found[:2]

    def issued(self, generation, credential):
        """The credential that was issued to this burned generation of this identity, or None.

        A record of another identity or another generation is never used.
        """
        found = self._load("issued", _owner(generation, credential))
        return issued(found[1], credential.product_key, credential.device_name) if found else None

    def save(self, generation, credential, made):
        """Keep the issued credential `made` and return it as it was read back from flash.

        StoreError when no medium has a good copy. A medium that failed is named in `health`.
        """
        newest = generation
        for copy in self._copies("issued"):
            newest = max(newest, copy[0] + 1 if copy else 0)
        fields = made.fields()
        fields.update(_owner(generation, credential))
        data = record.encode(record.ISSUED, newest, fields)
        for medium in self.media:
            self._write("issued", data, medium)
        told = dict(self.health)
        found = self._load("issued", fields)
        if not found:
            self.health = told
            raise StoreError(str(told))
        return issued(found[1], credential.product_key, credential.device_name)

    def _load(self, name, wanted):
        """(generation, fields, bytes) of the newest copy that has all `wanted` fields, or None; heals the others."""
        copies = self._copies(name)
        best = None
        for copy in copies:
            if copy and (not best or copy[0] > best[0]) and all([copy[1].get(tag) == wanted[tag] for tag in wanted]):
                best = copy
        for medium, copy in zip(self.media, copies):
            if best and (not copy or copy[2] != best[2]):
                self._write(name, best[2], medium)
        return best

    def _copies(self, name):
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
            except (OSError, ValueError) as problem:
                state = _reason(problem)
            self.health[medium.NAME] = state
            copies.append(copy)
        return copies

    def _write(self, name, data, medium):
        try:
            medium.write(name, data)
            state = "ok" if medium.read(name) == data else "differs"
        except OSError as problem:
            state = _reason(problem)
        self.health[medium.NAME] = state


def _owner(generation, credential):
    return {
        _PRODUCT_KEY: credential.product_key.encode(),
        _DEVICE_NAME: credential.device_name.encode(),
        _FOR_GENERATION: generation.to_bytes(4, "little"),
    }


def _reason(problem):
    if isinstance(problem, ValueError):
        return "torn"
    # NVS: ESP_ERR_NVS_NOT_ENOUGH_SPACE; littlefs: ENOSPC
    return "full" if problem.args[0] in (-4357, 28) else "error %s" % problem.args[0]
