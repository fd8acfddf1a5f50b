"""Jinja2 as the console uses it: everything is escaped, and a name that is not there is an error."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tools.emulator.cloud.console import plots, words
from tools.emulator.cloud.console.visit import THEMES, address
from tools.emulator.cloud.turns import Turn
from tools.secrets import mask

if TYPE_CHECKING:
    from tools.emulator.cloud.console.page import Region
    from tools.emulator.cloud.console.visit import Visit

FOLDER = Path(__file__).parent / "templates"
UNITS = ("B", "KB", "MB", "GB")
JSON_CHARACTERS = 20_000  # of one payload on a page


class Templates:
    def __init__(self) -> None:
        self.environment = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            cache_size=-1,
            auto_reload=False,
        )
        self.environment.filters |= {
            "when": when,
            "size": size,
            "pretty": pretty,
            "compact": compact,
            "mask": mask,
            "count": count,
        }
        self.environment.globals |= {
            "address": address,
            "address_of": address_of,
            "plot": plots.plot,
            "themes": THEMES,
            "languages": words.LANGUAGES,
        }

        for name in self.environment.list_templates():
            self.environment.get_template(name)  # compiled now: no request waits for it

    async def render(self, visit: Visit, template: str, **context: Any) -> str:
        """The HTML of a template, written piece by piece: others have their turn meanwhile."""
        pieces, turn = [], Turn()
        known = {"visit": visit, "t": visit.text, "csrf": csrf_of(visit), **context}
        for piece in self.environment.get_template(template).generate(known):
            pieces.append(piece)
            await turn.pause()
        return "".join(pieces)

    async def render_region(self, visit: Visit, region: Region) -> str:
        """The HTML inside a region, as the page and the live updates have it."""
        found = region.context(visit, **visit.names)
        context = await found if inspect.isawaitable(found) else found
        await asyncio.sleep(0)
        return await self.render(visit, region.template, **context)


def address_of(path: str, query: dict[str, Any]) -> str:
    """A path that is quoted already, with a query of what is not empty."""
    kept = {name: value for name, value in query.items() if value not in (None, "")}
    return path + ("?" + urlencode(kept, errors="replace") if kept else "")


def csrf_of(visit: Visit) -> Callable[[], Markup]:
    """What stands in every form that changes something."""
    return lambda: Markup('<input type="hidden" name="csrf" value="{}">').format(visit.session.csrf)


def compact(payload: bytes | str | dict[str, Any] | list[Any]) -> str:
    """The same with JSON in one line."""
    return pretty(payload, None)


def when(seconds: float | None) -> Markup | str:
    """A moment in Unix seconds, in UTC; a module of the page adds the local time. A device may send any number."""
    if seconds is None:
        return "–"
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{seconds:g} s"
    return Markup('<time datetime="{}">{} UTC</time>').format(
        moment.isoformat(timespec="milliseconds"), moment.strftime("%Y-%m-%d %H:%M:%S")
    )


def size(number: float) -> str:
    """Bytes with a unit."""
    step = 0
    while number >= 1024 and step < len(UNITS) - 1:
        number, step = number / 1024, step + 1
    return f"{number:.1f} {UNITS[step]}" if step else f"{number:.0f} B"


def count(number: int) -> str:
    """A number with its thousands apart."""
    return f"{number:,}".replace(",", "\u202f")


def pretty(payload: bytes | str | dict[str, Any] | list[Any], indent: int | None = 1) -> str:
    """A payload for a person to read: JSON in lines, other text as it is, other bytes in hex."""
    if isinstance(payload, bytes):
        try:
            return pretty(payload[:JSON_CHARACTERS].decode(), indent)
        except UnicodeDecodeError:
            return payload[: JSON_CHARACTERS // 3].hex(" ")
    if isinstance(payload, str):
        try:
            payload = json.loads(payload)
        except (ValueError, RecursionError):  # no JSON, or nested beyond what can be read
            return str(payload)
    return json.dumps(payload, indent=indent, ensure_ascii=False)[:JSON_CHARACTERS]
