"""config.json: the settings of a board, Wi-Fi and endpoint; never an identity.

What a setting may be, the board's own table says (aliot.settings), so that both take and refuse the same.
"""

import difflib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tools.errors import UserError
from tools.firmware import rules
from tools.firmware import settings as board
from tools.image.identity import endpoint as identities

PATH = board.FILE
_IDENTITY = (
    "device_secret",
    "product_secret",
    "id2_key",
    "private_key",
    "sub_products",
    "deviceSecret",
    "productSecret",
)
_INNER = (
    "region",
    "instance",
    "register_host",
    "bootstrap",
)  # of the endpoint; host and port may be an application's
_LIKENESS = 0.8  # of two names, by difflib
# what others call them
_ALIASES = {
    "ssid": ("wifissid", "wlanssid", "wifiname", "essid", "apname"),
    "password": (
        "pass",
        "passwd",
        "passphrase",
        "psk",
        "pwd",
        "wifipassword",
        "wifipass",
        "wifipsk",
        "wlanpassword",
    ),
}


def read(path: Path | str) -> dict[str, Any]:
    """The dict of a config.json file; UserError when it is not one that a board takes."""
    try:
        data = Path(path).read_bytes()
        if len(data) > board.LARGEST:
            raise UserError(f"{path} has more than {board.LARGEST} bytes, which a board reads of it")
        found = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise UserError(f"{path} is not JSON") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} is not a JSON object")
    try:
        check(found)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return found


def encoded(settings: Mapping[str, Any]) -> bytes:
    """The bytes of a config.json; UserError when they are more than a board reads.

    Nothing is escaped: MicroPython would read a character above U+FFFF as two halves.
    """
    for form in ({"indent": 1}, {"separators": (",", ":")}):
        text = json.dumps(settings, ensure_ascii=False, **form)
        data = text.encode(
            "utf-8", "backslashreplace"
        )  # but for half a character, which has no bytes of its own
        if len(data) <= board.LARGEST:
            return data
    raise UserError(f"config.json would have {len(data)} bytes; a board reads {board.LARGEST}")


def check(settings: Mapping[str, Any]) -> None:
    """UserError names the first setting that breaks its rule, is misspelt, or belongs to an identity."""
    for name in settings:
        if name in _IDENTITY:
            raise UserError(f"'{name}' does not belong into settings: an identity is burned ('make burn')")
        meant = _meant(name)
        if meant:
            raise UserError(f"{name}: did you mean {meant}?")
    for name in board.wrong(settings):
        own = name.removeprefix("endpoint.")
        row = board.RULES.get(name) or (board.ENDPOINT.get(own) if own != name else None)
        if row is None:
            near = _near(own, board.ENDPOINT)
            if near:
                raise UserError(f"{name}: did you mean endpoint.{near}?")
            raise UserError(f"{name} is not a setting; there are {', '.join(board.ENDPOINT)}")
        raise UserError(f"{name} has to be {rules.rule(*row)}")
    _check_instance(settings.get("endpoint"))


def _check_instance(endpoint):
    """UserError when endpoint.instance is none by the rule of an identity, such as "public"."""
    instance = endpoint.get("instance") if isinstance(endpoint, dict) else None
    problem = (
        identities.wrong("instance", instance, "endpoint.instance")
        if isinstance(instance, str) and instance
        else None
    )
    if problem:
        raise UserError(problem)


def foreign(settings: Mapping[str, Any]) -> list[str]:
    """The names that are no settings of aliot; they are for the application."""
    return [name for name in settings if name not in board.RULES]


def missing(settings: Mapping[str, Any] | None) -> Iterator[str]:
    """One line for each thing that a board with these settings lacks; None stands for a board without config.json."""
    if settings is None:
        yield "the board will have no settings, and so no Wi-Fi: CONFIG=config.json brings them, with ssid and password"
    elif not settings.get("ssid") and not settings.get("ssid_hex"):
        yield "the board will have no Wi-Fi: its config.json names no ssid"


def _meant(name):
    """The setting that somebody meant by a name which is none, or None."""
    if name in board.RULES:
        return None
    if name.lower() in _INNER:
        return f"endpoint.{name.lower()}"
    return _near(name, board.RULES)


def _near(name, names):
    plain = _plain(name)
    by_plain = {_plain(known): known for known in names}
    alias = next((known for known, others in _ALIASES.items() if plain in others and known in names), None)
    near = difflib.get_close_matches(plain, by_plain, 1, _LIKENESS)
    return alias or (by_plain[near[0]] if near else None)


def _plain(name):
    return "".join(c for c in name.lower() if c.isalnum())
