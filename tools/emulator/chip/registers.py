"""The registers that a loader reads and writes: flash controller, eFuses, watchdog, and memory for the rest."""

_MAGIC = 0x40001000
_SPI_COMMAND, _SPI_ADDRESS = 0x00, 0x04
_USER_COMMAND = 1 << 18
_WATCHDOG_KEY, _WATCHDOG_ENABLE = 0x50D83AA1, 1 << 31
_CRYSTAL = 40_000_000
_RDID, _RDSFDP = 0x9F, 0x5A
_STATUS = {0x05: 0x00, 0x35: 0x02, 0x15: 0x60}  # status registers 1 to 3 of an idle W25Q


def sfdp(size: int) -> bytes:
    """The discoverable parameters of the flash (JESD216): header, parameter header, its first two words."""
    header = b"SFDP" + bytes([0x06, 0x01, 0x00, 0xFF])
    table = bytes([0x00, 0x06, 0x01, 0x02, 0x80, 0x00, 0x00, 0xFF])
    words = bytes([0xE5, 0x20, 0xF9, 0xFF]) + (size * 8 - 1).to_bytes(4, "little")
    return (header + table).ljust(0x80, b"\xff") + words


class Registers:
    """32-bit registers by address. `on_watchdog` is called when the RTC watchdog is armed for a reset."""

    def __init__(self, model, efuses, nor, on_watchdog=lambda: None):
        self._model, self._efuses, self._nor = model, efuses, nor
        self._on_watchdog = on_watchdog
        self._memory = {}
        self.baud = 115200  # what the UART divider shows

    def read(self, address: int) -> int:
        """The value at an address; 0 where nothing was ever written."""
        model = self._model
        if address == _MAGIC:
            return model.magic
        if address in model.fixed:
            return model.fixed[address]
        if self._efuses.owns(address):
            return self._efuses.read(address)
        if address == model.uart_divider:
            return _CRYSTAL // self.baud
        return self._memory.get(address, 0)

    def write(self, address: int, value: int, mask: int = 0xFFFFFFFF) -> None:
        """Write the bits of `mask`."""
        value = self.read(address) & ~mask | value & mask
        if self._efuses.owns(address):
            self._efuses.write(address, value)
            return
        self._memory[address] = value
        if address == self._model.spi + _SPI_COMMAND and value & _USER_COMMAND:
            self._flash_command()
            self._memory[address] = 0
        if (
            self._model.watchdog
            and address == self._model.watchdog[0]
            and value & _WATCHDOG_ENABLE
            and self._memory.get(self._model.watchdog[1]) == _WATCHDOG_KEY
        ):
            self._on_watchdog()

    def _flash_command(self):
        model = self._model
        command = self._memory.get(model.spi + model.spi_user2, 0) & 0xFF
        answer = _STATUS.get(command, 0)
        if command == _RDID:
            answer = self._nor.jedec
        elif command == _RDSFDP:
            at = self._memory.get(model.spi + _SPI_ADDRESS, 0) >> (8 if model.spi_address_high else 0)
            answer = int.from_bytes(sfdp(self._nor.size)[at : at + 4].ljust(4, b"\xff"), "little")
        self._memory[model.spi + model.spi_word0] = answer
