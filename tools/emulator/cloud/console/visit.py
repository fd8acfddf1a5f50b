"""One request to the console, as a page's functions get it: what was asked, the cloud, and the answer."""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from markupsafe import Markup
from starlette.datastructures import FormData, UploadFile
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from tools.emulator.cloud import web
from tools.emulator.cloud.console import words
from tools.emulator.cloud.console.page import Page, Refused

if TYPE_CHECKING:
    from starlette.requests import Request

    from tools.emulator.cloud.console.access import Session
    from tools.emulator.cloud.console.console import Console
    from tools.emulator.cloud.instance import Instance
    from tools.emulator.cloud.registry import Device, Product

KEPT_BYTES = 4096  # of what was typed into one field of a refused form
THEMES = ("auto", "light", "dark")
PLACE = '<div class="region" data-region="{}">{}</div>'


class Visit:
    """`path` and `query` are those of the page; `names` is what the path names."""

    def __init__(self, console: Console, request: Request, path: str, query: dict[str, str]):
        self.console, self.request = console, request
        self.path, self.query = path, query
        self.names: dict[str, Any] = dict(request.path_params)
        self.session: Session = request.scope["session"]
        self.form = FormData()
        self.remembered: dict[str, Any] = {}  # from one update of a region to the next
        cookies = request.cookies
        self.language = words.chosen(
            cookies.get("console_language"), request.headers.get("accept-language", "")
        )
        self.theme = cookies["console_theme"] if cookies.get("console_theme") in THEMES else THEMES[0]

    @property
    def instance(self) -> Instance:
        return self.console.instance

    def text(self, key: str, **values: Any) -> str:
        """A text of the catalogue in the visitor's language, with `values` for what is in braces."""
        found = self.console.catalogues[self.language][key]
        return found.format(**values) if values else found

    # ---- what was asked

    def field(self, name: str, default: str = "") -> str:
        """A text field of the form, without blanks around it."""
        found = self.form.get(name, default)
        return found.strip() if isinstance(found, str) else default

    def ticked(self, name: str) -> bool:
        return name in self.form

    async def file(self, name: str) -> bytes:
        """The bytes of an uploaded file, b"" if none was chosen."""
        found = self.form.get(name)
        return await found.read() if isinstance(found, UploadFile) else b""

    def json_field(self, name: str) -> Any:
        """JSON that was typed in; raises `Refused`."""
        try:
            return web.strict_json(self.field(name))
        except ValueError as error:
            raise Refused(self.text("common.no_json", field=name, reason=error)) from None

    def number(self, name: str, default: int) -> int:
        """A whole number of the page's query, `default` where it says anything else."""
        found = self.query.get(name, "")
        return int(found) if found.isascii() and found.isdigit() and len(found) < 16 else default

    def product(self, pk: str) -> Product:
        found = self.instance.registry.products.get(pk)
        if found is None:
            raise Refused(self.text("common.no_product", pk=pk), 404)
        return found

    def device(self, pk: str, dn: str) -> Device:
        found = self.product(pk).devices.get(dn)
        if found is None:
            raise Refused(self.text("common.no_device", pk=pk, dn=dn), 404)
        return found

    # ---- what the cloud does

    async def admin(self, method: str, path: str, body: object = None, **query: str) -> Any:
        """What the admin API answers: `body` is sent as JSON, or as it is if it is bytes. Raises `Refused`."""
        data = b"" if body is None else body if isinstance(body, bytes) else web.compact(body)
        try:
            answer = self.console.server.admin.dispatch(web.Request(method, path, query, {}, data))
            found = await answer if inspect.isawaitable(answer) else answer
        except web.BadRequest as error:
            raise Refused(str(error), error.status) from None
        except ValueError as error:
            raise Refused(str(error)) from None
        if found.status >= 400:
            raise Refused(json.loads(found.body).get("error", f"HTTP {found.status}"), found.status)
        is_json = "json" in found.headers.get("Content-Type", "json")
        return json.loads(found.body) if is_json else found.body

    async def call(self, action: str, **parameters: Any) -> Any:
        """`Data` of a call of the cloud's own API, such as SetDeviceProperty; raises `Refused`."""
        answer = await self.admin("POST", f"/api/{action}", parameters)
        if not answer["Success"]:
            raise Refused(f"{answer['ErrorMessage']} ({answer['Code']})")
        return answer["Data"]

    # ---- the answer

    def render(self, template: str, code: int = 200, **context: Any) -> Response:
        """The page of a template in `templates/`, with the regions that it has."""
        notices, kept = self.session.notices, self.session.kept
        self.session.notices, self.session.kept = [], {}
        more = {"notices": notices, "typed": lambda name: kept.get(name, ""), "code": code}
        return Unwritten(self, template, {**more, **context}, code)

    def done(self, to: str, key: str, **values: Any) -> Response:
        """After a form: the page at `to`, which shows a sentence of the catalogue."""
        self.session.notices.append(("done", self.text(key, **values)))
        return RedirectResponse(to, 303)

    def refused(self, to: str, text: str) -> Response:
        """After a form that was refused: the page at `to` with the sentence, and with what had been typed."""
        self.session.notices.append(("refused", text))
        typed = {name: value for name, value in self.form.items() if isinstance(value, str)}
        secret = ("csrf", "secret", "password", "key")
        self.session.kept = {
            name: value
            for name, value in typed.items()
            if len(value) <= KEPT_BYTES and not any(word in name for word in secret)
        }
        return RedirectResponse(to, 303)

    def download(
        self, name: str, data: bytes | AsyncIterator[bytes], kind: str = "text/csv; charset=utf-8"
    ) -> Response:
        """A file for the browser to save, under a name out of letters, digits and - _ . only."""
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        if isinstance(data, bytes):
            return Response(data, headers=headers, media_type=kind)
        return StreamingResponse(data, headers=headers, media_type=kind)

    def pages(self) -> Iterable[Page]:
        """What the navigation shows."""
        return [page for page in self.console.pages if page.order]


class Unwritten(Response):
    """A page whose HTML is yet to be written, which takes its time."""

    def __init__(self, visit: Visit, template: str, context: dict[str, Any], code: int):
        super().__init__()
        self.visit, self.template, self.context, self.code = visit, template, context, code

    async def write(self) -> Response:
        console, visit = self.visit.console, self.visit
        regions = console.regions_at(visit.path) if self.code == 200 else []
        html = {one.name: await console.templates.render_region(visit, one) for one in regions}
        self.context["region"] = lambda name: Markup(PLACE).format(name, Markup(html[name]))
        text = await console.templates.render(visit, self.template, **self.context)
        return HTMLResponse(text.encode(errors="replace"), self.code)  # a device may send half a character


def address(*steps: str, **query: Any) -> str:
    """The path of `steps`, each quoted, with a query of what is not empty."""
    path = "/" + "/".join(quote(str(step), safe="", errors="replace") for step in steps)
    kept = {name: value for name, value in query.items() if value not in (None, "", 0)}
    return path + ("?" + urlencode(kept, errors="replace") if kept else "")
