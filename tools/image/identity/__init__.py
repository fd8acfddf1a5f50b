"""The identity to burn, as a JSON file says it: read, checked field by field, and made into a record.

    {"product_key": "a1...", "device_name": "dev1", "device_secret": "..."}      a device with its own secret
    {"product_key": "a1...", "product_secret": "...", "method": "https"}         one per product, named by MAC
    {"product_key": "a1...", "device_name": "dev1", "key_block": 3}              a secret in eFuse
    {..., "sub_products": [{"product_key": "a1..."}]}                            either of them as a gateway
    {"certificate": "x.cer", "private_key": "x.key"}                             X.509: files beside the JSON
    {"way": "id2", "product_key": "a1...", "id2": "...", "id2_key": "...", "id2_type": "AES_128"}
    {"way": "id2", "product_key": "a1...", "product_secret": "..."}              ID², provisioned over the air

A kind of identity is a module here; each takes the endpoint's fields too. The console's spellings are taken as well:
{"ProductKey": ..., "DeviceName": ..., "DeviceSecret": ...}.
"""

import json
import time
from pathlib import Path
from typing import Any

from tools.errors import UserError
from tools.image.identity import spellings
from tools.image.identity.base import Identity, name_from_mac
from tools.image.identity.endpoint import AUTHS, BOOTSTRAPS, METHODS, NAME_RULES, SIGN_METHODS
from tools.image.identity.id2 import Id2
from tools.image.identity.own import Own
from tools.image.identity.x509 import X509

__all__ = [
    "AUTHS",
    "BOOTSTRAPS",
    "METHODS",
    "NAME_RULES",
    "SIGN_METHODS",
    "Identity",
    "check_availability",
    "load",
    "name_from_mac",
    "next_generation",
    "parse",
]

KINDS: dict[str, type[Own] | type[X509] | type[Id2]] = {
    "device": Own,
    "product": Own,
    "x509": X509,
    "id2": Id2,
}
_NAMES = {name for one in KINDS.values() for name in one.NAMES}


def load(path: Path | str, now: float | None = None, usable: bool = True) -> Own | X509 | Id2:
    """The `Identity` in a JSON file; UserError, in one line, for whatever is wrong with it.

    Files that it names lie relative to it. `now`: Unix seconds, for a certificate's dates. With `usable` False,
    for a look at it, a certificate and a key that nobody could connect with are taken as well.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path} is not a text file in UTF-8") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    try:
        return parse(json.loads(text, object_pairs_hook=_once), Path(path).parent, now, usable)
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not JSON: {error.msg} in line {error.lineno}") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _once(pairs):
    """The dict of a JSON object, its names as ours: the console spells them ProductKey and DeviceName."""
    found = {}
    for spelled, value in pairs:
        name = spelled if spelled in _NAMES else spellings.field(spelled) or spelled
        if name in found:
            raise UserError(f"'{name}' is there twice")
        found[name] = value
    return found


def parse(
    values: dict[str, Any], folder: Path | str = ".", now: float | None = None, usable: bool = True
) -> Own | X509 | Id2:
    """The `Identity` of a dict of fields; UserError names the first field that is wrong and its rule.

    `certificate` and `private_key` are paths, relative to `folder`, or bytes; `now` and `usable` as in `load`.
    """
    if not isinstance(values, dict):
        raise UserError("an identity is a JSON object with product_key and more")
    values = {name: value for name, value in values.items() if value is not None}
    kind = values.pop("way", None)
    if kind is not None and (not isinstance(kind, str) or kind not in KINDS):
        raise UserError(f"way is not one of {', '.join(KINDS)}")
    made_by = KINDS[kind] if kind else _kind(values)
    now = time.time() if now is None else now
    made = made_by.parse(values, Path(folder), now if usable else None)
    if kind and made.kind != kind:
        raise UserError(f"way is {kind}, but the fields are those of {made.kind}")
    try:
        made.to_record(0)
    except ValueError as error:
        raise UserError(f"the identity is too large: {error}") from None
    return made


def _kind(values):
    if "certificate" in values or "private_key" in values:
        return X509
    return Id2 if {"id2", "id2_key", "id2_type"} & values.keys() else Own


def check_availability(identity: Identity, anyway: bool = False) -> str | None:
    """UserError when the documents do not have this kind there, unless `anyway`; then the line is returned."""
    line = identity.warning()
    if line and not anyway:
        raise UserError(f"{line}; --anyway goes on")
    return line


def next_generation(highest: int = 0, now: float | None = None) -> int:
    """The generation of a burn: the time in Unix seconds, but above the highest found on either medium."""
    return max(int(time.time() if now is None else now), highest + 1)
