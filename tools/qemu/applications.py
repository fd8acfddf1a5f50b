"""What runs on the board: the shipped applications, with one statement more that tells of both heaps when asked."""

import ast
import re
from dataclasses import dataclass

MARK = "heaps"
# An application is asked by a property set and by a message on user/get; it takes one of them in a line like these.
ASKED = {"Interval": 60}
ANSWERS = ('topic + "_reply"', "every = max(", 'print("got"')
MEASURE = f'import gc, esp32; gc.collect(); print("{MARK}", gc.mem_alloc(), esp32.idf_heap_info(4))'
_MEASURED = re.compile(rf"{MARK} (\d+) (\[.*\])\s*$")

# An application that has nothing of ours: which networks are there.
SCAN = b"""import network
wlan = network.WLAN(network.STA_IF)
wlan.active(True)
for found in wlan.scan():
    print("network", found[0].hex(), found[4])
print("scanned")
"""


@dataclass(frozen=True)
class Heaps:
    """Bytes: held in Python's heap after a collection; free in the C heap, now and at the least ever."""

    gc: int
    c_free: int
    c_least: int


def measured(source: str) -> str:
    """The source of an application (text) that prints the heaps when it is asked."""
    lines = []
    for line in source.splitlines():
        lines.append(line)
        if any(answer in line for answer in ANSWERS):
            lines.append(line[: len(line) - len(line.lstrip())] + MEASURE)
    if MEASURE not in "\n".join(lines):
        raise ValueError("this application answers nothing that it is asked")
    return "\n".join(lines) + "\n"


def beside(source: str, size: int) -> str:
    """The source of an application that holds `size` bytes from the end of its imports on."""
    imports = [node for node in ast.parse(source).body if isinstance(node, (ast.Import, ast.ImportFrom))]
    lines = source.splitlines()
    lines.insert(imports[-1].end_lineno or 0, f"held = bytearray({size})")
    return "\n".join(lines) + "\n"


def heaps(text: str) -> Heaps | None:
    """The `Heaps` of a console line, or None."""
    found = _MEASURED.search(text)
    if not found:
        return None
    try:
        regions = ast.literal_eval(found[2])
        return Heaps(
            int(found[1]), sum(free for _, free, _, _ in regions), sum(least for *_, least in regions)
        )
    except (ValueError, SyntaxError, TypeError):
        return None


def network(text: str) -> tuple[str, bool] | None:
    """(name, whether it is open) of a line of SCAN, or None."""
    found = re.match(r"network ([0-9a-f]*) (\d+)\s*$", text)
    return (bytes.fromhex(found[1]).decode("utf-8", "replace"), found[2] == "0") if found else None
