"""The ServerHello that is about to go out, with all that a fault may change in it (id2.md 4.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tools.emulator.cloud.itls.messages import SERVER_HELLO, extension, message
from tools.emulator.cloud.itls.records import PROTOCOL

if TYPE_CHECKING:
    from tools.emulator.cloud.id2.identities import Identity


@dataclass
class Hello:
    """`extensions` are (number, value) in order; `misfit` is added to the length of their block."""

    identity: Identity
    client_random: bytes
    device_signature: bytes
    random: bytes
    session_id: bytes
    premaster: bytes = field(repr=False)
    suite: int
    extensions: list[tuple[int, bytes]]
    random_bytes: Callable[[int], bytes]
    version: bytes = PROTOCOL
    compression: int = 0
    misfit: int = 0
    trailing: bytes = b""
    replayed: bool = False

    def message(self) -> bytes:
        block = b"".join(extension(*one) for one in self.extensions)
        return message(
            SERVER_HELLO,
            self.version
            + self.random
            + bytes((len(self.session_id),))
            + self.session_id
            + self.suite.to_bytes(2, "big")
            + bytes((self.compression,))
            + (len(block) + self.misfit).to_bytes(2, "big")
            + block
            + self.trailing,
        )

    def drop(self, number: int) -> None:
        self.extensions = [one for one in self.extensions if one[0] != number]

    def set(self, number: int, value: bytes) -> None:
        """Replaces an extension where it stands, or adds it at the end."""
        if number not in dict(self.extensions):
            self.extensions.append((number, value))
        self.extensions = [(known, value if known == number else old) for known, old in self.extensions]

    def double(self, number: int) -> None:
        self.extensions.append((number, dict(self.extensions)[number]))

    def first(self, number: int, value: bytes) -> None:
        self.extensions.insert(0, (number, value))
