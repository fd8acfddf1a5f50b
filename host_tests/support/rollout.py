"""A release for many boards: a grey batch for some of them, then one for all, while networks fail and power goes.

Of the boards `WEAK` per cent crash in the new release, `BAD` have bad networks, of `CUT` the power goes once: at some
per cent of the download, or in the trial.
"""

import time

from tools.image import flash_image, littlefs, updates

WEAK, BAD, CUT = 5, 10, 20  # per cent
GREY = 25  # per cent of the boards that the first batch takes
AT_ONCE = 20  # boards that are on
PATIENCE = 300  # seconds for the boards that are on
ENDED = ("SUCCEEDED", "FAILED")
CRASH = "import os; assert 'weak' not in os.listdir('/'), 'a weak board'"
OLD, NEW = "1.0.0", "2.0.0"
TRIAL = 100  # per cent: all is there, and is tried
# (protocol, faults of its download); the device makes up for each of them
FAULTS = {
    "HTTPS": [
        {"where": "https", "when": "download", "kind": "cut", "bytes": 9000},
        {"where": "https", "when": "download", "kind": "expired"},
        {"where": "https", "when": "download", "kind": "cut", "bytes": 30000, "end": "reset"},
        {"where": "https", "when": "download", "kind": "status"},
    ],
    "MQTT": [
        {"where": "mqtt_tls", "when": "reply", "topic": "download_reply", "kind": "wrong_crc", "times": 2},
        {"where": "mqtt_tls", "when": "reply", "topic": "download_reply", "kind": "reset", "after": 20},
        {"where": "mqtt_tls", "when": "reply", "topic": "download_reply", "kind": "silent", "after": 9},
    ],
}


class Rollout:
    """`count` new boards of `fleet` (UpdateFleet); `draw`, a random.Random, says what befalls which of them.

    `tasks`: {DeviceName: its last task}, `seconds` and `cpu`: of the batches, the latter what the cloud's process took.
    """

    def __init__(self, fleet, count, draw=None):
        def some(per_cent):
            return set(draw.sample(range(count), max(1, count * per_cent // 100)) if draw else ())

        self.fleet, self.draw = fleet, draw
        weak, bad, cut = some(WEAK), some(BAD), some(CUT)
        files = [{"/weak": b"x"} if at in weak else {} for at in range(count)]
        self.boards = [fleet.updated(one, many=True) for one in files]
        self.weak, self.bad = ({self.boards[at].device_name for at in found} for found in (weak, bad))
        self.cuts = {
            self.boards[at].device_name: draw.choice((*range(5, 95, 10), TRIAL, TRIAL)) for at in cut
        }
        self.cut, self.tasks = set(), {}
        self.release = fleet.release(2, inside=CRASH)
        self.seconds = self.cpu = 0.0

    # --- the platform's side

    def run(self, protocols=("HTTPS", "MQTT")):
        """All of it: versions are reported, a grey batch, one for all that are left."""
        for wave in self._waves(self.boards):
            self._wait(lambda: all([_connected(board.run.lines) for board in wave]))
            self._wait(lambda: all([self.fleet.versions(board) == [OLD] for board in wave]))
        self.firmware = self.fleet.package(self.release, NEW)
        for protocol, more in zip(protocols, ({"TargetSelection": "GRAY", "GrayPercent": GREY}, {})):
            self._batch(protocol, **more)
        self.fleet.off()

    def _batch(self, protocol, **more):
        begun, used = time.monotonic(), self._used()
        for name in self.bad:
            at = {"pk": self.boards[0].product_key, "dn": name}
            self.fleet.cloud.arm(*({**at, **fault} for fault in FAULTS[protocol]))
        job = self.fleet.batch(self.firmware, protocol=protocol, **more)
        mine = {task["DeviceName"] for task in self._tasks(job)}
        for wave in self._waves([board for board in self.boards if board.device_name in mine]):
            self._wait(lambda: all([self._ended(board) for board in wave]), lambda: self._look(job, wave))
        self.seconds += time.monotonic() - begun
        self.cpu += self._used() - used

    def _look(self, job, wave):
        """Takes in how far the tasks are, and lets power go where that is due."""
        self.tasks |= {task["DeviceName"]: task for task in self._tasks(job)}
        for board in wave:
            name, task = board.device_name, self.tasks[board.device_name]
            due = int(task["Progress"] or 0) >= self.cuts.get(name, TRIAL + 1)
            if due and name not in self.cut and task["TaskStatus"] not in ENDED:
                board.power_off()
                board.start(follow=True)
                self.cut.add(name)

    def _tasks(self, job):
        return self.fleet.cloud.call("ListOTATaskByJob", JobId=job, PageSize=200)["List"]

    def _used(self):
        """Seconds of the processor that the cloud has taken."""
        with open(f"/proc/{self.fleet.cloud.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    # --- the boards' side

    def _waves(self, boards):
        """Some boards after others, each on for its wave; where all may be on at once they stay on."""
        for at in range(0, len(boards), AT_ONCE):
            wave = boards[at : at + AT_ONCE]
            for board in wave:
                if not board.on:
                    board.start(follow=True)
            yield wave
            if len(self.boards) > AT_ONCE:
                for board in wave:
                    board.power_off()

    def _wait(self, holds, look=lambda: None):
        ends = time.monotonic() + PATIENCE
        look()
        while not holds():
            assert time.monotonic() < ends, {
                board.device_name: board.run.lines[-5:] for board in self.boards if board.on
            }
            time.sleep(0.1)  # a cloud and boards in other processes have no event to wait for
            look()

    def _ended(self, board):
        """Whether a board's task has ended, and it runs what it runs from now on."""
        status = self.tasks[board.device_name]["TaskStatus"]
        release = {"SUCCEEDED": "release 2", "FAILED": "golden"}.get(status)
        lines = list(board.run.lines)
        begun = [at for at, line in enumerate(lines) if '"runs"' in line]
        last = lines[begun[-1] :] if begun else [""]
        on_trial = any('"trial"' in line for line in last)
        return bool(release) and f'"{release}"' in last[0] and not on_trial and _connected(last)


def _connected(lines):
    return any('"connected"' in line for line in lines)


def held(board, packages):
    """The name in `packages` {name: {path: bytes}} of the tree that a board runs after its next start, or "golden"."""
    data = board.flash.read_bytes()
    files = littlefs.read(flash_image.region(data, flash_image.layout_in(data).vfs))
    found = updates.trees(files.get)
    if not found:
        return "golden"
    tree = {path: data for path, data in files.items() if path.startswith(found[0].path + "/")}
    mine = {path[len(found[0].path) + 1 :]: data for path, data in tree.items()}
    mine.pop("manifest")
    [name] = [name for name, wanted in packages.items() if wanted == mine]
    return f"{name}, {found[0].state}"
