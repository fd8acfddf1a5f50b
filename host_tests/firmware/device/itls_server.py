"""A server's part of a recorded handshake, changed by a test."""

from aliot.errors import AliotError
from aliot.transport.itls.alerts import ItlsError
from id2_script import Wire

D003 = "aes128_id2_suite_D003"
CHALLENGE = b"55ACD6D75B7252B6D336AB5C7FD433FC"


def sized(number, data):
    return bytes((number >> 8, number & 255, len(data) >> 8, len(data) & 255)) + data


def handshake(kind, body):
    return bytes((kind, 0, len(body) >> 8, len(body) & 255)) + body


def verify_request(*extensions, version=b"\x03\x03", tail=b""):
    return handshake(3, version + b"".join([sized(number, data) for number, data in extensions]) + tail)


def run(recorded, script, suites=None, provisioning=None):
    """(error or None, wire, stream) of a handshake over a script."""
    wire = Wire(script)
    stream = recorded.stream(wire, provisioning)
    stream.suites = suites or stream.suites
    try:
        stream.handshake()
    except AliotError as problem:
        assert wire.closed == 1
        return problem, wire, stream
    return None, wire, stream


def refused(recorded, script, alert, provisioning=None):
    """The handshake must fail at this client with this alert, in clear."""
    problem, wire, stream = run(recorded, script + [("any", None)], None, provisioning)
    assert isinstance(problem, ItlsError) and problem.code == "itls" and problem.retry == "later", problem
    assert problem.alert == alert, problem
    assert wire.writes[-1] == b"\x15\x03\x03\x00\x02\x02" + bytes((alert,)), wire.writes[-1]
    assert stream.keys is None
    return wire
