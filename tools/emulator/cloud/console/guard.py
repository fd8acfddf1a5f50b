"""What stands before every page: no other web page, no other user of the machine and no foreign name gets past.

A request needs the right Host (a name that was rebound to 127.0.0.1 has another one), the cookie of a session,
and must not be one that another page has made: `Origin` and `Sec-Fetch-Site` say so. A link or an address that
is typed in may lead to a page, since no GET changes anything.

A browser sends a cookie of 127.0.0.1 to every port there, another user's too. So the console's address has a name
of its own below `localhost`, which browsers take for loopback and nobody else knows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from tools.emulator.cloud.console.access import Access

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BODY_MAX = 32 * 1024 * 1024
COOKIE_SECONDS = 7 * 86_400
READING = ("GET", "HEAD")
HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with no-referrer browsers send `Origin: null` along with a form
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
CLOSED = (
    "This console opens with the address that the cloud printed when it started. It opens once; "
    "for another browser ask the admin API: POST /console/address."
)


class Guard:
    """Lets a request through to `app`, an ASGI application, when nothing speaks against it."""

    def __init__(self, app: Callable[..., Awaitable[None]], access: Access, name: str, port: int):
        self.app, self.access = app, access
        self.hosts = tuple(f"{host}:{port}" for host in (name, "127.0.0.1", "localhost"))
        self.cookie = f"console_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"the console serves HTTP, not {scope['type']}")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        status, text = self.foreign(scope["method"], headers)
        if status:
            return await answer(send, status, text)
        token = parse_qs(scope["query_string"].decode("latin-1")).get("token")
        if token and scope["path"] == "/" and scope["method"] == "GET":
            return await self.exchange(send, token[0])
        session = self.access.session(cookie_of(headers.get("cookie", ""), self.cookie))
        if session is None:
            return await answer(send, 403, CLOSED)
        if int(headers.get("content-length", "0")) > BODY_MAX:
            return await answer(send, 413, f"A request may have {BODY_MAX >> 20} MB.")
        scope["session"] = session
        await self.app(scope, bounded(receive), guarded(send))

    def foreign(self, method: str, headers: dict[str, str]) -> tuple[int, str]:
        """(status, sentence) of the refusal of a request from elsewhere, (0, "") without one."""
        host, site = headers.get("host", ""), headers.get("sec-fetch-site", "none")
        if host not in self.hosts:
            return 421, "This console answers to loopback names with its port only."
        if "origin" in headers and headers["origin"] != f"http://{host}":
            return 403, "Another web page made this request."
        if method not in READING:
            if "origin" not in headers or site not in ("same-origin", "none"):
                return 403, "Only a page of this console changes anything."
        elif site not in ("same-origin", "none") and not navigates(headers):
            return 403, "Another web page made this request."
        length = headers.get("content-length", "0")
        return (0, "") if length.isascii() and length.isdigit() else (400, "Content-Length is no number.")

    async def exchange(self, send: Send, token: str) -> None:
        """The one-time token for a session's cookie."""
        cookie = self.access.redeem(token)
        if cookie is None:
            return await answer(send, 403, "This address was used before. " + CLOSED)
        flags = f"HttpOnly; SameSite=Strict; Path=/; Max-Age={COOKIE_SECONDS}"
        await answer(send, 303, "", {"location": "/", "set-cookie": f"{self.cookie}={cookie}; {flags}"})


def navigates(headers: dict[str, str]) -> bool:
    """Whether a browser opens a page of its own with it: no frame, no script, no picture."""
    return headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"


def cookie_of(text: str, name: str) -> str | None:
    try:
        found = SimpleCookie(text).get(name)
    except CookieError:
        return None
    return found.value if found else None


def bounded(receive: Receive) -> Receive:
    """`receive` that gives up on a body without an end."""
    taken = 0

    async def receive_some() -> MutableMapping[str, Any]:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return message if taken <= BODY_MAX else {"type": "http.disconnect"}

    return receive_some


def guarded(send: Send) -> Send:
    """`send` with the headers that every answer has."""

    async def send_guarded(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *encoded(HEADERS)]
        await send(message)

    return send_guarded


async def answer(send: Send, status: int, text: str, headers: dict[str, str] | None = None) -> None:
    """A plain answer, without a page of the console; it ends the connection, whatever is still on its way."""
    length = {"content-length": str(len(text.encode()))}
    more = {"content-type": "text/plain; charset=utf-8", "connection": "close", **length, **(headers or {})}
    start = {"type": "http.response.start", "status": status, "headers": encoded(more)}
    await guarded(send)(start)
    await send({"type": "http.response.body", "body": text.encode()})


def encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
