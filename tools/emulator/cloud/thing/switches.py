"""The switches, times and limits of the thing model, and the keys that it adds to a product."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.setting import Figure, Switch
from tools.emulator.cloud.thing import model
from tools.emulator.cloud.thing.scripts import read_script
from tools.emulator.cloud.thing.values import NONE, STRICT, WEAK

if TYPE_CHECKING:
    from tools.emulator.cloud.thing.model import Model
    from tools.toml_table import Table

LEVELS = (STRICT, WEAK, NONE)

SWITCHES = {
    "tsl_check": Switch(
        WEAK,
        LEVELS,
        "2",
        "what a product with a model checks: everything, as those made before 14 Oct 2020; identifier and "
        'dataType; nothing. A product\'s own "tsl_check" wins',
    ),
    "invalid_property": Switch(
        "drop",
        ("drop", "refuse"),
        "2",
        "a post with a value that does not fit: it is dropped and the rest taken, or the first code for all",
    ),
    "unknown_event": Switch(
        5160, (5160, 6304, "take"), "1.2", "an event that the model lacks: code, or taken as it is"
    ),
    "bare_event": Switch(
        "take",
        ("take", "refuse"),
        "3.3",
        "an event whose outputs stand in params without `value`: taken, or 460",
    ),
    "wrapped_value": Switch(
        "exact",
        ("exact", "any"),
        "3.1",
        "a value with its time: an object of `value` and at most `time`, or any object that has `value`",
    ),
    "older_value": Switch(
        "replaces",
        ("replaces", "kept"),
        "3.1",
        "a post whose time is before that of the current value: becomes current, or goes to the history only",
    ),
    "implied_replies": Switch(
        True,
        (True, False),
        "1",
        "whether `_ss=1` brings the replies of thing/file and codec/topic/update too, which official C clients "
        "subscribe to by themselves",
    ),
    "downlink_rate": Switch(
        "off",
        ("off", "drop"),
        "4",
        "above the messages or bytes a second of a connection: sent, or dropped without a word",
    ),
    "not_json": Switch(6207, (6207, 400, 460), "1.2", "code for a request whose payload is no JSON object"),
}

TIMING = {
    "history_seconds": Figure(
        30 * 86400,
        1,
        False,
        "3",
        "values, events and calls are kept this long (the figure is the emulator's)",
    ),
}

LIMITS = {
    "properties": Figure(200, 1, True, "3.2", "properties in one post (6106), and asked of desired (6104)"),
    "downlink_messages": Figure(
        50, 1, True, "4", "messages a second to a connection, if downlink_rate is on"
    ),
    "downlink_bytes": Figure(
        1024 * 1024, 1, True, "4", "bytes of payload a second to a connection, if downlink_rate is on"
    ),
    "features": Figure(300, 1, True, "2", "names of properties of a device without a model (6304)"),
    "text_characters": Figure(10_240, 1, True, "2", "characters in a property that is a text (6310)"),
    "batch_values": Figure(
        200, 1, True, "3.5", "values, and events, in one batch or history post (6106, 6356); inferred"
    ),
}


def read_model(table: Table, key: str, folder: Path) -> Model | None:
    """The model in the file, or the files (one a module), that the key names."""
    names = table.values.get(key)
    if names is None:
        return None
    listed = names if isinstance(names, list) else [names]
    if not listed or not all(isinstance(name, str) and name for name in listed):
        raise table.error(key, "must be the name of a file, or a list of names")
    found = []
    for name in listed:
        try:
            content = json.loads((folder / name).read_bytes())
        except OSError as error:
            raise table.error(key, f"cannot read {name}: {error.strerror}") from None
        except (ValueError, RecursionError):
            raise table.error(key, f"{name} is not JSON; export the TSL from the console again") from None
        found += content if isinstance(content, list) else [content]
    try:
        return model.read(found)
    except ValueError as error:
        raise table.error(key, f"{', '.join(listed)}: {error}") from None


def read_level(table: Table, key: str, folder: Path) -> str | None:
    return table.choice(key, LEVELS) if key in table.values else None


PRODUCT_KEYS: dict[str, Callable[..., Any]] = {
    "tsl": read_model,
    "tsl_check": read_level,
    "script": read_script,
}
