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


class Slots(Store):
    """The records of the board whose burned record has this generation, on the media of another Store if one is given."""

    def __init__(self, generation, store=None):
        super().__init__(store and store.media)
        self.generation = generation

    def read(self, name):
        """(generation, fields) of a slot, healed; (0, {}) when there is none of this burn."""
        try:
            copies = [medium.read(name) for medium in self.media]
        except Exception:
            copies = []
        data = copies.pop() if copies else None
        if data and copies.count(data) == len(copies):  # as almost always: then one copy is enough of memory
            copies = None
            try:
                kind, generation, fields = record.decode(data)
            except ValueError:
                return 0, {}
            mine = self._mine()
            whole = kind == record.ISSUED and all([fields.get(tag) == mine[tag] for tag in mine])
            return (generation, fields) if whole else (0, {})
        copies = data = None
        found = self.newest(name, self._mine())
        return found[:2] if found else (0, {})

    def keep(self, name, fields, generation=0):
        """Write a slot to both media, each read back; returns the generation it got, at least the one given.

        StoreError when no medium has a good copy. A medium that failed is named in `health`.
        """
        newest = max([generation or self.generation] + [copy[0] + 1 for copy in self.copies(name) if copy])
        wanted = self._mine()
        wanted.update(fields)
        data = record.encode(record.ISSUED, newest, wanted)
        for medium in self.media:
            self.write(name, data, medium)
        if "ok" not in self.health.values():
            problem = StoreError(str(self.health))
            problem.health = self.health
            raise problem
        return newest

    def _mine(self):
        return {record.WAY: b"x509", record.FOR_GENERATION: self.generation.to_bytes(4, "little")}
