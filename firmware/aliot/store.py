"""The credentials in flash: load, save, read back, heal.

Each record lies on two media, NVS and a file on littlefs, the same bytes in both (aliot.record). Of the good
copies the newest generation counts, and a medium whose copy is lost, torn or older is written again. A
record that was saved is read back before anybody may use it; one good copy is enough, none is an error.
"""

import os

import esp32
from aliot import record
from aliot.credentials import issued
from aliot.errors import AliotError, CredentialError, StoreError

_NAMES = {record.BURNED: "burned", record.ISSUED: "issued"}
# What NVS and littlefs say when a medium is full.
_FULL = (-4357, 28)


class Nvs:
    """Records as blobs in NVS. `read` gives None when there is none; both may raise OSError."""

    NAME = "nvs"

    def __init__(self, namespace="aliot"):
        self._nvs = esp32.NVS(namespace)

    def read(self, key):
        for size in (512, record.RECORD_LIMIT):
            data = bytearray(size)
            try:
                return bytes(memoryview(data)[: self._nvs.get_blob(key, data)])
            except OSError as problem:
                if problem.args[0] == -4354:  # ESP_ERR_NVS_NOT_FOUND
                    return None
                if problem.args[0] != -4364 or size == record.RECORD_LIMIT:  # ESP_ERR_NVS_INVALID_LENGTH
                    raise

    def write(self, key, data):
        self._nvs.set_blob(key, data)
        self._nvs.commit()


class Files:
    """Records as files; a new one is written beside the old and takes its name."""

    NAME = "littlefs"

    def __init__(self, folder="/aliot/"):
        self._folder = folder

    def read(self, key):
        try:
            with open(self._folder + key, "rb") as file:
                return file.read(record.RECORD_LIMIT + 1)
        except OSError as problem:
            if problem.args[0] == 2:  # ENOENT
                return None
            raise

    def write(self, key, data):
        path = self._folder + key
        with open(path + ".new", "wb") as file:
            file.write(data)
        os.rename(path + ".new", path)


class Store:
    """The records of one board on `media`; `health` maps a medium's name to "ok" or to what is wrong with it."""

    def __init__(self, media=None):
        self._media = media or (Nvs(), Files())
        self.health = {}

    def burned(self):
        """(generation, fields) of the burned record, healed; CredentialError when no medium has a good one."""
        found = self._load(record.BURNED, lambda fields: True)
        if found is None:
            raise CredentialError("nothing is burned (%s)" % self._told())
        return found

    def issued(self, generation, credential):
        """The credential that was issued to this burned generation of this identity, or None.

        A record of another identity or another generation is never used.
        """
        owner = _owner(generation, credential)
        found = self._load(record.ISSUED, lambda fields: all([fields.get(tag) == owner[tag] for tag in owner]))
        return found and self._credential(found[1], credential)

    def save(self, generation, credential, made):
        """Keep the issued credential `made` and return it as it was read back from flash.

        StoreError when no medium has a good copy. A medium that failed is named in `health`.
        """
        fields = made.fields()
        fields.update(_owner(generation, credential))
        newest = generation
        for data in self._copies(record.ISSUED):
            newest = max(newest, data[0] + 1) if data else newest
        self._write(record.ISSUED, record.encode(record.ISSUED, newest, fields), self._media)
        kept = self.issued(generation, credential) if "ok" in self.health.values() else None
        if kept is None or kept.fields() != made.fields():
            raise StoreError(self._told())
        return kept

    def _load(self, kind, wanted):
        copies = self._copies(kind)
        good = [copy for copy in copies if copy and wanted(copy[1])]
        if not good:
            return None
        best = good[0]
        for copy in good:
            best = copy if copy[0] > best[0] else best
        stale = [medium for medium, copy in zip(self._media, copies) if copy is None or copy[2] != best[2]]
        if stale:
            self._write(kind, best[2], stale)
        return best[:2]

    def _copies(self, kind):
        """For each medium (generation, fields, bytes) or None; what is wrong goes to health."""
        copies = []
        for medium in self._media:
            copy = None
            try:
                data = medium.read(_NAMES[kind])
                self.health[medium.NAME] = "ok" if data else "empty"
                if data:
                    found, generation, fields = record.decode(data)
                    if found == kind:
                        copy = (generation, fields, data)
            except (OSError, ValueError) as problem:
                self.health[medium.NAME] = _reason(problem)
            copies.append(copy)
        return copies

    def _write(self, kind, data, media):
        for medium in media:
            try:
                medium.write(_NAMES[kind], data)
                good = medium.read(_NAMES[kind]) == data
                self.health[medium.NAME] = "ok" if good else "reads back otherwise"
            except OSError as problem:
                self.health[medium.NAME] = _reason(problem)

    def _credential(self, fields, credential):
        try:
            return issued(fields, credential.product_key, credential.device_name)
        except AliotError as problem:
            raise StoreError(problem.detail)

    def _told(self):
        return ", ".join(["%s %s" % (name, self.health[name]) for name in sorted(self.health)])


def _owner(generation, credential):
    return {
        record.PRODUCT_KEY: credential.product_key.encode(),
        record.DEVICE_NAME: credential.device_name.encode(),
        record.FOR_GENERATION: generation.to_bytes(4, "little"),
    }


def _reason(problem):
    if isinstance(problem, ValueError):
        return "torn"
    return "full" if problem.args[0] in _FULL else "error %s" % problem.args[0]
