"""Anything at all for what reads what the network sends: asked by the host, one value at a time
(host_tests/id2).
"""

from binascii import b2a_base64

from aliot import id2, record
from aliot.errors import AliotError, CredentialError
from aliot.id2 import Quota, SoftwareElement, codes
from aliot.id2.provisioning import EmptyElement, Provisioning
from aliot.transport import itls
from aliot.transport.itls import Stream, records
from id2_script import Blobs
from id2_session import Credential, Deadline, Wire
from scripted import Medium, unhex

ID = b"2122232425262728292A2B2C"
UNIT = SoftwareElement({record.ID2: ID, record.ID2_KEY: bytes(range(16)), record.ID2_KEY_TYPE: b"AES_128"})
SECRET = "i11abcdefghijklmnop0123456789ABC"


class Sudden(Wire):
    """A wire that ends the connection after its data."""

    def readinto(self, view):
        if not self._data:
            raise AliotError("end", "closed")
        return Wire.readinto(self, view)


def extensions(value):
    """[[number, hex], ...] as a hello carries them come back, unless a number comes twice."""
    body = b"".join([bytes((n >> 8, n & 255, 0, len(text) // 2)) + unhex(text) for n, text in value])
    numbers = [n for n, text in value]
    try:
        found = itls.extensions(b"\x03\0\0\0\x03\x03" + body, 6)
        assert found == {n: unhex(text) for n, text in value} and len(set(numbers)) == len(numbers)
    except ValueError:
        assert len(set(numbers)) < len(numbers)


def premaster(value):
    """[premaster, device code, server code]: 48 bytes or None."""
    encrypted, device, server = [unhex(text) for text in value]
    found = codes.premaster(UNIT, encrypted, code(device), code(server))
    assert found is None or len(found) == 48 and len(encrypted) == 64


def code(proof):
    return b"0~2~0~0~" + b2a_base64((proof + bytes(48))[:48])[:-1]


def record_body(value):
    """[suite, kind, data, body]: what was sealed opens once, whole; anything else never does."""
    suite, kind, data, body = unhex(value[0]), value[1], unhex(value[2]), unhex(value[3])
    there, back = (
        records.directions(suite, bytes(48), bytes(32), bytes(32)),
        records.directions(suite, bytes(48), bytes(32), bytes(32)),
    )
    sealed = there[0].seal(kind, data, bytes(16))
    assert len(sealed) % 16 == 0
    assert back[0].open(kind, sealed) == data
    assert back[0].open(kind, sealed) is None  # the sequence number has gone on
    assert back[1].open(kind, sealed) is None  # the other direction has other keys
    assert back[0].open(kind, body) is None


def handshake(value):
    """[session, what the server sends in hex]: never accepted, and only errors of the tree."""
    session, received = value
    credential = Credential()
    credential.quota = credential
    credential.product_key = session["product_key"]
    credential.element = SoftwareElement(
        {
            record.ID2: session["id2"].encode(),
            record.ID2_KEY: unhex(session["key"]),
            record.ID2_KEY_TYPE: b"AES_%d" % (4 * len(session["key"])),
        }
    )
    draws = [unhex(text) for text in session["draws"]] + [bytes(16)] * 4
    stream = Stream(Sudden(unhex(received)), credential, lambda size: draws.pop(0))
    stream.deadline = Deadline()
    try:
        stream.handshake()
    except AliotError:
        return
    raise AssertionError("accepted")


def response(value):
    """A provisioning response: refused, nothing kept."""
    asks = Provisioning(SECRET, b"fingerprint")
    asks.quota = Credential()
    asks.request(lambda size: bytes(size))
    kept = []
    try:
        asks.accept(unhex(value), EmptyElement(kept.append))
    except (ValueError, CredentialError):
        assert not kept
        return
    raise AssertionError("accepted")


def product_secret(value):
    """Any text: a provisioning token, or a CredentialError that does not say it."""
    try:
        made = Provisioning(value, b"f")
        assert len(value.encode()) >= 32 and value[0] in "ix" and value[1] in "12" and value[2] in "13"
        made.quota = Credential()
        assert len(made.request(lambda size: bytes(size))) <= 256
    except CredentialError as problem:
        assert len(value) < 8 or value not in str(problem)


def device_code(value):
    """[kind, challenge, extra]: a code of at most 512 bytes without a stray ~, or ValueError."""
    kind, challenge, extra = value[0], unhex(value[1]), unhex(value[2])
    try:
        made = id2.device_code(UNIT, kind, challenge, extra)
    except ValueError:
        return
    assert len(made) <= 512 and made.count(b"~") == 4
    assert not id2.verify_server(UNIT, made, challenge, extra)


def decrypt(value):
    """Any ciphertext: at most 1024 plain bytes, or ValueError."""
    try:
        assert len(id2.decrypt(UNIT, unhex(value))) < 1024
    except ValueError:
        pass
    plain = unhex(value)[:1000]
    assert id2.decrypt(UNIT, UNIT.ecb_encrypt(codes.pad(plain))) == plain


def quota(value):
    """[what NVS holds, times in turn]: never more than ten in a day of the clock, from whatever is kept."""
    nvs = Medium("nvs")
    nvs.kept["k"] = unhex(value[0])
    now = [0]
    id2.NVS = lambda space: Blobs(nvs)
    id2.time = lambda: now[0]
    made = Quota("k", 10)
    done = []
    for step in value[1]:
        now[0] += step
        try:
            made.spend()
            done.append(now[0])
        except AliotError as problem:
            assert problem.code == "id2.quota"
            assert 0 < int(problem.detail.split()[-2]) <= 86400
    for start in done:
        assert len([at for at in done if start <= at < start + 86400]) <= 10
