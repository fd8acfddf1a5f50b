"""The switches, times and limits of the thing model, and the keys that it adds to a product."""

from collections.abc import Callable
from typing import Any

from tools.emulator.cloud.setting import Figure, Switch

SWITCHES: dict[str, Switch] = {}

TIMING: dict[str, Figure] = {}

LIMITS = {
    "properties": Figure(200, 1, True, "3.2", "properties in one post (6106)"),
    "features": Figure(300, 1, True, "2", "names of properties of a device without a model (6304)"),
    "text_characters": Figure(10_240, 1, True, "2", "characters in a property that is a text (6310)"),
}

PRODUCT_KEYS: dict[str, Callable[..., Any]] = {}
