"""What an X.509 board keeps in flash beside its burned record, each on both media (aliot.store).

    issued    who it is: ProductKey and DeviceName, as the platform said
    renewed   certificate and key that took the place of the burned ones, once they had connected
    next      certificate and key that are to be tried, or a key that waits for its certificate

All belong to one burned generation; of another one they are never used. `next` counts while its generation is
above that of `renewed`, so that one write of `renewed`, on whichever medium it comes to an end, is the switch.
"""

from aliot import record
from aliot.errors import StoreError
from aliot.store import Store
from micropython import const

_WAY = const(1)  # tags of aliot.record
_FOR_GENERATION = const(13)


class Slots(Store):
    """The records of the board whose burned record has this generation; by default that is looked up."""

    def __init__(self, media=None, generation=None):
        super().__init__(media)
        self.generation = self.burned()[0] if generation is None else generation

    def read(self, name):
        """(generation, fields) of a slot, healed; (0, {}) when there is none of this burn."""
        found = self._load(name, self._mine())
        return found[:2] if found else (0, {})

    def keep(self, name, fields, generation=0):
        """Write a slot to both media and read it back; returns the generation it got, at least the one given.

        StoreError when no medium has a good copy. A medium that failed is named in `health`.
        """
        newest = generation or self.generation
        for copy in self._copies(name):
            newest = max(newest, copy[0] + 1 if copy else 0)
        wanted = self._mine()
        wanted.update(fields)
        data = record.encode(record.ISSUED, newest, wanted)
        for medium in self.media:
            self._write(name, data, medium)
        told = dict(self.health)
        if not self._load(name, wanted):
            self.health = told
            raise StoreError(str(told))
        return newest

    def _mine(self):
        return {_WAY: b"x509", _FOR_GENERATION: self.generation.to_bytes(4, "little")}
