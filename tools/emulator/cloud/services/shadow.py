"""Device shadows: what a device reported and what is desired of it, with versions and times (application.md 6)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tools.emulator.cloud import alink
from tools.emulator.cloud.codes import Refused
from tools.emulator.cloud.registry import Device
from tools.emulator.cloud.requests import RAW, Record, Request, Service

if TYPE_CHECKING:
    from tools.emulator.cloud.instance import Instance

KIND = "shadow"
NULL = "null"  # the text that stands for nothing
RESET, UNCHECKED = -1, 0  # versions: back to 0; of the cloud's API, no version control
INT64 = range(-(2**63), 2**63)
MESSAGES = {
    400: "the message is no JSON",
    401: "method is missing",
    402: "state is missing",
    403: "version is not a number",
    404: "reported is missing",
    405: "reported is empty",
    406: "method is not valid",
    407: "the content is empty",
    408: "too many attributes",
    409: "the version is not greater than that of the shadow",
    500: "server error",
}


class Wrong(Refused):
    """A message to a shadow that is refused with one of its own codes."""

    def __init__(self, code: int):
        super().__init__(code, text=MESSAGES[code])


@dataclass
class Shadow:
    """One shadow; `metadata` has {"timestamp": seconds} in the place of each leaf of `reported` and `desired`."""

    version: int = 0
    reported: dict[str, Any] = field(default_factory=dict)
    desired: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, dict[str, Any]] = field(default_factory=lambda: {"reported": {}, "desired": {}})

    def show(self) -> dict[str, Any]:
        """`status`, `state` and `metadata` of a payload; a half that is empty is left out."""
        halves = [name for name in ("reported", "desired") if getattr(self, name)]
        return {
            "status": "success",
            "state": {name: getattr(self, name) for name in halves},
            "metadata": {name: self.metadata[name] for name in halves},
        }

    def merge(self, half: str, values: dict[str, Any], now: int) -> None:
        merge(getattr(self, half), self.metadata[half], values, now)

    def clear(self, half: str) -> None:
        getattr(self, half).clear()
        self.metadata[half].clear()

    def advance(self, version: int) -> None:
        """The version of an accepted message; raises `Wrong` with 409."""
        if version != RESET and version <= self.version:
            raise Wrong(409)
        self.version = max(version, 0)


# ---- pure


def merge(values: dict[str, Any], times: dict[str, Any], fresh: dict[str, Any], now: int) -> None:
    """Puts `fresh` into `values`: objects are merged, all else replaced; each leaf has its time in `times`."""
    for name, value in fresh.items():
        if not isinstance(value, dict) or not value:
            values[name], times[name] = value, {"timestamp": now}
            continue
        if not (isinstance(values.get(name), dict) and values[name]):
            values[name], times[name] = {}, {}
        merge(values[name], times[name], value, now)


def remove(values: dict[str, Any], times: dict[str, Any], named: dict[str, Any]) -> None:
    """Takes away what stands in `named` as the text "null"; an object left empty goes too."""
    for name, value in named.items():
        if value == NULL or value is None:
            values.pop(name, None)
            times.pop(name, None)
        elif isinstance(value, dict) and isinstance(values.get(name), dict):
            remove(values[name], times[name], value)
            if not values[name]:
                del values[name], times[name]


def deeper(value: Any, levels: int) -> bool:
    """Whether objects and arrays are nested in more than `levels`."""
    if not isinstance(value, (dict, list)):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(deeper(one, levels - 1) for one in inner)


def leaves(value: Any) -> int:
    """The number of attributes: whatever is no object, or an empty one."""
    return sum(map(leaves, value.values())) if isinstance(value, dict) and value else 1


def method_of(payload: bytes, body: alink.Body | None) -> Any:
    """The method of a message; raises `Wrong`."""
    if not payload or body == {}:
        raise Wrong(407)
    if body is None:
        raise Wrong(400)
    if "method" not in body:
        raise Wrong(401)
    return body["method"]


def state_of(body: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """(state, version) of an update or a delete; raises `Wrong`."""
    state, version = body.get("state"), body.get("version")
    if not isinstance(state, dict):
        raise Wrong(402)
    if type(version) is not int or version not in INT64:
        raise Wrong(403)
    return state, version


# ---- the service


class Shadows(Service):
    """The shadows of the devices of `instance`."""

    def __init__(self, instance: Instance):
        super().__init__(instance)
        instance.requests.add("/shadow/update/{pk}/{dn}", self.take, RAW)

    def now(self) -> int:
        """Unix seconds."""
        return int(self.instance.wall())

    def of(self, device: Device) -> Shadow:
        return Shadow(**(self.store.state(*device.key, KIND) or {}))

    def save(self, device: Device, shadow: Shadow) -> None:
        """Keeps a changed shadow; raises `Wrong` when it is too large."""
        body = asdict(shadow)
        for half in (shadow.reported, shadow.desired):
            if half and leaves(half) > self.limits.shadow_attributes:
                raise Wrong(408)
        if (
            len(alink.compact({"reported": shadow.reported, "desired": shadow.desired}))
            > self.limits.shadow_bytes
        ):
            raise Wrong(self.switches.shadow_too_large)
        self.store.save_state(*device.key, KIND, body)

    def check_size(self, payload: bytes, body: dict[str, Any] | None) -> None:
        """Raises `Wrong` for a message that is too long, or nested too deeply below a half of `state`."""
        state = (body or {}).get("state")
        halves = state.values() if isinstance(state, dict) else ()
        if len(payload) > self.limits.shadow_bytes or any(
            deeper(one, self.limits.shadow_depth) for one in halves
        ):
            raise Wrong(self.switches.shadow_too_large)

    def take(self, request: Request, device: Device, record: Record) -> None:
        """A device has published on /shadow/update; the answer goes out on /shadow/get."""
        limit, asked = self.limits.shadow_requests, self.switches.shadow_rate == "drop"
        if asked and self.instance.requests.too_many(device, KIND, limit):
            record.event("dropped", topic=request.topic, reason="shadow rate")
            return
        try:
            answer = self.answer(request.payload, device, record)
        except Wrong as wrong:
            record.event("refused request", topic=request.topic, code=wrong.code, reason=str(wrong))
            content = {"errorcode": str(wrong.code), "errormessage": str(wrong)}
            answer = {"payload": {"status": "error", "content": content}}
        self.publish(record, device, {"method": "reply", **answer, "timestamp": self.now()})

    def publish(self, record: Record, device: Device, body: dict[str, Any]) -> None:
        record.publish(f"/shadow/get/{device.product_key}/{device.device_name}", alink.compact(body))

    def answer(self, payload: bytes, device: Device, record: Record) -> dict[str, Any]:
        """`payload`, and of a get the `version`; raises `Wrong`."""
        body = alink.parse(payload)
        method = method_of(payload, body)
        self.check_size(payload, body)
        shadow = self.of(device)
        if method == "get":
            if not shadow.reported and not shadow.desired and self.switches.shadow_empty == 407:
                raise Wrong(407)
            return {"payload": shadow.show(), "version": shadow.version}
        if method not in ("update", "delete"):
            raise Wrong(406)
        state, version = state_of(body or {})
        (self.update if method == "update" else self.delete)(shadow, state)
        shadow.advance(version)
        self.save(device, shadow)
        if isinstance(state.get("desired"), dict):
            record.event("shadow desired ignored", reason="an application desires, a device reports")
        return {"payload": {"status": "success", "version": shadow.version}}

    def update(self, shadow: Shadow, state: dict[str, Any]) -> None:
        """What a device reports, or that it has dealt with what is desired."""
        reported, cleared = state.get("reported"), state.get("desired") == NULL
        if not isinstance(reported, dict) and not (cleared and "reported" not in state):
            raise Wrong(404)
        if reported == {}:
            raise Wrong(405)
        if cleared:
            shadow.clear("desired")
        shadow.merge("reported", reported or {}, self.now())

    def delete(self, shadow: Shadow, state: dict[str, Any]) -> None:
        """Attributes, or all, that the device does not report any more."""
        reported = state.get("reported")
        if reported == NULL:
            shadow.clear("reported")
        elif not isinstance(reported, dict):
            raise Wrong(404)
        elif not reported:
            raise Wrong(405)
        else:
            remove(shadow.reported, shadow.metadata["reported"], reported)

    # ---- an application

    def desire(self, device: Device, message: dict[str, Any], delta: bool) -> Shadow:
        """UpdateDeviceShadow: `desired` replaced, or with `delta` merged, and sent to the device. Raises `Wrong`."""
        if message.get("method", "update") != "update":
            raise Wrong(406)
        self.check_size(b"", message)
        state, version = state_of({"version": UNCHECKED, **message})
        desired, shadow = state.get("desired"), self.of(device)
        if desired != NULL and not (isinstance(desired, dict) and desired):
            raise Wrong(407)
        if desired == NULL or not delta:
            shadow.clear("desired")
        if isinstance(desired, dict):
            shadow.merge("desired", desired, self.now())
        shadow.advance(shadow.version + 1 if version == UNCHECKED else version)
        self.save(device, shadow)
        self.control(device, shadow)
        return shadow

    def control(self, device: Device, shadow: Shadow) -> None:
        """What is desired now, to the device."""
        body = {
            "method": "control",
            "payload": shadow.show(),
            "version": shadow.version,
            "timestamp": self.now(),
        }
        topic = f"/shadow/get/{device.product_key}/{device.device_name}"
        self.instance.send_down(*device.key, topic, alink.compact(body), self.switches.shadow_qos)

    def shown(self, device: Device) -> dict[str, Any]:
        """GetDeviceShadow: what a get of the device would be answered with."""
        shadow = self.of(device)
        body = {"method": "reply", "payload": shadow.show(), "version": shadow.version}
        return {**body, "timestamp": self.now()}
