"""Updates by the platform on a board in memory; host_tests/firmware/test_ota_transport.py asks."""

from hashlib import sha256
from struct import pack

import machine
from aliot.errors import CertificateError
from aliot.ota import choice, report
from aliot.ota.updates import Updates
from aliot.services.crc16 import crc16
from ota_board import POWER, RESET, Board, Resets, put, unhexlify
from ota_peer import BLOCKS, GET, INFORM, PROGRESS, UPGRADE, OtaPeer, Server


def task(data, **more):
    made = {
        "version": "1.0.0",
        "size": len(data),
        "signMethod": "SHA256",
        "url": "https://files.example/f?a=1",
    }
    made["sign"] = "".join(["%02x" % byte for byte in sha256(data).digest()])
    made.update(more)
    return made


def faults(value):
    return [fault(one) for one in value.get("faults", ())]


def fault(one):
    """A list is (status, body); a dict what TLS finds wrong with the server's certificate."""
    if isinstance(one, dict):
        return CertificateError("not valid yet", one["certificate"])
    return tuple(one) if isinstance(one, list) else one


class World:
    """A board, its platform and its Updates; `value` as ota_board.Board has it, the first release is the package's."""

    def __init__(self, value, answer=None):
        self.board = Board(value)
        self.data = unhexlify(value["releases"][0]["package"])
        self.open = None  # what firmware/get gives
        self.answer = answer
        machine.reset = self.board.machine.reset
        self.peer = OtaPeer(self._answer)
        self.start()

    def start(self):
        self.peer.restart()
        self.peer.client = None
        self.updates = Updates(self.peer, "0.9")
        self.peer.connect()

    def _answer(self, topic, message):
        if topic == GET:
            return 200, self.open or {}
        return self.answer(message) if self.answer and topic == BLOCKS else None

    def push(self, data=None):
        self.open = self.open if data is None else data
        self.peer.deliver(UPGRADE, {"code": "1000", "data": self.open, "id": 1, "message": "success"})

    def run(self, ms=400000):
        """Poll until the board resets (True), or for so long."""
        end = self.peer.ms + ms
        while self.peer.ms < end:
            try:
                self.updates.poll(20)
            except Resets:
                return True
            if (
                self.peer.client is None
                and self.peer.session.after <= self.peer.ms
                and not self.updates.update
            ):
                self.peer.connect()
        return False

    def good(self):
        """It has reset, and what it begins is the release."""
        assert self.board.restart(RESET) == 0, self.board.runs
        assert report.noted() == ""


def pushed(value):
    """A push is downloaded over HTTPS, whatever happens to the connections on the way, and begins its trial."""
    world = World(value)
    world.run(100)
    assert world.peer.versions() == ["0.9"]
    server = Server(world.data, *faults(value))
    world.push(task(world.data, **value.get("task", {})))
    assert world.run(), world.peer.states
    world.good()
    steps = [step for step, _ in world.peer.steps()]
    assert steps[0] == "1" and steps[-1] == "100" and len(steps) <= 11, steps
    assert world.peer.versions() == ["0.9"], "the old version would fail the task"
    assert server.served <= len(world.data) + value.get("more", 0), (server.served, server.asked)
    assert "reset" in [fields.get("state") for _, fields in world.peer.states]


def block(data, message, spoil=""):
    params = message["params"]
    at, size = params["fileBlock"]["offset"], params["fileBlock"]["size"]
    assert params["fileInfo"] == {"streamId": 7, "fileId": 1} and size <= 1024
    body = data[at : at + size]
    code = 404 if spoil == "gone" else 200
    head = (
        b'{"id":"%s","code":%d,"msg":"m","data":{"fileToken":"default","fileLength":%d,"bSize":%d,"bOffset":%d}}'
        % (
            message["id"].encode(),
            code,
            len(data) + (spoil == "length"),
            len(body),
            at + (spoil == "offset"),
        )
    )
    crc = crc16(body) ^ (spoil == "crc")
    return pack(">H", len(head)) + head + body + pack("<H", crc)


def blocks(value):
    """The same in blocks over MQTT, with answers that are lost, spoiled, late or refused."""
    spoiled = list(value["faults"])
    count = []

    def answer(message):
        count.append(world.peer.ms)
        spoil = spoiled.pop(0) if spoiled else ""
        if spoil != "silent":
            world.peer.deliver(BLOCKS + "_reply", block(world.data, message, spoil))
            if spoil == "twice":
                world.peer.deliver(BLOCKS + "_reply", block(world.data, message))

    world = World(value, None)
    publish = world.peer.publish

    def published(topic, payload, qos=0):
        publish(topic, payload, qos)
        if topic == BLOCKS:
            answer(world.peer.sent[-1][1])

    world.peer.publish = published
    world.run(100)
    world.push(task(world.data, url=None, dProtocol="mqtt", streamId=7, streamFileId=1))
    assert world.run(), world.peer.states
    world.good()
    assert len(count) <= len(world.data) // 1024 + 1 + len(value["faults"]) * 5
    assert min([b - a for a, b in zip(count, count[1:])] or [125]) >= 125, "eight a second"


def ends(value):
    """What is refused is told once with its step, the old release runs on, and is published then."""
    world = World(value)
    world.run(100)
    Server(world.data, *faults(value))
    flash = world.board.flash
    written = flash._do
    if value.get("read_only"):
        flash._do = refuses
    world.push(task(world.data, **value.get("task", {})))
    for _ in range(80):
        assert not world.run(5000), "it was taken"
        if len(world.peer.versions()) == 2:
            break
    flash._do = written
    step, desc = world.peer.steps()[-1]
    assert step == value["step"] and desc.startswith(value["code"]), (step, desc)
    error = world.peer.states[-1]
    assert error[0] == "error" and error[1]["code"] == value["code"], error
    assert world.peer.versions()[-1] == "0.9" and len(world.peer.versions()) == 2
    assert not report.noted() and world.board.restart(POWER) == "golden"
    sent = len(world.peer.sent)
    world.run(70000)  # what is asked again is asked after a minute
    assert len(world.peer.sent) == sent, "it is not tried again by itself"


def refuses(*arguments):
    raise OSError(30)  # EROFS


def lost(value):
    """While the device has no connection an update holds nothing, and then goes on with what is in flash."""
    world = World(value)
    world.run(100)
    Server(world.data)
    world.push(task(world.data))
    while not (
        world.updates.update and world.updates.update.writer and world.updates.update.writer.at > 3000
    ):
        world.updates.poll(20)
    world.peer.stop()
    world.updates.poll(20)
    assert world.updates.update.writer is world.updates.update.source is None
    world.updates.poll(20)
    world.peer.connect()
    assert world.run() and [step for step, _ in world.peer.steps()].count("1") == 1, world.peer.steps()
    world.good()


class Beside:
    """The stream of a connection, and its TLS context."""

    def __init__(self):
        self.context = self
        self.trusted = []

    def load_verify_locations(self, der):
        self.trusted.append(der)


def shared(value):
    """A download has the TLS context of the connection that stands, which trusts the public roots then, once."""
    world = World(value)
    for name in ("globalsign_r1", "globalsign_r6"):
        put("/aliot/roots/%s.der" % name, name.encode())
    world.run(100)
    server = Server(world.data, 1500)
    beside = world.peer.client.stream = Beside()
    world.push(task(world.data))
    assert world.run() and server.contexts == [beside, beside], world.peer.states
    assert beside.trusted == [b"globalsign_r1", b"globalsign_r6"], beside.trusted


def not_now(value):
    """The application says when; it is told before the reset."""
    world = World(value)
    said = []
    world.updates.allowed = lambda: len(said) > 50 or said.append(1)
    world.updates.on_reset = lambda: said.append("reset")
    world.run(100)
    Server(world.data)
    world.push(task(world.data))
    assert world.run() and said[-1] == "reset" and len(said) > 50
    world.good()


def failed(value):
    """A World whose release has failed its trial; the golden tree runs again."""
    world = World(value)
    world.run(100)
    Server(world.data)
    world.push(task(world.data))
    assert world.run()
    world.board.restart(RESET)
    world.board.try_out(answer=False)
    assert world.board.restart(RESET) == "golden"
    return world


def rolled_back(value):
    """A trial that failed is told with its reason, once, before the version; the same package is not asked for."""
    world = failed(value)
    del world.peer.sent[:]
    world.start()
    assert not world.run(100000)
    assert world.peer.steps() == [("-1", "its check() said no")] and world.peer.versions() == ["0.9"]
    assert world.peer.topics() == [PROGRESS, INFORM]
    world.start()  # the next connect asks; what has failed is refused by itself
    world.run(100000)
    assert world.peer.steps()[-1][0] == "-3" and "update.tried" in world.peer.steps()[-1][1]
    world.push()
    assert world.run(), "but not what a new task brings"
    world.good()


def new_task(value):
    """A new task brings what has failed, to a board that was offline too: push and answer come in any order."""
    for pushed_first in (True, False):
        world = failed(value)
        world.start()
        assert not world.run(1000)
        world.start()
        if pushed_first:
            world.push()
        else:
            while not world.updates.update:
                world.updates.poll(0)
            world.push()
        assert world.run(), (pushed_first, world.peer.states[-1])
        world.good()


def power(value):
    """Power goes at flash operations of an update: the old release runs, the platform is asked, the rest is taken."""
    world = World(value)
    world.run(100)
    world.open = task(world.data)
    flash = world.board.flash

    def update():
        Server(world.data)
        world.push()
        assert world.run(), world.peer.states

    cuts = 0
    for _ in flash.cuts(update):
        cuts += 1
        if cuts % value["every"]:
            continue
        runs = world.board.start(POWER)
        if runs == "golden":
            world.peer.sent = []
            server = Server(world.data)
            world.start()
            begun = report.noted()
            if not begun:
                world.push()
            assert world.run(), (cuts, world.peer.states[-3:])
            assert not begun or not world.peer.versions(), (cuts, begun, world.peer.sent)
            assert server.served <= len(world.data), (cuts, server.served, server.asked)
            runs = world.board.restart(RESET)
        assert runs == 0, (cuts, runs)
    assert cuts > 60, cuts
    choice.read()


def steps(value):
    """Each poll does little: bytes of the package, operations and reads of the flash are bounded."""
    world = World(value)
    world.run(100)
    server = Server(world.data)
    flash = world.board.flash
    reads = [0]
    read = flash.readblocks

    def counted(block, buffer, offset=0):
        reads[0] += len(buffer)
        read(block, buffer, offset)

    flash.readblocks = counted
    world.push(task(world.data))
    most = [0, 0, 0]
    taken = 0
    while True:
        before = flash.operations, reads[0]
        try:
            world.updates.poll(0)
        except Resets:
            break
        now = server.served
        most[0] = max(most[0], now - taken)
        taken = now
        most[1] = max(most[1], flash.operations - before[0])
        most[2] = max(most[2], reads[0] - before[1])
        world.peer.ms += 1
    assert most[0] <= 1024 and most[1] <= value["operations"] and most[2] <= value["reads"], most
