"""What devices post: properties and events, one at a time, in batches, packs and as history (application.md 3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.codes import Refused
from tools.emulator.cloud.thing import checking
from tools.emulator.cloud.thing.checking import Checked, Point
from tools.emulator.cloud.thing.model import IDENTIFIER
from tools.emulator.cloud.thing.models import Models

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance
    from tools.emulator.cloud.registry import Device
    from tools.emulator.cloud.requests import Record, Request

Key = tuple[str, str]
CURRENT = "properties"  # kind of the state {identifier: [value, Unix ms]}
PROPERTY, EVENT = "property", "event"  # kinds of points
POST, HISTORY = "thing/event/property/post", "thing/event/property/history/post"


class Things:
    """The things of `instance`; their values and history are in its store."""

    def __init__(self, instance: Instance):
        self.instance, self.store = instance, instance.store
        self.switches, self.limits = instance.config.switches, instance.config.limits
        self.models = Models(instance)
        instance.requests.add("thing/event/property/post", self.post)
        instance.requests.add("thing/event/+/post", self.post_event)
        instance.requests.add("thing/event/property/batch/post", self.post_batch)

    def now(self) -> int:
        """Unix ms."""
        return int(self.instance.wall() * 1000)

    # ---- what is known

    def current(self, key: Key) -> dict[str, list[Any]]:
        """{identifier: [newest value, Unix ms]} of a device."""
        return self.store.state(*key, CURRENT) or {}

    def values(self, key: Key) -> dict[str, Any]:
        """The newest value of each property of a device."""
        return {name: value for name, (value, _) in self.current(key).items()}

    # ---- checks

    def check(self, key: Key, values: Iterable[tuple[str, Any]]) -> Checked:
        """The posted (identifier, value) pairs of a device against its model; raises `Refused`."""
        pairs, model = list(values), self.models.of(key[0])
        if model is None:
            self.check_names(key, pairs)
        exact = self.switches.wrapped_value == "exact"
        pairs = pairs if exact else [(name, unwrapped(value)) for name, value in pairs]
        return checking.points(model, self.models.level(key[0]), pairs, self.now())

    def check_names(self, key: Key, pairs: list[tuple[str, Any]]) -> None:
        """Raises `Refused` when no model could have these properties beside those there are."""
        known = self.current(key)
        names = list(dict.fromkeys(name for name, _ in pairs if name not in known))
        wrong = [name for name in names if not IDENTIFIER.fullmatch(name)]
        wrong += names[max(self.limits.features - len(known), 0) :]
        if wrong:
            raise Refused(6304, text=str(checking.unknown(wrong[0])))
        for name, value in pairs:
            plain = value.get("value") if isinstance(value, dict) else value
            if isinstance(plain, str) and len(plain) > self.limits.text_characters:
                raise Refused(6310, text=f"tsl parse: text size error -> {name}")

    def check_event(self, key: Key, name: str, params: Any) -> tuple[Point, dict[str, Any], str]:
        """(the event, its checkFailedData, its type info, alert or error); raises `Refused`."""
        model, level = self.models.of(key[0]), self.models.level(key[0])
        if self.switches.bare_event == "refuse" and not checking.wrapped(params):
            raise Refused(460)
        known = model.events.get(name) if model else None
        if not IDENTIFIER.fullmatch(name):
            raise Refused(6304, text=str(checking.unknown(name)))
        if model and known is None and level != checking.NONE and self.switches.unknown_event != "take":
            raise Refused(self.switches.unknown_event)
        point, failed = checking.event(known, level, name, params, self.now())
        return point, failed, known.level if known else "info"

    # ---- what is kept

    def keep(self, key: Key, points: list[Point]) -> None:
        """Puts accepted values into the history, and makes them the current ones."""
        current, kept = self.current(key), self.switches.older_value == "kept"
        for point in points:
            if not (kept and point.name in current and point.time < current[point.name][1]):
                current[point.name] = [point.value, point.time]
        self.store.save_state(*key, CURRENT, current)
        self.add_history(key, PROPERTY, points)

    def add_history(self, key: Key, kind: str, points: list[Point]) -> None:
        oldest = self.now() - int(self.instance.config.timing.history_seconds * 1000)
        self.store.add_points(*key, kind, [(one.name, one.time, one.value) for one in points], oldest)

    # ---- what the business server is told

    def report(self, device: Device, checked: Checked, tail: str = POST) -> None:
        """The message of a post of properties (application.md 15)."""
        body = {
            "deviceType": "None",
            "gmtCreate": self.now(),
            "items": {point.name: point.show() for point in checked.accepted},
            "checkFailedData": checked.failed,
        }
        self.instance.server_messages.add(device, tail, body)

    def report_event(
        self,
        device: Device,
        point: Point,
        failed: dict[str, Any],
        level: str,
        tail: str = "thing/event/{}/post",
    ) -> None:
        model = self.models.of(device.product_key)
        known = model.events.get(point.name) if model else None
        body = {
            "identifier": point.name,
            "name": known.name if known else point.name,
            "type": level,
            "deviceType": "None",
            "gmtCreate": self.now(),
            "value": point.value,
            "time": point.time,
            "checkFailedData": failed,
        }
        self.instance.server_messages.add(device, tail.format(point.name), body)

    # ---- requests

    def post(self, request: Request, device: Device, record: Record) -> None:
        """event/property/post, application.md 3.2."""
        values = request.objects()
        if len(values) > self.limits.properties:
            raise Refused(6106)
        self.take(device, self.check(device.key, values.items()), record)

    def take(self, device: Device, checked: Checked, record: Record) -> None:
        """Keeps what was accepted of a post, and reports it with what was not."""
        if self.switches.invalid_property == "refuse":
            checked.insist()
        self.keep(device.key, checked.accepted)
        for name, one in checked.failed.items():
            record.event("dropped property", identifier=name, code=one["code"], reason=one["message"])
        self.report(device, checked)

    def post_event(self, request: Request, device: Device, record: Record) -> None:
        """event/{id}/post, application.md 3.3."""
        point, failed, level = self.check_event(device.key, request.levels[0], request.params)
        self.add_history(device.key, EVENT, [point])
        self.report_event(device, point, failed, level)

    def post_batch(self, request: Request, device: Device, record: Record) -> None:
        """event/property/batch/post: lists of values for each identifier, application.md 3.5."""
        pairs, events = self.lists(request.objects())
        checked = self.check(device.key, pairs)
        found = [self.check_event(device.key, name, one) for name, one in events]
        if self.switches.invalid_property == "refuse":
            checked.insist()
        self.keep(device.key, checked.accepted)
        self.add_history(device.key, EVENT, [point for point, _, _ in found])
        for one in by_time(checked):
            self.report(device, one)
        for point, failed, level in found:
            self.report_event(device, point, failed, level)

    def lists(self, params: dict[str, Any]) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
        """(properties, events) of a batch as pairs of identifier and one value; raises `Refused`."""
        pairs = []
        for kind in ("properties", "events"):
            values = params.get(kind, {})
            if not isinstance(values, dict):
                raise Refused(460)
            if not all(isinstance(one, list) for one in values.values()):
                raise Refused(6301)
            pairs.append([(name, one) for name, ones in values.items() for one in ones])
        if len(pairs[0]) > self.limits.batch_values:
            raise Refused(6106)
        if len(pairs[1]) > self.limits.batch_values:
            raise Refused(6356)
        return pairs[0], pairs[1]


def unwrapped(value: Any) -> Any:
    """The switch `wrapped_value` "any": an object with `value` is one with that and its time only."""
    if not isinstance(value, dict) or "value" not in value:
        return value
    return {key: value[key] for key in ("value", "time") if key in value}


def by_time(checked: Checked) -> list[Checked]:
    """A batch as posts in the order of their times, since a message has one value of each (inferred)."""
    found: dict[tuple[int, int], Checked] = {}
    for point in sorted(checked.accepted, key=lambda one: one.time):
        again = 0
        while any(one.name == point.name for one in found.get((point.time, again), Checked()).accepted):
            again += 1
        found.setdefault((point.time, again), Checked()).accepted.append(point)
    posts = [found[key] for key in sorted(found)] or [Checked()]
    posts[-1].failed = checked.failed
    return posts
