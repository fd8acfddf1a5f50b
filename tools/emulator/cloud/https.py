"""The HTTPS side of the platform: registration, authentication before MQTT, bootstrap, files (direct.md 2, 6)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud import registration
from tools.emulator.cloud.calls import message
from tools.emulator.cloud.centres import bootstrap, guider, host_names
from tools.emulator.cloud.mqtt import spoiled
from tools.emulator.cloud.ota import urls
from tools.emulator.cloud.web import HttpPeer, Response, answer_json

if TYPE_CHECKING:
    from tools.emulator.cloud.calls import Call
    from tools.emulator.cloud.faults import Fault
    from tools.emulator.cloud.link import Link
    from tools.emulator.cloud.web import Request

BODY_MAX = 64 * 1024
# path -> (whether regions have it, whether the global host has it, what it is)
CALLS = {
    "/auth/register/device": (True, True, registration.REGISTER),
    "/auth/devicename": (True, False, guider.AUTH),
    "/auth/bootstrap": (True, True, bootstrap.BOOTSTRAP),
}
REGION_PATH = re.compile(r"/auth/bootstrap/regionId/[^/]+")
IN_DATA = ("wrong_device", "oversize", "foreign_host")  # faults that spoil the data of an answer


class HttpsApp:
    """Answers requests for `instance`; given to an `HttpPeer` as its app."""

    def __init__(self, instance):
        self.instance = instance

    def peer(self, link: Link) -> HttpPeer:
        return HttpPeer(link, self, BODY_MAX)

    def __call__(self, request, link):
        if urls.HOST.fullmatch(asked_host(request, link)):
            return self.instance.ota.downloads.serve(request, link)
        centre = self.centre(request, link)
        call = find(request.path, centre)
        if call is None:
            return answer_json({"code": 404, "message": "not found"}, 404)
        if request.method != call.method:
            return answer_json({"code": 405, "message": f"use {call.method}"}, 405)
        return self.serve(call, call.read(request, centre, self.instance), link)

    def centre(self, request: Request, link: Link) -> str:
        """Which centre is asked: by the Host header, else by the TLS name; the instance's own if neither."""
        found = host_names.auth_centre(asked_host(request)) or host_names.auth_centre(link.server_name or "")
        return found or self.instance.config.region

    def serve(self, call: Call, asked: Any, link: Link) -> Response | None:
        fault = link.take(call.stage, *asked.names)
        if fault and fault.unprocessed:
            link.arm(fault)
            return None
        if fault and fault.kind in ("refuse", "status"):
            return refused_by(fault)
        link.identify(self.instance.account(*asked.names))
        code = call.verdict(asked, self.instance)
        self.note(call, asked, code)
        response = self.success(call, asked, link, fault) if code == 200 else self.refusal(code)
        if fault and not link.arm(fault):
            return None
        response.chunked = bool(fault) and fault.kind == "chunked"
        return response

    def note(self, call: Call, asked: Any, code: int) -> None:
        done, refused = call.events
        known = asked.product is not None
        self.instance.journal.event(
            done if code == 200 else refused,
            where="https",
            pk=asked.names[0] if known else None,
            dn=asked.names[1] if known else None,
            way=call.kind,
            centre=asked.centre,
            code=code,
        )

    def success(self, call: Call, asked: Any, link: Link, fault: Fault | None) -> Response:
        data = call.carry_out(asked, self.instance, link)
        if fault and fault.kind in IN_DATA:
            body = b'{"code":200,"data":%b,"message":"success"}' % spoiled(data, fault)
            return Response(200, body)
        if fault and fault.kind == "wrong_json":
            return Response(200, spoiled({"code": 200, "data": data, "message": "success"}, fault))
        return answer_json({"code": 200, "data": data, "message": "success"})

    def refusal(self, code: int) -> Response:
        return answer_json(
            {"code": code, "message": message(code)}, self.instance.config.switches.https_status
        )


def asked_host(request: Request, link: Link | None = None) -> str:
    """The name in the Host header; without one that of TLS, if there is a `link`."""
    named = request.headers.get("host", "").rsplit(":", 1)[0]
    return (named or (link.server_name if link else None) or "").lower()


def find(path: str, centre: str) -> Call | None:
    """The `Call` that `centre` has at `path`, or None."""
    if centre == host_names.GLOBAL and REGION_PATH.fullmatch(path):
        return bootstrap.REGION
    of_regions, of_global, call = CALLS.get(path, (False, False, None))
    return call if (of_global if centre == host_names.GLOBAL else of_regions) else None


def refused_by(fault: Fault) -> Response:
    """The answer of a `refuse` or `status` fault."""
    if fault.kind == "status":
        body = fault["body"]
        text = "<html><body>Service Unavailable</body></html>" if body is None else body
        return Response(fault["status"], text.encode(), {"Content-Type": "text/html"})
    code = fault["code"]
    return answer_json({"code": code, "message": fault["message"] or message(code)}, fault["status"] or 200)
