"""A device with an ID2, of the tests' own: written from id2.md, told step by step what to send.

`Device` is the protocol over bytes; it checks nothing that it is not asked to
check, so that the cloud is what refuses. `Wire` puts it on a socket.
"""

import base64
import hashlib
import hmac
import json
import socket
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from host_tests.support import paths
from host_tests.support.cloud import client
from host_tests.support.cloud.client import Client
from tools.emulator.cloud import codec

ITLS = json.loads((paths.VECTORS / "vectors_id2.json").read_text())
TRANSCRIPTS = {one["name"]: one for one in ITLS["itls"]["transcripts"]}
PK, ID2, KEY = "a1WO4Z9qHRw", "2122232425262728292A2B2C", "2122232425262728292a2b2c2d2e2f30"
SECRET = "i11abcdefghijklmnop0123456789ABC"
ALERT, HANDSHAKE, DATA = 21, 22, 23
HASHES = {0xD001: "sha1", 0xD002: "sha1", 0xD003: "sha256", 0xD004: "sha256"}
FRAGMENT, PRODUCT, KEY_ID, CODE, PREMASTER, CHALLENGE, ISSUED, VERSION = (
    0x0001,
    0x2000,
    0x2001,
    0x2002,
    0x2003,
    0x2010,
    0x2011,
    0x2020,
)
BLANK = "F" * 48


def settings(switches=None, identities=None, **product):
    """A configuration dict with one ID2 product and the vectors' identity."""
    known = [{"id2": ID2, "id2_key": KEY}] if identities is None else identities
    base = client.settings(
        switches, product.pop("timing", None), product.pop("limits", None), product.pop("kind", "enterprise")
    )
    base["instance"]["id"] = product.pop("instance", client.INSTANCE)
    return base | {
        "product": [
            {"product_key": PK, "product_secret": SECRET, "auth": "id2", "identity": known, **product}
        ]
    }


def ecb(key, data, operation="encryptor"):
    worker = getattr(Cipher(algorithms.AES(key), modes.ECB()), operation)()
    return worker.update(data) + worker.finalize()


def pad(data):
    count = 16 - len(data) % 16
    return data + bytes([count]) * count


def unpad(data):
    assert data and data.endswith(bytes([data[-1]]) * data[-1])
    return data[: -data[-1]]


def sign(key, text):
    return ecb(key, pad(hashlib.sha256(text.encode()).digest()))


def expand(secret, label, seed, size):
    """P_SHA256."""
    out, a = b"", label + seed
    while len(out) < size:
        a = hmac.new(secret, a, "sha256").digest()
        out += hmac.new(secret, a + label + seed, "sha256").digest()
    return out[:size]


def record(kind, body, version=b"\x03\x03"):
    return bytes([kind]) + version + len(body).to_bytes(2, "big") + body


def message(kind, body):
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def extensions_of(block):
    """[(number, value)] of a block of extensions."""
    found = []
    while block:
        size = int.from_bytes(block[2:4], "big")
        found.append((int.from_bytes(block[:2], "big"), block[4 : 4 + size]))
        block = block[4 + size :]
    return found


def issue_request(secret=SECRET, session_key=bytes(16), fingerprint=b"240AC4000001", kind=1):
    key = secret[3:19].encode() if secret[1] == "1" else base64.b64decode(secret[8:])
    report = bytes([kind]) + session_key + fingerprint
    return (
        b"\0\0\1\0" + hashlib.sha256(key).digest() + hashlib.sha256(report).digest() + ecb(key, pad(report))
    )


@dataclass
class Direction:
    mac_key: bytes
    key: bytes
    hash: str
    sequence: int = 0

    def mac(self, kind, data):
        head = self.sequence.to_bytes(8, "big") + record(kind, b"")[:3] + len(data).to_bytes(2, "big")
        return hmac.new(self.mac_key, head + data, self.hash).digest()

    def seal(self, kind, data, iv=bytes(16), mac=None, padding=None):
        text = data + (self.mac(kind, data) if mac is None else mac)
        padding = bytes([15 - len(text) % 16]) * (16 - len(text) % 16) if padding is None else padding
        self.sequence += 1
        worker = Cipher(algorithms.AES(self.key), modes.CBC(iv)).encryptor()
        return record(kind, iv + worker.update(text + padding))

    def open(self, kind, body):
        text = Cipher(algorithms.AES(self.key), modes.CBC(body[:16])).decryptor().update(body[16:])
        size = hashlib.new(self.hash).digest_size
        data = text[: -text[-1] - 1 - size]
        assert text[len(data) : len(data) + size] == self.mac(kind, data), "the cloud's MAC is wrong"
        assert text[len(data) + size :] == bytes([text[-1]]) * (text[-1] + 1), "the cloud's padding is wrong"
        self.sequence += 1
        return data


class Device:
    """One handshake. `hello` makes a hello; `answer` takes what the cloud said and gives what comes next."""

    def __init__(
        self, id2=ID2, key=KEY, pk=PK, suites=(0xD004, 0xD003, 0x00FF), random=b"\x07", fragment=b"\x02"
    ):
        self.id2, self.key, self.pk = id2.encode(), bytes.fromhex(key), pk.encode()
        self.suites, self.random, self.fragment = suites, random * 32, fragment
        self.writing = self.reading = None
        self.suite = self.server_hello = self.challenge = None
        self.drand = "0011223344556677"

    def hello(self, code=b"", **changes):
        """A ClientHello's record. `changes` replace extensions by name; None leaves one out."""
        wanted = {
            "fragment": (FRAGMENT, self.fragment),
            "product": (PRODUCT, self.pk),
            "key_id": (KEY_ID, b"\x00\x10\x00\x10" + self.id2),
            "code": (CODE, code),
            "version": (VERSION, b"\x00\x02\x01\x00"),
        }
        wanted |= {
            name: value if value is None else (wanted[name][0], value)
            for name, value in changes.items()
            if name in wanted
        }
        block = b"".join(
            number.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value
            for number, value in filter(None, wanted.values())
            if value is not None
        )
        block += changes.get("more", b"")
        suites = b"".join(one.to_bytes(2, "big") for one in self.suites)
        body = (
            changes.get("protocol", b"\x03\x03")
            + self.random
            + changes.get("session", b"\0")
            + len(suites).to_bytes(2, "big")
            + suites
            + changes.get("methods", b"\x01\0")
            + len(block).to_bytes(2, "big")
            + block
        )
        self.sent = message(1, body)
        return record(HANDSHAKE, self.sent)

    def code(self, challenge=None, kind="0", digit="2"):
        challenge = self.challenge if challenge is None else challenge
        signature = sign(self.key, self.id2.decode() + self.drand + challenge)
        return f"{kind}~{digit}~{self.drand}~{challenge}~{base64.b64encode(signature).decode()}".encode()

    def take_challenge(self, body):
        """The challenge in the body of a handshake record."""
        assert body[:1] == b"\x03" and int.from_bytes(body[1:4], "big") == len(body) - 4
        assert body[4:6] == b"\x03\x03"
        ((number, value),) = extensions_of(body[6:])
        assert number == CHALLENGE and len(value) == 32
        self.challenge = value.decode()
        return self.challenge

    def take_issue(self, body, session_key=bytes(16)):
        """(ID, key as hex) in a HelloVerifyRequest that provisions."""
        ((number, value),) = extensions_of(body[6:])
        assert number == ISSUED
        id2, rest = value[1:25].decode(), value[25:]
        key = unpad(ecb(session_key, rest[:-32], "decryptor"))
        assert unpad(ecb(key, rest[-32:], "decryptor")) == id2.encode()
        self.id2, self.key = id2.encode(), key
        return id2, key.hex()

    def take_server_hello(self, body):
        """Derives the keys; the extensions by number. The record that proves this device may follow."""
        assert body[:1] == b"\x02" and body[4:6] == b"\x03\x03"
        self.server_hello, random, at = body, body[6:38], 39 + body[38]
        self.session_id = body[39:at]
        self.suite = int.from_bytes(body[at : at + 2], "big")
        assert body[at + 2] == 0 and int.from_bytes(body[at + 3 : at + 5], "big") == len(body) - at - 5
        self.order = [number for number, _ in extensions_of(body[at + 5 :])]
        found = dict(extensions_of(body[at + 5 :]))
        self.derive(unpad(ecb(self.key, found[PREMASTER], "decryptor")), random)
        return found

    def derive(self, premaster, random):
        hash, size = HASHES[self.suite], 16 if self.suite & 1 else 32
        mac = hashlib.new(hash).digest_size
        self.master = expand(premaster, b"master secret", self.random + random, 48)
        block = expand(self.master, b"key expansion", random + self.random, 2 * mac + 2 * size)
        self.writing = Direction(block[:mac], block[2 * mac : 2 * mac + size], hash)
        self.reading = Direction(block[mac : 2 * mac], block[2 * mac + size :], hash)

    def server_code(self):
        inverse = self.id2.decode().translate(str.maketrans("0123456789ABCDEF", "FEDCBA9876543210"))
        random = self.random.hex().upper()
        return f"10~2~{random}~{base64.b64encode(sign(self.key, inverse + random)).decode()}".encode()

    def verify(self, side, *messages):
        return expand(self.master, side + b" finished", hashlib.sha256(b"".join(messages)).digest(), 12)

    def finished(self, **how):
        self.own_finished = message(20, self.verify(b"client", self.sent, self.server_hello))
        return self.writing.seal(HANDSHAKE, self.own_finished, **how)

    def proof(self):
        """The server's Finished as it must be."""
        return message(20, self.verify(b"server", self.sent, self.server_hello, self.own_finished))

    def take_finished(self, body):
        assert self.reading.open(HANDSHAKE, body) == self.proof()


def wire(cloud, device=None):
    """A new connection of a device to a running cloud."""
    return Wire(socket.create_connection(("127.0.0.1", cloud.ports["itls"]), client.WAIT), device or Device())


class Wire:
    """A `Device` on a socket; also what `harness.Client` wants of one: `recv`, `sendall`, `close`."""

    def __init__(self, socket, device):
        self.socket, self.device = socket, device
        self.buffer = b""
        self.alert = None

    def record(self):
        """(type, body) of the next record, or None at the end."""
        while len(self.buffer) < 5 or len(self.buffer) < 5 + int.from_bytes(self.buffer[3:5], "big"):
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self.buffer += data
        size = 5 + int.from_bytes(self.buffer[3:5], "big")
        whole, self.buffer = self.buffer[:size], self.buffer[size:]
        assert whole[1:3] == b"\x03\x03"
        return whole[0], whole[5:]

    def ask(self, data):
        """Sends bytes; the body of the handshake record that answers. Raises `Refused` with an alert."""
        self.socket.sendall(data)
        return self.expect(HANDSHAKE)

    def expect(self, kind):
        found = self.record()
        if found is None:
            raise Refused(None)
        if found[0] == ALERT:
            body = found[1] if len(found[1]) == 2 else self.device.reading.open(ALERT, found[1])
            raise Refused(body[1])
        assert found[0] == kind
        return found[1]

    def prove(self):
        """Both hellos of a device with an identity; the ServerHello's extensions."""
        self.device.take_challenge(self.ask(self.device.hello()))
        return self.device.take_server_hello(self.ask(self.device.hello(self.device.code())))

    def handshake(self):
        assert self.prove()[CODE] == self.device.server_code()
        self.device.take_finished(self.ask(self.device.finished()))
        return self

    def sendall(self, data):
        for at in range(0, len(data), 1024):
            self.socket.sendall(self.device.writing.seal(DATA, data[at : at + 1024]))

    def recv(self, size):
        found = self.record()
        if found is None:
            raise ConnectionResetError
        data = self.device.reading.open(*found)
        if found[0] == ALERT:
            self.alert = tuple(data)
            return b""
        assert found[0] == DATA and len(data) <= size
        return data

    def fileno(self):
        return self.socket.fileno()

    def close(self):
        self.socket.close()


class Refused(Exception):
    """The cloud ended it: `args` is (alert,), None for an end without one."""


def connect_packet(
    dn="device-01", pk=PK, extra="", mode="8", authtype="authtype=id2", keep_alive=300, **fields
):
    """The platform manual's CONNECT; its password is not looked at."""
    identifier = f"12345|securemode={mode},signmethod=hmacsha1,timestamp=2524608000000,{authtype}{extra}|"
    return codec.Connect(
        **{
            "client_id": identifier,
            "username": f"{dn}&{pk}",
            "password": b"any",
            "keep_alive": keep_alive,
            **fields,
        }
    )


OTHER = {"id2": "4142434445464748494A4B4C", "id2_key": bytes(range(65, 97)).hex(), "id2_type": "AES_256"}


def mqtt_client(cloud, device=None):
    return Client(wire(cloud, device).handshake())


def login_code(cloud, packet=None, device=None):
    with mqtt_client(cloud, device) as one:
        return one.login(packet or connect_packet())


def arm(cloud, when, kind, **parameters):
    cloud.arm("itls", when, kind, **parameters)


def stages(cloud, one, until):
    """Goes through the handshake, up to the answer of stage `until`; that answer, taken off its record."""
    device = one.device
    if until == "provision":
        return one.ask(device.hello(issue_request()))
    answer = one.ask(device.hello())
    if until == "challenge":
        return answer
    device.take_challenge(answer)
    answer = one.ask(device.hello(device.code()))
    if until == "server_hello":
        return answer
    device.take_server_hello(answer)
    one.socket.sendall(device.finished())
    return None
