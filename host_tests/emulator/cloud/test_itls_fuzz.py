"""A handshake with one byte changed is never accepted; nothing that a network sends breaks the cloud."""

import os
import random
import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tests.emulator.cloud.test_fuzz import mutated
from host_tests.support.cloud import client as harness
from host_tests.support.cloud import itls
from host_tests.support.cloud.itls import (
    DATA,
    HANDSHAKE,
    ID2,
    KEY,
    Device,
    connect_packet,
    message,
    wire,
)
from host_tests.support.cloud.itls_platform import Platform
from tools.emulator.cloud.id2 import codes, provisioning
from tools.emulator.cloud.id2.keys import Key
from tools.emulator.cloud.itls.alerts import Alert
from tools.emulator.cloud.itls.faults import SPOILS
from tools.emulator.cloud.itls.messages import ClientHello
from tools.emulator.cloud.itls.records import Protection, Reader

FACTOR = float(os.environ.get("ALIOT_CAMPAIGN", "1"))
MASKS = [1 << bit for bit in range(8)] if FACTOR >= 4 else [0x01, 0x80]
many = settings(max_examples=max(10, int(200 * FACTOR)), deadline=None)
RANDOM = range(5 + 4 + 2, 5 + 4 + 2 + 32)  # of a hello, in its record


def flipped(data, at, mask):
    return data[:at] + bytes((data[at] ^ mask,)) + data[at + 1 :]


class Rushing:
    """A device that goes on whatever it gets, with one byte changed on the way.

    `where` is "hello", "proof" or "finished" of the device's, "challenge" or "server_hello" of the
    platform's records.
    """

    def __init__(self, platform, where=None, at=0, mask=0):
        self.platform, self.device = platform, Device()
        self.spoil = {where: lambda data: flipped(data, at, mask)}
        self.sent = {}

    def change(self, name, data):
        self.sent[name] = data
        return self.spoil.get(name, bytes)(data)

    def run(self):
        """ "open", or how far it came: "refused", "waits" (for more bytes), or "device" (gave up itself)."""
        device, platform = self.device, self.platform.connect()
        try:
            answer = platform.handshake(self.change("hello", device.hello()))
            if not answer:
                return "waits"
            device.challenge = self.change("challenge", answer)[-32:].decode("latin-1")
            answer = platform.handshake(self.change("proof", device.hello(device.code())))
            if not answer:
                return "waits"
            try:
                device.take_server_hello(self.change("server_hello", answer)[5:])
            except (AssertionError, LookupError, ValueError):
                return "device"
            platform.handshake(self.change("finished", device.finished()))
        except Alert:
            return "refused"
        return {"open": "open"}.get(platform.session.state, "waits")


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    one = Platform(tmp_path_factory.mktemp("fuzz"))
    yield one
    one.store.close()


@pytest.fixture(scope="module")
def sizes(running):
    honest = Rushing(running)
    assert honest.run() == "open"
    return {name: len(data) for name, data in honest.sent.items()}


def test_a_byte_of_the_first_hello(running, sizes):
    """Its random is the one thing that nothing in this protocol protects (id2.md 7.3)."""
    assert sizes["hello"] == 120
    for at in range(sizes["hello"]):
        for mask in MASKS:
            outcome = Rushing(running, "hello", at, mask).run()
            assert outcome == "open" if at in RANDOM else outcome in ("refused", "waits"), (at, mask)


@pytest.mark.parametrize("where, size", [("proof", 238), ("server_hello", 292), ("finished", 85)])
def test_a_byte_of_what_decides(running, sizes, where, size):
    """Record headers of the platform's are the device's to check."""
    assert sizes[where] == size
    heads = 5 if where == "server_hello" else 0
    for at in range(heads, size):
        for mask in MASKS:
            outcome = Rushing(running, where, at, mask).run()
            assert outcome in ("refused", "waits", "device"), (at, mask)
            assert where == "server_hello" or outcome != "device"


def test_a_byte_of_the_challenge(running, sizes):
    for at in range(sizes["challenge"] - 32, sizes["challenge"]):
        for mask in MASKS[:1]:
            assert Rushing(running, "challenge", at, mask).run() == "refused"


def test_a_byte_of_data_either_way(running):
    """Records of data that were changed end the connection; nothing of them is taken."""
    size = len(device_of(running).writing.seal(DATA, b"hello"))
    for at in range(size):
        device = device_of(running)
        sent = flipped(device.writing.seal(DATA, b"hello"), at, 0x01)
        with pytest.raises((Alert, ssl.SSLWantReadError)):
            running.data(sent)
        assert not running.session.plain


def device_of(running):
    device = Device()
    running.open(device)
    return device


def test_a_provisioning_request_with_a_byte_changed(tmp_path):
    blank = itls.settings(identities=[])
    assert blank["product"][0]["identity"] == []
    running = Platform(tmp_path, identities=[], provisioning_quota=1)
    request = Device(id2="F" * 48).hello(itls.issue_request())
    start = request.index(itls.issue_request())
    for at in range(start, start + len(itls.issue_request())):
        with pytest.raises(Alert) as raised:
            running.connect().handshake(flipped(request, at, 0x01))
        assert raised.value.code == 160, at
    assert running.service.identities.licences[itls.PK].left == 1
    running.store.close()


# ---- whatever comes


def feed(running, data, pieces):
    """Feeds bytes to a session in `pieces`; only what it says is raised."""
    for piece in pieces(data):
        running.incoming.write(piece)
        try:
            if running.session.state == "open":
                while running.session.read(4096):
                    pass
            else:
                running.session.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except Alert:
            return


def halves(data):
    return data[: len(data) // 2], data[len(data) // 2 :]


@many
@given(
    st.binary(max_size=400)
    | st.lists(st.tuples(st.sampled_from([20, 21, 22, 23]), st.binary(max_size=80)), max_size=4).map(
        lambda records: b"".join(itls.record(*one) for one in records)
    )
)
def test_streams_of_all_sorts(running, data):
    feed(running.connect(), data, halves)
    assert running.session.state != "open"


@many
@given(st.integers(0, 2**32))
def test_mutated_hellos_of_the_published_client(running, seed):
    source = random.Random(seed)
    hellos = [
        bytes.fromhex(one["record_hex"])
        for transcript in itls.TRANSCRIPTS.values()
        for one in transcript["records"]
        if one["message"] == "ClientHello"
    ]
    feed(running.connect(), mutated(source, b"".join(source.sample(hellos, 2))), halves)
    assert running.session.state != "open"


@many
@given(seed=st.integers(0, 2**32), stage=st.sampled_from(["finished", "data"]))
def test_mutated_records_of_a_device_with_the_right_keys(running, seed, stage):
    """Changed before they are sealed, and after."""
    source, device = random.Random(seed), Device()
    running.prove(device)
    finished = device.finished()
    if stage == "data":
        running.handshake(finished)
        records = [
            device.writing.seal(source.choice((21, 22, 23)), source.randbytes(source.randrange(40)))
            for _ in range(3)
        ]
    else:
        device.writing.sequence = 0
        records = [device.writing.seal(HANDSHAKE, mutated(source, device.own_finished))]
    stream = b"".join(records)
    stream = stream if source.random() < 0.5 else mutated(source, stream)
    feed(running, stream, halves)
    if stage == "finished" and not stream.startswith(finished):
        assert running.session.state != "open"


@many
@given(st.binary(max_size=200))
def test_parsers_raise_only_what_they_say(data):
    key = Key("AES_128", bytes.fromhex(KEY))
    for parse, error in (
        (codes.parse, ValueError),
        (lambda data: ClientHello.parse(message(1, data)), Alert),
        (lambda data: provisioning.read(data, key), provisioning.Malformed),
        (key.decrypt, ValueError),
        (lambda data: Protection(bytes(32), bytes(16), "sha256").open(DATA, data), Alert),
    ):
        try:
            parse(data)
        except error as raised:
            assert "\n" not in str(raised)
    reader = Reader()
    reader.feed(data)
    try:
        while reader.next():
            pass
    except Alert:
        pass


@many
@given(
    st.text(max_size=40)
    | st.tuples(
        st.sampled_from(["i11", "x21", "i23", "i29", "i31"]),
        st.text("ABCDefgh0189+/=-", min_size=29, max_size=61),
    ).map("".join)
)
def test_tokens_of_all_sorts(text):
    try:
        assert len(provisioning.provisioning_key(text).value) in (16, 24, 32)
    except ValueError as error:
        assert str(error) == provisioning.SECRET_RULE


def test_mutated_conversations_never_break_the_cloud(run):
    """What breaks inside the cloud fails the harness; at the end an honest device is still served."""
    source = random.Random(FACTOR)
    transcript = itls.TRANSCRIPTS["aes128_id2_suite_D003"]
    records = [
        bytes.fromhex(one["record_hex"])
        for one in transcript["records"]
        if one["direction"] == "client_to_server"
    ]
    with run(text=itls.settings()) as cloud:
        for _ in range(int(40 * FACTOR)):
            if source.random() < 0.5:
                link, data = wire(cloud).socket, mutated(source, b"".join(records))
            else:
                one = wire(cloud).handshake()
                link, spoiled = one.socket, mutated(source, connect_packet().encode() * 2)
                data = one.device.writing.seal(DATA, spoiled)
            with link:
                for piece in halves(data):
                    try:
                        link.sendall(piece)
                    except OSError:
                        break
        with harness.Client(wire(cloud).handshake()) as client:
            client.online(connect_packet())


def test_every_armed_spoil_at_every_suite(tmp_path):
    """Answers that break the protocol are made without breaking the cloud, whatever the suite and the key."""
    for suite in ("D001", "D004"):
        identity = {"id2": ID2, "id2_key": KEY * 2, "id2_type": "AES_256"}
        running = Platform(tmp_path, {"itls_suites": [suite]}, identities=[identity])
        for stage in ("challenge", "server_hello", "finished", "record"):
            for what in SPOILS[stage]:
                running.arm(stage, what)
                device = Device(key=KEY * 2, suites=(int(suite, 16),))
                running.connect().handshake(device.hello())
                if stage == "challenge":
                    continue
                device.challenge = running.session.talk.challenge
                answer = running.handshake(device.hello(device.code()))
                if stage == "server_hello":
                    continue
                device.take_server_hello(answer[5:])
                running.handshake(device.finished())
                if stage == "record":
                    running.session.write(b"data")
        assert not running.instance.faults.armed
        running.store.close()
        for path in tmp_path.iterdir():
            path.unlink()
