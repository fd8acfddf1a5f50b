from typing import Any, Callable

from aliot.device import Device
from aliot.errors import AliotError

class Upload:
    name: str
    path: str
    offset: int
    size: int
    def __init__(
        self,
        device: Device,
        __ended: Callable[[str, AliotError | None], Any] | None = None,
        __block: int = 1024,
        __note: str = "/upload",
    ) -> None: ...
    def start(self, path: str, name: str | None = None, __conflict: str = "overwrite") -> None: ...
    def cancel(self) -> None: ...
    def poll(self, ms: int = 0) -> bool: ...
