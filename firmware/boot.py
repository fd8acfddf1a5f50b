"""Runs before main.py."""

import gc
import sys

# Collecting often while modules load leaves no holes between what stays: a first boot then passes in a heap
# that is smaller by a fifth. main.py loosens it.
gc.threshold(4096)

try:
    open("/ota/r/0").close()
    tree = __import__("aliot/ota/choice").start()
except Exception:
    tree = ""

# An aliot that is frozen into the firmware goes before the folder /aliot, which then holds roots and records only.
if not tree and ".frozen" in sys.path:
    sys.path.remove(".frozen")
    sys.path.insert(0, ".frozen")
