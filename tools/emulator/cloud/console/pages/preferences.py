"""The language and the theme of a browser, each a cookie of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse

from tools.emulator.cloud.console.page import Page, Refused
from tools.emulator.cloud.console.visit import THEMES
from tools.emulator.cloud.console.words import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.responses import Response

    from tools.emulator.cloud.console.visit import Visit

page = Page("preferences")
YEAR = 365 * 86_400


@page.post("/preferences/language", back="/")
def set_language(visit: Visit) -> Response:
    return keep(visit, "language", LANGUAGES)


@page.post("/preferences/theme", back="/")
def set_theme(visit: Visit) -> Response:
    return keep(visit, "theme", THEMES)


def keep(visit: Visit, name: str, allowed: Collection[str]) -> Response:
    """Back to the page that the form stood on, which is one of the console's own."""
    value, to = visit.field("value"), visit.field("to", "/")
    if value not in allowed:
        raise Refused(visit.text("common.no_choice", value=value))
    answer = RedirectResponse(to if local(to) else "/", 303)
    answer.set_cookie(f"console_{name}", value, max_age=YEAR, httponly=True, samesite="strict")
    return answer


def local(to: str) -> bool:
    """Whether an address is a path of this console: a browser takes `//` and `/\\` for the start of a host."""
    return to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable()
