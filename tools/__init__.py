"""The host side of aliot: `python -m tools VERB`."""
