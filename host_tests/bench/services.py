"""What each service of firmware/aliot/services costs beside a Thing: bytes of .mpy, and heap once it is imported.

The heap is that of the emulated board, whose objects are 1.54 times as large as those of a chip (README, "Memory").
"""

from host_tests.bench.boards import BenchFleet
from tools.firmware import FOLDER

LARGER = 1.54  # objects of the 64-bit Unix port than those of a chip
PROGRAM = b"""
import gc
import aliot
from aliot.thing import Thing
gc.collect()
before = gc.mem_alloc()
import aliot.services.%s
gc.collect()
print('{"aliot":"imported","heap":%%d}' %% (gc.mem_alloc() - before))
"""


def names():
    """The services: what has a stub."""
    return sorted(path.stem for path in (FOLDER / "aliot/services").glob("*.pyi"))


def heaps(fleet: BenchFleet) -> dict[str, int]:
    """{service: bytes of heap that its import takes, with all that comes along}."""
    return {name: _heap(fleet, name) for name in names()}


def _heap(fleet, name):
    boot = fleet.board("unique", {"/main.py": PROGRAM % name.encode()}, heap="256K").boot(until="imported")
    state = boot.state("imported")
    if not state:
        raise RuntimeError("\n".join(boot.lines))
    return state["heap"]


def markdown(sizes: dict[str, int], heaps: dict[str, int]) -> str:
    """The table between the markers of firmware/README.md."""
    lines = [
        "| service | bytes of .mpy | KB of heap, 64-bit port | on a chip, about |",
        "|---|---:|---:|---:|",
    ]
    lines += [
        f"| `{name}` | {sizes[f'aliot/services/{name}']} | {heap / 1024:.1f} | {heap / LARGER / 1024:.1f} |"
        for name, heap in heaps.items()
    ]
    return "\n".join(lines)
