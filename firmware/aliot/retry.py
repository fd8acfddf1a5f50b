"""What a device does when a connect failed or a connection was lost, and how long it waits; imported when it does."""

from aliot import clock, unload
from aliot.errors import CertificateError, LinkError, ProtocolError, StoreError
from aliot.ticks import uptime
from micropython import const

_CAP = const(128000)  # ms; the longest wait after a fault; direct.md 8
_STABLE = const(60000)  # a connection that lasted so long clears the faults before it
_REFUSED = const(300000)  # the first wait after a refusal; it doubles
_REFUSED_CAP = const(3600000)
_SOON = const(600000)  # thrown off within this time of connecting: perhaps a twin
_TWIN = const(3)  # so many times in a row: a twin
_RETURN = const(5000)  # spread of a fleet's connects after the network came back


def failed(device, problem):
    """Registration or connect did not succeed: wait as the error's class asks, and say so."""
    _doubt(problem)
    problem = device.endpoint.failed(device, problem)
    now = uptime()
    wait_after_failure(device.session, now, problem.retry)
    if isinstance(problem, (LinkError, ProtocolError)) and problem.code[:5] != "itls.":
        _report(device, "offline", problem, now)
    else:
        # What the platform refuses; the classes are in aliot.refusals, which is not imported for this.
        refused = problem.code.split(".")[0] in ("mqtt", "register", "auth", "itls")
        _report(device, "refused" if refused else "error", problem, now)


def lost(device, problem):
    """The connection is gone: back off, longer when a twin seems to throw this device off."""
    now = uptime()
    wait_after_loss(device.session, now, problem.code in ("closed", "reset") and device.network.up())
    if device.session.twin:
        problem = LinkError("thrown off again and again soon after connecting", "twin", "later")
    _report(device, "offline", problem, now)


def network_changed(device, up, fields):
    """The network came back, or is away still: wait no longer than a fleet should, or put into `fields` why it is."""
    if up:
        wait_after_return(device.session, uptime())
    else:
        fields["code"], fields["detail"] = device.network.problem()
        fields["advice"] = LinkError(code=fields["code"]).advice
    unload("advice", "retry")


# The waits. Pure.


def wait_after_failure(session, now, retry="now"):
    """A connect or registration failed; `retry` is the error's class."""
    if retry == "now":
        _fault(session, now)
        return
    base = _REFUSED_CAP if retry == "never" else min(_REFUSED << session.refusals, _REFUSED_CAP)
    session.refusals = min(session.refusals + 1, 4)
    session.after = now + base + session.random(base)


def wait_after_loss(session, now, thrown):
    """The connection ended; `thrown` when the peer ended it while the network was up."""
    lasted = 0 if session.since is None else now - session.since
    session.since = None
    if lasted >= _STABLE:
        session.faults = 0
    if lasted >= _SOON:
        session.thrown = 0
        session.twin = False
    elif thrown:
        session.thrown += 1
        session.twin = session.thrown >= _TWIN
    if session.twin:
        session.after = now + _REFUSED + session.random(2 * _REFUSED)
    else:
        _fault(session, now)


def wait_after_return(session, now):
    """The network came back: no long wait, but not all devices at once."""
    session.faults = 0
    if not session.refusals and not session.twin:
        session.after = now + session.random(_RETURN)


def _fault(session, now):
    session.faults = min(session.faults + 1, 8)
    session.after = now + session.random(min(1000 << session.faults, _CAP))


def _doubt(problem):
    """A certificate that seems out of date points to the clock; one that nobody has set is the likely cause."""
    code = problem.code
    if code in ("certificate.expired", "certificate.clock", "x509.expired", "x509.future"):
        if isinstance(problem, CertificateError):
            if not clock.server:
                problem.code = "certificate.clock"
            elif code == "certificate.clock":
                problem.code = "certificate.future"
        clock.doubt()


def _report(device, state, problem, now):
    fields = {
        "code": problem.code,
        "detail": problem.detail,
        "retry": problem.retry,
        "advice": problem.advice,
        "wait": device.session.wait(now) // 1000,
    }
    if isinstance(problem, StoreError):
        fields.update(problem.health)
    device.state(state, fields)
    unload("advice", "retry")
