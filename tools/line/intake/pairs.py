"""Certificates and keys of X.509 devices, as `ca issue` writes them: a folder of them, or files that a CSV names."""

import os
import time
from collections.abc import Iterator

from tools.errors import UserError
from tools.image.identity import endpoint
from tools.image.identity import pair as certificate_pair
from tools.image.identity.pair import Stem
from tools.line import identities

CERTIFICATE, KEY = ".cer", ".key"


def load(certificate: str, key: str, now: float | None = None) -> dict[str, str]:
    """The sealed fields of a pair in two files. UserError when they are no pair that a board can use now."""
    return identities.of_pair(*_pair(certificate, key, time.time() if now is None else now))


def _pair(certificate, key, now):
    pair = certificate_pair.load(certificate, key, now)
    for path, der in ((certificate, pair.certificate_der), (key, pair.key_der)):
        if len(der) > 4000:
            raise UserError(
                f"{os.path.basename(path)} has {len(der)} bytes, a board's record has 4000 for it"
            )
    return pair.certificate_der, pair.key_der


def folder(path: str) -> Iterator[tuple[str, str, str, dict[str, str] | None, str | None]]:
    """(file name, ProductKey, DeviceName, fields, what is wrong) for each pair in a folder, in order.

    Of a pair that is wrong the fields are None. UserError when the folder holds no certificate.
    """
    try:
        found = sorted(name for name in os.listdir(path) if not name.startswith("."))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    stems = sorted({name[: -len(KEY)] for name in found if name.endswith((CERTIFICATE, KEY))})
    if not stems:
        raise UserError(
            f"there is no certificate in {path}: 'ca issue' writes NAME.cer and NAME.key into a folder"
        )
    for stem in stems:
        yield _one(path, stem, set(found))


def _one(path, stem, found):
    file = stem + (CERTIFICATE if stem + CERTIFICATE in found else KEY)
    try:
        named = Stem.parse(stem)
    except ValueError as error:
        return file, "", "", None, str(error)
    who = named.product_key, named.device_name
    problem = endpoint.wrong("product_key", named.product_key, "ProductKey")
    if problem:
        return file, *who, None, problem
    if stem + CERTIFICATE not in found:
        return file, *who, None, "is a key without its certificate"
    if stem + KEY not in found:
        return file, *who, None, "has no key beside it; a key that was made on its board stays there"
    try:
        fields = load(os.path.join(path, stem + CERTIFICATE), os.path.join(path, stem + KEY))
    except UserError as error:
        return file, *who, None, str(error).removeprefix(f"{file}: ")
    return file, *who, fields, None
