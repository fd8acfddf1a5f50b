"""An identity backup file, as `make backup` writes it for one board: what the ledger takes from it."""

from pathlib import Path

from tools.errors import UserError
from tools.firmware import record
from tools.flash import backup
from tools.image import owner
from tools.line.ledger.entries import Identity

# what registration gives, direct.md 3 and 4, and one-time provisioning, id2.md 1.4
OWN = (
    record.CLIENT_ID,
    record.DEVICE_TOKEN,
    record.DEVICE_SECRET,
    record.ID2,
    record.ID2_KEY,
    record.ID2_KEY_TYPE,
)


def read(path: Path | str, row: Identity) -> dict[int, bytes]:
    """The issued fields ({record tag: bytes}) in the backup of the device `row`.

    UserError when it is no backup, of another device, or holds nothing issued.
    """
    found = backup.load(path)
    if found.burned.get(record.KIND) == b"x509":
        raise UserError(f"{path} is of a board with X.509, to which nothing is issued that could get lost")
    if owner.owner(found.burned, found.mac) != (row.product_key, row.device_name):
        raise UserError(f"{path} is the backup of another device than {row.device_name}")
    if found.issued is None:
        raise UserError(f"{path} holds no issued secret")
    return {tag: value for tag, value in found.issued.items() if tag in OWN}
