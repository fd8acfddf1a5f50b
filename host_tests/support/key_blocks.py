"""Chips whose eFuses have keys, for boards that tests hold in their hands."""

from collections.abc import Mapping

from tools.emulator.chip.efuses import Efuses
from tools.emulator.chip.models import MODELS

UPSTREAM = 8  # HMAC_UP; hardware_hmac.md 1


def fuses(
    keys: Mapping[int, bytes | tuple[int, bytes]], protected: int = 0x7F, chip: str = "esp32c3"
) -> Efuses:
    """The eFuses of a chip with keys, block -> key or (purpose, key); `protected` is its RD_DIS.

    A chip that is not emulated behind a port has those of a C3, which are laid out alike.
    """
    made = Efuses(MODELS.get(chip) or MODELS["esp32c3"])
    for block, key in keys.items():
        purpose, key = key if isinstance(key, tuple) else (UPSTREAM, key)
        made.burn(0, 2 if block < 2 else 3, purpose << (24 + 4 * block if block < 2 else 4 * block - 8))
        for word in range(0, len(key), 4):
            made.burn(4 + block, word // 4, int.from_bytes(key[word : word + 4], "little"))
    made.burn(0, 1, protected)
    return made


def key_of(image: bytes, block: int) -> bytes:
    """The key of a block, out of the bytes of an eFuse file."""
    return image[::-1][0x9C + 32 * block :][:32]
