"""The verb `doctor` checks the route to the platform, step by step: each is green or red, with one line of advice.

With a certificate nothing is registered: a wrong signature is sent on purpose, and its refusal shows whether the
product's registration switch is on (direct.md 9 checks product and switch first). With `--port` the board itself
connects, registration included.
"""

import argparse
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from aliot.advice import advice
from aliot.bootstrap import AskingEndpoint
from aliot.credentials import Credential
from aliot.endpoint import PUBLIC, Endpoint
from aliot.settings import Settings
from rich.console import Console

from tools.diagnosis import mutual_tls, probes, questions, signing
from tools.diagnosis.checks import Finding, along, availability, clock, dns, look, tcp, tls, walk_id2
from tools.errors import UserError
from tools.flash import port
from tools.image import identity
from tools.image.identity import Identity

OTHERS: dict[str, Callable[..., list[Finding]]] = {
    "x509": mutual_tls.walk,
    "id2": walk_id2,
}  # kinds that sign nothing with a secret


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "cert",
        metavar="CERT.json",
        nargs="?",
        help="an identity; without one: the public endpoint of --region",
    )
    parser.add_argument("--region", default="cn-shanghai", help="without a certificate (default %(default)s)")
    parser.add_argument("--cloud", metavar="DIR", help="look at the emulated cloud that runs in DIR")
    parser.add_argument("--mac", help="the board's MAC, where it takes the place of a DeviceName")
    parser.add_argument(
        "--root", metavar="FILE", action="append", default=[], help="another root that the board trusts"
    )
    parser.add_argument(
        "--no-login",
        action="store_true",
        help="do not connect as the device (that activates it, and throws a running board off)",
    )
    parser.add_argument(
        "--port", metavar="PORT", help="ask a plugged-in board to go the way itself, up to its own login"
    )
    parser.add_argument(
        "--timeout", type=float, default=5.0, metavar="S", help="for each step (default %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list of findings")


def run(args: argparse.Namespace) -> int:
    if args.port:
        if args.no_login:
            raise UserError("a board on a port logs in by itself: --no-login is for a certificate")
        from tools.diagnosis import board

        findings = board.examine(port.choose(args.port), args.timeout)
    else:
        findings = examine(args)
    if args.json:
        print(json.dumps([as_json(finding) for finding in findings]))
    else:
        show(findings, Console(highlight=False, soft_wrap=True))
    return 1 if any(finding.ok is False for finding in findings) else 0


def as_json(finding: Finding) -> dict[str, object]:
    """A finding as `--json` has it; a check is called a stretch there."""
    return {"stretch": finding.check, "ok": finding.ok, "found": finding.found, "advice": finding.advice}


def show(findings: Iterable[Finding], console: Console) -> None:
    colours = {True: ("green", "ok "), False: ("bold red", "BAD"), None: ("yellow", "-- ")}
    for finding in findings:
        colour, mark = colours[finding.ok]
        console.print(f"{mark} ", style=colour, end="")
        console.print(f"{finding.check:<14}{finding.found}", markup=False)
        if finding.advice:
            console.print(f"                  {finding.advice}", markup=False)


def examine(args: argparse.Namespace) -> list[Finding]:
    """The findings along the route, in order; a check that needs one before it that is red is left out."""
    who = identity.load(args.cert, usable=False) if args.cert else None
    if args.mac and not re.fullmatch(r"(?:[0-9A-Fa-f]{2}:?){5}[0-9A-Fa-f]{2}", args.mac):
        raise UserError(f"--mac {args.mac} is not six bytes in hex, like 24:0a:c4:00:00:01")
    network = probes.Network(args.cloud, args.timeout)
    extra = args.root + ([Path(args.cloud) / "ca.pem"] if args.cloud else [])
    if who and who.kind in OTHERS:
        return [
            availability(who),
            look("clock", lambda: clock(network)),
            *OTHERS[who.kind](network, who, extra, args),
        ]
    device, where = signing.credential(who, args.mac) if who else (None, public(args.region))
    trusted = probes.roots(where.roots, extra)
    findings = [availability(who)] if who else []
    findings.append(look("clock", lambda: clock(network)))
    if who and device is not None and device.method:
        findings += registration(network, who, device, where, probes.roots(PUBLIC, extra), args.timeout)
    if isinstance(where, AskingEndpoint):
        assert who and device is not None
        more, known = asked(network, who, device, where, extra, args)
        findings += more
        if not known:
            return findings
        trusted = probes.roots(where.roots, extra)
    host, port = where.host, where.port
    findings += along(
        ("DNS", lambda: dns(network, host, port)),
        ("TCP", lambda: tcp(network, host, port)),
        ("TLS", lambda: tls(network, host, port, trusted)),
    )
    if findings[-1].ok and who and device is not None:
        findings.append(login(network, who, device, where, trusted, args))
    return findings


def public(region: str) -> Endpoint:
    """The endpoint of the public instance in a region."""
    settings = Settings({"endpoint": {"region": region}}, {})
    if settings.wrong:
        raise UserError(f"--region {region} is not a region id such as cn-shanghai")
    return settings.endpoint(Credential("a1", ""))


def registration(
    network: probes.Network,
    who: Identity,
    device: Credential,
    where: Endpoint | AskingEndpoint,
    trusted: Mapping[str, str],
    timeout: float,
) -> list[Finding]:
    """Findings about HTTPS registration; MQTT registration shows nothing before it is done."""
    if device.method != "https":
        return [Finding("registration", None, "over MQTT: nothing shows without registering")]
    host = where.register_host
    findings = [look("TLS register", lambda: tls(network, host, 443, trusted))]
    if findings[0].ok:
        findings.append(look("registration", lambda: switch(network, device, host, trusted, timeout)))
    return findings


def switch(
    network: probes.Network, device: Credential, host: str, trusted: Mapping[str, str], timeout: float
) -> str:
    """What a registration with a wrong signature on purpose is refused with."""
    stream, _, _ = probes.secure(network, host, 443, trusted)
    fields = {
        "productKey": device.product_key,
        "deviceName": device.device_name,
        "random": "doctor",
        "sign": "0" * 64,
        "signMethod": "hmacsha256",
    }
    with stream:
        code, message = probes.registration_code(stream, host, fields, timeout)
    if code == 6600:
        return "the product is known and its switch is on (a wrong signature, sent on purpose, was refused as such)"
    raise probes.Refusal(f"code {code}: {message}", advice(f"register.{code}"))


def asked(
    network: probes.Network,
    who: Identity,
    device: Credential,
    where: AskingEndpoint,
    extra: Sequence[Path | str],
    args: argparse.Namespace,
) -> tuple[list[Finding], bool]:
    """(findings about the questions that the board asks before it connects, whether the endpoint is known then)."""
    trusted = probes.roots(PUBLIC, extra)
    findings, known = [], False
    complete = not (device.method or args.no_login)
    for path, host, answer in questions.questions(
        network, who, device, where, trusted, args.timeout, authenticate=complete
    ):
        check = path.rpartition("/")[2]
        if answer is None:
            why = (
                "left out, as asked"
                if args.no_login
                else "there is no DeviceSecret before the board has registered"
            )
            findings.append(Finding(check, None, f"{host}: {why}"))
            known = where.address is not None
        elif isinstance(answer, probes.Refusal):
            findings.append(Finding(check, False, f"{host}: {answer}", answer.advice))
            known = False
        else:
            findings.append(Finding(check, True, f"{host} sends the board to {answer[0]}:{answer[1]}"))
            known = True
    return findings, known


def login(
    network: probes.Network,
    who: Identity,
    device: Credential,
    where: Endpoint | AskingEndpoint,
    trusted: Mapping[str, str],
    args: argparse.Namespace,
) -> Finding:
    if device.method:
        return Finding("login", None, "this certificate has no DeviceSecret before its board has registered")
    if args.no_login:
        return Finding("login", None, "left out, as asked")
    return look("login", lambda: _login(network, who, device, where, trusted, args.timeout))


def _login(network, who, device, where, trusted, timeout):
    token = where.token if isinstance(where, AskingEndpoint) else None
    made = signing.login(token or device, where, None, who.sign_method or "hmacsha256")
    stream, _, _ = probes.secure(network, where.host, where.port, trusted)
    with stream:
        code = probes.connack(stream, (made.client_id, made.username, made.password), timeout)
        probes.disconnect(stream)
    if code:
        raise probes.Refusal(f"CONNACK {code}", advice(f"mqtt.{code}"))
    return f"CONNACK 0: {device.device_name} connects (it is activated now)"
