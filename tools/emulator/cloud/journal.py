"""What happened, for `GET /log` and `GET /messages`: events with the console's codes, never a secret."""

import time
from collections import deque
from typing import Any

# codes of the console's device log (direct.md 1.8, 7)
KICKED, NOT_ALLOWED, OFFLINE, NOT_ACTIVATED = 400, 9236, 9201, 9200
HELD_BYTES = 64 * 1024 * 1024  # payloads kept for GET /messages


class Journal:
    """Rings of the last events and messages; `wall` gives Unix seconds."""

    def __init__(self, wall=time.time, events=50_000, messages=50_000):
        self.wall = wall
        self.number = 0
        self.events = deque(maxlen=events)
        self.messages = deque(maxlen=messages)
        self.held = 0

    def event(self, name: str, **fields: Any) -> None:
        """Notes one event; fields that are None are left out."""
        self.number += 1
        entry = {"seq": self.number, "time": round(self.wall(), 3), "event": name}
        entry.update((key, value) for key, value in fields.items() if value is not None)
        self.events.append(entry)

    def message(
        self,
        direction: str,
        pk: str,
        dn: str,
        topic: str,
        payload: bytes,
        *,
        qos: int,
        outcome: str = "taken",
    ) -> None:
        """Notes one message: `direction` "up" from the device or "down" to it."""
        self.number += 1
        if len(self.messages) == self.messages.maxlen:
            self.held -= len(self.messages.popleft()[6])
        self.messages.append(
            (self.number, round(self.wall(), 3), direction, pk, dn, topic, bytes(payload), qos, outcome)
        )
        self.held += len(payload)
        while self.held > HELD_BYTES:
            self.held -= len(self.messages.popleft()[6])

    def select_events(self, after: int = 0, **wanted: str) -> list[dict[str, Any]]:
        """Events with a number above `after` whose fields equal `wanted` as text."""
        return [
            entry
            for entry in self.events
            if entry["seq"] > after and all(str(entry.get(key)) == value for key, value in wanted.items())
        ]

    def select_messages(
        self,
        after: int = 0,
        pk: str | None = None,
        dn: str | None = None,
        direction: str | None = None,
        topic: str | None = None,
    ) -> list[dict[str, Any]]:
        wanted = (direction, pk, dn, topic)
        return [
            show(message)
            for message in self.messages
            if message[0] > after
            and all(value in (None, found) for value, found in zip(wanted, message[2:6]))
        ]


def show(message: tuple[Any, ...]) -> dict[str, Any]:
    seq, moment, direction, pk, dn, topic, payload, qos, outcome = message
    entry = {
        "seq": seq,
        "time": moment,
        "direction": direction,
        "pk": pk,
        "dn": dn,
        "topic": topic,
        "qos": qos,
        "outcome": outcome,
    }
    try:
        entry["payload"] = payload.decode()
    except UnicodeDecodeError:
        entry["payload_hex"] = payload.hex()
    return entry
