"""Sub-devices come online and go offline: login and logout, single and batch (gateway.md 8)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, cast

from tools.emulator.cloud.codes import LOGINS, Refused
from tools.emulator.cloud.gateway.request import METHOD_KEY, method_of, read_item, read_items
from tools.emulator.cloud.identifier import parse_client_identifier
from tools.emulator.cloud.setting import first_refusal

MINUTE = 60


class Rates:
    """The platform's rates of logins (gateway.md 8.4, 12); `now()` gives seconds, `limits` are the configuration's."""

    def __init__(self, limits, now):
        self.limits, self.now = limits, now
        self.of_subdevices, self.of_gateways = {}, {}

    def login(self, key):
        """Count a login of one sub-device. Returns True, and counts nothing, when the minute's limit is reached."""
        now, times = self.now(), self.of_subdevices.setdefault(key, deque())
        while times and times[0] <= now - MINUTE:
            times.popleft()
        if len(times) >= self.limits.logins_per_minute:
            return True
        times.append(now)
        return False

    def logins(self, gateway, count):
        """Count `count` logins of a gateway. Returns True, and counts nothing, when they exceed the limit."""
        second, taken = int(self.now()), 0
        if self.of_gateways.get(gateway, (None,))[0] == second:
            taken = self.of_gateways[gateway][1]
        if taken + count > self.limits.logins_per_second:
            return True
        self.of_gateways[gateway] = (second, taken + count)
        return False


if TYPE_CHECKING:
    from tools.emulator.cloud.gateway.operation import Asking
    from tools.emulator.cloud.gateway.request import Item
    from tools.emulator.cloud.registry import Device
    from tools.emulator.cloud.sessions import Session


def check_rate(asking: Asking, item: Item, device: Device | None, new: Collection[Any]) -> int | None:
    return 429 if item.key in asking.too_often else None


def check_device(asking: Asking, item: Item, device: Device | None, new: Collection[Any]) -> int | None:
    return 6100 if device is None and item.key not in asking.registry.deleted else None


def check_deleted(asking: Asking, item: Item, device: Device | None, new: Collection[Any]) -> int | None:
    return 521 if device is None and item.key in asking.registry.deleted else None


def check_disabled(asking: Asking, item: Item, device: Device | None, new: Collection[Any]) -> int | None:
    return asking.switches.login_disabled if device and device.disabled else None


def check_attached(asking: Asking, item: Item, device: Device | None, new: Collection[Any]) -> int | None:
    return 6401 if device is None or device.gateway != asking.key else None


def check_sign(asking: Asking, item: Item, device: Device | None, new: Collection[Any]) -> int | None:
    if device is None:
        return None
    method = method_of(item, asking.switches.subdevice_method)
    if item.proves(device.secret, method):
        return None
    if item.clean is not None and item.proves(device.secret, method, cleanSession=str(item.clean).lower()):
        asking.note("the sign covers cleanSession, as in 2018; it must not", item)
    return 6287


def check_count(asking: Asking, item: Item, device: Device | None, new: Collection[Any]) -> int | None:
    """`new` are the sub-devices of this request that are not online yet."""
    online = asking.session.carried
    if (*item.key, "") in online:
        return None
    return 428 if len(online) + len(new) >= asking.limits.subdevices else None


CHECKS = {
    "rate": check_rate,
    "device": check_device,
    "deleted": check_deleted,
    "disabled": check_disabled,
    "attached": check_attached,
    "sign": check_sign,
    "count": check_count,
}


def check(asking: Asking, item: Item, new: Collection[Any], refuse: Callable[[Item, int], Exception]) -> None:
    """Lets `item` pass or raises `refuse(item, code)`."""
    if code := first_refusal(asking.switches.login_order, CHECKS, asking, item, asking.find(item), new):
        raise refuse(item, code)


def login_fields(asking: Asking) -> tuple[str, ...]:
    return ("sign", METHOD_KEY, *(("clientid",) if asking.switches.login_client_id == "required" else ()))


def login(asking: Asking, params: Any) -> dict[str, str]:
    """combine/login, gateway.md 8.1."""
    if not isinstance(params, dict):
        raise Refused(460)
    item = read_item(params, login_fields(asking))
    asking.within_rate(1)
    log_in(asking, [item], lambda item, code: Refused(code, item.pair, text_of(code)))
    return item.pair


def batch_login(asking: Asking, params: Any) -> list[dict[str, str]]:
    """combine/batch_login, all or nothing; both places of signMethod are taken (gateway.md 8.2)."""
    if not isinstance(params, dict):
        raise Refused(460)
    method = next((value for key, value in params.items() if key.lower() == METHOD_KEY), None)
    items = read_items(params.get("deviceList"), asking.limits.login_items, login_fields(asking), method)
    asking.within_rate(len(items))
    log_in(asking, items, lambda item, code: Refused(code, [item.pair], text_of(code)))
    return [item.pair for item in items]


def text_of(code: int) -> str | None:
    return LOGINS if code == 429 else None


def log_in(asking: Asking, items: list[Item], refuse: Callable[[Item, int], Exception]) -> None:
    """Opens a session for each of `items`, or for none of them."""
    rates = asking.platform.rates
    asking.too_often = {item.key for item in items if asking.find(item) and rates.login(item.key)}
    new: list[Item] = []
    for item in items:
        check(asking, item, new, refuse)
        if (*item.key, "") not in asking.session.carried:
            new.append(item)
    entries = [(cast("Device", asking.find(item)), clean(asking, item), extra(item)) for item in items]
    asking.platform.go_online(asking, entries)


def clean(asking: Asking, item: Item) -> bool:
    return asking.switches.clean_session_missing if item.clean is None else item.clean


def extra(item: Item) -> dict[str, str]:
    """The extension in a login's clientId, {} if there is none."""
    try:
        return parse_client_identifier(item.get("clientid") or "").extra
    except ValueError:
        return {}


def logout(asking: Asking, params: Any) -> dict[str, str]:
    """combine/logout, gateway.md 8.3."""
    item = read_item(params)
    log_out(asking, [item], lambda item: Refused(520, item.pair))
    return item.pair


def batch_logout(asking: Asking, params: Any) -> list[dict[str, str]]:
    """combine/batch_logout, all or nothing."""
    items = read_items(params, asking.limits.login_items)
    log_out(asking, items, lambda item: Refused(520, [item.pair]))
    return [item.pair for item in items]


def log_out(asking: Asking, items: list[Item], refuse: Callable[[Item], Exception]) -> None:
    sessions = [asking.session.carried.get((*item.key, "")) for item in items]
    for item, session in zip(items, sessions):
        if session is None:
            raise refuse(item)
    for session in sessions:
        asking.platform.end(cast("Session", session), "logged out")
