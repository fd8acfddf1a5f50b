"""What an Alink message says, whatever it is: read without trust; application.md 1."""

import json


def parsed(payload):
    """A JSON object as a dict, None where the payload is something else."""
    try:
        found = json.loads(payload)
    except (ValueError, TypeError, RuntimeError, MemoryError):
        return None
    return found if isinstance(found, dict) else None


def number(value):
    """A code or an id, which may come as text; -1 for what is none."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return -1
