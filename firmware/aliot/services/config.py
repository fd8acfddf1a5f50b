"""Remote configuration: a JSON file that the platform keeps for a product; application.md 10.

    config = RemoteConfig(device, apply)        before the device connects
    config.get()                                asks now; whether there was a new one
    file = config.open()                        the one that is kept, or None

After each connect it asks, and takes what is pushed, with each poll(). A new one is downloaded, its digest compared,
and handed to apply(file), a file that is open for reading bytes. Only when apply has returned it is kept, by one
rename. Where it raises, the old one stays, and the new one is not offered again before a restart.
"""

import os

from aliot import alink
from aliot.errors import AliotError, StoreError
from aliot.services.download import digest, fetch, hex_digest
from aliot.services.service import Service

_GET = "thing/config/get"
_WANTED = {"configScope": "product", "getType": "file"}
_NONE = (6710, 6713)  # there is none; it is switched off: no errors


class RemoteConfig(Service):
    """The configuration of `device`, kept in the file `path`; one of more than `limit` bytes is refused.

    A download blocks for 30 s at most.
    """

    wanted = False  # to be asked for
    offer = None  # what the platform has offered, to be taken at the next work
    refused = ""  # the digest of what the application did not take

    def __init__(self, device, apply, path="/remote.json", limit=65536):
        super().__init__(device)
        self.apply = apply
        self.path = path
        self.limit = limit
        self.requests.on("thing/config/push", self._pushed)

    def open(self):
        """The configuration that is kept as an open file (bytes), None when there is none."""
        try:
            return open(self.path, "rb")
        except OSError:
            return None

    def get(self, timeout=10000):
        """Ask now; True when a new configuration was applied and kept, False when it is the one that is kept.

        ThingError 6710 where the platform has none, 6713 where it is switched off; AliotError `config.answer`,
        `config.refused`, `download.` and what was wrong; LinkError; StoreError.
        """
        return self._take(self.requests.ask(_GET, _WANTED, timeout))

    def begin(self):
        self.wanted = True

    def work(self):
        if self.offer is not None:
            offer = self.offer
            self.offer = None
            self._take(offer)
            self.done()
        elif self.wanted:
            self.wanted = False
            self.requests.send(_GET, _WANTED, self._got)

    def failed(self, problem):
        self.wanted = self.wanted or problem.retry != "never"  # the address may be too old by then
        super().failed(problem)

    def _got(self, data, problem):
        if not problem:
            self.offer = data or {}
        elif problem.number not in _NONE:
            self.failed(problem)

    def _pushed(self, topic, message):
        params = message.get("params")
        try:
            _checked(params)
        except AliotError as problem:
            self.requests.answer(topic, message, 460, text=problem.detail)
            return
        self.offer = params
        self.after = 0
        self.requests.answer(topic, message)

    def _take(self, offer):
        url, sign, size = _checked(offer)
        if sign in (digest(self.path), self.refused):
            return False
        new = self.path + ".new"
        fetch(self.device, url, new, sign, size, self.limit)
        try:
            with open(new, "rb") as file:
                self.apply(file)
        except Exception as problem:
            os.remove(new)
            full = isinstance(problem, MemoryError)  # of others: it may do better another time
            self.refused = "" if full else sign
            detail = "%s: %s" % (type(problem).__name__, problem)
            raise AliotError(detail, "config.refused", "later" if full else "never")
        try:
            os.rename(new, self.path)
        except OSError as problem:
            raise StoreError("the file %s: error %s" % (self.path, problem.args[0]))
        return True


def _checked(offer):
    """(URL, digest, size or 0) of what the platform offers."""
    if not isinstance(offer, dict) or not isinstance(offer.get("url"), str):
        raise AliotError("no url", "config.answer", "later")
    sign = hex_digest(offer)
    if not sign:
        raise AliotError("no SHA-256", "config.answer", "later")
    size = alink.number(offer.get("configSize", 0))
    if size < 0:
        raise AliotError("no size", "config.answer", "later")
    return offer["url"], sign, size
