"""Posts that name their devices: the pack of a gateway, and what was gathered while offline (application.md 3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.codes import Refused
from tools.emulator.cloud.gateway.request import read_item
from tools.emulator.cloud.thing.checking import Checked, Point
from tools.emulator.cloud.thing.things import EVENT, HISTORY, POST, PROPERTY, Key

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance
    from tools.emulator.cloud.registry import Device
    from tools.emulator.cloud.requests import Record, Request

Found = tuple[Point, dict[str, Any], str]  # an event, its checkFailedData, its type


class Packs:
    """Packs and histories of the devices of `instance`."""

    def __init__(self, instance: Instance):
        self.instance, self.things, self.registry = instance, instance.things, instance.registry
        self.limits = instance.config.limits
        instance.requests.add(HISTORY.removeprefix("/"), self.post_history)

    def take(self, keys: list[Key], parts: list[dict[str, Any]]) -> None:
        """The parts of a pack, one for each of `keys`: all of them, or `Refused` with the first that fails."""
        read = []
        for key, part in zip(keys, parts):
            checked = self.things.check(key, pairs(part.get("properties", {})))
            checked.insist()
            found = [self.things.check_event(key, *one) for one in pairs(part.get("events", {}))]
            for _, failed, _ in found:
                Checked(failed=failed).insist()
            read.append((key, checked, found))
        for key, checked, found in read:
            self.things.keep(key, checked.accepted)
            self.report(key, checked, found, POST, "thing/event/{}/post")

    def report(self, key: Key, checked: Checked, found: list[Found], tail: str, event_tail: str) -> None:
        device = self.registry.find(*key)
        if device is None:
            return
        self.things.add_history(key, EVENT, [point for point, _, _ in found])
        if checked.accepted or checked.failed:
            self.things.report(device, checked, tail)
        for point, failed, level in found:
            self.things.report_event(device, point, failed, level, event_tail)

    def post_history(self, request: Request, device: Device, record: Record) -> None:
        """event/property/history/post: kept and reported as history; the current values stay as they are."""
        read = []
        for one in request.array():
            if not isinstance(one, dict):
                raise Refused(460)
            key = self.named(one, device)
            posts = [self.things.check(key, part.items()) for part in objects(one, "properties")]
            events = [
                self.things.check_event(key, *event)
                for part in objects(one, "events")
                for event in part.items()
            ]
            read.append((key, posts, events))
        if sum(len(post.accepted) + len(post.failed) for _, posts, _ in read for post in posts) > (
            self.limits.batch_values
        ):
            raise Refused(6106)
        if sum(len(events) for _, _, events in read) > self.limits.batch_values:
            raise Refused(6356)
        for key, posts, events in read:
            for post in posts:
                self.things.add_history(key, PROPERTY, post.accepted)
                self.report(key, post, [], HISTORY, "")
            self.report(key, Checked(), events, HISTORY, "thing/event/{}/history/post")

    def named(self, one: dict[str, Any], device: Device) -> Key:
        """Whose history it is: the device's own, or of a sub-device of a gateway; raises `Refused`."""
        item = read_item(one.get("identity"))
        if item.key == device.key:
            return item.key
        if self.registry.node(device.product_key) != "gateway":
            raise Refused(460)
        found = self.registry.find_subdevice(*item.key)
        if found is None or found.gateway != device.key:
            raise Refused(6401)
        return item.key


def pairs(values: dict[str, Any]) -> list[tuple[str, Any]]:
    """(identifier, value) pairs of a part; a list holds several values of one."""
    return [
        (name, one)
        for name, found in values.items()
        for one in (found if isinstance(found, list) else [found])
    ]


def objects(values: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = values.get(key, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Refused(460)
    return found
