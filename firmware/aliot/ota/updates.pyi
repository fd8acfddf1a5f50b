from typing import Any, Callable

from aliot.device import Device

class Updates:
    def __init__(
        self,
        device: Device,
        version: str,
        allowed: Callable[[], Any] | None = None,
        on_reset: Callable[[], Any] | None = None,
    ) -> None: ...
    def poll(self, ms: int = 0) -> bool: ...
