from typing import Any, Callable

from aliot.device import Device

def on(device: Device, handler: Callable[[bytes], Any], name: str | None = None) -> None: ...
