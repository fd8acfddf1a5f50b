"""An identity backup file, as `make backup` writes it for one board: what the ledger takes from it."""

import json

from tools.errors import UserError
from tools.firmware import record
from tools.line import visit
from tools.line.wire import Held

OWN = (record.CLIENT_ID, record.DEVICE_TOKEN, record.DEVICE_SECRET)  # what registration gives, direct.md 3 and 4


def read(path, row):
    """The issued fields ({record tag: bytes}) in the backup of the device `row`.

    UserError when it is no backup, of another device, or holds nothing issued.
    """
    try:
        with open(path, encoding="utf-8") as file:
            table = json.load(file)
        issued = table["issued"]
        fields = record.decode(bytes.fromhex(issued))[2] if issued else None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{path} is no identity backup") from None
    if fields is None:
        raise UserError(f"{path} holds no issued secret")
    if visit.holds(Held(fields), row.mac) != (row.product_key, row.device_name):
        raise UserError(f"{path} is the backup of another device than {row.device_name}")
    return {tag: value for tag, value in fields.items() if tag in OWN}
