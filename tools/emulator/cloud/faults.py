"""Faults that can be armed: which there are, how a request for one is checked, and which one strikes.

A fault strikes at a *stage* (`when`) of a listener (`where`). The kinds that
shape bytes (delay, trickle, cut) count from the first byte of the answer at
that stage and stay on that connection. faults.md lists all.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from tools.emulator.cloud.itls.faults import SPOILS, framings

GATEWAY_STAGES = (
    "sub_register",
    "sub_unregister",
    "proxy_register",
    "topo_add",
    "topo_delete",
    "topo_get",
    "list_found",
    "pack_post",
    "sub_login",
    "sub_batch_login",
    "sub_logout",
    "sub_batch_logout",
)
CENTRE_STAGES = ("auth", "bootstrap")
DOWNLOAD = "download"
EXCHANGES = ("connect", "register", "push", "subscribe", "publish", "ping", "reply", "deliver")
MQTT_STAGES = ("accept", *EXCHANGES, *GATEWAY_STAGES)
ITLS_STAGES = tuple(SPOILS)  # provision, challenge, server_hello, finished, record
STAGES = {
    "mqtt_tls": ("handshake", *MQTT_STAGES),
    "mqtt_tcp": MQTT_STAGES,
    "itls": ("handshake", *ITLS_STAGES, *MQTT_STAGES),
    "x509": ("handshake", *(stage for stage in MQTT_STAGES if stage != "register")),
    "https": ("accept", "handshake", "register", *CENTRE_STAGES, DOWNLOAD),
    "ntp": ("request",),
}
CERTIFICATES = ("wrong_host", "expired", "not_yet_valid", "untrusted")
ENDS = ("close", "reset", "open")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kind: `low`..`high` for whole numbers, else one of `choices`, else `type`."""

    type: type = int
    default: object = None
    low: int = 0
    high: int = 2**31
    choices: tuple[str, ...] = ()


PROCESSED = {"processed": Parameter(bool, True)}
ANSWERS = (*EXCHANGES, "request", *GATEWAY_STAGES, *CENTRE_STAGES, DOWNLOAD, *ITLS_STAGES)
MESSAGES = ("reply", "deliver")
# what a refusal says unless its fault does: a CONNACK, the platform, iTLS
CODE, PLATFORM_CODE, ALERT = 3, 500, 40
# kind -> (stages, parameters)
KINDS = {
    "refuse": (
        ("connect", "register", "subscribe", *GATEWAY_STAGES, *CENTRE_STAGES),
        {
            "code": Parameter(int, CODE),
            "message": Parameter(str),
            "status": Parameter(int, low=100, high=599),
        },
    ),
    "delay": (("accept", "handshake", *ANSWERS), {"ms": Parameter(int, 1000)}),
    "trickle": (("handshake", *ANSWERS), {"ms": Parameter(int, 100), "bytes": Parameter(int, 1, low=1)}),
    "cut": (
        ("handshake", *ANSWERS),
        {"bytes": Parameter(int, 0), "end": Parameter(str, "close", choices=ENDS)},
    ),
    "close": (("accept", "handshake", *ANSWERS), PROCESSED),
    "reset": (("accept", "handshake", *ANSWERS), PROCESSED),
    "half_open": (("accept", "handshake", *ANSWERS), PROCESSED),
    "silent": (ANSWERS, PROCESSED),
    "wrong_json": (("register", "push", *CENTRE_STAGES), {"body": Parameter(str)}),
    "wrong_device": (("register", "push"), {"device_name": Parameter(str, "somebody_else")}),
    "foreign_host": (CENTRE_STAGES, {"host": Parameter(str, "mqtt.example.com")}),
    "oversize": (("register", "push", *CENTRE_STAGES), {"bytes": Parameter(int, 65_536)}),
    "status": (
        ("register", *CENTRE_STAGES, DOWNLOAD),
        {"status": Parameter(int, 503, low=100, high=599), "body": Parameter(str)},
    ),
    "chunked": (("register", *CENTRE_STAGES, DOWNLOAD), {}),
    "expired": ((DOWNLOAD,), {}),
    "redirect": ((DOWNLOAD,), {"url": Parameter(str, "https://files.example.com/")}),
    "wrong_length": ((DOWNLOAD,), {"by": Parameter(int, 1, low=-(2**31))}),
    "whole": ((DOWNLOAD,), {}),
    "damage": ((DOWNLOAD, "reply"), {"at": Parameter(int, 0)}),
    "wrong_crc": (("reply",), {}),
    "wrong_offset": (("reply",), {"offset": Parameter(int, 0)}),
    "without": (MESSAGES, {"field": Parameter(str, "sign")}),
    "certificate": (("handshake",), {"certificate": Parameter(str, "expired", choices=CERTIFICATES)}),
    "wrong_year": (("request",), {"year": Parameter(int, 2000, low=1900, high=2100)}),
    "kiss": (("request",), {}),
    "late": (MESSAGES, {"ms": Parameter(int, 1000)}),
    "twice": (MESSAGES, {"count": Parameter(int, 2, low=2, high=100)}),
    "number_id": (MESSAGES, {}),
    "wrong_id": (MESSAGES, {"id": Parameter(str)}),
    "code": (("reply",), {"code": Parameter(int, PLATFORM_CODE), "message": Parameter(str)}),
    "set": (("reply",), {"params": Parameter(dict)}),
    "alert": (
        ITLS_STAGES,
        {
            "code": Parameter(int, ALERT, high=255),
            "level": Parameter(int, 2, low=1, high=2),
            "then": Parameter(str, "close", choices=("close", "answer", "nothing")),
        },
    ),
    "spoil": (ITLS_STAGES, {"what": Parameter(str)}),
    "framing": (ITLS_STAGES, {"what": Parameter(str)}),
    "together": (("record",), {"ms": Parameter(int, 50)}),
}
ONLY = {
    "certificate": ("mqtt_tls", "x509", "https"),
    "status": ("https",),
    "chunked": ("https",),
    "wrong_year": ("ntp",),
    "kiss": ("ntp",),
}
NTP_KINDS = ("silent", "delay", "cut", "wrong_year", "kiss")
ENDING = ("close", "reset", "half_open", "silent")


@dataclass(eq=False)
class Fault:
    """An armed fault; `left` is how often it still strikes, None for ever; `skip` how many it lets pass.

    `number` is its name among those that were armed since the start.
    """

    where: str
    when: str
    kind: str
    left: int | None = 1
    skip: int = 0
    pk: str | None = None
    dn: str | None = None
    topic: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    number: int = 0

    def __getitem__(self, name):
        return self.parameters[name]

    @property
    def unprocessed(self) -> bool:
        """Whether it strikes before the request takes effect."""
        return self.kind in ENDING and not self.parameters["processed"]

    def show(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "where": self.where,
            "when": self.when,
            "kind": self.kind,
            "times": self.left,
            "after": self.skip,
            "pk": self.pk,
            "dn": self.dn,
            "topic": self.topic,
            **self.parameters,
        }


def kinds(where: str, when: str) -> list[str]:
    """The kinds that can strike at a stage of a listener."""
    return [
        kind
        for kind, (stages, _) in KINDS.items()
        if when in stages and where in ONLY.get(kind, (where,)) and (where != "ntp" or kind in NTP_KINDS)
    ]


def parameters(when: str, kind: str) -> dict[str, Parameter]:
    """The parameters of a kind, as they are at a stage."""
    found = dict(KINDS[kind][1])
    if kind == "refuse" and when in (*GATEWAY_STAGES, *CENTRE_STAGES):
        found["code"] = Parameter(int, PLATFORM_CODE)
    if kind in ("spoil", "framing"):
        found["what"] = Parameter(str, choices=tuple(SPOILS[when]) if kind == "spoil" else framings(when))
    return found


def read(values: dict[str, Any]) -> Fault:
    """The `Fault` that a JSON object asks for; raises ValueError saying what is wrong."""
    if not isinstance(values, dict):
        raise ValueError("a fault is a JSON object")
    values = dict(values)
    where = choose(values, "where", STAGES)
    when = choose(values, "when", STAGES[where])
    kind = choose(values, "kind", kinds(where, when))
    known = parameters(when, kind)
    fault = Fault(
        where,
        when,
        kind,
        whole(values, "times", Parameter(default=1, low=1), optional=True),
        whole(values, "after", Parameter(default=0)) or 0,
        typed(values, "pk", Parameter(str)),
        typed(values, "dn", Parameter(str)),
        typed(values, "topic", Parameter(str)) if when in MESSAGES else None,
    )
    for name, parameter in known.items():
        fault.parameters[name] = (whole if parameter.type is int else typed)(values, name, parameter)
    if values:
        raise ValueError(
            f"{', '.join(sorted(values))}: not known for kind {kind}; it takes "
            f"{', '.join((*known, 'times', 'after', 'pk', 'dn'))}"
        )
    return fault


def choose(values: dict[str, Any], name: str, allowed: Collection[str]) -> str:
    value = values.pop(name, None)
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name}: {value!r} is not one of {', '.join(allowed)}")
    return value


def whole(values: dict[str, Any], name: str, parameter: Parameter, optional: bool = False) -> int | None:
    """A whole number; `null` means None where `optional`, or where the default is None."""
    value = values.pop(name, parameter.default)
    if value is None and (optional or parameter.default is None):
        return None
    if type(value) is not int or not parameter.low <= value <= parameter.high:
        raise ValueError(f"{name}: {value!r} is not a whole number from {parameter.low} to {parameter.high}")
    return value


def typed(values: dict[str, Any], name: str, parameter: Parameter) -> Any:
    value = values.pop(name, parameter.default)
    if value is not None and type(value) is not parameter.type:
        raise ValueError(f"{name}: {value!r} is not a {parameter.type.__name__}")
    if parameter.choices and value not in parameter.choices:
        raise ValueError(f"{name}: {value!r} is not one of {', '.join(parameter.choices)}")
    return value


class Faults:
    """The armed faults, first armed first struck."""

    def __init__(self, journal):
        self.journal = journal
        self.armed = []
        self.count = 0  # that were ever armed

    def arm(self, found: list[Fault]) -> None:
        """Arms faults, behind those that are armed already."""
        for fault in found:
            self.count += 1
            fault.number = self.count
        self.armed += found

    def take(
        self, where: str, when: str, pk: str | None = None, dn: str | None = None, topic: str | None = None
    ) -> Fault | None:
        """The fault that strikes now, or None; one that names a device, or a topic's end, strikes no other."""
        for fault in self.armed:
            if (fault.where, fault.when) != (where, when):
                continue
            if fault.pk not in (None, pk) or fault.dn not in (None, dn):
                continue
            if fault.topic is not None and not (topic or "").endswith(fault.topic):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            if fault.left is not None:
                fault.left -= 1
                if not fault.left:
                    self.armed.remove(fault)
            self.journal.event(
                "fault", where=where, when=when, kind=fault.kind, number=fault.number, pk=pk, dn=dn
            )
            return fault
        return None
