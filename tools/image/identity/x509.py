"""Identities that are a certificate and its RSA key: the platform tells the board who it is (x509.md)."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tools import files
from tools.errors import UserError
from tools.image.identity import base
from tools.image.identity import pair as certificate_pair

_LIMIT = 1 << 16  # bytes of a file
_FIELD = 4000  # bytes of a record's field


@dataclass(frozen=True, kw_only=True)
class X509(base.Identity):
    """`certificate` and `private_key` are DER, the key PKCS#1; they belong together."""

    NAMES = ("certificate", "private_key", "region", "instance", "host", "port")
    TITLE = "an X.509 identity"
    kind = "x509"

    certificate: bytes = field(repr=False)
    private_key: bytes = field(repr=False)

    @classmethod
    def parse(cls, values: dict[str, Any], folder: Path | str, now: float | None) -> Self:
        """The identity of a dict of fields; UserError for files that are not a pair to connect with at `now`.

        With `now` None the two are read, and not held against each other or the time.
        """
        if "product_key" in values or "device_name" in values:
            raise UserError(
                "product_key and device_name are not burned beside a certificate: the platform tells the "
                "board both, by the association file"
            )
        cls.checked(values)
        for name in ("certificate", "private_key"):
            if name not in values:
                raise UserError(f"{name} is missing: an X.509 identity is a certificate and its key")
        sources = [
            (_data(values[name], folder), _name(values[name], name))
            for name in ("certificate", "private_key")
        ]
        (certificate, key), names = zip(*sources)
        pair = (
            certificate_pair.read(certificate, key, names)
            if now is None
            else certificate_pair.check(certificate, key, now, names)
        )
        for (_, name), der in zip(sources, (pair.certificate_der, pair.key_der)):
            if len(der) > _FIELD:
                raise UserError(f"{name} has {len(der)} bytes, a board's record has {_FIELD} for it")
        return cls(**{**values, "certificate": pair.certificate_der, "private_key": pair.key_der})

    @classmethod
    def check(cls, name: str, value: object) -> None:
        if name not in ("certificate", "private_key"):
            base.endpoint.check(name, value)
        elif not isinstance(value, bytes) and (
            not isinstance(value, str) or not value or not value.isprintable()
        ):
            raise UserError(f"{name} is not the name of a file")

    def fields(self) -> dict[int, bytes]:
        return super().fields() | certificate_pair.Pair(self.certificate, self.private_key).fields()

    def masked(self) -> dict[str, object]:
        shown = super().masked()
        del shown["certificate"], shown["private_key"]
        return {
            "way": self.kind,
            **described(self.certificate),
            "private_key": key_shown(self.private_key),
            **shown,
        }


def _data(value, folder):
    return value if isinstance(value, bytes) else files.read(Path(folder) / value, _LIMIT)


def _name(value, field_name):
    return f"the {field_name.replace('_', ' ')}" if isinstance(value, bytes) else value


def key_shown(data: bytes) -> str:
    """The text shown in place of a private key: its length only."""
    return f"**** ({len(data)} bytes)"


def described(certificate: bytes, now: float | None = None) -> dict[str, str]:
    """What may be shown of a certificate in a record, by name: subject, serial, issuer and when it ends."""
    import time

    now = time.time() if now is None else now
    facts = certificate_pair.describe(certificate, now)
    if "fault" in facts:
        return {"certificate": f"{len(certificate)} bytes: {facts['fault']}"}
    return {
        "certificate": facts["subject"],
        "serial": facts["serial"],
        "issuer": facts["issuer"],
        "expires": _expiry(facts, now),
    }


def _expiry(facts, now):
    import datetime

    day, first = (
        datetime.datetime.fromtimestamp(facts[name], datetime.UTC).strftime("%Y-%m-%d")
        for name in ("not_after", "not_before")
    )
    if facts["not_before"] > now:
        return f"{day} (NOT VALID before {first})"
    return f"{day} (EXPIRED)" if facts["not_after"] < now else f"{day} (in {facts['days_left']} days)"
