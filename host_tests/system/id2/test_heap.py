"""The heap that an iTLS handshake takes on the Unix port of MicroPython, of the sources as they stand."""

from host_tests.support import device_tests
from host_tests.support.paths import DEVICE
from host_tests.system.id2.session import session

CASE = DEVICE / "id2_session.py"


def failure(heap):
    """None when the handshake passes in `heap`, else what the board said."""
    case = device_tests.Case("handshake", value=session("aes256_id2_suite_D004"))
    return device_tests.run(CASE, [case], "micropython", heap)[case]


def test_a_handshake_passes_in_a_heap_of_112_kb():
    assert failure("112K") is None


def test_the_measure_can_fail():
    assert failure("48K") is not None
