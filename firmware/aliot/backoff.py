"""How long a session waits after what went wrong; imported when it does. Pure."""

from micropython import const

_CAP = const(128000)  # ms; the longest wait after a fault; direct.md 8
_STABLE = const(60000)  # a connection that lasted so long clears the faults before it
_REFUSED = const(300000)  # the first wait after a refusal; it doubles
_REFUSED_CAP = const(3600000)
_SOON = const(600000)  # thrown off within this time of connecting: perhaps a twin
_TWIN = const(3)  # so many times in a row: a twin
_RETURN = const(5000)  # spread of a fleet's connects after the network came back


def failed(session, now, retry="now"):
    """A connect or registration failed; `retry` is the error's class."""
    if retry == "now":
        _fault(session, now)
        return
    base = _REFUSED_CAP if retry == "never" else min(_REFUSED << session.refusals, _REFUSED_CAP)
    session.refusals = min(session.refusals + 1, 4)
    session.after = now + base + session.random(base)


def lost(session, now, thrown):
    """The connection ended; `thrown` when the peer ended it while the network was up."""
    lasted = now - session.since
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


def returned(session, now):
    """The network came back: no long wait, but not all devices at once."""
    session.faults = 0
    if not session.refusals and not session.twin:
        session.after = now + session.random(_RETURN)


def _fault(session, now):
    session.faults = min(session.faults + 1, 8)
    session.after = now + session.random(min(1000 << session.faults, _CAP))
