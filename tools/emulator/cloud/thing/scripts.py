"""The script of a product with raw data: what turns bytes into Alink and back, in Python here (application.md 3.7)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.codes import Refused

if TYPE_CHECKING:
    from tools.toml_table import Table

UP, DOWN = "raw_data_to_protocol", "protocol_to_raw_data"
MISSING, FAILED, ILLEGAL, EMPTY, NO_METHOD = 26001, 26002, 26006, 26007, 6450


class Script:
    """`raw_data_to_protocol(bytes)` gives a dict, `protocol_to_raw_data(dict)` bytes; raises `Refused` where not."""

    def __init__(self, functions: dict[str, Callable[..., Any]]):
        self.functions = functions

    def up(self, payload: bytes) -> dict[str, Any]:
        """Alink JSON of what a device has sent; a request must have its method (6450)."""
        return self.run(UP, dict, payload)

    def down(self, body: dict[str, Any]) -> bytes:
        """The bytes that a device gets for Alink JSON."""
        found: bytes = self.run(DOWN, bytes, body)
        return found

    def run(self, name: str, kind: type, value: Any) -> Any:
        function = self.functions.get(name)
        if function is None:
            raise Refused(MISSING)
        try:
            found = function(value)
        except Exception as error:  # whatever a product's script does
            raise Refused(FAILED, text=f"parse script failed: {type(error).__name__}") from None
        if isinstance(found, bytearray):
            found = bytes(found)
        if found is None or found in ({}, b""):
            raise Refused(EMPTY)
        if not isinstance(found, kind):
            raise Refused(ILLEGAL)
        return found


def read_script(table: Table, key: str, folder: Path) -> Script | None:
    """The script in the file that the key names."""
    name = table.get(key, str)
    if name is None:
        return None
    values: dict[str, Any] = {}
    try:
        exec(compile((folder / name).read_bytes(), name, "exec"), values)
    except OSError as error:
        raise table.error(key, f"cannot read {name}: {error.strerror}") from None
    except Exception as error:  # whatever a product's script does
        raise table.error(key, f"{name} cannot be run: {type(error).__name__}: {error}") from None
    return Script({one: values[one] for one in (UP, DOWN) if callable(values.get(one))})
