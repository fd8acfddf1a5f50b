"""The ServerHello that is about to go out, with all that a fault may change in it (id2.md 4.4)."""

from dataclasses import dataclass, field

from tools.emulator.cloud.itls.messages import SERVER_HELLO, extension, message
from tools.emulator.cloud.itls.records import PROTOCOL


@dataclass
class Hello:
    """`extensions` are (number, value) in order; `misfit` is added to the length of their block."""

    identity: object
    client_random: bytes
    device_signature: bytes
    random: bytes
    session_id: bytes
    premaster: bytes = field(repr=False)
    suite: int
    extensions: list
    random_bytes: object
    version: bytes = PROTOCOL
    compression: int = 0
    misfit: int = 0
    trailing: bytes = b""
    replayed: bool = False

    def message(self):
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

    def drop(self, number):
        self.extensions = [one for one in self.extensions if one[0] != number]

    def set(self, number, value):
        """Replaces an extension where it stands, or adds it at the end."""
        if number not in dict(self.extensions):
            self.extensions.append((number, value))
        self.extensions = [(known, value if known == number else old) for known, old in self.extensions]

    def double(self, number):
        self.extensions.append((number, dict(self.extensions)[number]))

    def first(self, number, value):
        self.extensions.insert(0, (number, value))
