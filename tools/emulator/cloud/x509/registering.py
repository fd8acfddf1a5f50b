"""Whether a CA may be registered: the checks of x509.md 2, in their order. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from types import SimpleNamespace
from typing import TYPE_CHECKING

from cryptography import x509

from tools import serials
from tools.emulator.cloud.x509 import reading

if TYPE_CHECKING:
    from tools.emulator.cloud.config import Config
    from tools.emulator.cloud.x509.certificates import Authority

NAMES = {
    "ascii": re.compile(r"[A-Za-z0-9_]{4,30}", re.ASCII),
    "chinese": re.compile(r"[A-Za-z0-9_\u4e00-\u9fff]{4,30}", re.ASCII),
}
ENDINGS = (".cer", ".crt", ".pem")


class Refused(Exception):
    """A check that failed; `check` is its name, the text what is wrong."""

    def __init__(self, check, text):
        super().__init__(text)
        self.check = check


@dataclass(frozen=True)
class Asked:
    """What the console is given: a name and two files, each with its name or None."""

    name: str
    certificate: str
    verification: str
    certificate_file: str | None = None
    verification_file: str | None = None


def check(
    asked: Asked, authorities: Mapping[str, Authority], code: str, config: Config, now: float
) -> x509.Certificate:
    """The CA certificate, if everything holds; raises `Refused` at the first check that does not.

    `authorities` are the CAs there are, by name; `code` is the current
    registration code, `now` Unix seconds.
    """
    check_name(asked.name, authorities, config.switches)
    if len(authorities) >= config.limits.authorities:
        raise Refused("count", f"the account has {len(authorities)} CAs, which is all it may have")
    found = check_authority(asked, config.switches, now)
    for other in authorities.values():
        if reading.identity(other.certificate) == reading.identity(found):
            raise Refused("registered", f"this CA is registered already, as {other.name}")
    check_verification(asked, found, code, now)
    return found


def check_name(name: str, authorities: Mapping[str, Authority], switches: SimpleNamespace) -> None:
    if not NAMES[switches.x509_ca_name].fullmatch(name):
        letters = "letters, digits and _" + (
            "" if switches.x509_ca_name == "ascii" else " or Chinese characters"
        )
        raise Refused("name", f"the name of a CA is 4 to 30 {letters}")
    if name in authorities:
        raise Refused("name", f"there is a CA {name} already")


def read(what: str, text: str, file: str | None) -> x509.Certificate:
    """One uploaded certificate; raises `Refused` under the name `what`."""
    if file is not None and PurePath(file).suffix.lower() not in ENDINGS:
        raise Refused(what, f"{file} is not a {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]} file")
    try:
        return reading.certificate(reading.content(text))
    except ValueError as error:
        raise Refused(what, f"the {what} file {error}") from None


def check_dates(what: str, found: x509.Certificate, now: float) -> None:
    try:
        start, end = reading.validity(found)
    except ValueError:
        raise Refused(what, f"the dates of the {what} certificate cannot be read") from None
    if now < start:
        raise Refused(what, f"the {what} certificate is not valid yet")
    if now > end:
        raise Refused(what, f"the {what} certificate has expired")


def check_authority(asked: Asked, switches: SimpleNamespace, now: float) -> x509.Certificate:
    """Step 3: the CA's own certificate."""
    found = read("CA", asked.certificate, asked.certificate_file)
    if not reading.is_rsa(found):
        raise Refused("CA", "the key of the CA is not RSA")
    if not reading.is_authority(found):
        raise Refused("CA", "the certificate is no CA's: basicConstraints lacks CA:TRUE")
    if switches.x509_ca_self_signed and not (
        found.issuer == found.subject and reading.signed_by(found, found)
    ):
        raise Refused("CA", "the certificate of the CA is not self-signed")
    try:
        serials.text(found.serial_number)
    except ValueError as error:
        raise Refused("CA", f"the CA certificate cannot be used: {error}") from None
    check_dates("CA", found, now)
    return found


def check_verification(asked: Asked, authority: x509.Certificate, code: str, now: float) -> None:
    """Step 5: the proof that whoever asks holds the CA's key."""
    found = read("verification", asked.verification, asked.verification_file)
    if found.issuer != authority.subject:
        raise Refused("verification", "the verification certificate names another issuer than this CA")
    if not reading.signed_by(found, authority):
        raise Refused("verification", "the verification certificate is not signed with the key of this CA")
    if reading.common_names(found) != [code]:
        raise Refused(
            "verification", "the Common Name of the verification certificate is not the registration code"
        )
    check_dates("verification", found, now)
