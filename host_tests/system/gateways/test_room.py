"""How many sub-devices fit: a gateway says so before memory is gone, and lives on. On a chip's two heaps."""

import pytest

from host_tests.support.fleet import MICROPYTHON, printed
from host_tests.support.gateways import GATEWAYS, GatewayFleet, done
from tools.emulator.board.boot import RELEASES

FLEET = GatewayFleet
LEAST = 12 * 1024  # bytes of the C heap that have to be free at any time
HEAPS = """
import gc, esp32
def heaps():
    gc.collect()
    found = esp32.idf_heap_info(esp32.HEAP_DATA)
    report(app="heaps", least=sum([heap[3] for heap in found]), stored=gateway.stored)
"""
# a secret that came another way for each, until one more does not fit; then a request, and its answer
FILL = """
try:
    while True:
        gateway.keep((KEY, "sensor-%04d" % gateway.stored), "x" * 32)
except GatewayError as problem:
    report(app="memory", code=problem.code, detail=problem.detail, advice=problem.advice)
report(app="asked", failed=refusals(gateway.bring_online(sub(0, 1, 2))))
heaps()
"""


@MICROPYTHON
@pytest.mark.parametrize("release", RELEASES)
def test_one_more_does_not_fit_and_what_fits_outlives_a_lost_connection_and_power(fleet, cloud, release):
    board = fleet.board(FILL, prepare=HEAPS, memory=release)
    board.start()
    stored = done(board, 120)["stored"]
    (memory,) = printed(board, "memory")
    assert memory["code"] == "gateway.memory" and "PSRAM" in memory["advice"]
    assert stored >= 100 and memory["detail"] == f"{stored} sub-devices fit"
    assert [code for _, code in printed(board, "asked")[0]["failed"]] == [401] * 3  # those secrets are none
    cloud.act(GATEWAYS, board.device_name, "kick", {})
    board.wait_for("offline")
    board.wait_for("connected")
    board.power_off()
    first = printed(board, "heaps")[0]
    board.start()
    more = done(board, 120)["stored"] - stored  # what is free is not the same to the byte at each boot
    assert 0 <= more <= 64 and not board.run.state("error"), board.run.lines
    assert min(first["least"], printed(board, "heaps")[0]["least"]) >= LEAST
