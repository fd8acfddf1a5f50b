"""`doctor --port`: the board itself connects, registration and login included.

mpremote runs board_script.py on the board; the state lines that the board prints become findings here.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tools.diagnosis.checks import Finding
from tools.errors import UserError
from tools.flash import backup

SCRIPT = Path(__file__).with_name("board_script.py")
PATIENCE = 120  # seconds for the whole walk

KINDS = {"device": "own secret", "x509": "certificate and key", "id2": "ID2"}
# the beginning of a fault's code -> the check that it fails; any other fails the login
CHECKS = {
    "dns": "DNS",
    "connect": "TCP",
    "certificate": "TLS",
    "tls": "TLS",
    "x509.refused": "TLS",
    "x509.expired": "certificate",
    "x509.future": "certificate",
    "itls": "iTLS",
    "id2": "iTLS",
    "key": "identity",
}
IDENTITY = (
    "credential",
    "endpoint",
    "x509.missing",
    "x509.malformed",
    "x509.mismatch",
)  # before there is a network
NO_ROOT = "put a DER certificate there, or remove the file"
NO_CLOCK = "let the board reach an SNTP server (UDP port 123)"


def examine(port: str, timeout: float) -> list[Finding]:
    """The findings of the board on `port`. It is reset afterwards, so that its application goes on."""
    command = [sys.executable, "-m", "mpremote", "connect", port, "run", str(SCRIPT), "reset"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise UserError(
            f"the board on {port} did not come to an end within {PATIENCE} s; reset it and try again"
        ) from None
    states = [state for state in map(_parsed, done.stdout.splitlines()) if state]
    if not states:
        printed = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it said nothing"]
        raise UserError(
            f"the board on {port} does not answer with aliot's firmware ({printed[0]}): flash it first, "
            "or close the program that has the port"
        )
    return [_with_backup(finding, states, port) for finding in findings(states)]


def _with_backup(finding, states, port):
    """The finding with the backup named that holds what the board has lost, where one lies here."""
    mac = next((state["mac"] for state in states if state["aliot"] == "boot" and "mac" in state), None)
    advice = backup.advice(finding.found.partition(":")[0], mac, port)
    return replace(finding, advice=advice) if advice and finding.ok is False else finding


def _parsed(line):
    """The state line that `line` is, as a dict, or None."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("aliot"), str) else None


def findings(states: Iterable[dict[str, Any]]) -> list[Finding]:
    """The findings of a board's state lines, in the order in which the checks were reached."""
    walk = Walk()
    for state in states:
        heard = getattr(walk, "on_" + state["aliot"], None)
        if heard:
            heard(state)
    return walk.end()


class Walk:
    """The findings so far; `on_...` takes a state of that name."""

    def __init__(self) -> None:
        self.found: dict[str, Finding] = {}  # check -> Finding, in the order in which they were reached
        self.boot: dict[str, Any] = {}
        self.stage: str | None = None  # "registration" or "asks" while that is under way
        self.method = self.place = self.who = ""
        self.asked = "kept"
        self.fault: dict[str, Any] | None = (
            None  # the last one; a connection that comes after it makes it none
        )
        self.over = False

    def report(self, check: str, ok: bool, found: str, advice: str = "") -> None:
        self.found[check] = Finding(check, ok, printable(found), advice)

    def on_boot(self, state: dict[str, Any]) -> None:
        self.boot = state
        if "product_key" not in state:
            return  # there is no identity, as the line after it says
        self.who = name(state)
        kind = KINDS.get(state["way"]) or ("registered" if state.get("issued") else "not registered yet")
        media = ", ".join(f"{medium} {state[medium]}" for medium in ("littlefs", "nvs") if medium in state)
        self.report("identity", True, f"{self.who or 'not told yet who it is'}, {kind}; media: {media}")
        refused = state.get("roots_refused", ())
        self.report(
            "roots",
            not refused,
            f"extra: {', '.join(state['roots']) or 'none'}"
            + (f"; refused: {', '.join(refused)}" if refused else ""),
            NO_ROOT if refused else "",
        )

    def on_wifi(self, state: dict[str, Any]) -> None:
        if state["up"]:
            self.report(
                "network", True, f"joined {state['network']}" if state["network"] else "taken as given"
            )
        elif "code" in state:
            self.report("network", False, f"{state['code']}: {state['detail']}", state["advice"])
            self.over = True

    def on_clock(self, state: dict[str, Any]) -> None:
        if state["server"]:
            self.report("clock", True, f"{state['time']} by {state['server']}")
        else:
            self.report("clock", False, "no SNTP server answered; counting from the build date", NO_CLOCK)

    def on_registering(self, state: dict[str, Any]) -> None:
        self.stage, self.method = "registration", state["method"]

    def on_stored(self, state: dict[str, Any]) -> None:
        if self.stage == "registration":
            media = ", ".join(
                f"{medium} {state[medium]}" for medium in ("littlefs", "nvs") if medium in state
            )
            self.report("registration", True, f"registered by {self.method}; media: {media}")
            self.stage = None

    def on_asking(self, state: dict[str, Any]) -> None:
        self.stage, self.asked = "asks", f"{state['path']} of {state['host']}"

    def on_guided(self, state: dict[str, Any]) -> None:
        self.report("asks", True, f"{self.asked}: {state['host']}:{state['port']}")
        self.stage = None

    def on_connecting(self, state: dict[str, Any]) -> None:
        self.place = f"{state['host']}:{state['port']}"

    def on_certificate(self, state: dict[str, Any]) -> None:
        self.report(
            "certificate",
            True,
            f"serial {state['serial']} ({state['slot']}), valid to {state['expires']}, "
            f"{state['days']} days left",
        )

    def on_connected(self, state: dict[str, Any]) -> None:
        self.linked()
        self.report("login", True, f"CONNACK 0: {self.who or 'who it was told that it is'} is online")
        self.fault, self.over = None, True

    def on_offline(self, state: dict[str, Any]) -> None:
        if state["code"] == "settings":
            self.report("settings", False, state["detail"], state["advice"])
        else:
            self.fault = state

    on_refused = on_error = on_offline

    def linked(self) -> None:
        if self.boot.get("way") == "id2":
            self.report("iTLS", True, f"both sides authenticated at {self.place}: one of ten times a day")
        else:
            self.report("TLS", True, f"chain, name and dates of {self.place} verified")

    def end(self) -> list[Finding]:
        if self.fault:
            code = self.fault["code"]
            check = self.stage or self.check_of(code)
            if check == "login" and code.startswith(("mqtt", "x509")):
                self.linked()  # it is an answer to CONNECT
            self.report(check, False, f"{code}: {self.fault.get('detail', '')}", self.fault.get("advice", ""))
        elif not self.over:
            self.report(
                self.stage or "login", False, "no end in good time", "'monitor' shows the board's own lines"
            )
        return list(self.found.values())

    def check_of(self, code: str) -> str:
        if code in IDENTITY and "network" not in self.found:
            return "identity"
        return next((check for begin, check in CHECKS.items() if code.startswith(begin)), "login")


def name(state: dict[str, Any]) -> str:
    return f"{state['product_key']} / {state['device_name']}" if state.get("product_key") else ""


def printable(text: str) -> str:
    """`text`, in which a platform's own words may be, without what a terminal would obey."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
