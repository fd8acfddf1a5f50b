"""A page of the console: its routes, its place in the navigation, and its regions, which stay up to date."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Handler = Callable[..., Any]  # takes a Visit and what the path names


class Refused(Exception):
    """What somebody asked for cannot be; the text is one sentence for the page, `status` for a GET."""

    def __init__(self, text: str, status: int = 400):
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Route:
    """`back` is where a refused form returns to, with what the path names in braces."""

    method: str
    path: str
    handler: Handler
    back: str = ""


@dataclass(frozen=True)
class Region:
    """A piece of the pages at `path` that is rendered anew every `every` seconds, and sent if it has changed."""

    path: str
    name: str
    template: str
    context: Callable[..., Any]  # a dict, or a coroutine of one
    every: float


@dataclass
class Page:
    """`name` is its key in the catalogues' table `navigation`; `order` its place there, 0 for none."""

    name: str
    path: str = ""
    order: int = 0
    routes: list[Route] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)

    def get(self, path: str) -> Callable[[Handler], Handler]:
        """Registers a function that answers a GET with `visit.render(...)`; it changes nothing."""
        return self.register("GET", path, "")

    def post(self, path: str, back: str) -> Callable[[Handler], Handler]:
        """Registers a function for a form; it ends with `visit.done(...)`, or `Refused` leads to `back`."""
        return self.register("POST", path, back)

    def register(self, method: str, path: str, back: str) -> Callable[[Handler], Handler]:
        def keep(function: Handler) -> Handler:
            self.routes.append(Route(method, path, function, back))
            return function

        return keep

    def region(self, path: str, template: str, every: float = 1.0) -> Callable[[Handler], Handler]:
        """Registers what a template of a region needs; `{{ region("its name") }}` places it on the page.

        The function may be a coroutine; it holds the loop for a few milliseconds at most, whatever the cloud holds.
        """

        def keep(function: Handler) -> Handler:
            self.regions.append(Region(path, function.__name__, template, function, max(every, 0.1)))
            return function

        return keep


def found() -> list[Page]:
    """The pages of the modules in `pages/`, by their order."""
    from tools.emulator.cloud.console import pages

    modules = [
        importlib.import_module(f"{pages.__name__}.{one.name}")
        for one in pkgutil.iter_modules(pages.__path__)
    ]
    return sorted((module.page for module in modules), key=lambda page: page.order)
