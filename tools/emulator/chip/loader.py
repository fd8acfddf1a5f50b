"""The serial protocol of the ROM loader and of esptool's stub: one frame in, frames and events out.

A request is 00, command, length (2), checksum (4), data; a reply 01, command,
length (2), value (4), data, status: four bytes from the ROM, two from the stub.
Pure but for the flash: no line, no clock.
"""

from __future__ import annotations

import struct
import zlib

from tools.emulator.chip.nor import SECTOR, OutOfRange

ROM, STUB = "rom", "stub"
_CHECKSUM_SEED = 0xEF
_SYNC_DATA = b"\x07\x07\x12\x20" + b"\x55" * 32
_ROM_VALUE = 0x20120707  # what the ROM puts into the value of a reply to SYNC; the stub has 0
_SLOW_READ = 64
_STUB_READ_POINTER = 0x3FCEF688  # esptool starts the stub through it on an S3 with secure boot

# errors in the status: (from the ROM, from the stub)
INVALID = (b"\x01\x05", b"\xc3\x00")
FAILED = (b"\x01\x06", b"\xff\x00")
BAD_CHECKSUM = (b"\x01\x07", b"\xc1\x00")
FLASH_FAILED = (b"\x01\x08", b"\xc4\x00")
NOT_FLASHING = (b"\x01\x06", b"\xc6\x00")
BAD_DEFLATE = (b"\x01\x0b", b"\xc7\x00")
TOO_MUCH = (b"\x01\x0b", b"\xc9\x00")

# what a chip in secure download mode still does
_SECURE = {0x02, 0x03, 0x04, 0x08, 0x0B, 0x0D, 0x0F, 0x10, 0x11, 0x12, 0x14}


class Refused(Exception):
    """A command that is answered with an error status."""

    def __init__(self, status):
        super().__init__(status)
        self.status = status


class Events(list):
    """What a frame led to, in order: ("send", frame), ("baud", rate), ("run", cause) and ("rom", None)."""

    def send(self, frame: bytes) -> None:
        self.append(("send", frame))


class Loader:
    """A chip in download mode. `faults` may hold "bad-md5" (a number of answers to spoil)."""

    def __init__(self, model, efuses, nor, registers, faults=None):
        self._model, self._efuses, self._nor, self._registers = model, efuses, nor, registers
        self.faults = {} if faults is None else faults
        self.mode = ROM
        self._attached = False
        self._begun = None  # a _Write while flash data is expected
        self._upload = None  # (bytes left) of a MEM_BEGIN
        self._stream = None  # a _Read while READ_FLASH runs
        self._commands = {
            0x02: self._flash_begin,
            0x03: self._flash_data,
            0x04: self._flash_end,
            0x05: self._mem_begin,
            0x06: self._mem_end,
            0x07: self._mem_data,
            0x08: self._sync,
            0x09: self._write_register,
            0x0A: self._read_register,
            0x0B: self._nothing,
            0x0D: self._attach,
            0x0F: self._change_baud,
            0x10: self._deflate_begin,
            0x11: self._deflate_data,
            0x12: self._flash_end,
            0x13: self._md5,
            0x14: self._security_info,
        }
        self._only_rom = {0x0E: self._read_slow}
        self._only_stub = {
            0xD0: self._erase_flash,
            0xD1: self._erase_region,
            0xD2: self._read_flash,
            0xD3: self._run_user_code,
        }

    def frame(self, frame: bytes) -> Events:
        """The `Events` of one frame. Frames that are no request are ignored, as the chip does."""
        events = Events()
        if self._stream is not None:
            self._acknowledged(frame, events)
            return events
        if len(frame) < 8 or frame[0] != 0:
            return events
        _, operation, length, checksum = struct.unpack_from("<BBHI", frame)
        data = frame[8:]
        try:
            if len(data) != length:
                raise Refused(INVALID)
            self._find(operation)(data, checksum, events)
        except Refused as refusal:
            self._reply(events, operation, status=refusal.status[self.mode == STUB])
        except (OutOfRange, zlib.error, struct.error) as error:
            status = {OutOfRange: FLASH_FAILED, zlib.error: BAD_DEFLATE}.get(type(error), INVALID)
            self._reply(events, operation, status=status[self.mode == STUB])
        return events

    def _find(self, operation):
        if self.mode == ROM and self._efuses.security["secure_download"] and operation not in _SECURE:
            raise Refused(INVALID)
        commands = {**self._commands, **(self._only_stub if self.mode == STUB else self._only_rom)}
        if operation not in commands:
            raise Refused(INVALID)
        self._operation = operation
        return commands[operation]

    def _reply(self, events, operation=None, value=0, data=b"", status=b"\0\0"):
        status = status if self.mode == STUB else status.ljust(4, b"\0")
        operation = self._operation if operation is None else operation
        body = data + status
        events.send(struct.pack("<BBHI", 1, operation, len(body), value) + body)

    # --- the line

    def _sync(self, data, checksum, events):
        if data != _SYNC_DATA:
            raise Refused(INVALID)
        for _ in range(8):
            self._reply(events, value=_ROM_VALUE if self.mode == ROM else 0)

    def _change_baud(self, data, checksum, events):
        rate, _ = struct.unpack_from("<II", data)
        self._reply(events)
        events.append(("baud", rate))

    def _nothing(self, data, checksum, events):
        self._reply(events)

    def _attach(self, data, checksum, events):
        self._attached = True
        self._reply(events)

    # --- registers and RAM

    def _read_register(self, data, checksum, events):
        self._reply(events, value=self._registers.read(struct.unpack("<I", data)[0]))

    def _write_register(self, data, checksum, events):
        for at in range(0, len(data), 16):
            address, value, mask, _ = struct.unpack_from("<IIII", data, at)
            self._registers.write(address, value, mask)
        self._reply(events)

    def _mem_begin(self, data, checksum, events):
        self._upload = struct.unpack_from("<I", data)[0]
        self._reply(events)

    def _mem_data(self, data, checksum, events):
        block = self._block(data, checksum)
        if self._upload is None or len(block) > self._upload:
            raise Refused(FAILED)
        self._upload -= len(block)
        self._reply(events)

    def _mem_end(self, data, checksum, events):
        stay, entry = struct.unpack_from("<II", data)
        if self._upload:
            raise Refused(FAILED)
        self._reply(events)
        if entry and not stay:
            self._start_stub(events)

    def _start_stub(self, events):
        """esptool's code would run now; from here on its protocol is answered."""
        self.mode, self._attached, self._begun = STUB, True, None
        events.send(b"OHAI")

    def _security_info(self, data, checksum, events):
        if not self._model.security_info:
            raise Refused(INVALID)
        known = self._efuses.security
        flags = (
            known["secure_boot"]
            | known["aggressive"] << 1
            | known["secure_download"] << 2
            | known["revoked"] << 3
            | known["soft_jtag"] << 6
            | known["hard_jtag"] << 7
            | known["download_icache"] << 10
        )
        self._reply(
            events,
            data=struct.pack(
                "<IB7BII",
                flags,
                known["crypt_count"],
                *known["purposes"],
                0,
                self._model.chip.image_id,
                self._model.api_version,
            ),
        )

    # --- flash: writing

    def _block(self, data, checksum):
        """The payload of a data command; Refused when length or checksum are wrong."""
        (length,) = struct.unpack_from("<I", data)
        block = data[16:]
        if len(block) != length:
            raise Refused(INVALID)
        if _checksum(block) != checksum & 0xFF:
            raise Refused(BAD_CHECKSUM)
        return block

    def _begin(self, size, offset, events, inflate=None, limit=None):
        if not self._attached and size:
            raise Refused(FAILED)
        self._nor.read(offset, 0)
        self._begun = _Write(self._nor, offset, limit, inflate, erase_first=self.mode == STUB)
        if self.mode == ROM and size:
            self._nor.erase(offset, size)
        self._reply(events)

    def _flash_begin(self, data, checksum, events):
        size, blocks, block_size, offset = struct.unpack_from("<IIII", data)
        self._begin(size, offset, events, limit=max(blocks * block_size, size))

    def _deflate_begin(self, data, checksum, events):
        size, _, _, offset = struct.unpack_from("<IIII", data)
        self._begin(size, offset, events, zlib.decompressobj(), size)

    def _flash_data(self, data, checksum, events):
        block = self._block(data, checksum)
        if self._begun is None or self._begun.inflate:
            raise Refused(NOT_FLASHING)
        self._put(block)
        self._reply(events)

    def _deflate_data(self, data, checksum, events):
        block = self._block(data, checksum)
        if self._begun is None or not self._begun.inflate:
            raise Refused(NOT_FLASHING)
        self._put(self._begun.inflate.decompress(block))
        self._reply(events)

    def _put(self, data):
        if not self._begun.put(data):
            raise Refused(TOO_MUCH)

    def _flash_end(self, data, checksum, events):
        (stay,) = struct.unpack_from("<I", data)
        self._begun = None
        self._reply(events)
        if self.mode == ROM:
            events.append(("run", "software"))
        elif not stay:
            self.mode, self._attached = ROM, False
            events.append(("rom", None))

    # --- flash: reading and erasing

    def _md5(self, data, checksum, events):
        offset, size = struct.unpack_from("<II", data)
        digest = self._nor.md5(offset, size)
        if self.faults.get("bad-md5", 0) > 0:
            self.faults["bad-md5"] -= 1
            digest = bytes(byte ^ 0xFF for byte in digest)
        self._reply(events, data=digest if self.mode == STUB else digest.hex().encode())

    def _read_slow(self, data, checksum, events):
        offset, size = struct.unpack_from("<II", data)
        if size == 0 and self._registers.read(_STUB_READ_POINTER) and self._model.name == "esp32s3":
            self._start_stub(events)
            return
        if not self._attached or size > _SLOW_READ:
            raise Refused(FAILED)
        self._reply(events, data=self._nor.read(offset, size).ljust(_SLOW_READ, b"\xff"))

    def _erase_flash(self, data, checksum, events):
        self._nor.erase(0, self._nor.size)
        self._reply(events)

    def _erase_region(self, data, checksum, events):
        offset, size = struct.unpack_from("<II", data)
        if offset % SECTOR or size % SECTOR:
            raise Refused(FAILED)
        self._nor.erase(offset, size)
        self._reply(events)

    def _read_flash(self, data, checksum, events):
        offset, size, block, in_flight = struct.unpack_from("<IIII", data)
        self._nor.read(offset, size)
        self._reply(events)
        self._stream = _Read(self._nor, offset, size, block, in_flight)
        self._stream_on(events)

    def _acknowledged(self, frame, events):
        if len(frame) != 4:
            self._stream = None  # as the stub: anything else ends the reading
            return
        self._stream.acknowledged = struct.unpack("<I", frame)[0]
        self._stream_on(events)

    def _stream_on(self, events):
        for block in self._stream.blocks():
            events.send(block)
        if self._stream.finished:
            events.send(self._stream.digest)
            self._stream = None

    def _run_user_code(self, data, checksum, events):
        events.append(("run", "software"))


class _Write:
    """Flash data on its way: where the next byte goes, and how far it was erased (the stub does it as it goes)."""

    def __init__(self, nor, offset, limit, inflate, erase_first):
        self._nor, self._at, self._left, self.inflate = nor, offset, limit, inflate
        self._erased = offset - offset % SECTOR if erase_first else None

    def put(self, data):
        """Write on; False when that is more than was announced."""
        if len(data) > self._left:
            return False
        end = self._at + len(data)
        while self._erased is not None and self._erased < end:
            self._nor.erase(self._erased)
            self._erased += SECTOR
        self._nor.program(self._at, data)
        self._at, self._left = end, self._left - len(data)
        return True


class _Read:
    """A READ_FLASH of the stub: blocks go out as long as not too many are unacknowledged, then the MD5."""

    def __init__(self, nor, offset, size, block, in_flight):
        self._nor, self._offset, self._size = nor, offset, size
        self._block, self._window = block, block * in_flight
        self._sent = 0
        self.acknowledged = 0
        self.digest = nor.md5(offset, size)

    @property
    def finished(self):
        return self.acknowledged >= self._size

    def blocks(self):
        """The blocks that may go out now."""
        while self._sent < self._size and self._sent - self.acknowledged < self._window:
            count = min(self._block, self._size - self._sent)
            yield self._nor.read(self._offset + self._sent, count)
            self._sent += count


def _checksum(data):
    state = _CHECKSUM_SEED
    whole = int.from_bytes(data, "little")
    length = len(data)
    while length > 1:  # fold in halves: XOR of all bytes
        half = (length + 1) // 2
        whole = whole & (1 << 8 * half) - 1 ^ whole >> 8 * half
        length = half
    return state ^ whole & 0xFF
