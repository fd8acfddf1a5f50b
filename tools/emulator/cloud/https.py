"""The HTTPS side of the platform: POST /auth/register/device (direct.md 2)."""

from tools.emulator.cloud import registration
from tools.emulator.cloud.mqtt import spoiled
from tools.emulator.cloud.web import HttpPeer, Response, answer_json

BODY_MAX = 64 * 1024
PATH = "/auth/register/device"


class HttpsApp:
    """Answers requests for `instance`; given to an `HttpPeer` as its app."""

    def __init__(self, instance):
        self.instance = instance

    def peer(self, link):
        return HttpPeer(link, self, BODY_MAX)

    def __call__(self, request, link):
        if request.path != PATH:
            return answer_json({"code": 404, "message": "not found"}, 404)
        if request.method != "POST":
            return answer_json({"code": 405, "message": "use POST"}, 405)
        return self.register(request, link)

    def register(self, request, link):
        asked = registration.read(request.body, self.instance.registry)
        names = (asked.fields.get("productKey"), asked.fields.get("deviceName"))
        fault = link.take("register", *names)
        if fault and fault.unprocessed:
            link.arm(fault)
            return None
        if fault and fault.kind in ("refuse", "status"):
            return refused_by(fault)
        link.identify(self.instance.account(*names))
        code = registration.verdict(asked, self.instance.registry, self.instance.config.switches)
        known = asked.product is not None
        self.instance.journal.event("registered" if code == 200 else "registration refused", where="https",
                                    pk=names[0] if known else None, dn=names[1] if known else None,
                                    way="register", code=code)
        response = self.success(asked, fault) if code == 200 else self.refusal(code)
        if fault and not link.arm(fault):
            return None
        response.chunked = bool(fault) and fault.kind == "chunked"
        return response

    def success(self, asked, fault):
        secret = self.instance.registry.issue(asked.device)
        data = {"deviceName": asked.device.device_name, "deviceSecret": secret,
                "productKey": asked.device.product_key}
        if fault and fault.kind in ("wrong_device", "oversize"):
            body = b'{"code":200,"data":%b,"message":"success"}' % spoiled(data, fault)
            return Response(200, body)
        if fault and fault.kind == "wrong_json":
            return Response(200, spoiled({"code": 200, "data": data, "message": "success"}, fault))
        return answer_json({"code": 200, "data": data, "message": "success"})

    def refusal(self, code):
        return answer_json({"code": code, "message": registration.MESSAGES.get(code, "request error")},
                           self.instance.config.switches.https_status)


def refused_by(fault):
    """The answer of a `refuse` or `status` fault."""
    if fault.kind == "status":
        body = fault["body"]
        text = "<html><body>Service Unavailable</body></html>" if body is None else body
        return Response(fault["status"], text.encode(), {"Content-Type": "text/html"})
    code = fault["code"]
    message = fault["message"] or registration.MESSAGES.get(code, "request error")
    return answer_json({"code": code, "message": message}, fault["status"] or 200)
