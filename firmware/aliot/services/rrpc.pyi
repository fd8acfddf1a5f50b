from typing import Any, Callable

from aliot.device import Device

def on(
    device: Device, handler: Callable[[bytes], str | bytes | dict[str, Any] | None], topic: str | None = None
) -> None: ...
