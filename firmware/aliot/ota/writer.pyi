from typing import Any

from aliot.errors import AliotError

class UpdateError(AliotError): ...

class Writer:
    at: int
    done: bool
    wants: bool
    def __init__(
        self,
        product_key: str,
        again: bool = False,
        version: str = "",
        __digest: Any = None,
        __begun: Any = None,
    ) -> None: ...
    def write(self, data: bytes | bytearray | memoryview) -> None: ...
    def close(self) -> None: ...
    def stop(self) -> None: ...
    def switch(self, module: str = "default") -> None: ...
