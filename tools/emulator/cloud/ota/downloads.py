"""The download server: files by signed URLs, whole or by Range, as object storage answers (application.md 5.5)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from tools.emulator.cloud.ota import urls
from tools.emulator.cloud.web import Response

if TYPE_CHECKING:
    from tools.emulator.cloud.faults import Fault
    from tools.emulator.cloud.instance import Instance
    from tools.emulator.cloud.link import Link
    from tools.emulator.cloud.ota.packages import Packages
    from tools.emulator.cloud.web import Request

RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{1,18})?")
STATUS = {"NoSuchKey": 404, "MethodNotAllowed": 405, "InvalidRange": 416}


@dataclass(frozen=True)
class Stored:
    """A file that can be fetched: bytes, a digest in hex, Unix ms of its making, `read(start, size)`."""

    size: int
    sign: str
    created: int
    read: Callable[[int, int], bytes]


class Downloads:
    """Answers GET and HEAD of the storage's host for `instance`."""

    def __init__(self, instance: Instance, found: Packages, secret: bytes):
        self.instance, self.packages, self.secret = instance, found, secret

    def serve(self, request: Request, link: Link) -> Response | None:
        """The answer to one request; None when a fault has answered in its own way."""
        key, refused = self.asked(request)
        fault = link.take("download", *(key or (None, None)))
        if fault and fault.unprocessed:
            link.arm(fault)
            return None
        if key is not None:
            link.identify(self.instance.account(*key))
        response = refused or self.answer(request)
        if fault:
            response = spoiled(response, fault, self, request)
        self.note(request, key, response)
        if fault and not link.arm(fault):
            return None
        response.chunked = bool(fault) and fault.kind == "chunked"
        return response

    def asked(self, request: Request) -> tuple[tuple[str, str] | None, Response | None]:
        """(the device that a URL was made for, a refusal), each None where there is none."""
        if request.method not in ("GET", "HEAD"):
            return None, error("MethodNotAllowed", "The specified method is not allowed.")
        try:
            now = self.instance.wall()
            return urls.check(self.secret, request.method, request.path, request.query, now), None
        except urls.Refused as refusal:
            return None, error(refusal.code, str(refusal))

    def answer(self, request: Request, ranged: bool = True) -> Response:
        """A file, or the part of it that `Range` names."""
        file = self.find(request.path)
        if file is None:
            return error("NoSuchKey", "The specified key does not exist.")
        headers = {
            "Server": "AliyunOSS",
            "Content-Type": "application/octet-stream",
            "Accept-Ranges": "bytes",
            "ETag": f'"{file.sign.upper()}"',
            "Last-Modified": formatdate(file.created / 1000, usegmt=True),
        }
        wanted = RANGE.fullmatch(request.headers.get("range", "")) if ranged else None
        first, last = (int(wanted[1]), int(wanted[2] or file.size)) if wanted else (0, file.size)
        if wanted is None or last < first:
            return Response(200, file.read(0, file.size), headers)
        if first >= file.size:
            return error("InvalidRange", "The requested range cannot be satisfied.", f"bytes */{file.size}")
        last = min(last, file.size - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{file.size}"
        return Response(206, file.read(first, last - first + 1), headers)

    def find(self, path: str) -> Stored | None:
        """The file at `path`, of a package or of another service."""
        found = urls.PATH.fullmatch(path)
        if found is None:
            return self.instance.services.files.find(path)
        package, number = self.packages.packages.get(found[1]), int(found[2])
        if package is None or not 1 <= number <= len(package.files):
            return None
        if not self.packages.path(package, number).is_file():
            return None
        file = package.files[number - 1]
        return Stored(file.size, file.sign, package.created, partial(self.packages.read, package, number))

    def note(self, request: Request, key: tuple[str, str] | None, response: Response) -> None:
        names = dict(zip(("pk", "dn"), key or ()))
        self.instance.journal.event(
            "download",
            where="https",
            path=request.path[:200],
            range=request.headers.get("range"),
            code=response.status,
            bytes=len(response.body),
            **names,
        )


def error(code: str, text: str, content_range: str | None = None) -> Response:
    """A refusal in the storage's XML."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n'
        f"  <Code>{escape(code)}</Code>\n  <Message>{escape(text)}</Message>\n</Error>\n"
    )
    headers = {"Server": "AliyunOSS", "Content-Type": "application/xml"}
    if content_range:
        headers["Content-Range"] = content_range
    return Response(STATUS.get(code, 403), body.encode(), headers)


def spoiled(response: Response, fault: Fault, downloads: Downloads, request: Request) -> Response:
    """The answer as `fault` has it; the kinds that shape bytes leave it as it is."""
    if fault.kind == "expired":
        return error(urls.DENIED, urls.EXPIRED)
    if fault.kind == "status":
        text = fault["body"]
        return Response(
            fault["status"], ("" if text is None else text).encode(), {"Content-Type": "text/html"}
        )
    if fault.kind == "redirect":
        return Response(302, b"", {"Location": fault["url"]})
    if fault.kind == "whole" and response.status == 206:
        return downloads.answer(request, ranged=False)
    if fault.kind == "wrong_length":
        response.length = max(0, len(response.body) + fault["by"])
    if fault.kind == "damage" and response.body:
        at = fault["at"] % len(response.body)
        changed = bytes([response.body[at] ^ 1])
        response.body = response.body[:at] + changed + response.body[at + 1 :]
    return response
