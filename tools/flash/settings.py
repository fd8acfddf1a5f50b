"""Settings for /config.json: Wi-Fi from a prompt, a file or the environment, never from an argument."""

import getpass
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tools.errors import UserError
from tools.image import config

SSID, PASSWORD = "ALIOT_WIFI_SSID", "ALIOT_WIFI_PASSWORD"


def given(path: Path | str | None = None, prompt: bool = False) -> dict[str, Any]:
    """The settings that were given: a file's, over them the environment's, or a prompt's; {} for none."""
    settings = config.read(path) if path else {}
    if SSID in os.environ:
        settings = {
            **_without_wifi(settings),
            **_named(os.environ[SSID]),
            "password": os.environ.get(PASSWORD, ""),
        }
    elif prompt:
        if not sys.stdin.isatty():
            raise UserError(
                f"there is no terminal to ask for the Wi-Fi: set {SSID} and {PASSWORD}, or say CONFIG=FILE"
            )
        settings = {
            **_without_wifi(settings),
            **_named(input("Wi-Fi name: ")),
            "password": getpass.getpass("Wi-Fi password: "),
        }
    config.check(settings)
    return settings


def merged(old: bytes | None, settings: Mapping[str, Any], whole: bool = False) -> bytes | None:
    """config.json with `settings` in it; what is in `old` (bytes or None) stays, unless they are the whole.

    None: leave it alone.
    """
    if not settings and not whole:
        return None
    values = parsed(old)
    if values is None and not whole:
        raise UserError(
            "config.json on the board is not a JSON object; CONFIG=FILE puts another in its place"
        )
    kept = (
        {}
        if whole or values is None
        else _without_wifi(values)
        if {"ssid", "ssid_hex"} & settings.keys()
        else values
    )
    if {**kept, **settings} == values and old:
        return old
    return config.encoded({**kept, **settings})


def parsed(data: bytes | None) -> dict[str, Any] | None:
    """The dict in the bytes of a config.json; {} for None, None for what is none."""
    try:
        values = json.loads(data.decode("utf-8-sig")) if data else {}
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def notes(before: bytes | None, after: bytes | None) -> Iterator[str]:
    """Notes to show before a board is flashed; `before` and `after` are the bytes of its config.json, or None."""
    values = parsed(after) if after else None
    yield from config.missing(values)
    gone = [name for name in parsed(before) or {} if name not in (values or {})] if after else []
    if gone:
        yield f"CONFIG= does not name {', '.join(gone)}: what the board's config.json says of it goes"
    own = config.foreign(values or {})
    if own:
        yield f"{', '.join(own)} in config.json is no setting of aliot: only an application of yours may read it"


def _without_wifi(settings):
    return {name: value for name, value in settings.items() if name not in ("ssid", "ssid_hex", "password")}


def _named(ssid):
    """The setting of an access point's name as this machine has it: bytes that are no UTF-8 go as hex digits."""
    data = os.fsencode(ssid)
    try:
        return {"ssid": data.decode("utf-8")}
    except UnicodeDecodeError:
        return {"ssid_hex": data.hex()}
