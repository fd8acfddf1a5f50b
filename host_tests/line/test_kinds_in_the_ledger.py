"""X.509, ID² and gateways in the ledger: each identity once, sealed, and one kind a product."""

import json

import pytest
import sqlalchemy as sa

from host_tests.line.conftest import ID2, IDS, PRODUCT, WHO, X509, board, pair, take_folder, take_ids
from host_tests.support import pairs
from tools.errors import UserError
from tools.line import identities as kinds
from tools.line.job import Job
from tools.line.ledger import backup, connection
from tools.line.ledger.connection import Patience
from tools.line.ledger.ledger import Ledger
from tools.line.ledger.schema import identities
from tools.line.ledger.seal import Key, Secret
from tools.line.station import checks


def test_a_folder_is_taken_in_once_and_sealed(ledger, issued, ledger_url):
    assert (take_folder(ledger, issued).new, take_folder(ledger, issued).known) == (3, 3)
    key = pairs.key_bytes(encoding=pairs.Encoding.DER)
    stored = ledger.connection.read(lambda c: c.execute(sa.select(identities.c.secret)).scalars().all())
    assert len(stored) == 3 and not any(key[30:60] in bytes(sealed) for sealed in stored)
    row = ledger.find(product_key=X509, device_name="sensor-1")
    assert (row.serial, row.expires[:4] > "2030", row.id2) == ("1001", True, None)
    text = repr(ledger.find(product_key=X509, device_name="sensor-1", with_secrets=True))
    assert "MII" not in text


def test_a_certificate_is_in_the_ledger_once_whatever_its_device_is_called(ledger, issued):
    take_folder(ledger, issued)
    der = pairs.certificate(serial=0x1001).public_bytes(pairs.Encoding.DER)
    fields = kinds.of_pair(der, pairs.key_bytes(encoding=pairs.Encoding.DER))
    with pytest.raises(UserError, match="certificate 1001 of other-1 is sensor-1's in the ledger already"):
        ledger.add_identities(X509, [("other-1", fields)], WHO)
    for kept in ledger.list(X509):
        ledger.void(kept, WHO)
    with pytest.raises(UserError, match="sensor-1's in the ledger already"):  # void is for ever
        ledger.add_identities(X509, [("other-1", fields)], WHO)
    again = pairs.certificate(serial=0x1001, issuer="Another_CA").public_bytes(pairs.Encoding.DER)
    ledger.add_identities(X509, [("other-1", {**fields, **kinds.of_pair(again, b"key")})], WHO)


def test_the_database_itself_holds_each_certificate_and_each_id_once(ledger, issued):
    take_folder(ledger, issued)
    take_ids(ledger)
    for column, value in ((identities.c.serial, "1001"), (identities.c.id2, IDS[0][2])):
        with pytest.raises(sa.exc.IntegrityError), ledger.connection.engine.begin() as c:
            c.execute(identities.update().values({column: value}).where(identities.c.state == "free"))


def test_an_id_is_in_the_ledger_once(ledger):
    assert take_ids(ledger).new == 3 and take_ids(ledger).known == 3
    row = ledger.find(product_key=ID2, device_name="meter002", with_secrets=True)
    assert row.id2 == IDS[1][2] and row.secrets["id2_key"].reveal() == IDS[1][3]
    assert IDS[1][3] not in repr(row)
    with pytest.raises(UserError, match=f"ID {IDS[0][2]} is {ID2}/meter001's in the ledger"):
        take_ids(ledger, [(ID2, "meter009", *IDS[0][2:])])


def test_new_keys_seal_every_kind_again_and_a_backup_holds_them(ledger, issued, tmp_path, clock):
    take_folder(ledger, issued)
    take_ids(ledger)
    ledger.set_sub_products(PRODUCT, (("a1SubProdu1", None), ("a1SubProdu2", "Xh2sKw0Lq7PzT3vN")), WHO)
    fresh = Key(bytes(range(1, 33)))
    assert ledger.rekey(fresh, WHO) == ledger.check_secrets() == 7
    backup.backup(ledger, str(tmp_path / "copy.db"))
    with Ledger.open(f"sqlite:///{tmp_path}/copy.db", key=fresh) as copy:
        assert copy.check_secrets() == 7
        found = copy.product(PRODUCT, with_secret=True).sub_products
        assert found == (("a1SubProdu1", None), ("a1SubProdu2", Secret("Xh2sKw0Lq7PzT3vN")))
        assert "Xh2s" not in repr(found) and copy.product(PRODUCT).sub_products == ()


def test_a_product_has_one_kind(ledger, issued):
    take_folder(ledger, issued)
    with pytest.raises(UserError, match=f"product {X509} is in the ledger as of kind x509"):
        take_ids(ledger, [(X509, *IDS[0][1:])])
    with pytest.raises(UserError, match=f"a gateway has a secret; product {X509} is of kind x509"):
        ledger.set_sub_products(X509, (("a1SubProdu1", None),), WHO)


def test_a_ledger_of_before_is_brought_along(ledger_url, key):
    from tools.line.ledger import migration
    from tools.line.ledger.description import describe
    from tools.line.ledger.seal import Seal

    url = connection.parse_url(ledger_url)
    if url.drivername == "sqlite":
        connection.create_file(url.database)
    old = connection.Connection(url, Patience(limit=5.0))
    seal = Seal("0" * 32, key)
    sealed = seal.shut(json.dumps({"device_secret": "old" * 8}), "identities", PRODUCT, "old-0001")
    old.write(lambda c: migration.upgrade(c, "0002"))
    old.write(
        lambda c: c.execute(
            sa.text("INSERT INTO products (product_key, way, listed) VALUES (:key, 'device', false)"),
            {"key": PRODUCT},
        )
    )
    old.write(
        lambda c: c.execute(
            sa.text(
                "INSERT INTO identities (product_key, device_name, secret, state, touched, attempt, changed) "
                "VALUES (:key, 'old-0001', :sealed, 'free', false, 0, '2025-01-01T00:00:00.000Z')"
            ),
            {"key": PRODUCT, "sealed": sealed},
        )
    )
    old.write(lambda c: describe(c, seal, "2025-01-01T00:00:00.000Z"))
    old.close()
    with Ledger.open(ledger_url, key=key) as opened:
        row = opened.reserve(board(1), PRODUCT, WHO)
        assert row.secrets["device_secret"].reveal() == "old" * 8 and row.serial is None
        assert take_ids(opened).new == 3


def test_a_certificate_that_has_ended_is_given_to_no_board(ledger, tmp_path, clock):
    (tmp_path / "i").mkdir()
    for number, days in ((0, 2), (1, 3650)):
        pair(tmp_path / "i", number, days=days)
    take_folder(ledger, tmp_path / "i")
    clock.now = pairs.NOW + 3 * pairs.DAY
    assert ledger.reserve(board(1), X509, WHO).device_name == "sensor-1"
    with pytest.raises(
        UserError, match=f"no free identity of product {X509} is left whose certificate has not ended"
    ):
        ledger.reserve(board(2), X509, WHO)


@pytest.mark.parametrize(
    "days, good, message",
    [
        (0, True, "0 have ended, 0 end within 30 days, of 2"),
        (1, None, "0 have ended, 1 end within 30 days, of 2"),
        (3, False, "1 have ended, 0 end within 30 days, of 2"),
    ],
)
def test_the_doctor_counts_certificates_that_end(plain, tmp_path, days, good, message):
    (tmp_path / "i").mkdir()
    for number, last in ((0, 2 if days else 100), (1, 3650)):
        pair(tmp_path / "i", number, days=last, start=-0.5)
    take_folder(plain, tmp_path / "i")
    (finding,) = checks.certificates(plain, None, pairs.NOW + days * pairs.DAY)
    assert (finding.good, finding.found) == (good, f"{X509}: {message}")
    assert bool(finding.advice) == (good is not True)
    odd = Job("x", X509, "ESP32_GENERIC", endpoint={"auth": "https"})
    assert "endpoint.auth is not for" in next(checks.certificates(plain, odd)).found
