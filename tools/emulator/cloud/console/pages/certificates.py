"""CA certificates: registering one with its registration code, what is bound under it, and what ends that."""

from __future__ import annotations

import base64
from collections import Counter
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding
from starlette.datastructures import UploadFile

from tools.emulator.cloud.console.page import Page, Refused
from tools.emulator.cloud.console.paging import Paging, matches, pieces, search
from tools.emulator.cloud.console.visit import address
from tools.emulator.cloud.turns import in_turns
from tools.emulator.cloud.web import BadRequest
from tools.emulator.cloud.x509 import association
from tools.emulator.cloud.x509 import console as of_x509
from tools.emulator.cloud.x509.certificates import ACTIVE, DELETED, DISABLED

if TYPE_CHECKING:
    from starlette.responses import Response

    from tools.emulator.cloud.console.visit import Visit
    from tools.emulator.cloud.x509.certificates import Authority

page = Page("certificates", "/certificates", order=30)
AT = "/certificates/{ca}"
STATES = (ACTIVE, DISABLED, DELETED)
BEGIN = b"-----BEGIN "
LINES = 5  # of an association file that are named when they are bad


@page.get("/certificates")
async def show(visit: Visit) -> Response:
    certificates, bound = visit.instance.certificates, Counter[str]()
    async for piece in pieces(certificates.bindings.values()):
        bound.update(one.authority for one in piece if one.state != DELETED)
    return visit.render(
        "certificates/page.html",
        authorities=list(certificates.authorities.values()),
        bound=bound,
        code_known=certificates.kept_code(),
        now=visit.instance.wall(),
    )


@page.post("/certificates/code", back="/certificates")
async def fetch_code(visit: Visit) -> Response:
    await visit.admin("GET", "/registration_code")
    return visit.done("/certificates", "certificates.code_is_there")


@page.post("/certificates", back="/certificates")
async def register(visit: Visit) -> Response:
    asked = {"name": visit.field("name")}
    for field in ("certificate", "verification"):
        asked |= await uploaded(visit, field)
    made = await visit.admin("POST", "/cas", asked)
    return visit.done(address("certificates", made["name"]), "certificates.registered", name=made["name"])


async def uploaded(visit: Visit, field: str) -> dict[str, str]:
    """A certificate as the admin API takes it: the file that was chosen, or else the text that was typed in."""
    data, file = await visit.file(field), visit.form.get(field)
    if not data:
        text = visit.field(field + "_text")
        if not text:
            raise Refused(visit.text(f"certificates.no_{field}"))
        return {field: text}
    text = data.decode("latin-1") if BEGIN in data else base64.b64encode(data).decode()
    name = file.filename if isinstance(file, UploadFile) else None
    return {field: text, field + "_file": name or ""}


# ---- one CA


def authority(visit: Visit, ca: str) -> Authority:
    found = visit.instance.certificates.authorities.get(ca)
    if found is None:
        raise Refused(visit.text("certificates.no_ca", ca=ca), 404)
    return found


@page.get(AT)
async def show_authority(visit: Visit, ca: str) -> Response:
    found, wanted, state = authority(visit, ca), visit.query.get("search", ""), visit.query.get("state", "")
    bindings = await search(
        visit.instance.certificates.bindings.values(),
        lambda one: (
            one.authority == ca and state in ("", one.state) and matches(wanted, one.device_name, one.serial)
        ),
    )
    return visit.render(
        "certificates/authority.html",
        ca=found,
        pem=found.certificate.public_bytes(Encoding.PEM).decode(),
        paging=Paging(visit, bindings),
        search=wanted,
        state=state,
        states=STATES,
        deleted=DELETED,
        disabled=DISABLED,
        header=",".join(association.HEADER),
        now=visit.instance.wall(),
    )


@page.post(AT + "/activate", back=AT)
async def activate(visit: Visit, ca: str) -> Response:
    await visit.admin("POST", f"/cas/{ca}/activate")
    return visit.done(address("certificates", ca), "certificates.activated", name=ca)


@page.post(AT + "/deactivate", back=AT)
async def deactivate(visit: Visit, ca: str) -> Response:
    await visit.admin("POST", f"/cas/{ca}/deactivate")
    return visit.done(address("certificates", ca), "certificates.deactivated", name=ca)


@page.post(AT + "/delete", back=AT)
async def delete(visit: Visit, ca: str) -> Response:
    await visit.admin("DELETE", f"/cas/{ca}")
    return visit.done("/certificates", "certificates.deleted", name=ca)


# ---- what is bound under it


@page.post(AT + "/template.csv", back=AT)
def template(visit: Visit, ca: str) -> Response:
    return visit.download("association-template.csv", (",".join(association.HEADER) + "\r\n").encode())


@page.post(AT + "/association", back=AT)
async def associate(visit: Visit, ca: str) -> Response:
    """Binds the serials of a CSV to devices, all or none."""
    data, file = await visit.file("csv"), visit.form.get("csv")
    if not data:
        raise Refused(visit.text("certificates.no_csv"))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(visit.text("certificates.no_text")) from None
    name = file.filename if isinstance(file, UploadFile) else None
    try:
        bound = await in_turns(of_x509.take_in(visit.console.server.admin, authority(visit, ca), text, name))
    except BadRequest as refusal:
        raise Refused(str(refusal)) from None
    except association.Unusable as problem:
        raise Refused(described(visit, problem)) from None
    return visit.done(address("certificates", ca), "certificates.bound_now", n=bound)


def described(visit: Visit, problem: association.Unusable) -> str:
    """What is wrong with a file, and the first of its bad rows."""
    lines = [visit.text("certificates.line", line=line, error=error) for line, error in problem.rows[:LINES]]
    more = ["…"] if len(problem.rows) > LINES else []
    return " ".join([f"{problem}." if lines else str(problem), *lines, *more])


@page.post(AT + "/bindings/{serial}/revoke", back=AT)
async def revoke(visit: Visit, ca: str, serial: str) -> Response:
    await visit.admin("POST", f"/cas/{ca}/bindings/{serial}/disable")
    return visit.done(address("certificates", ca), "certificates.revoked", serial=serial)


@page.post(AT + "/bindings/{serial}/restore", back=AT)
async def restore(visit: Visit, ca: str, serial: str) -> Response:
    await visit.admin("POST", f"/cas/{ca}/bindings/{serial}/enable")
    return visit.done(address("certificates", ca), "certificates.restored", serial=serial)


@page.post(AT + "/bindings/{serial}/replace", back=AT)
async def replace(visit: Visit, ca: str, serial: str) -> Response:
    """Another certificate of the same CA for the device."""
    made = await visit.admin(
        "POST", f"/cas/{ca}/bindings/{serial}/replace", {"serial": visit.field("serial")}
    )
    return visit.done(
        address("certificates", ca), "certificates.replaced", dn=made["device_name"], serial=made["serial"]
    )
