"""Checks for an X.509 certificate: mutual TLS, and a CONNECT that names nobody; x509.md 4."""

import argparse
import json
import secrets
import ssl
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from aliot.advice import advice
from aliot.endpoint import Endpoint
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tools import files
from tools.diagnosis import probes
from tools.diagnosis.checks import SOON, Finding, along, dns, look, tcp, tls
from tools.errors import UserError
from tools.image.identity import pair as certificate_pair
from tools.image.identity.x509 import X509
from tools.secrets import write as write_private

CONNECT = (".|securemode=2|", "", "")  # of a board that has not been told yet who it is
TOPIC = "/ext/auth/identity/response"
PORT = 1883

NEW = "issue a new certificate for this device, associate its serial, and burn or offer it"
EARLY = "wait until it is valid, or set this machine's clock"
TOGETHER = "burn certificate and key as they were issued together; 'ca check' looks at both"
REFUSED = (
    "is the CA that signed it registered, and active? is the certificate in date and not revoked, and its serial "
    "associated? the console shows each"
)
UNSAID = (
    "something on the way breaks TLS open, or the platform does not take this certificate and does not say so"
)
UNBOUND = (
    "associate this serial with a device (the file of 'ca associate'), and look in the console whether certificate "
    "and device are enabled"
)
NO_PUSH = "check that this is the platform's X.509 host; a board asks again"


def walk(
    network: probes.Network, who: X509, extra: Sequence[Path | str], args: argparse.Namespace
) -> list[Finding]:
    """The findings from the certificate to the login; to TCP only, when certificate and key do not go together."""
    where = Endpoint(who.host or f"x509.itls.{who.region or 'cn-shanghai'}.aliyuncs.com", who.port or PORT)
    client = Client(network, who, where, probes.roots(where.roots, extra))
    host, port = where.host, where.port
    pair = look("certificate", lambda: certificate(who, time.time()))
    found = along(("DNS", lambda: dns(network, host, port)), ("TCP", lambda: tcp(network, host, port)))
    if pair.ok and found[-1].ok:
        found += along(("TLS", client.tls))
    if found[-1].check == "TLS" and found[-1].ok:
        found.append(
            Finding("login", None, "left out, as asked")
            if args.no_login
            else look("login", lambda: client.login(args.timeout))
        )
    return [pair, *found]


def certificate(who: X509, now: float) -> str:
    """Whose certificate it is, and how long it holds; Refusal when no board can connect with it and its key."""
    facts = certificate_pair.describe(who.certificate, now)
    if "fault" in facts:
        raise probes.Refusal(facts["fault"], NEW)
    shown = f"{facts['subject']}, serial {facts['serial']}, issued by {facts['issuer']}"
    try:
        certificate_pair.check(who.certificate, who.private_key, now, ("it", "the key"))
    except UserError as error:
        dated = NEW if facts["not_after"] <= now else EARLY if facts["not_before"] > now else TOGETHER
        raise probes.Refusal(f"{shown}; {str(error).removeprefix('it: ')}", dated) from None
    soon = ": issue the next one now" if facts["days_left"] < SOON else ""
    return f"{shown}; {facts['days_left']} days left{soon}"


class Client:
    """What connects with the certificate and key of `who`."""

    def __init__(
        self, network: probes.Network, who: X509, where: Endpoint, trusted: Mapping[str, str]
    ) -> None:
        self.network, self.who, self.where, self.trusted = network, who, where, trusted
        self.serial = certificate_pair.describe(who.certificate, time.time()).get("serial")

    def present(self, context: ssl.SSLContext) -> None:
        """Give a TLS context the pair, by way of a file, since ssl takes nothing else.

        The file is gone when this returns, and the key in it is encrypted under a passphrase that nobody has kept:
        what a kill might leave behind is of no use.
        """
        passphrase = secrets.token_bytes(32).hex().encode()
        with (
            files.as_user_error("make a folder for the certificate"),
            tempfile.TemporaryDirectory(prefix="aliot-") as folder,
        ):
            path = Path(folder) / "pair.pem"
            write_private(path, sealed(self.who, passphrase))
            try:
                context.load_cert_chain(path, password=passphrase)
            except ssl.SSLError as error:
                raise probes.Refusal(
                    f"this machine's TLS does not take the certificate ({error.reason})", TOGETHER
                ) from None

    def tls(self) -> str:
        try:
            verified = tls(self.network, self.where.host, self.where.port, self.trusted, self.present)
        except probes.Broken as broken:
            raise self.refused(broken, UNSAID) from None
        return f"{verified}; certificate {self.serial} is not refused"

    def login(self, timeout: float) -> str:
        """Sends CONNECT; the ProductKey and DeviceName that the platform pushes."""
        stream, _, _ = probes.secure(
            self.network, self.where.host, self.where.port, self.trusted, self.present
        )
        with stream:
            try:
                code = probes.connack(stream, CONNECT, timeout)
            except probes.Broken as broken:
                raise self.refused(broken, UNBOUND) from None
            pushed = None if code else probes.published(stream, TOPIC, timeout)
            probes.disconnect(stream)
        if code:
            raise probes.Refusal(
                f"CONNACK {code}; certificate {self.serial}",
                UNBOUND if code in (4, 5) else advice(f"mqtt.{code}"),
            )
        return f"CONNACK 0: the platform says that this is {identity(pushed)} (it is activated now)"

    def refused(self, broken: probes.Broken, otherwise: str) -> probes.Refusal:
        """The Refusal for a connection that the server ended: with an alert, or without a word (then the advice)."""
        if broken.alert:
            return probes.Refusal(
                f"{self.where.host} refuses certificate {self.serial}: alert {broken.alert}", REFUSED
            )
        return probes.Refusal(f"{broken}; certificate {self.serial}", otherwise)


def sealed(who: X509, passphrase: bytes) -> bytes:
    """Certificate and key in PEM, the key encrypted."""
    key = serialization.load_der_private_key(who.private_key, None)
    made = x509.load_der_x509_certificate(who.certificate).public_bytes(serialization.Encoding.PEM)
    return made + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase),
    )


def identity(payload: bytes | None) -> str:
    """ProductKey and DeviceName in a push; Refusal when there was none, or it is none."""
    if payload is None:
        raise probes.Refusal("CONNACK 0, but the platform does not say who this is", NO_PUSH)
    try:
        found = json.loads(payload)
        return f"{found['productKey']} / {found['deviceName']}"
    except (ValueError, KeyError, TypeError, RecursionError):
        raise probes.Refusal(
            "CONNACK 0, but what the platform says who this is cannot be read", NO_PUSH
        ) from None
