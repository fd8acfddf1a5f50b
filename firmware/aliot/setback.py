"""What a device does when a connect failed or a connection was lost; imported when that happens."""

from aliot import backoff, forget
from aliot.errors import Closed, LinkError, ProtocolError, RegistrationError, StoreError
from aliot.refusals import ConnectRefused
from aliot.transport.faults import CertificateError, Reset


def failed(device, problem):
    """Registration or connect did not succeed: wait as the error's class asks, and say so."""
    if isinstance(problem, CertificateError):
        problem = _dated(problem, device.server)
    now = device.now()
    backoff.failed(device.session, now, problem.retry)
    if isinstance(problem, (LinkError, ProtocolError)):
        _say(device, "offline", problem, now)
    elif isinstance(problem, (ConnectRefused, RegistrationError)):
        _say(device, "refused", problem, now)
    else:
        _say(device, "error", problem, now)


def lost(device, problem):
    """The connection is gone: back off, longer when a twin seems to throw this device off."""
    now = device.now()
    backoff.lost(device.session, now, isinstance(problem, (Closed, Reset)) and device.network.up())
    if device.session.twin:
        problem = LinkError("thrown off again and again soon after connecting", "twin", "later")
    _say(device, "offline", problem, now)


def _dated(problem, server):
    """A certificate that seems out of date points to the clock, unless a server has set that."""
    if not server and problem.code == "certificate.expired":
        return CertificateError(problem.detail, "certificate.clock")
    if server and problem.code == "certificate.clock":
        return CertificateError(problem.detail, "certificate.future")
    return problem


def _say(device, state, problem, now):
    fields = {"code": problem.code, "detail": problem.detail, "retry": problem.retry, "advice": problem.advice,
              "wait": device.session.wait(now) // 1000}
    if isinstance(problem, StoreError):
        fields.update(device.store.health)
    device.state(state, fields)
    # Not the modules of errors: an application may hold a class of theirs.
    for name in ("advice", "backoff", "setback"):
        forget(name)
