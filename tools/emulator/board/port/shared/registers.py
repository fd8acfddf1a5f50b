"""What is behind `machine.mem32`: clocks and resets of SHA, DS and HMAC, the HMAC peripheral, and what software may
read of the eFuses; hardware_hmac.md 1.1, 2 and 3.

It is no kinder than the driver's order: what comes too early, or in another order, leaves the peripheral without a
signature until its reset. A signature whose SHA was reset or stopped on its way is wrong, each time in another way.
"""

import hashlib
from struct import pack_into, unpack_from

# chip: HMAC's base, the eFuse controller's, registers of clocks and of resets; the C6 has one for each of the three
_CHIPS = {
    "esp32s2": (0x6003E000, 0x3F41A000, 0x3F4C0044, 0x3F4C004C),
    "esp32s3": (0x6003E000, 0x60007000, 0x600C001C, 0x600C0024),
    "esp32c3": (0x6003E000, 0x60008800, 0x600C0014, 0x600C001C),
    "esp32c6": (0x6008D000, 0x600B0800, 0, 0),
}
_CRYPTO = (0x04, 0x10, 0x20)  # bits of SHA, DS and HMAC
_C6 = (0x600960CC, 0x600960E0, 0x600960E4)
_OTHERS = 0x4A  # clocks of other peripherals that the boot left on

_START = 0x40
_PURPOSE = 0x44
_KEY = 0x48
_PARA_FINISH = 0x4C
_ONE = 0x50
_ING = 0x54
_END = 0x58
_RESULT_FINISH = 0x5C
_ERROR = 0x68
_BUSY = 0x6C
_WDATA = 0x80
_RDATA = 0xC0
_PAD = 0xF0
_ONE_BLOCK = 0xF4
_UPSTREAM = 8
_LOOKS = 2  # at BUSY, until a step is done

# What the peripheral is, as a list: names of attributes would be names in the heap of a board.
_STATE = 0
_LEFT = 1  # looks at BUSY
_FAULT = 2  # what ERROR says
_RESULT = 3
_TEXT = 4  # the blocks that were taken
_EARLY = 5  # a step ING before the first block
_LAST = 6  # a step PAD: the last block follows
_SPOILED = 7
_ASKED = 8  # purpose
_BLOCK = 9  # and block of the key
_WORDS = 10  # WDATA
_SPOILS = 11  # results that were spoiled
# states: it waits for a start, for parameters, for a block, for what follows a block, for the end; or for a reset
_IDLE = 0
_STARTED = 1
_READY = 2
_TAKEN = 3
_DONE = 4
_LOST = 5


def connect(machine, chip, fuses):
    """Give the module `machine` the registers of a chip, "esp32c3", and what goes with them.

    `fuses` are the bytes of its eFuse file, as espefuse keeps it. What software cannot read is in no attribute.
    """
    machine.mem32 = _memory(*_CHIPS[chip], *_fuses(fuses))
    machine.disable_irq = lambda: 0
    machine.enable_irq = lambda state: None


def _memory(base, controller, clocks, resets, shown, keys):
    """The chip's words by address; `shown` and `keys` are what `_fuses` gives."""
    # (register, bit) of clock and reset; register: its value; register: the bits that are ours
    if clocks:
        gates = [(clocks, bit, resets, bit) for bit in _CRYPTO]
        values = {clocks: _OTHERS, resets: sum(_CRYPTO)}
    else:
        gates = [(register, 1, register, 2) for register in _C6]
        values = {register: 2 for register in _C6}
    owned = {register: 0 for register in values}
    for clock, bit, reset, held in gates:
        owned[clock] |= bit
        owned[reset] |= held
    hmac = [_IDLE, 0, 0, bytes(32), b"", False, False, False, None, None, bytearray(64), 0]

    def on(device):
        clock, bit, reset, held = gates[device]
        return values[clock] & bit and not values[reset] & held

    def hashes():
        return on(0) and not [gate for gate in gates if values[gate[2]] & gate[3]]

    def step():
        """Clocks or resets have changed."""
        if not hashes():
            _disturb(hmac)
        if values[gates[2][2]] & gates[2][3]:
            hmac[:-1] = [_IDLE, 0, 0, bytes(32), b"", False, False, False, None, None, bytearray(64)]

    class _Words:
        def __getitem__(self, at):
            _check(at)
            if at in values:
                return values[at]
            if 0 <= at - base < 0x100:
                return _read(hmac, at - base, hashes()) if on(2) else 0
            if 0 <= at - controller < len(shown):
                return unpack_from("<I", shown, at - controller)[0]
            raise RuntimeError("nothing is emulated at 0x%08x" % at)

        def __setitem__(self, at, value):
            _check(at)
            if at in values:
                if (values[at] ^ value) & ~owned[at]:
                    raise RuntimeError("another peripheral's clock or reset is changed at 0x%08x" % at)
                values[at] = value
                step()
            elif not 0 <= at - base < 0x100:
                raise RuntimeError("nothing is emulated at 0x%08x" % at)
            elif on(2):
                _write(hmac, at - base, value & 0xFFFFFFFF, keys)

    return _Words()


def _check(at):
    if at & 3:
        raise ValueError("address %08x is not aligned to 4 bytes" % at)


def _fuses(fuses):
    """(what software reads of the controller, [(purpose, key)] of the six key blocks); a file begins with its end."""
    shown = bytearray(reversed(fuses))
    hidden, low, high = unpack_from("<III", shown, 0x30)
    purposes = [low >> 24 & 15, low >> 28] + [high >> shift & 15 for shift in (0, 4, 8, 12)]
    keys = []
    for block in range(7):  # the last is no key block, and may be hidden as they are
        at = 0x9C + 32 * block
        if block < 6:
            keys.append((purposes[block], bytes(shown[at : at + 32])))
        if hidden >> block & 1:
            shown[at : at + 32] = bytes(32)
    return shown, keys


def _disturb(hmac):
    """SHA was reset or stopped: what it was at is lost."""
    if hmac[_STATE] != _DONE:
        hmac[_SPOILED] = hmac[_STATE] != _IDLE
    elif hmac[_LEFT]:
        _spoil(hmac)


def _spoil(hmac):
    hmac[_SPOILS] += 1
    hmac[_RESULT] = hashlib.sha256(b"%d" % hmac[_SPOILS]).digest()


def _read(hmac, at, hashes):
    """A register of the peripheral; `hashes`: SHA has a clock, and no reset holds it."""
    if at == _BUSY:
        if hmac[_LEFT] and hashes:
            hmac[_LEFT] -= 1
            return 1
        return int(hmac[_LEFT] > 0)
    if at == _ERROR:
        return hmac[_FAULT]
    if _RDATA <= at < _RDATA + 32 and hmac[_STATE] == _DONE and not hmac[_LEFT]:
        return unpack_from("<I", hmac[_RESULT], at - _RDATA)[0]
    return 0


def _write(hmac, at, value, keys):
    if hmac[_LEFT]:
        hmac[_STATE] = _LOST
    elif _WDATA <= at < _WDATA + 64:
        pack_into("<I", hmac[_WORDS], at - _WDATA, value)
    elif at in (_PURPOSE, _KEY) and hmac[_STATE] == _STARTED:
        hmac[_ASKED if at == _PURPOSE else _BLOCK] = value
    elif value:
        hmac[_STATE] = _follow(hmac, at, keys) if value == (2 if at == _RESULT_FINISH else 1) else _LOST
        hmac[_LEFT] = _LOOKS


def _follow(hmac, at, keys):
    """The state after the step at a register."""
    state = hmac[_STATE]
    if at == _START and state == _IDLE:
        hmac[_TEXT : _BLOCK + 1] = [b"", False, False, False, None, None]
        return _STARTED
    if at == _PARA_FINISH and state == _STARTED and None not in hmac[_ASKED : _BLOCK + 1]:
        block = hmac[_BLOCK]
        hmac[_FAULT] = int(block > 5 or not hmac[_ASKED] == keys[block][0] == _UPSTREAM)
        return _LOST if hmac[_FAULT] else _READY
    if at == _ING and state == _READY and not hmac[_TEXT] and not hmac[_EARLY]:
        hmac[_EARLY] = True
        return _READY
    if at in (_ING, _PAD) and state == _TAKEN:
        hmac[_LAST] = at == _PAD
        return _READY
    if at == _ONE and state == _READY:
        hmac[_TEXT] += hmac[_WORDS]
        return _sign(hmac, _padded(hmac[_TEXT]), keys) if hmac[_LAST] else _TAKEN
    if at == _ONE_BLOCK and state == _TAKEN and len(hmac[_TEXT]) == 64:
        return _sign(hmac, _padded(hmac[_TEXT]), keys)
    if at == _END and state == _TAKEN:
        return _sign(hmac, hmac[_TEXT], keys)
    if at == _RESULT_FINISH and state == _DONE:
        return _IDLE
    return _LOST


def _padded(blocks):
    """The text in blocks whose padding software made; None when that is wrong."""
    end = len(blocks)
    size = (int.from_bytes(blocks[-8:], "big") - 512) // 8
    if not 0 <= end - 9 - size < 64:
        return None
    padding = b"\x80" + bytes(end - 9 - size) + (8 * size + 512).to_bytes(8, "big")
    return blocks[:size] if size >= 0 and blocks[size:] == padding else None


def _sign(hmac, text, keys):
    """What follows when the text is whole; one of 56 to 63 bytes, and no other, had a step ING before it."""
    if text is None or hmac[_SPOILED]:
        _spoil(hmac)
        return _DONE
    if hmac[_EARLY] != (56 <= len(text) < 64):
        return _LOST
    for pad in (0x36, 0x5C):
        key = bytes([byte ^ pad for byte in keys[hmac[_BLOCK]][1] + bytes(32)])
        text = hashlib.sha256(key + text).digest()
    hmac[_RESULT] = text
    return _DONE
