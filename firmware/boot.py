"""Runs before main.py. An aliot that is frozen into the firmware goes before the folder /aliot, which then
holds the roots and the records only."""

import sys

if ".frozen" in sys.path:
    sys.path.remove(".frozen")
    sys.path.insert(0, ".frozen")
