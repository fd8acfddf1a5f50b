"""What the ID² tests stand on: the vectors, identities out of them, and a wire that plays the other side."""

from hashlib import sha256

from aliot import record
from aliot.errors import Closed
from aliot.id2 import SoftwareElement
from aliot.id2.provisioning import EmptyElement
from aliot.transport.itls import Stream
from aliot.transport.itls.records import directions, prf
from case import Vectors
from scripted import unhex

FINISHED = b"\x14\x00\x00\x0c"


def vectors(section):
    """The vectors of a section that is a list."""
    return list(Vectors("vectors_id2.json/" + section).values())


def part_of(section, name):
    """One part of a section that has parts."""
    return Vectors("vectors_id2.json")[section][name]


def ascii(text):
    return text.encode() if text else b""


def element(row):
    """The software element with the identity of a vector."""
    return SoftwareElement(
        {
            record.ID2: ascii(row.get("id2", "0" * 24)),
            record.ID2_KEY: unhex(row["key_hex"]),
            record.ID2_KEY_TYPE: ascii(row.get("key_type", "AES_%d" % (4 * len(row["key_hex"])))),
        }
    )


class Blobs:
    """What esp32.NVS is of a Medium of `scripted`."""

    def __init__(self, medium):
        self.medium = medium

    def get_blob(self, key, buffer):
        data = self.medium.read(key)
        if data is None or len(data) > len(buffer):
            raise OSError(-4354 if data is None else -4364)
        buffer[: len(data)] = data
        return len(data)

    def set_blob(self, key, data):
        self.medium.write(key, bytes(data))

    def commit(self):
        pass


class Draws:
    """A random source that gives what was drawn in a recorded session, and insists on the sizes."""

    def __init__(self, *values):
        self.values = list(values)

    def __call__(self, size):
        value = self.values.pop(0)
        assert len(value) == size, "drew %d bytes, the session has %d" % (size, len(value))
        return value


class Counted:
    """A quota without end that counts."""

    def __init__(self):
        self.spent = 0

    def check(self):
        return 0

    def spend(self):
        self.spent += 1


class Credential:
    def __init__(self, product_key, element, provisioning=None):
        self.product_key = product_key
        self.element = element
        self.provisioning = provisioning
        self.quota = Counted()


class Patience:
    """A deadline that passes when the wire says so: when both sides wait."""

    def __init__(self):
        self.over = False

    def left(self):
        return 0 if self.over else 1000


class Wire:
    """A stream of aliot.transport whose peer plays `script`, a list of

        ("out", data)  exactly this has to be written
        ("any", None)  one write of anything is taken, and kept in `taken`
        ("in", data)   this can be read; a function is called for it with the wire

    With `piece` that many bytes are there at a time. After the script, or after a wrong write, the peer has
    ended the connection, or with `silent` says nothing more. Where both sides wait, the stream's `Patience`
    is over.
    """

    def __init__(self, script, piece=0, silent=False):
        self.script = list(script)
        self.piece = piece
        self.silent = silent
        self.timeout = 5000
        self.deadline = None
        self.writes = []
        self.taken = []
        self.closed = 0
        self.wrong = False
        self._pause = False

    def write(self, data):
        assert self.deadline is not None and not self.closed
        data = bytes(data)
        self.writes.append(data)
        direction, expected = self.script.pop(0) if self.script else ("end", None)
        if direction == "any":
            self.taken.append(data)
        elif direction == "out" and expected[: len(data)] == data:
            if len(expected) > len(data):
                self.script.insert(0, (direction, expected[len(data) :]))
        else:
            self.wrong = True

    def readinto(self, view):
        assert not self.closed
        if self.piece:
            self._pause = not self._pause
            if self._pause:
                return 0
        if self._over() or self.script[0][0] != "in":
            return 0
        data = self.script[0][1]
        data = data(self) if callable(data) else data
        count = min(len(view), len(data), self.piece or len(data))
        view[:count] = data[:count]
        self.script[0] = ("in", data[count:])
        if count == len(data):
            self.script.pop(0)
        return count

    def ready(self, ms):
        there = not self._over() and self.script[0][0] == "in"
        if not there and ms:
            self.deadline.over = True
        return there

    def close(self):
        self.closed += 1

    def _over(self):
        if self.script and not self.wrong:
            return False
        if not self.silent:
            raise Closed("script")
        return True


class Session:
    """A recorded session of the vectors: `wire()` plays it, `stream(wire)` is the client with what it
    drew.
    """

    def __init__(self, row):
        given = row["inputs"]
        self.row = row
        self.otp = row.get("otp")
        self.records = [
            ("out" if r["direction"] == "client_to_server" else "in", unhex(r["record_hex"]), r)
            for r in row["records"]
        ]
        self.product_key = given["product_key"]
        self.fields = {
            record.ID2: ascii(given["id2"]),
            record.ID2_KEY: unhex(given["id2_key_hex"]),
            record.ID2_KEY_TYPE: b"AES_%d" % (4 * len(given["id2_key_hex"])),
        }
        self.kept = []
        self.element = EmptyElement(self.kept.append) if self.otp else SoftwareElement(self.fields)

    def draws(self):
        """What the client drew, in the order in which this client draws."""
        values = [unhex(self.otp["session_key_hex"])] if self.otp else []
        hellos = [data[11:43] for direction, data, r in self.records if r["message"] == "ClientHello"]
        values += hellos[:-1] + [unhex(self.row["inputs"]["device_random_ascii"])] + hellos[-1:]
        values += [
            unhex(r["iv_hex"]) for direction, data, r in self.records if direction == "out" and r["encrypted"]
        ]
        return values + [bytes((i,)) * 16 for i in range(40)]

    def wire(self, piece=0):
        return Wire([(direction, data) for direction, data, r in self.records], piece)

    def stream(self, wire, provisioning=None):
        self.credential = Credential(self.product_key, self.element, provisioning)
        stream = Stream(wire, self.credential, Draws(*self.draws()))
        stream.deadline = Patience()
        return stream

    def record(self, direction, number):
        """The bytes of the n-th record of a direction."""
        return [data for its, data, r in self.records if its == direction][number]


class Server:
    """The server's side of a recorded session from its ServerHello on, for what is not in the recording.

    It derives what follows from the ServerHello that it is given (a message) and the premaster that it says
    it has.
    """

    def __init__(self, session, hello=None, premaster=None):
        self.session = session
        self.server_hello = hello or session.record("in", 1)[5:]
        self.premaster = unhex(session.row["inputs"]["premaster_hex"]) if premaster is None else premaster
        self.own = self.peer = None

    def script(self, *more):
        """A wire's script: the handshake as recorded up to the ServerHello, its Finished, and more."""
        return [
            ("any", None),
            ("in", self.session.record("in", 0)),
            ("any", None),
            ("in", plain(22, self.server_hello)),
            ("any", None),
            ("in", self.finished),
        ] + list(more)

    def finished(self, wire):
        self.agree(wire)
        return self.sealed(22, self.finished_message)

    def wrong(self, wire):
        """In place of `finished`: a Finished that is sealed well and proves nothing."""
        self.agree(wire)
        return self.sealed(22, FINISHED + bytes(12))

    def agree(self, wire):
        """Derive the keys from what the wire has taken, and check that the client's Finished can be read."""
        client_hello = wire.taken[-2][5:]
        at = 39 + self.server_hello[38]
        suite = self.server_hello[at : at + 2]
        client, server = client_hello[6:38], self.server_hello[6:38]
        master = prf(self.premaster, b"master secret", client + server, 48)
        self.peer, self.own = directions(suite, master, client, server)
        message = self.opened(wire.taken[-1])[1]
        transcript = sha256(client_hello + self.server_hello).digest()
        assert message == FINISHED + prf(master, b"client finished", transcript, 12)
        transcript = sha256(client_hello + self.server_hello + message).digest()
        self.finished_message = FINISHED + prf(master, b"server finished", transcript, 12)

    def sealed(self, kind, data):
        return plain(kind, self.own.seal(kind, data, bytes(range(16))))

    def opened(self, data):
        """(kind, plain data) of a record that the client sent."""
        return data[0], self.peer.open(data[0], data[5:])


def plain(kind, data):
    """A record of this type, as it stands."""
    return bytes((kind, 3, 3, len(data) >> 8, len(data) & 255)) + data


def session(name):
    return [found for found in sessions() if found.row["name"] == name][0]


def sessions():
    return [Session(row) for row in part_of("itls", "transcripts")]
