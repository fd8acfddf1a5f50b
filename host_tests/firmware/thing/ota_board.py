"""A board with updates in memory: what a start chooses, what is written, tried, made good or taken back.

host_tests/firmware/test_ota.py makes the packages and asks (ota_cuts.py).
"""

import os
import sys
from binascii import unhexlify

import aliot
from aliot.ota import choice, room, trees, trial
from aliot.ota.writer import Writer
from nor_flash import Flash

PRODUCT = "a1OtaTests0"
POWER, RESET, WATCHDOG = 1, 2, 3
GOLDEN = {"/main.py": b"golden", "/aliot/__init__.mpy": b"golden core", "/aliot/burned": b"identity"}
USER = {"/config.json": b"{}", "/data.txt": b"the user's"}


class Resets(BaseException):
    pass


class Machine:
    """In place of `machine`: the cause of the last reset, watchdogs that were armed, resets that end what runs."""

    cause = POWER
    armed = 0

    def reset_cause(self):
        return self.cause

    def WDT(self, timeout):
        self.armed = timeout
        return self

    def feed(self):
        pass

    def reset(self):
        raise Resets()


class Device:
    """What a trial asks of a device; `published` has what it published."""

    product_key = PRODUCT
    device_name = "dev_0001"
    timeout = 15000
    client = True
    check = None

    def __init__(self):
        self.published = []
        self.states = []

    def watch(self, handler):
        self.handler = handler

    def publish(self, topic, payload, qos):
        self.published.append((topic, payload, qos))

    def state(self, state, fields):
        self.states.append((state, fields))

    def stop(self):
        self.client = None


class Board:
    """`releases` [{"package", "files", "release"}] as the host made them; `key` (name, modulus) or None."""

    def __init__(self, value, blocks=48):
        self.releases = value["releases"]
        self.machine = choice.machine = trial.machine = Machine()
        self.path = list(sys.path)
        self.flash = self.made(blocks)
        self.golden = dict(GOLDEN)
        for path, data in list(GOLDEN.items()) + list(USER.items()):
            put(path, data)
        if value.get("key"):
            put("/aliot/keys/" + value["key"][0], unhexlify(value["key"][1]))
        self.runs = self.start(POWER)

    made = staticmethod(Flash)

    def restart(self, cause):
        self.flash.restart()
        return self.start(cause)

    def start(self, cause):
        """A boot: which release runs, its index or "golden". The tree is that release, file by file."""
        self.machine.cause = cause
        self.machine.armed = 0
        sys.modules["aliot/ota/choice"] = choice
        try:
            tree = choice.start()
        except OSError:
            tree = ""
        finally:
            sys.path[:] = self.path
            here = os.getcwd()
            os.chdir("/")
            sys.modules.pop("aliot/ota/choice", None)
        assert here == (tree or "/"), (here, tree)
        aliot.tree = tree
        for path in self.golden:
            assert get(path) == self.golden[path], path
        self.runs = self.found(tree) if tree else "golden"
        return self.runs

    def found(self, tree):
        """The index of the release that a tree is, file by file."""
        held = dict(listed(tree, ""))
        manifest = held.pop("manifest")
        for index, one in enumerate(self.releases):
            if manifest == unhexlify(one["manifest"]):
                wanted = dict([(path, unhexlify(data)) for path, data in one["files"].items()])
                assert held == wanted, ("mixed", tree, sorted(held), sorted(wanted))
                return index
        raise AssertionError("no release: %s" % manifest)

    @property
    def on_trial(self):
        found = choice.read()
        return bool(found and found[4] and aliot.tree and found[4] == ord(aliot.tree[-1]))

    def cuts(self, action):
        """Does `action`, then starts the board from what a power cut at each of its flash operations leaves, none of it
        done or half of it. Yields what runs with all of it done, which it is at last."""
        after = []

        def done():
            action()
            after.extend(self.stands())

        for _ in self.flash.cuts(done):
            self.start(POWER)
            yield after[0]
        self.stand(*after)

    def stands(self):
        """What is known of it beside its flash."""
        return self.runs, aliot.tree

    def stand(self, runs, tree):
        self.runs, aliot.tree = runs, tree

    def cable(self, golden):
        """What `make flash` does: another golden tree, and no record of updates."""
        self.golden["/main.py"] = golden
        put("/main.py", golden)
        for name in ("/ota/r/0", "/ota/r/1"):
            try:
                os.remove(name)
            except OSError:
                pass

    # What may happen; each may find that power has gone.

    def update(self, index, piece=700, again=True):
        """Write a release and switch to it. UpdateError."""
        data = unhexlify(self.releases[index]["package"])
        writer = Writer(PRODUCT, again)
        taken = offer(writer, data, piece)
        writer.close()
        writer.switch()
        return taken

    def breaks_off(self, data, piece=700):
        """Write the beginning of a package; then power goes, with a file open. What runs after that."""
        writer = Writer(PRODUCT)
        offer(writer, data, piece)
        left = bytes(self.flash.data)
        writer.run.close()  # or its file is closed at some time, on the flash of then
        self.flash.put(left)
        return self.start(POWER)

    def try_out(self, answer=True, device=None):
        """What a start in the tree of an update does, and what follows when it is online."""
        device = device or Device()
        if not trial.begin(device):
            return device
        device.handler("connected", {})
        device.check = lambda: answer
        try:
            aliot.watchdog.feed()
        except Resets:
            pass
        finally:
            aliot.watchdog = None
        return device


def offer(writer, data, piece=700):
    """Write what there is of a package, in pieces; how many bytes of it were taken."""
    taken = 0
    while not writer.done and (writer.at < len(data) or not writer.wants):
        at = writer.at
        part = data[at : at + piece]
        writer.write(part)
        taken += min(writer.at - at, len(part))
    return taken


def put(path, data):
    trees.mkdir(path)
    with open(path, "wb") as file:
        file.write(data)


def get(path):
    with open(path, "rb") as file:
        return file.read()


def listed(folder, before):
    for name, kind, _ in room.entries(folder):
        if kind == 0x4000:
            for found in listed(folder + "/" + name, before + name + "/"):
                yield found
        else:
            yield before + name, get(folder + "/" + name)
