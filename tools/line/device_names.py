"""DeviceNames: which are valid, and how a board's MAC or a serial number becomes one.

The MAC's forms are those of the record's NAME_RULE field, so that the name the
ledger knows is the name that the firmware makes on the board.
"""

import re

from stdnum.exceptions import ValidationError
from stdnum.iso7064 import mod_11_10

from tools.errors import UserError
from tools.image.identity import endpoint, spellings

_MAC = re.compile(r"[0-9a-f]{12}")

MAC_RULES = {
    "mac": lambda digits: digits,
    "MAC": lambda digits: digits.upper(),
    "mac:": lambda digits: colons(digits),
    "MAC:": lambda digits: colons(digits).upper(),
}
SERIAL_RULE = "serial"


def printable(text: object) -> str:
    """Return `text` with every character that is not printable escaped; it may come from a board or a database."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def colons(digits: str) -> str:
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def mac(text: object) -> str:
    """A MAC in any usual form as twelve lower-case hex digits. UserError otherwise."""
    digits = re.sub(r"[\s:.\-]", "", str(text)).lower()
    if not _MAC.fullmatch(digits):
        raise UserError(
            f"'{spellings.shown(str(text))[:40]}' is not a MAC: twelve hex digits, such as 24:0a:c4:00:00:01"
        )
    if int(digits[:2], 16) & 1 or not int(digits, 16):
        raise UserError(f"'{text}' is a group or empty MAC; no board has it")
    return digits


def of_mac(rule: str, address: object) -> str:
    """The DeviceName of the board with this MAC under one of the four MAC rules."""
    if rule not in MAC_RULES:
        raise UserError(f"'{rule}' is no DeviceName rule; say one of {', '.join(MAC_RULES)} or {SERIAL_RULE}")
    return MAC_RULES[rule](mac(address))


def serial(prefix: str, number: int, width: int) -> str:
    """`prefix`, the number with leading zeros, and its ISO 7064 Mod 11,10 check digit."""
    digits = f"{number:0{width}d}"
    if len(digits) > width:
        raise UserError(f"serial {number} does not fit into {width} digits")
    name = prefix + digits + mod_11_10.calc_check_digit(digits)
    check(name)
    return name


def check_serial(prefix: str, name: str) -> None:
    """UserError unless `name` is a serial with this prefix whose check digit is right."""
    try:
        if not name.startswith(prefix):
            raise ValidationError
        mod_11_10.validate(name[len(prefix) :])
    except ValidationError:
        raise UserError(f"serial '{name}' is mistyped: its check digit is wrong") from None


def check(name: str) -> None:
    """UserError unless `name` is a DeviceName that the platform accepts (direct.md 1.4)."""
    _check("device_name", name, "DeviceName")


def check_product_key(text: str) -> None:
    _check("product_key", text, "ProductKey")


def _check(field, text, title):
    problem = endpoint.wrong(field, text, title)
    if problem:
        raise UserError(problem)
