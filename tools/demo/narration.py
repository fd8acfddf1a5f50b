"""A board's state lines and the cloud's log, told in words: one line for each protocol step."""

import datetime
from typing import Any

STYLES = {
    "refused": "bold red",
    "error": "bold red",
    "offline": "yellow",
    "outage": "yellow",
    "stored": "bold green",
    "kept": "bold green",
    "connected": "bold green",
    "posted": "green",
    "history": "bold green",
    "TLS": "cyan",
    "iTLS": "cyan",
    "power": "bold yellow",
}

# states that a step begins with: what the cloud logs of the step comes after them
BEFORE = ("registering", "asking", "connecting")


def of_state(state: dict[str, Any]) -> tuple[str, str] | None:
    """(word, text) for a state line of the firmware, or None where there is nothing to tell."""
    describe = _STATES.get(state["aliot"])
    return (
        describe(state)
        if describe
        else (
            state["aliot"],
            ", ".join(f"{name} {value}" for name, value in state.items() if name != "aliot"),
        )
    )


def of_event(event: dict[str, Any]) -> tuple[str, str] | None:
    """(word, text) for an event in the cloud's log, or None where there is nothing to tell."""
    if event["event"] == "handshake" and event.get("where") == "itls":
        return "iTLS", (
            "board and cloud have proved to each other that they hold the key of one ID "
            f"({event['version']}, {event['cipher']})"
        )
    if event["event"] == "handshake":
        return "TLS", (
            f"chain, dates and the name {event['server_name']} verified by the board "
            f"({event['version']}, {event['cipher']})"
        )
    if event["event"] == "registered" and event.get("code") == 200:
        return "issued", f"the cloud answered the registration of {event['dn']}"
    if event["event"] == "provisioned":
        return "issued", f"the cloud has given this board the ID {event['id2']} and its key"
    return None


def _boot(state):
    media = f"NVS {state.get('nvs')}, littlefs {state.get('littlefs')}"
    if state.get("way") == "x509":
        known = (
            f"{state['product_key']} / {state['device_name']}, as it was told"
            if state.get("device_name")
            else ("a certificate, and does not know who it is")
        )
        return "boot", f"{known}; records: {media}"
    own = "an ID², or the token for one" if state.get("way") == "id2" else "has its own secret"
    registered = {True: "registered before", False: "not registered yet"}.get(state.get("issued"), own)
    return "boot", f"{state.get('product_key')} / {state.get('device_name')}: {registered}; records: {media}"


def _clock(state):
    at = datetime.datetime.fromtimestamp(state["time"], datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    by = (
        f"set by {state['server']}"
        if state.get("server")
        else "no SNTP server answered; set to the build date"
    )
    return "clock", f"2000-01-01 at power-on, now {at}, {by}"


def _registering(state):
    how = {
        "https": "POST /auth/register/device, signed with the ProductSecret",
        "mqtt": "CONNECT with authType=register, signed with the ProductSecret",
        "regnwl": "CONNECT with authType=regnwl, signed with the ProductSecret",
    }
    return "register", how[state["method"]]


def _stored(state):
    return (
        "stored",
        f"what was issued, read back and compared: NVS {state['nvs']}, littlefs {state['littlefs']}",
    )


def _asking(state):
    signed = "signed with the DeviceSecret" if state["path"] == "/auth/devicename" else "not signed"
    return "ask", f"{state['host']} where to connect: POST {state['path']}, {signed}"


def _guided(state):
    when = (
        "unknown when"
        if state["age"] is None
        else "just now"
        if not state["age"]
        else f"{state['age']} s ago"
    )
    return "sent", f"to {state['host']}:{state['port']}, as told {when}"


def _refused(state):
    return "refused", f"{state['code']}: {state['detail']}; asks again in {state['wait']} s"


def _certificate(state):
    return "dates", f"certificate {state['serial']}, good until {state['expires']}: {state['days']} days left"


_STATES = {
    "certificate": _certificate,
    "boot": _boot,
    "clock": _clock,
    "registering": _registering,
    "stored": _stored,
    "refused": _refused,
    "asking": _asking,
    "guided": _guided,
    "kept": lambda state: ("kept", f"where to go, and the token: NVS {state['nvs']}"),
    "wifi": lambda state: ("wifi", f"joined {state['network']}") if state["up"] else None,
    "connecting": lambda state: ("connect", f"to {state['host']}:{state['port']}"),
    "connected": lambda state: ("connected", "CONNACK 0, subscriptions granted"),
    "subdevices": lambda state: ("gateway", f"{state['online']} of {state['stored']} sub-devices online"),
}
