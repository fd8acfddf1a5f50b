"""A DeviceSecret or ProductSecret in an eFuse key block, which the chip's HMAC peripheral signs with; hardware_hmac.md.

Imported by boards alone whose record names a block. Nothing here reads a key or burns a fuse: software can do neither.
"""

import os
from struct import pack, unpack_from

import machine
from aliot import record
from aliot.errors import AliotError, CredentialError
from micropython import const

# hardware_hmac.md 2 and 2.1. A chip, as `os.uname()` names it: HMAC's base, and what is done to clocks and resets of
# HMAC, DS and SHA, one after the other: (register, bits to clear, bits to set)
_CHIPS = {
    "S2": (0x6003E000, ((0x3F4C0044, 0, 0x34), (0x3F4C004C, 0, 0x34), (0x3F4C004C, 0x34, 0))),
    "S3": (0x6003E000, ((0x600C001C, 0, 0x34), (0x600C0024, 0, 0x34), (0x600C0024, 0x34, 0))),
    "C3": (0x6003E000, ((0x600C0014, 0, 0x34), (0x600C001C, 0, 0x34), (0x600C001C, 0x34, 0))),
    "C6": (
        0x6008D000,
        (
            (0x600960E4, 0, 3),
            (0x600960E0, 0, 3),
            (0x600960CC, 0, 3),
            (0x600960E4, 2, 0),
            (0x600960E0, 2, 0),
            (0x600960CC, 2, 0),
        ),
    ),
}

_START = const(0x40)
_PURPOSE = const(0x44)
_KEY = const(0x48)
_PARA_FINISH = const(0x4C)
_MESSAGE_ONE = const(0x50)
_MESSAGE_ING = const(0x54)
_RESULT_FINISH = const(0x5C)
_ERROR = const(0x68)
_BUSY = const(0x6C)
_WDATA = const(0x80)
_RDATA = const(0xC0)
_MESSAGE_PAD = const(0xF0)
_ONE_BLOCK = const(0xF4)
_UPSTREAM = const(8)

_RUNS = const(6)  # at most, of one signature; two alike are taken
_LOOKS = const(2000)  # at BUSY: some 10 ms of a chip


class KeyBlock:
    """What stands in place of a `Secret`: it signs, and nobody can reveal it. `number` is 0 to 5."""

    def __init__(self, number):
        self.number = number
        if not _registers() or number > 5:
            raise CredentialError("this chip has no HMAC peripheral, or no KEY%d" % number, "key.block")

    def __repr__(self):
        return "KEY%d" % self.number

    def sign(self, method, text):
        """Lower-case hex of the HMAC-SHA256 of `text`, made until two in turn are alike; hardware_hmac.md 4.

        CredentialError for another method, and `key.purpose`; AliotError `key.busy`, `key.unsure`.
        """
        _sha256_only(method)
        last = problem = None
        for _ in range(_RUNS):
            try:
                made = _run(self, text.encode(), *_registers())
                if made == last and any(made):
                    return made.hex()
                last = made
                problem = None
            except AliotError as found:
                last = None
                problem = found
        raise problem or AliotError("no two signatures of %s are alike" % self, "key.unsure")


def burned(fields, mac):
    """The credential of a burned record that names a key block; CredentialError when it names none."""
    from aliot import identities

    kind = fields.get(record.KIND)
    if kind not in (b"device", b"product"):
        raise CredentialError("only a DeviceSecret or a ProductSecret can lie in a key block")
    _sha256_only(fields.get(record.SIGN_METHOD, b"hmacsha256").decode())
    key = KeyBlock(int.from_bytes(fields[record.KEY_BLOCK], "little"))
    fields = {tag: fields[tag] for tag in fields if tag != record.KEY_BLOCK}
    fields[record.DEVICE_SECRET if kind == b"device" else record.PRODUCT_SECRET] = b"-"
    made = identities.burned(fields, 0, mac, None)  # all else is checked as ever
    if made.method:
        made.product_secret = key
    else:
        made.device_secret = key
    return made


def _sha256_only(method):
    if method.lower() != "hmacsha256":
        raise CredentialError("a key in eFuse signs with hmacsha256, not with %s" % method)


def _registers():
    """(HMAC's base, gates) of this chip; None when it has no such peripheral."""
    name = os.uname()[4].upper().replace("-", "")
    for chip in _CHIPS:
        if "ESP32" + chip in name:
            return _CHIPS[chip]
    return None


def _run(key, text, base, gates):
    """One signature, right unless something else used SHA beside it; hardware_hmac.md 3."""
    size = len(text)
    text += b"\x80" + bytes(-(size + 9) % 64) + (8 * size + 512).to_bytes(8, "big")
    last = len(text) - 64
    _reset(gates)
    _write(base + _START, 1)
    _write(base + _PURPOSE, _UPSTREAM)
    _write(base + _KEY, key.number)
    _write(base + _PARA_FINISH, 1)
    if machine.mem32[base + _ERROR]:
        raise CredentialError("%s has no key for HMAC_UP" % key, "key.purpose")
    for at in range(0, last + 64, 64):
        if at:
            _write(base + (_MESSAGE_PAD if at == last else _MESSAGE_ING), 1)
        elif 56 <= size < 64:
            _write(base + _MESSAGE_ING, 1)
        for word in range(0, 64, 4):
            machine.mem32[base + _WDATA + word] = unpack_from("<I", text, at + word)[0]
        _write(base + _MESSAGE_ONE, 1)
    if not last:
        _write(base + _ONE_BLOCK, 1)
    made = pack("<8I", *[machine.mem32[base + _RDATA + word] for word in range(0, 32, 4)])
    _write(base + _RESULT_FINISH, 2)
    return made


def _write(register, value):
    """Write a register of HMAC, and wait until that is done."""
    machine.mem32[register] = value
    for _ in range(_LOOKS):
        if not machine.mem32[(register & ~0xFF) + _BUSY]:
            return
    raise AliotError("the HMAC peripheral stays busy", "key.busy")


def _reset(gates):
    """Clocks on, and a reset of each. They stay on: SHA is not this module's alone."""
    state = machine.disable_irq()
    try:
        for register, clear, put in gates:
            machine.mem32[register] = machine.mem32[register] & ~clear | put
    finally:
        machine.enable_irq(state)
