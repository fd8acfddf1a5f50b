"""The stream contract: what carries MQTT and HTTPS.

    read(n)        exactly n bytes, or raises
    readinto(view) what is there without blocking, into a buffer: its count, 0 when nothing is
    write(data)    takes all, or raises
    ready(ms)      whether a byte can be read without blocking, waiting at most ms for one
    close()        may be called twice
    deadline       a Deadline that bounds all operations together, or None: each has `timeout` ms of its own

A short read raises Closed, a reset Reset, a missed deadline TimedOut, a refusal TlsError or
CertificateError. A deadline is for the whole operation: a peer that sends a byte now and then does not
stretch it. After any of these the stream is dead: close it. Only DNS is not bounded; the chip cannot.
"""

from time import ticks_add, ticks_diff, ticks_ms

from aliot import part


class Deadline:
    """A point in time `ms` from now."""

    def __init__(self, ms):
        self._end = ticks_add(ticks_ms(), ms)

    def left(self):
        """Milliseconds left, 0 when it has passed."""
        return max(0, ticks_diff(self._end, ticks_ms()))


def connect(credential, host, port, roots, timeout):
    """An open stream of the kind that `credential.TRANSPORT` names, a module of this package, within `timeout` ms.

    `roots` names the built-in roots to trust. The deadline goes on over what is written and read next,
    until the caller sets another; DNS is not in it.
    """
    return part("transport." + credential.TRANSPORT).connect(credential, host, port, roots, timeout)
