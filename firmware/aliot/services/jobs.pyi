from typing import Any, Callable

from aliot.device import Device

class Job:
    id: str
    status: str
    document: Any
    def update(
        self, status: str, progress: int = 0, details: dict[str, Any] | None = None, timeout: int = 10000
    ) -> None: ...
    def fetch(self, path: str, limit: int) -> None: ...

class Jobs:
    def __init__(self, device: Device, handler: Callable[[Job], Any]) -> None: ...
    def poll(self, ms: int = 0) -> bool: ...
