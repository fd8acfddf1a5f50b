"""What a device does when a connect failed or a connection was lost; imported when that happens."""

from aliot import backoff, forget
from aliot.errors import LinkError, ProtocolError, StoreError


def failed(device, problem):
    """Registration or connect did not succeed: wait as the error's class asks, and say so."""
    problem.code = _dated(problem.code, device.server)
    if hasattr(device.endpoint, "failed"):
        problem = device.endpoint.failed(device, problem)
    now = device.now()
    backoff.failed(device.session, now, problem.retry)
    if isinstance(problem, (LinkError, ProtocolError)) and problem.code[:5] != "itls.":
        _say(device, "offline", problem, now)
    else:
        # What the platform refuses; the classes are in aliot.refusals, which is not imported for this.
        refused = problem.code.split(".")[0] in ("mqtt", "register", "auth", "itls")
        _say(device, "refused" if refused else "error", problem, now)


def lost(device, problem):
    """The connection is gone: back off, longer when a twin seems to throw this device off."""
    now = device.now()
    backoff.lost(device.session, now, problem.code in ("closed", "reset") and device.network.up())
    if device.session.twin:
        problem = LinkError("thrown off again and again soon after connecting", "twin", "later")
    _say(device, "offline", problem, now)


def _dated(code, server):
    """The code of a certificate that seems out of date points to the clock, unless a server has set that."""
    if not server and code == "certificate.expired":
        return "certificate.clock"
    if server and code == "certificate.clock":
        return "certificate.future"
    return code


def _say(device, state, problem, now):
    fields = {"code": problem.code, "detail": problem.detail, "retry": problem.retry, "advice": problem.advice,
              "wait": device.session.wait(now) // 1000}
    if isinstance(problem, StoreError):
        fields.update(device.store.health)
    device.state(state, fields)
    # Not the modules of errors: an application may hold a class of theirs.
    for name in ("advice", "backoff", "setback"):
        forget(name)
