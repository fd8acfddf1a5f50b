"""The memory of a board that ID² and iTLS take: code, and the heap of a handshake on the Unix port of MicroPython."""

from host_tests.support import device_tests
from host_tests.support.id2 import session
from host_tests.support.paths import DEVICE
from tools.image import device_files, release

CASE = DEVICE / "id2_session.py"
BOUND = 9 * 1024
WHOLE = "aliot/id2/__init__"  # ID² and iTLS, joined
REFUSED = "aliot/transport/itls/alerts"  # read when either side refuses
EMPTY = "aliot/id2/provisioning"  # loaded where there is no identity yet


def failure(heap):
    """None when the handshake passes in `heap`, else what the board said."""
    case = device_tests.Case("handshake", value=session("aes256_id2_suite_D004"))
    return device_tests.run(CASE, [case], "micropython", heap)[case]


def test_a_handshake_passes_in_a_heap_of_112_kb():
    assert failure("112K") is None


def test_the_measure_can_fail():
    assert failure("48K") is not None


def parts():
    """{unit: bytes of .mpy} of all modules of ID² and iTLS."""
    return {
        name: size
        for name, size in device_files.sizes().items()
        if name.startswith(("aliot/id2/", "aliot/transport/itls/"))
    }


def test_all_of_id2_and_itls_is_at_most_9_kb():
    sizes = parts()
    assert set(sizes) == {WHOLE, REFUSED, EMPTY}, sizes
    assert sum(sizes.values()) <= BOUND, sizes


def test_no_module_of_them_lies_elsewhere():
    units = release.units(release.sources())
    homes = {name: unit for unit, names in units.items() for name in names}
    mine = {name for name in homes if name.startswith(("aliot.id2", "aliot.transport.itls"))}
    assert len(mine) > 4 and {release.file(homes[name]) for name in mine} == {WHOLE, REFUSED, EMPTY}
