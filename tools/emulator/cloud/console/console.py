"""The console as the cloud has it: a port of its own on loopback, in the cloud's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import inspect
import secrets
import socket
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import anyio
import h11
import uvicorn
from starlette import formparsers, routing  # noqa: F401  (formparsers: loaded now, too)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol

from tools.emulator.cloud.console import live, page, words
from tools.emulator.cloud.console.access import Access
from tools.emulator.cloud.console.guard import Guard
from tools.emulator.cloud.console.page import Refused, Region, Route
from tools.emulator.cloud.console.rates import Rates
from tools.emulator.cloud.console.simulator.boards import Simulator
from tools.emulator.cloud.console.templates import Templates
from tools.emulator.cloud.console.visit import Unwritten, Visit

if TYPE_CHECKING:
    from tools.emulator.cloud.server import Server

STATIC = Path(__file__).parent / "static"
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
HOST, HOST_6 = "127.0.0.1", "::1"
HEAD_SECONDS = 10  # until the head of a request has come
TRIES = 20  # for a port that is free at both
FILE_BYTES = 30 * 1024 * 1024  # of a field or file in a form


class Quiet(uvicorn.Server):
    """uvicorn inside a process that has its own signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Impatient(H11Protocol):
    """A connection that ends when the head of a request does not come: nobody holds thousands of them for nothing."""

    head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self.forget_head()
        elif self.head is None:
            self.await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self.forget_head()
        super().connection_lost(exc)

    def await_head(self) -> None:
        self.head = self.loop.call_later(HEAD_SECONDS, self.timeout_keep_alive_handler)

    def forget_head(self) -> None:
        if self.head:
            self.head.cancel()
        self.head = None


class Console:
    """The console of `server`, with the pages of `pages/`."""

    def __init__(self, server: Server):
        self.server, self.instance = server, server.instance
        self.access, self.templates, self.rates = Access(), Templates(), Rates(server.instance)
        self.simulator = Simulator(server.run_dir)
        self.catalogues = {language: words.catalogue(language) for language in words.LANGUAGES}
        self.pages = page.found()
        self.files = {path.name: path.read_bytes() for path in STATIC.iterdir() if path.suffix in KINDS}
        known = [one for found in [*self.pages, live.page] for one in found.regions]
        self.regions = [(routing.compile_path(one.path)[0], one) for one in known]
        self.name, self.port, self.closing = f"console-{secrets.token_hex(8)}.localhost", 0, False
        self.tasks: list[asyncio.Task[None]] = []
        self.uvicorn: Quiet | None = None

    # ---- the server

    async def start(self, port: int) -> int:
        """Listens on `port`, or on a free one for 0; returns which. Raises OSError."""
        async with anyio.create_task_group():
            pass  # what Starlette needs of anyio is loaded now: no request waits for it
        listening = taken(port)
        self.port = listening[0].getsockname()[1]
        config = uvicorn.Config(
            Guard(self.application(), self.access, self.name, self.port), http=Impatient, ws="none", lifespan="off",
            log_config=None, log_level="critical", access_log=False, proxy_headers=False, server_header=False,
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        self.uvicorn = Quiet(config)
        self.tasks = [
            asyncio.ensure_future(self.uvicorn.serve(sockets=listening)),
            asyncio.ensure_future(self.rates.run()),
        ]
        return self.port

    def application(self) -> Starlette:
        routes = [
            routing.Route(one.path, self.endpoint(one), methods=[one.method])
            for found in [*self.pages, live.page]
            for one in found.routes
        ]
        routes.append(routing.Route("/static/{name}", self.static))
        handlers: dict[Any, Any] = {404: self.missing, 405: self.missing}
        return Starlette(routes=routes, exception_handlers=handlers)

    async def stop(self) -> None:
        self.closing = True
        await self.simulator.stop()
        if self.uvicorn:
            self.uvicorn.should_exit = True
        for task in self.tasks[1:]:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def address(self) -> str:
        """An address that opens the console once; one that was given out before opens nothing any more."""
        return f"http://{self.name}:{self.port}/?token={self.access.new_token()}"

    # ---- requests

    def endpoint(self, route: Route) -> Any:
        @functools.wraps(route.handler)
        async def answer(request: Request) -> Response:
            visit = Visit(self, request, request.scope["path"], dict(request.query_params))
            if route.method == "GET":
                return await self.show(visit, route)
            async with request.form(max_part_size=FILE_BYTES) as form:
                visit.form = form
                await asyncio.sleep(0)  # a large form has taken its time
                return await self.change(visit, route)

        return answer

    async def show(self, visit: Visit, route: Route) -> Response:
        try:
            return await finished(route.handler(visit, **visit.names))
        except Refused as refusal:
            return await finished(visit.render("refused.html", refusal.status, text=str(refusal)))
        except Exception as error:
            return await self.failed(visit, error)

    async def change(self, visit: Visit, route: Route) -> Response:
        if not visit.session.permits(visit.form.get("csrf")):
            return await finished(visit.render("refused.html", 403, text=visit.text("common.stale_form")))
        try:
            return await finished(route.handler(visit, **visit.names))
        except Refused as refusal:
            names = {name: quote(value, safe="") for name, value in visit.names.items()}
            return visit.refused(route.back.format(**names), str(refusal))
        except Exception as error:
            return await self.failed(visit, error)

    async def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self.files:
            return await self.missing(request, None)
        return Response(self.files[name], media_type=KINDS[Path(name).suffix])

    async def missing(self, request: Request, error: object) -> Response:
        visit = Visit(self, request, request.scope["path"], {})
        status = getattr(error, "status_code", 404)
        return await finished(visit.render("refused.html", status, text=visit.text("common.no_page")))

    async def failed(self, visit: Visit, error: Exception) -> Response:
        """A defect of the console: the log has its place, and no values."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}"
        self.instance.journal.event("request failed", where="console", path=visit.path, reason=reason)
        text = visit.text("common.defect", reason=reason)
        return await finished(visit.render("refused.html", 500, text=text))

    # ---- regions

    def regions_at(self, path: str) -> list[Region]:
        """The regions of the page at `path`."""
        return [one for expression, one in self.regions if expression.match(path)]

    def names_in(self, path: str) -> dict[str, Any]:
        """What the path of a page with regions names."""
        found = (expression.match(path) for expression, _ in self.regions)
        return next((match.groupdict() for match in found if match), {})


def taken(port: int) -> list[socket.socket]:
    """Sockets that listen on `port`, or on a free one for 0, at each loopback address that there is.

    For a name below localhost a browser tries ::1 first: whoever listened there would get the token and the cookie.
    Raises OSError.
    """
    for _ in range(TRIES if port == 0 else 1):
        first = socket.create_server((HOST, port))
        try:
            return [first, socket.create_server((HOST_6, first.getsockname()[1]), family=socket.AF_INET6)]
        except OSError as error:
            if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                return [first]  # a machine without IPv6
            first.close()
            problem = error
    raise problem


async def finished(answer: Any) -> Response:
    """What a page's function answers, a coroutine or not; a page is written."""
    found = await answer if inspect.isawaitable(answer) else answer
    return await found.write() if isinstance(found, Unwritten) else found
