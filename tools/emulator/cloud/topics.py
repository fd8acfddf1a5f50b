"""Which topics are a device's own, and how filters match (direct.md 1.5, 7). Pure."""

from collections.abc import Iterable
from types import SimpleNamespace

# {pk} and {dn} stand for the device's own names; a last `#` for one level or more.
PUBLISHES = (
    "/{pk}/{dn}/user/#",
    "/sys/{pk}/{dn}/#",
    "/shadow/update/{pk}/{dn}",
    "/ota/device/inform/{pk}/{dn}",
    "/ota/device/progress/{pk}/{dn}",
    "/ota/device/request/{pk}/{dn}",
    "/ext/ntp/{pk}/{dn}/request",
    "/ext/session/{pk}/{dn}/#",
    "/ext/rrpc/#",
)
SUBSCRIBES = (
    "/{pk}/{dn}/user/#",
    "/sys/{pk}/{dn}/#",
    "/shadow/get/{pk}/{dn}",
    "/ota/device/upgrade/{pk}/{dn}",
    "/ota/device/request/{pk}/{dn}",
    "/ext/ntp/{pk}/{dn}/response",
    "/ext/session/{pk}/{dn}/#",
    "/ext/error/{pk}/{dn}",
    "/ext/rrpc/#",
    "/broadcast/{pk}/#",
)
# how the platform's own topics begin; custom ones begin with a ProductKey
PLATFORM = ("broadcast", "ext", "ota", "shadow", "sys")
# replies of a device's own requests that official C clients subscribe to themselves, even with `_ss=1`
SUBSCRIBED = (
    "/sys/{pk}/{dn}/thing/file/download_reply",
    "/sys/{pk}/{dn}/thing/file/upload/mqtt/init_reply",
    "/sys/{pk}/{dn}/thing/file/upload/mqtt/send_reply",
    "/sys/{pk}/{dn}/thing/file/upload/mqtt/cancel_reply",
    "/sys/{pk}/{dn}/codec/topic/update_reply",
)
# what `_ss=1` subscribes a device to by itself
SYSTEM = tuple(rule for rule in SUBSCRIBES if rule not in ("/{pk}/{dn}/user/#", "/broadcast/{pk}/#"))


def in_scope(topic: str, rules: Iterable[str], product_key: str, device_name: str) -> bool:
    """Whether `topic`, a name or a filter, stays inside one of `rules` for this device."""
    levels = topic.split("/")
    return any(covers(rule.split("/"), levels, product_key, device_name) for rule in rules)


def covers(rule: list[str], levels: list[str], product_key: str, device_name: str) -> bool:
    own = {"{pk}": product_key, "{dn}": device_name}
    for index, part in enumerate(rule):
        if part == "#":
            return len(levels) > index
        if index >= len(levels) or levels[index] != own.get(part, part):
            return False
    return len(levels) == len(rule)


def matches(topic_filter: str, topic: str) -> bool:
    """Whether the subscription `topic_filter` takes in `topic` (MQTT 3.1.1, 4.7)."""
    if "+" not in topic_filter and "#" not in topic_filter:
        return topic_filter == topic
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in ("+", "#"):
        return False
    for index, part in enumerate(wanted):
        if part == "#":
            return True
        if index >= len(levels) or part not in ("+", levels[index]):
            return False
    return len(levels) == len(wanted)


def fits(topic: str, limits: SimpleNamespace) -> bool:
    """Whether `topic` keeps to the length allowed, a custom one to the slashes too (application.md 4)."""
    if len(topic.encode()) > limits.topic_bytes:
        return False
    return topic.count("/") <= limits.topic_slashes or topic.split("/", 2)[1] in PLATFORM


def device_of(topic: str) -> tuple[str, str] | None:
    """(ProductKey, DeviceName) that a topic names, or None: where a published message goes."""
    levels = topic.split("/")
    at = place_of(levels)
    if levels[0] or len(levels) < at + 2:
        return None
    return levels[at], levels[at + 1]


def place_of(levels: list[str]) -> int:
    """The index of the level in which the ProductKey stands."""
    return {"sys": 2, "shadow": 3, "ota": 4, "ext": 3}.get(levels[1] if len(levels) > 1 else "", 1)
