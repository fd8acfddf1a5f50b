"""A board in memory behind the station's `Wire`, and a way to make anything die at any call."""

from tools.firmware import record
from tools.line.station.wire import Chip, Held, Pulled, Rejected, Tested


class Board:
    """What stays on a board between visits, and how it misbehaves."""

    def __init__(self, mac, chip="esp32", flash_size=4 << 20):
        self.mac = mac
        self.chip = Chip(chip, mac, flash_size)
        self.firmware = None
        self.burned = None  # (fields, generation)
        self.issued = None
        self.torn = False
        self.burns = []  # every identity that was ever completely burned into it, in order
        self.roots = []
        self.starts = True
        self.ended = None
        self.misreads = False
        self.connects = True
        self.left = None
        self.update = ""


class ScriptedWire:
    """`Wire` on a Board. `pull_at`: the board goes away at that call."""

    def __init__(self, board, pull_at=None):
        self.board = board
        self.pull_at = pull_at
        self.calls = 0

    def _call(self):
        if self.calls == self.pull_at:
            raise Pulled("the board went away")
        self.calls += 1

    def identify(self):
        self._call()
        return self.board.chip

    def held(self):
        self._call()
        if self.board.torn:
            return Held()
        burned, generation = self.board.burned or (None, 0)
        if self.board.misreads and burned:
            burned = {**burned, record.DEVICE_NAME: b"wrong"}
        return Held(burned, generation, self.board.issued, update=self.board.update)

    def flash(self, job, progress):
        self._call()
        progress("flash", 0.5)
        changed = self.board.firmware != job.firmware_hash
        self.board.firmware = job.firmware_hash
        self._call()
        return {"written": 1000 if changed else 0, "kept": 0 if changed else 1000}

    def burn(self, identity, issued, replace, progress):
        self.board.torn = True
        progress("burn", 0.5)
        self._call()
        self.board.burned = (identity.fields(), self.board.burned[1] + 1 if self.board.burned else 1)
        self.board.burns.append((identity.product_key, identity.device_name))
        self.board.issued = issued
        self.board.torn = False
        self._call()
        return self.board.burned[1]

    def self_test(self, job, wifi, progress):
        self._call()
        if not self.board.starts:
            return Tested((), ended=self.board.ended)
        fields = self.board.burned[0]
        lines = [
            {
                "aliot": "boot",
                "mac": self.board.mac,
                "way": fields[record.KIND].decode(),
                "nvs": "ok",
                "littlefs": "ok",
                "product_key": fields.get(record.PRODUCT_KEY, b"").decode(),
                "roots": self.board.roots,
            }
        ]
        if job.until == "connected":
            lines.append(
                {"aliot": "connected"} if self.board.connects else {"aliot": "refused", "reason": "CONNACK 4"}
            )
        return Tested(tuple(lines))

    def left_over(self, job, wifi):
        self._call()
        return self.board.left

    def close(self):
        pass


class Died(BaseException):
    """The station's process is gone: nothing in it catches this."""


class Mortal:
    """Hands every call through, and dies before or after the `at`-th one, counted over all objects it
    guards.
    """

    def __init__(self, at):
        self.at = at
        self.count = 0

    def moment(self):
        self.count += 1
        if self.count == self.at:
            raise Died

    def guard(self, target, calls):
        mortal = self

        class Guarded:
            def __getattr__(self, name):
                value = getattr(target, name)
                if name not in calls:
                    return value

                def call(*args, **kwargs):
                    mortal.moment()
                    result = value(*args, **kwargs)
                    mortal.moment()
                    return result

                return call

        return Guarded()


WIRE_CALLS = ("identify", "held", "flash", "burn", "self_test", "left_over")
LEDGER_CALLS = ("reserve", "begin_write", "move", "note_failure")

__all__ = ["Board", "ScriptedWire", "Died", "Mortal", "WIRE_CALLS", "LEDGER_CALLS", "Rejected"]
