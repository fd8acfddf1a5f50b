from typing import Any, BinaryIO, Callable

from aliot.device import Device

class RemoteConfig:
    def __init__(
        self,
        device: Device,
        __apply: Callable[[BinaryIO], Any],
        path: str = "/remote.json",
        limit: int = 65536,
    ) -> None: ...
    def open(self) -> BinaryIO | None: ...
    def get(self, timeout: int = 10000) -> bool: ...
    def poll(self, ms: int = 0) -> bool: ...
