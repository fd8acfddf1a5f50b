"""Web hooks: each message to the business server as a POST to an address on loopback (application.md 15)."""

from __future__ import annotations

import asyncio
import http.client
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from tools.emulator.cloud.admin_routes import LOOPBACK, body, route
from tools.emulator.cloud.server_messages import WAIT_MAX
from tools.emulator.cloud.web import BadRequest, compact

if TYPE_CHECKING:
    from tools.emulator.cloud.admin import AdminApp
    from tools.emulator.cloud.instance import Instance
    from tools.emulator.cloud.web import Request

SECONDS = 5  # for one POST
PAUSE_MAX = 60  # seconds between two tries; they begin at 1 and double


@dataclass
class WebHook:
    """One address and how far it has come: `seq` is the number of the last message that it took with a 2xx."""

    url: str
    seq: int
    last_error: str | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    def as_dict(self) -> dict[str, Any]:
        return {"url": self.url, "seq": self.seq, "last_error": self.last_error}

    async def run(self, instance: Instance) -> None:
        """Delivers in order, each message until it is taken; never ends by itself."""
        while True:
            for entry in await instance.server_messages.wait(self.seq, None, WAIT_MAX):
                pause = 1
                while not await self._taken(instance, entry):
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, PAUSE_MAX)
                self.seq = entry["seq"]

    async def _taken(self, instance, entry):
        try:
            status = await asyncio.to_thread(_post, urlsplit(self.url), compact(entry))
            problem = None if 200 <= status < 300 else f"status {status}"
        except (OSError, http.client.HTTPException) as error:
            problem = str(error) or type(error).__name__
        if problem and problem != self.last_error:
            instance.journal.event("web hook failed", url=self.url, reason=problem)
        self.last_error = problem
        return problem is None


def _post(parts: SplitResult, data: bytes) -> int:
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=SECONDS)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, data, {"Content-Type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


@route("GET", "/web_hooks")
def web_hooks(app: AdminApp, request: Request) -> list[dict[str, Any]]:
    return [hook.as_dict() for hook in app.instance.server_messages.hooks]


@route("POST", "/web_hooks")
def add(app: AdminApp, request: Request) -> dict[str, Any]:
    url = body(request, url=str)["url"]
    if not url.isascii() or not url.isprintable() or " " in url or not _is_local(url):
        raise BadRequest(
            400, "url must be http://127.0.0.1:PORT/PATH, or another name of this machine's loopback"
        )
    if (urlsplit(url).port or 80) == app.server.ports.get("admin"):
        raise BadRequest(400, "url is the cloud's own admin API; name the port of the business server")
    hook = WebHook(url, app.instance.server_messages.newest())
    hook.task = asyncio.ensure_future(hook.run(app.instance))
    app.instance.server_messages.hooks.append(hook)
    return hook.as_dict()


def _is_local(url):
    try:
        parts = urlsplit(url)
        names = {name.strip("[]") for name in LOOPBACK if name}
        return (
            parts.scheme == "http" and parts.hostname in names and parts.port != 0 and "@" not in parts.netloc
        )
    except ValueError:
        return False


@route("DELETE", "/web_hooks")
def clear(app: AdminApp, request: Request) -> dict[str, Any]:
    hooks = app.instance.server_messages.hooks
    for hook in hooks:
        hook.task.cancel()
    count = len(hooks)
    hooks.clear()
    return {"removed": count}
