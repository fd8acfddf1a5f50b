"""The heap that an iTLS handshake takes on the Unix port of MicroPython, of the sources as they stand."""

from pathlib import Path

from host_tests.id2.session import session
from tools.emulator.board import cases

CASE = Path(__file__).resolve().parent.parent / "device" / "id2_session.py"


def failure(heap):
    """None when the handshake passes in `heap`, else what the board said."""
    case = cases.Case("handshake", value=session("aes256_id2_suite_D004"))
    return cases.run(CASE, [case], "micropython", heap)[case]


def test_a_handshake_passes_in_a_heap_of_112_kb():
    assert failure("112K") is None


def test_the_measure_can_fail():
    assert failure("48K") is not None
