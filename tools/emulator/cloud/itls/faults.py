"""What an armed fault makes of an answer: `SPOILS` break the protocol, `FRAMINGS` only look unusual.

Each is a function that README.md describes by its name. Those of `SPOILS` take a `Hello`, the extensions
of a HelloVerifyRequest, or (session, type, data) of a protected record; see `greet`, `verify` and `send`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.id2 import codes
from tools.emulator.cloud.id2.keys import Key
from tools.emulator.cloud.itls import messages
from tools.emulator.cloud.itls.messages import CHALLENGE, CODE, FRAGMENT, PREMASTER, PROVISIONED
from tools.emulator.cloud.itls.records import BLOCK, HANDSHAKE, frame

if TYPE_CHECKING:
    from tools.emulator.cloud.itls.server_hello import Hello
    from tools.emulator.cloud.itls.session import Session

UNKNOWN, RENEGOTIATION, TICKET = 0x2FFF, 0xFF01, 0x0023
CHANGE_CIPHER_SPEC = 20
HELLO_REQUEST = messages.message(0, b"")
WARNING = b"\x01\x64"  # a warning that says no_renegotiation


# ---- ServerHello: functions of the `Hello` that is about to go out


def code_over(
    hello: Hello, id2: str | None = None, random: bytes | None = None, wrong_end: bool = False
) -> None:
    """Replaces the server code by one over another ID or random."""
    code = codes.server_code(
        id2 or hello.identity.id2, hello.identity.key, (random or hello.client_random).hex().upper()
    )
    hello.set(CODE, (code[:-3] + "AAA" if wrong_end else code).encode())


def replace_premaster(hello: Hello, premaster: bytes, text: bytes | None = None) -> None:
    """Another premaster, or its ciphertext `text`; the keys are made of it as a careless device would."""
    hello.premaster = premaster
    hello.set(PREMASTER, hello.identity.key.encrypt(premaster) if text is None else text)


def known_blocks(hello: Hello) -> None:
    """A premaster put together from the blocks that stand in the two codes (id2.md 7.2)."""
    key = hello.identity.key
    server = key.sign(inverted(hello.identity.id2) + hello.client_random.hex().upper())
    device = hello.device_signature or server  # without a challenge there is no device code
    text = device[: 2 * BLOCK] + server[:BLOCK] + device[2 * BLOCK :]
    replace_premaster(hello, key.decrypt(text), text)


def plain_padding(hello: Hello) -> None:
    key, padding = hello.identity.key, bytes(BLOCK - 1) + bytes((BLOCK,))
    hello.set(PREMASTER, key.blocks(hello.premaster + padding))


def other_key(hello: Hello) -> None:
    key = hello.identity.key
    hello.set(PREMASTER, Key(key.type, hello.random_bytes(len(key.value))).encrypt(hello.premaster))


def no_premaster(hello: Hello) -> None:
    hello.drop(PREMASTER)
    hello.premaster = b""


def two_fragments(hello: Hello) -> None:
    hello.set(FRAGMENT, b"\x02")
    hello.double(FRAGMENT)


def inverted(id2: str) -> str:
    return id2.translate(codes.INVERSE)


def put(name: str, value: object) -> Callable[[Hello], None]:
    """Sets one field of the `Hello`."""
    return lambda hello: setattr(hello, name, value)


SERVER_HELLOS = {
    "no_server_code": lambda hello: hello.drop(CODE),
    "wrong_server_code": lambda hello: code_over(hello, wrong_end=True),
    "plain_id_server_code": lambda hello: code_over(hello, id2=inverted(hello.identity.id2)),
    "other_challenge_server_code": lambda hello: code_over(hello, random=hello.random_bytes(32)),
    "two_server_codes": lambda hello: hello.double(CODE),
    "no_premaster": no_premaster,
    "two_premasters": lambda hello: hello.double(PREMASTER),
    "short_premaster": lambda hello: replace_premaster(hello, hello.premaster[:BLOCK]),
    "long_premaster": lambda hello: replace_premaster(hello, hello.premaster * 2),
    "empty_premaster": lambda hello: replace_premaster(hello, b""),
    "known_premaster": known_blocks,
    "premaster_padding": plain_padding,
    "premaster_key": other_key,
    "suite_not_offered": put("suite", 0xC0A8),
    "version": put("version", b"\x03\x02"),
    "compression": put("compression", 1),
    "other_fragment": lambda hello: hello.set(FRAGMENT, b"\x01"),
    "two_fragments": two_fragments,
    "renegotiation_info": lambda hello: hello.first(RENEGOTIATION, b"\0"),
    "unknown_extension": lambda hello: hello.first(UNKNOWN, b"unknown"),
    "session_ticket": lambda hello: hello.first(TICKET, b""),
    "long_session_id": put("session_id", bytes(33)),
    "extensions_too_short": put("misfit", -1),
    "extensions_too_long": put("misfit", 1),
    "trailing": put("trailing", b"\0\0"),
    "old": put("replayed", True),
}


# ---- HelloVerifyRequest: functions of its one extension (number, value)


def cut(value: bytes, size: int) -> bytes:
    return (value + b"0" * size)[:size]


CHALLENGES = {
    "short_challenge": lambda one: messages.hello_verify((one[0], cut(one[1], 31))),
    "long_challenge": lambda one: messages.hello_verify((one[0], cut(one[1], 33))),
    "empty_challenge": lambda one: messages.hello_verify((one[0], b"")),
    "tilde_challenge": lambda one: messages.hello_verify((one[0], b"~" + one[1][1:])),
    "binary_challenge": lambda one: messages.hello_verify((one[0], b"\x80\0" + one[1][2:])),
    "no_challenge": lambda one: messages.hello_verify(),
    "two_challenges": lambda one: messages.hello_verify(one, one),
    "unknown_extension": lambda one: messages.hello_verify(one, (UNKNOWN, b"unknown")),
    "with_provisioning": lambda one: messages.hello_verify((PROVISIONED, bytes(89)), one),
    "provisioning": lambda one: messages.hello_verify((PROVISIONED, bytes(89))),
    "version": lambda one: messages.hello_verify(one, version=b"\x03\x01"),
    "cookie": lambda one: messages.hello_verify(one, before=b"\x04cook"),
    "trailing": lambda one: messages.hello_verify(one, after=b"\0"),
    "twice": lambda one: messages.hello_verify(one) * 2,
}


def respond(one: tuple[int, bytes], change: Callable[[bytearray], object]) -> bytes:
    response = bytearray(one[1])
    change(response)
    return messages.hello_verify((one[0], bytes(response)))


def flip(at: int) -> Callable[[bytearray], None]:
    def change(response):
        response[at] ^= 1

    return change


PROVISIONS = {
    "no_response": lambda one: messages.hello_verify(),
    "empty_response": lambda one: messages.hello_verify((one[0], b"")),
    "short_response": lambda one: messages.hello_verify((one[0], one[1][:-1])),
    "long_response": lambda one: messages.hello_verify((one[0], one[1] + b"\0")),
    "key_type": lambda one: respond(one, flip(0)),
    "wrong_id": lambda one: respond(one, flip(1)),
    "wrong_key": lambda one: respond(one, flip(25)),
    "wrong_padding": lambda one: respond(one, flip(-1)),
    "two_responses": lambda one: messages.hello_verify(one, one),
    "with_challenge": lambda one: messages.hello_verify(one, (CHALLENGE, b"0" * 32)),
    "unknown_extension": lambda one: messages.hello_verify(one, (UNKNOWN, b"unknown")),
    "twice": lambda one: messages.hello_verify(one) * 2,
}


# ---- protected records: functions of (session, type, data) that return whole records


def sealed(session: Session, kind: int, data: bytes) -> bytes:
    return frame(kind, session.writing.seal(kind, data, session.random(BLOCK)))


def wrong_mac(session: Session, kind: int, data: bytes) -> bytes:
    writing = session.writing
    mac = writing.mac(kind, data)
    writing.sequence += 1
    return frame(kind, writing.close(data + bytes((mac[0] ^ 1,)) + mac[1:], session.random(BLOCK)))


def padded(session: Session, kind: int, data: bytes, blocks: int = 0, spoiled: bool = False) -> bytes:
    """With `blocks` more of padding than needed, and one byte of it wrong if `spoiled`."""
    writing = session.writing
    text = data + writing.mac(kind, data)
    writing.sequence += 1
    size = BLOCK - 1 - len(text) % BLOCK
    size += BLOCK * (blocks or (spoiled and size < 1))
    padding = bytearray((size,)) * (size + 1)
    padding[0] ^= spoiled
    return frame(kind, writing.encrypt(text + bytes(padding), session.random(BLOCK)))


def skipped(session: Session, kind: int, data: bytes) -> bytes:
    session.writing.sequence += 1
    return sealed(session, kind, data)


def uneven(session: Session, kind: int, data: bytes) -> bytes:
    whole = sealed(session, kind, data)
    return frame(kind, whole[5:-1])


def huge(session: Session, kind: int, data: bytes) -> bytes:
    return bytes((kind,)) + b"\x03\x03\xff\xff" + sealed(session, kind, data)[5:]


def oversize(session: Session, kind: int, data: bytes) -> bytes:
    return frame(kind, session.writing.seal(kind, data + bytes(2**14 + 1), session.random(BLOCK)))


def no_data(session: Session, kind: int, data: bytes) -> bytes:
    """Not even room for a MAC."""
    return frame(kind, session.random(2 * BLOCK))


PROTECTED = {
    "wrong_mac": wrong_mac,
    "wrong_padding": lambda session, kind, data: padded(session, kind, data, spoiled=True),
    "sequence": skipped,
    "uneven": uneven,
    "too_short": no_data,
    "huge": huge,
    "plain": lambda session, kind, data: frame(kind, data),
    "version": lambda *record: (lambda one: one[:1] + b"\x03\x02" + one[3:])(sealed(*record)),
    "unknown_type": lambda session, kind, data: sealed(session, 99, data),
}
FINISHED = PROTECTED | {
    "wrong_verify": lambda session, kind, data: sealed(session, kind, data[:-1] + bytes((data[-1] ^ 1,))),
    "short_verify": lambda session, kind, data: sealed(session, kind, messages.finished(data[4:-1])),
    "long_verify": lambda session, kind, data: sealed(session, kind, messages.finished(data[4:] + b"\0")),
    "mirrored": lambda session, kind, data: sealed(session, kind, session.heard_finished),
    "change_cipher_spec": lambda *record: frame(CHANGE_CIPHER_SPEC, b"\x01") + sealed(*record),
    "twice": lambda *record: sealed(*record) + sealed(*record),
}
RECORDS = PROTECTED | {
    "repeated": lambda *record: sealed(*record) * 2,
    "oversize": oversize,
    "hello_request": lambda session, kind, data: sealed(session, HANDSHAKE, HELLO_REQUEST),
}
SPOILS: dict[str, dict[str, Callable[..., Any]]] = {
    "provision": PROVISIONS,
    "challenge": CHALLENGES,
    "server_hello": SERVER_HELLOS,
    "finished": FINISHED,
    "record": RECORDS,
}


# ---- framings: functions of (session, type, data) that return whole records in one write


def plain_or_sealed(session: Session, kind: int, data: bytes) -> bytes:
    return sealed(session, kind, data) if session.writing else frame(kind, data)


def in_pieces(size: Callable[[bytes], int]) -> Callable[[Session, int, bytes], bytes]:
    def cut_up(session, kind, data):
        pieces = [data[at : at + size(data)] for at in range(0, len(data), size(data))]
        return b"".join(plain_or_sealed(session, kind, piece) for piece in pieces)

    return cut_up


FRAMINGS = {
    "two_records": in_pieces(lambda data: (len(data) + 1) // 2),
    "one_byte_records": in_pieces(lambda data: 1),
    "warning_before": lambda session, kind, data: (
        plain_or_sealed(session, 21, WARNING) + plain_or_sealed(session, kind, data)
    ),
    "long_padding": lambda session, kind, data: padded(session, kind, data, blocks=14),
    "empty_before": lambda session, kind, data: sealed(session, kind, b"") + sealed(session, kind, data),
}
OF_PROTECTED = {"long_padding": ("finished", "record"), "empty_before": ("record",)}


def framings(stage: str) -> tuple[str, ...]:
    """The names of the framings that a stage has."""
    return tuple(name for name in FRAMINGS if stage in OF_PROTECTED.get(name, SPOILS))
