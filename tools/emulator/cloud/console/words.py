"""The console's words: one catalogue a language, a folder of `words/` with a file for each page."""

from __future__ import annotations

import tomllib
from pathlib import Path

FOLDER = Path(__file__).parent / "words"
LANGUAGES = {"en": "English", "zh": "中文"}
DEFAULT = "en"


def catalogue(language: str) -> dict[str, str]:
    """{"file.key": text} of a language; a table in a file is one more step of the key."""
    found: dict[str, str] = {}
    for path in sorted((FOLDER / language).glob("*.toml")):
        flatten(path.stem, tomllib.loads(path.read_text(encoding="utf-8")), found)
    return found


def flatten(prefix: str, table: dict[str, object], found: dict[str, str]) -> None:
    for key, value in table.items():
        if isinstance(value, dict):
            flatten(f"{prefix}.{key}", value, found)
        else:
            found[f"{prefix}.{key}"] = str(value)


def chosen(cookie: str | None, accepted: str) -> str:
    """The language of a request: what the cookie says, else what the browser likes best."""
    if cookie in LANGUAGES:
        return str(cookie)
    first = accepted.split(",")[0].strip().lower()
    return next((language for language in LANGUAGES if first.split("-")[0] == language), DEFAULT)
