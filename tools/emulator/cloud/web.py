"""HTTP/1.1 as a server speaks it on a `Link`: requests in, one answer each, every byte under control."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from email.utils import formatdate
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import parse_qsl, unquote, urlsplit

from tools.emulator.cloud.identifier import whole_number
from tools.emulator.cloud.link import SEND_BACKLOG, Handler

HEAD_MAX = 16 * 1024
REASONS = {
    200: "OK",
    201: "Created",
    206: "Partial Content",
    302: "Found",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    411: "Length Required",
    413: "Content Too Large",
    416: "Range Not Satisfiable",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]  # lower-case names
    body: bytes = b""

    def json(self) -> Any:
        """The body as JSON, {} if there is none; raises ValueError, as `strict_json`."""
        return strict_json(self.body) if self.body else {}


@dataclass
class Response:
    """One answer; `chunked` sends the body in chunks instead of by length, `close` ends the connection.

    `length` is what Content-Length says when it is not that of the body.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    chunked: bool = False
    close: bool = False
    length: int | None = None

    def encode(self) -> bytes:
        headers = {
            "Server": "Tengine",
            "Date": formatdate(usegmt=True),
            "Content-Type": "application/json;charset=utf-8",
            **self.headers,
        }
        body = self.body
        if self.chunked:
            headers["Transfer-Encoding"] = "chunked"
            half = len(body) // 2
            pieces = (body[:half], body[half:])
            body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n\r\n"
        else:
            headers["Content-Length"] = str(len(body) if self.length is None else self.length)
        headers["Connection"] = "close" if self.close else "keep-alive"
        lines = [
            f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Status')}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class Stream(Response):
    """An answer without an end: `run(write)` writes pieces of its body until the peer is gone."""

    run: Callable[[Callable[[bytes], None]], Coroutine[Any, Any, None]] | None = None

    def encode(self) -> bytes:
        head = super().encode().split(b"\r\n\r\n")[0].split(b"\r\n")
        return b"\r\n".join(line for line in head if not line.startswith(b"Content-Length:")) + b"\r\n\r\n"


def compact(value: object) -> bytes:
    """JSON without a blank, as old clients need it (direct.md 3); half a character becomes `?`."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def strict_json(text: str | bytes) -> Any:
    """JSON that every parser takes. ValueError: NaN, Infinity, numbers beyond a double's, half a character."""
    try:
        value = json.loads(text, parse_constant=refuse, parse_float=finite)
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("half a character (a lone surrogate) is no text") from None
    return value


def refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def finite(text: str) -> float:
    value = float(text)
    return value if isfinite(value) else refuse(text)


def answer_json(value: object, status: int = 200, **more: Any) -> Response:
    return Response(status, compact(value), **more)


class BadRequest(Exception):
    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


def parse_head(data: bytes) -> tuple[Request, int]:
    """(`Request`, length of its body) from the bytes before the empty line; raises `BadRequest`."""
    try:
        first, *lines = data.decode("latin-1").split("\r\n")
        method, target, version = first.split(" ")
        pairs = [line.split(":", 1) for line in lines]
        headers = {name.lower(): value.strip() for name, value in pairs}
        parts = urlsplit(target)
    except ValueError:
        raise BadRequest(400, "not an HTTP/1.1 request") from None
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadRequest(400, "not an HTTP/1.1 request")
    if "transfer-encoding" in headers:
        raise BadRequest(411, "a body must come with Content-Length")
    length = whole_number(headers.get("content-length", "0"))
    if length is None:
        raise BadRequest(400, "Content-Length is not a number")
    if version == "HTTP/1.0":
        headers.setdefault("connection", "close")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Request(method, unquote(parts.path), query, headers), length


class HttpPeer(Handler):
    """Reads requests off `link`, one at a time, and sends what `app(request, link)` answers.

    That is a `Response`, a coroutine of one, or None when a fault has
    answered in its own way.
    """

    def __init__(self, link, app, body_max):
        self.link, self.app, self.body_max = link, app, body_max
        self.buffer = bytearray()
        self.request = None
        self.missing = 0
        self.busy = None

    def received(self, data: bytes) -> None:
        self.buffer += data
        if self.busy is None:
            self.serve()

    def serve(self) -> None:
        try:
            while self.busy is None and not self.link.ended and self.complete():
                request, self.request = self.request, None
                request.body = bytes(self.buffer[: self.missing])
                del self.buffer[: self.missing]
                self.link.settle()
                self.respond(request)
        except BadRequest as error:
            self.link.write(answer_json({"error": str(error)}, error.status, close=True).encode())
            self.link.close()

    def complete(self) -> bool:
        """Whether a whole request is in the buffer."""
        if self.request is None:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self.buffer) > HEAD_MAX:
                    raise BadRequest(413, "the head of the request is too long")
                return False
            self.request, self.missing = parse_head(bytes(self.buffer[:end]))
            del self.buffer[: end + 4]
            self.admit(self.request, self.missing)
            if self.missing > self.body_max:
                raise BadRequest(413, f"the body is larger than {self.body_max} bytes")
            if (
                self.request.headers.get("expect", "").lower() == "100-continue"
                and len(self.buffer) < self.missing
            ):
                self.link.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return len(self.buffer) >= self.missing

    def admit(self, request: Request, length: int) -> None:
        """Raises `BadRequest` for a request whose body of `length` bytes shall not even be taken in."""

    def respond(self, request: Request) -> None:
        try:
            response = self.app(request, self.link)
        except BadRequest:
            raise
        except Exception as error:
            response = self.failed(request, error)
        if asyncio.iscoroutine(response):
            self.busy = asyncio.ensure_future(self.later(request, response))
        else:
            self.send(request, response)

    async def later(self, request: Request, response: Awaitable[Response]) -> None:
        try:
            found = await response
        except BadRequest as error:
            found = answer_json({"error": str(error)}, error.status)
        except Exception as error:
            found = self.failed(request, error)
        self.send(request, found)
        self.busy = None
        self.serve()

    def failed(self, request: Request, error: Exception) -> Response:
        """The answer to a request that the emulator stumbles over; the log has the place, and no values."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}"
        listener = self.link.listener
        listener.journal.event("request failed", where=listener.where, path=request.path, reason=reason)
        return answer_json({"error": f"a defect of the emulator: {reason}"}, 500)

    def send(self, request: Request, response: Response) -> None:
        if response is None:
            return
        response.close = response.close or request.headers.get("connection", "").lower() == "close"
        data = response.encode()
        if request.method == "HEAD":
            data = data[: data.index(b"\r\n\r\n") + 4]
        self.link.backlog = SEND_BACKLOG + 2 * len(data)  # an answer goes out whole, TLS around it
        self.link.write(data)
        if isinstance(response, Stream) and response.run:
            self.busy = asyncio.ensure_future(response.run(self.link.write))
        elif response.close:
            self.link.close()

    def lost(self) -> None:
        if self.busy is not None:
            self.busy.cancel()
