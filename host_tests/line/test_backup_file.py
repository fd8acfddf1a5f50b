"""What the ledger takes from an identity backup that was made of one board."""

import pytest

from host_tests.line.conftest import PRODUCT, WHO, board, secret, stock
from tools.errors import UserError
from tools.firmware import record
from tools.flash import backup
from tools.image.burn import Copy
from tools.line.intake import board_backup
from tools.line.ledger.entries import Product
from tools.line.ledger.ledger import Ledger

MAC = "24:0a:c4:00:00:01"


@pytest.fixture
def row(tmp_path):
    with Ledger.create(f"sqlite:///{tmp_path}/ledger.db", plain=True) as ledger:
        ledger.add_product(Product(PRODUCT), WHO)
        stock(ledger, 2)
        yield ledger.reserve(board(1), PRODUCT, WHO)


def made(folder, name="dev00000", issued=True):
    own = {record.PRODUCT_KEY: PRODUCT.encode(), record.DEVICE_NAME: name.encode()}
    burned = {record.KIND: b"product", record.PRODUCT_SECRET: b"s" * 16, **own}
    given = {record.DEVICE_SECRET: secret(7).encode(), record.FOR_GENERATION: bytes(4), **own}
    copies = [Copy("nvs", "burned", 5, burned, record.encode(record.BURNED, 5, burned))]
    if issued:
        copies.append(Copy("nvs", "issued", 5, given, record.encode(record.ISSUED, 5, given)))
    return backup.save(MAC, copies, folder / "backups")


def test_the_issued_secret_of_the_same_device_is_taken(tmp_path, row):
    assert board_backup.read(made(tmp_path), row) == {record.DEVICE_SECRET: secret(7).encode()}


def test_another_device_s_backup_and_one_without_an_issued_secret_are_refused(tmp_path, row):
    with pytest.raises(UserError, match="is the backup of another device than dev00000"):
        board_backup.read(made(tmp_path, "dev00001"), row)
    with pytest.raises(UserError, match="holds no issued secret"):
        board_backup.read(made(tmp_path, issued=False), row)
    (tmp_path / "x.identity").write_text("{}")
    with pytest.raises(UserError, match="not a backup"):
        board_backup.read(tmp_path / "x.identity", row)
