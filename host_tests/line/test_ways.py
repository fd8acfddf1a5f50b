"""X.509, ID² and gateways through intake, ledger and station; each bad input by its line."""

import csv
import io
import json

import pytest
import sqlalchemy as sa

from host_tests.line.conftest import PRODUCT, WHO, board, stock
from host_tests.support import pairs
from host_tests.support.scripted_board import LEDGER_CALLS, WIRE_CALLS, Board, Died, Mortal, ScriptedWire
from tools import cli
from tools.errors import UserError
from tools.firmware import record
from tools.line import device_names
from tools.line import identities as ways
from tools.line.intake import tables
from tools.line.job import Job
from tools.line.ledger import backup, connection
from tools.line.ledger.connection import Patience
from tools.line.ledger.entries import Product
from tools.line.ledger.ledger import Ledger
from tools.line.ledger.schema import identities, products
from tools.line.ledger.seal import Key, Secret
from tools.line.station import checks, station_file, wire
from tools.line.station.visit import Result, judge_name, visit

X509, ID2 = "a1X509Prod1", "a1ID2Produ1"
CA = "1EDEE04550A06DA29661"
TOKEN = "i11" + "0123456789abcdef" + "." * 13
JOB = Job("x", X509, "ESP32_GENERIC", endpoint={"region": "cn-shanghai"})
IDS = [(ID2, f"meter{n:03d}", f"{n:024X}", f"{n:032x}", "AES_128") for n in range(1, 4)]


def pair(folder, number, name=None, product=X509, **facts):
    """What `ca issue` writes for one device."""
    facts = {"serial": 0x1000 + number, **facts}
    pairs.write(folder, f"{product}_{(name or f'sensor-{number}').replace(':', '%3A')}_{CA}", **facts)


@pytest.fixture
def issued(tmp_path):
    """A folder with the pairs of three devices."""
    folder = tmp_path / "issued"
    folder.mkdir()
    for number in range(3):
        pair(folder, number)
    (folder / ".issuing").write_text("")
    (folder / "association.csv").write_text("ProductKey,DeviceName,CertSN\n")
    return folder


@pytest.fixture
def plain(tmp_path):
    with Ledger.create(f"sqlite:///{tmp_path}/plain.db", plain=True) as made:
        yield made


def take_folder(ledger, folder, **how):
    return tables.take(ledger, tables.read_folder(folder), WHO, str(folder), **how)


def sheet(header, rows):
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *rows])
    return text.getvalue().encode()


def take_ids(ledger, rows=IDS, header=("ProductKey", "DeviceName", "ID", "Key", "KeyType"), **how):
    return tables.take_csv(ledger, sheet(header, rows), WHO, **how)


# --- the ledger, on both databases


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
    fields = ways.of_pair(der, pairs.key_bytes(encoding=pairs.Encoding.DER))
    with pytest.raises(UserError, match="certificate 1001 of other-1 is sensor-1's in the ledger already"):
        ledger.add_identities(X509, [("other-1", fields)], WHO)
    for kept in ledger.list(X509):
        ledger.void(kept, WHO)
    with pytest.raises(UserError, match="sensor-1's in the ledger already"):  # void is for ever
        ledger.add_identities(X509, [("other-1", fields)], WHO)
    again = pairs.certificate(serial=0x1001, issuer="Another_CA").public_bytes(pairs.Encoding.DER)
    ledger.add_identities(X509, [("other-1", {**fields, **ways.of_pair(again, b"key")})], WHO)


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


def test_a_product_has_one_way(ledger, issued):
    take_folder(ledger, issued)
    with pytest.raises(UserError, match=f"product {X509} is in the ledger as way x509"):
        take_ids(ledger, [(X509, *IDS[0][1:])])
    with pytest.raises(UserError, match=f"a gateway has a secret; product {X509} is of way x509"):
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
    "days, good, words",
    [
        (0, True, "0 have ended, 0 end within 30 days, of 2"),
        (1, None, "0 have ended, 1 end within 30 days, of 2"),
        (3, False, "1 have ended, 0 end within 30 days, of 2"),
    ],
)
def test_the_doctor_counts_certificates_that_end(plain, tmp_path, days, good, words):
    (tmp_path / "i").mkdir()
    for number, last in ((0, 2 if days else 100), (1, 3650)):
        pair(tmp_path / "i", number, days=last, start=-0.5)
    take_folder(plain, tmp_path / "i")
    (finding,) = checks.certificates(plain, None, pairs.NOW + days * pairs.DAY)
    assert (finding.good, finding.found) == (good, f"{X509}: {words}")
    assert bool(finding.advice) == (good is not True)
    odd = Job("x", X509, "ESP32_GENERIC", endpoint={"auth": "https"})
    assert "endpoint.auth is not for" in next(checks.certificates(plain, odd)).found


# --- intake, each bad input by its line

BAD_PAIRS = {
    "another key": (lambda f: pair(f, 1, private=pairs.key(9)), "_sensor-1_.*key is not the key of .*cer"),
    "ended": (
        lambda f: pair(f, 1, start=-9, days=3),
        "^1 bad row, nothing was taken in: a1X[^ ]*cer: it ended on",
    ),
    "not yet": (lambda f: pair(f, 1, start=9), "sensor-1_.*cer: it is not valid before"),
    "cut certificate": (
        lambda f: _cut(f, ".cer"),
        "sensor-1_.*cer: this is not a certificate, or it was cut",
    ),
    "cut key": (lambda f: _cut(f, ".key"), "sensor-1_.*key is not a private key, or it was cut"),
    "not RSA": (
        lambda f: _put(f, ".key", pairs.key_bytes(pairs.elliptic())),
        "key is not RSA; the platform takes",
    ),
    "certificate not RSA": (lambda f: pair(f, 1, public=pairs.elliptic().public_key()), "its key is not RSA"),
    "no key": (
        lambda f: _file(f, ".key").unlink(),
        "sensor-1_.*cer: has no key beside it; a key that was made on",
    ),
    "no certificate": (
        lambda f: _file(f, ".cer").unlink(),
        "sensor-1_.*key: is a key without its certificate",
    ),
    "another name": (lambda f: pairs.write(f, "sensor"), r"sensor.cer: the file name is not \[ProductKey\]_"),
    "the same serial": (
        lambda f: pair(f, 9, "twin-9", serial=0x1001),
        "twin-9_.*cer: certificate 1001 was in .*sensor-1",
    ),
    "swapped": (lambda f: _put(f, ".cer", pairs.key_bytes()), "there is a private key in this file"),
}


def _file(folder, ending):
    return folder / f"{X509}_sensor-1_{CA}{ending}"


def _cut(folder, ending):
    file = _file(folder, ending)
    file.write_bytes(file.read_bytes()[:-200])


def _put(folder, ending, data):
    _file(folder, ending).write_bytes(data)


@pytest.mark.parametrize("name", BAD_PAIRS)
def test_a_bad_pair_stops_a_folder_by_its_file_and_the_good_ones_can_be_taken(plain, issued, name):
    spoil, words = BAD_PAIRS[name]
    spoil(issued)
    with pytest.raises(UserError, match=words) as caught:
        take_folder(plain, issued)
    assert "\n" not in str(caught.value) and "PRIVATE" not in str(caught.value)
    assert plain.list() == []
    taken = take_folder(plain, issued, skip_bad=True)
    assert taken.new >= 2 and len(taken.bad) == 1


def test_a_renewed_certificate_is_no_silent_change(plain, issued):
    take_folder(plain, issued)
    pair(issued, 1, serial=0x2001)
    with pytest.raises(UserError, match="DeviceName sensor-1 is in the ledger with another certificate"):
        take_folder(plain, issued)


def test_a_renewed_certificate_reaches_its_board_and_the_old_one_nobody_else(ledger, issued):
    take_folder(ledger, issued)
    target = Board(board(1))
    bring(target, ledger)
    running = ledger.reserve(board(1), X509, WHO)
    pair(issued, 0, serial=0x2000)
    assert (lambda taken: (taken.new, taken.renewed, taken.known))(
        take_folder(ledger, issued, renew=True)
    ) == (0, 1, 2)
    with pytest.raises(UserError, match="sensor-0 was taken up elsewhere meanwhile"):
        ledger.begin_write(running, WHO)
    assert bring(target, ledger) == Result("done", board(1), "sensor-0")
    assert target.burned[0][record.CERTIFICATE] == pairs.certificate(serial=0x2000).public_bytes(
        pairs.Encoding.DER
    )
    assert bring(target, ledger).outcome == "already"
    notes = [event["note"] for event in ledger.history(device_name="sensor-0") if event["action"] == "renew"]
    assert notes == ["certificate 1000, now 2000"]
    fields = ways.of_pair(pairs.cer(pairs.Encoding.DER, serial=0x1000), b"key")
    with pytest.raises(UserError, match="certificate 1000 of other-1 is sensor-0's in the ledger already"):
        ledger.add_identities(X509, [("other-1", fields)], WHO)
    old = Board(board(2))
    old.burned = ({record.WAY: b"x509", record.CERTIFICATE: pairs.cer(pairs.Encoding.DER, serial=0x1000)}, 1)
    assert "the board holds sensor-0, which board 24:0a:c4:00:00:01 has" in bring(old, ledger).why
    pair(issued, 0, serial=0x1000)
    assert take_folder(ledger, issued, renew=True).renewed == 1  # back again
    ledger.void(ledger.find(mac=board(1)), WHO)
    pair(issued, 0, serial=0x3000)
    with pytest.raises(UserError, match="sensor-0 of a1X509Prod1 is void; 'line void --undo'"):
        take_folder(ledger, issued, renew=True)


def test_a_csv_may_name_the_files(plain, tmp_path):
    pairs.write(tmp_path, "a", serial=0x31)
    rows = [(X509, "lamp-1", "a.cer", "a.key")]
    taken = tables.take_csv(
        plain,
        sheet(("ProductKey", "DeviceName", "Certificate", "PrivateKey"), rows),
        WHO,
        str(tmp_path / "devices.csv"),
    )
    assert taken.new == 1 and plain.find(product_key=X509, device_name="lamp-1").serial == "31"
    for odd, words in (
        (("a.cer", ""), "line 2: has no PrivateKey"),
        (("no.cer", "a.key"), "line 2: .*no.cer"),
    ):
        with pytest.raises(UserError, match=words):
            tables.take_csv(
                plain,
                sheet(("ProductKey", "DeviceName", "证书", "私钥"), [(X509, "lamp-2", *odd)]),
                WHO,
                str(tmp_path / "devices.csv"),
            )


def test_a_folder_without_a_certificate_is_none(tmp_path):
    with pytest.raises(UserError, match="there is no certificate in .*'ca issue' writes"):
        tables.read_folder(tmp_path)


@pytest.mark.parametrize(
    "change, words",
    [
        ({2: ""}, "has no ID"),
        ({2: "12"}, "its ID '12' is not an ID of 24 hex digits"),
        ({2: "F" * 24}, "is not an ID of 24 hex digits"),
        ({2: "1.23457E+23"}, "its ID was turned into a number by a spreadsheet"),
        ({3: ""}, "has no Key"),
        ({3: "xyz"}, "its Key is not a key in hex digits"),
        ({3: "00" * 15}, "id2_key has 15 bytes, a key of AES_128 has 16"),
        ({4: ""}, "has no KeyType"),
        ({4: "3DES_112"}, "id2_type 3DES_112 cannot be used: boards have AES_128 and AES_256 only"),
        ({1: "x"}, "DeviceName 'x' is not 4 to 32"),
    ],
)
def test_a_bad_id2_row_is_named(plain, change, words):
    row = [change.get(at, value) for at, value in enumerate(IDS[0])]
    with pytest.raises(UserError) as caught:
        take_ids(plain, [row, IDS[1]])
    assert f"line 2: {words}" in str(caught.value) or words in str(caught.value)
    assert IDS[0][3] not in str(caught.value)


def test_id2_columns_have_other_spellings_and_types(plain):
    taken = take_ids(
        plain,
        [(ID2, "meter001", "0" * 23 + "a", "0F" * 32, "aes-256")],
        ("产品Key", "设备名称", "ID²", "密钥", "密钥类型"),
    )
    row = plain.find(product_key=ID2, device_name="meter001", with_secrets=True)
    assert taken.new == 1 and row.id2 == "0" * 23 + "A"
    assert row.secrets["id2_type"].reveal() == "AES_256" and row.secrets["id2_key"].reveal() == "0f" * 32


@pytest.mark.parametrize(
    "text, words",
    [
        ("Name\nx\n", "the header names no ProductKey"),
        ("ProductKey\na1-2\n", "line 2: ProductKey 'a1-2' is not 1 to 20"),
        (
            "ProductKey,ProductSecret\na1SubProdu1,abc\n",
            r"line 2: its ProductSecret is not 6 to 64 .*it has 3",
        ),
        ("ProductKey\na1SubProdu1\na1SubProdu1\n", "line 3: ProductKey a1SubProdu1 was there before"),
    ],
)
def test_bad_products_of_sub_devices_are_named(text, words):
    with pytest.raises(UserError, match=words):
        tables.sub_products(text.encode())


def test_products_of_sub_devices_may_have_secrets():
    found = tables.sub_products(
        "ProductKey,ProductSecret\na1SubProdu1,\na1SubProdu2,Xh2sKw0Lq7PzT3vN\n".encode()
    )
    assert found == (("a1SubProdu1", None), ("a1SubProdu2", "Xh2sKw0Lq7PzT3vN"))


# --- the station


def bring(target, ledger, job=JOB):
    return visit(ScriptedWire(target), ledger, job, WHO, lambda step, **facts: None, chip_name="esp32")


def test_a_board_gets_a_certificate_and_keeps_it(plain, issued):
    take_folder(plain, issued)
    target = Board(board(1))
    assert bring(target, plain) == Result("done", board(1), "sensor-0")
    fields = target.burned[0]
    assert fields[record.CERTIFICATE] == pairs.certificate(serial=0x1000).public_bytes(pairs.Encoding.DER)
    assert fields[record.WAY] == b"x509" and record.PRODUCT_KEY not in fields
    assert bring(target, plain).outcome == "already"
    target.burned = None
    assert bring(target, plain) == Result("done", board(1), "sensor-0")
    assert len(target.burns) == 2 and plain.counts()[X509]["done"] == 1


@pytest.mark.parametrize("way", ["x509", "id2"])
def test_a_lost_identity_is_put_back_by_mac(plain, issued, tmp_path, monkeypatch, capsys, way):
    take_folder(plain, issued)
    take_ids(plain)
    job = JOB if way == "x509" else Job("m", ID2, "ESP32_GENERIC", endpoint=JOB.endpoint)
    target = Board(board(1))
    bring(target, plain, job)
    before, name = target.burned[0], plain.find(mac=board(1)).device_name
    target.burned = None
    (tmp_path / "job.toml").write_text(
        f'name = "x"\nproduct_key = "{job.product_key}"\nboard = "ESP32_GENERIC"\n'
        '[endpoint]\nregion = "cn-shanghai"\n'
    )
    scripted = ScriptedWire(target)
    scripted.job = job
    monkeypatch.setattr("tools.line.verbs.restore.PortWire", lambda port, wanted: scripted)
    monkeypatch.setattr(station_file, "PLACE", str(tmp_path / "none.toml"))
    command = [
        "line",
        "restore",
        str(tmp_path / "job.toml"),
        "--mac",
        "24:0a:c4:00:00:01",
        "--port",
        "x",
        "--ledger",
        str(tmp_path / "plain.db"),
    ]
    assert cli.main(command) == 0 and target.burned[0] == before
    assert cli.main(command) == 0
    out = capsys.readouterr().out
    assert f"{name} is back on 24:0a:c4:00:00:01, generation 1" in out
    assert f"{name} is on the board already, nothing was written" in out
    data = record.encode(record.BURNED, 1, before).hex()
    file = tmp_path / "x.identity"
    file.write_text(
        json.dumps({"format": 1, "mac": "24:0a:c4:00:00:01", "records": [["nvs", "burned", data]]})
    )
    assert cli.main([*command, "--issued", str(file)]) == 1
    said = capsys.readouterr().err
    assert ("nothing is issued that could get lost" if way == "x509" else "holds no issued secret") in said


def test_the_certificate_of_one_board_on_another_is_two_boards_with_one_identity(plain, issued):
    take_folder(plain, issued)
    first, twin = Board(board(1)), Board(board(2))
    bring(first, plain)
    twin.burned = first.burned
    assert "the board holds sensor-0, which board 24:0a:c4:00:00:01 has" in bring(twin, plain).why
    unknown = Board(board(3))
    other = pairs.certificate(serial=0x77).public_bytes(pairs.Encoding.DER)
    unknown.burned = ({record.WAY: b"x509", record.CERTIFICATE: other}, 1)
    assert (
        "holds certificate 77 of product X.509, which the ledger does not know" in bring(unknown, plain).why
    )
    unknown.burned = ({record.WAY: b"x509", record.CERTIFICATE: other[:90]}, 1)
    assert "a certificate that cannot be read" in bring(unknown, plain).why


def test_a_certificate_that_is_on_a_board_but_free_is_bound_to_it(plain, issued):
    take_folder(plain, issued)
    target = Board(board(1))
    row = plain.find(product_key=X509, device_name="sensor-2", with_secrets=True)
    target.burned = (ways.wanted(JOB, plain.product(X509), row).fields(), 1)
    assert bring(target, plain) == Result("done", board(1), "sensor-2")


def test_a_certificate_that_ended_meanwhile_fails_its_board_by_its_line(plain, tmp_path):
    plain.add_product(Product(X509, "x509"), WHO)
    ended = pairs.certificate(serial=0x99, start=-9, days=3).public_bytes(pairs.Encoding.DER)
    fields = ways.of_pair(ended, pairs.key_bytes(encoding=pairs.Encoding.DER))
    plain.add_identities(X509, [("sensor-9", fields)], WHO)
    with plain.connection.engine.begin() as c:
        c.execute(identities.update().values(expires=None))
    assert "sensor-9 cannot be burned: the certificate: it ended on" in bring(Board(board(1)), plain).why
    assert plain.find(mac=board(1)).state == "failed"


def test_the_platform_may_know_a_certificate_by_another_name(plain, issued):
    take_folder(plain, issued)
    row = plain.find(product_key=X509, device_name="sensor-0", with_secrets=True)
    wanted = ways.wanted(JOB, plain.product(X509), row)
    told = {"aliot": "connected", "product_key": X509, "device_name": "sensor-1"}
    assert "as a1X509Prod1/sensor-1, the ledger as a1X509Prod1/sensor-0: check the association" in judge_name(
        wire.Tested(({"aliot": "boot"}, told)), wanted, row
    )
    assert (
        judge_name(wire.Tested(({"aliot": "boot"}, {**told, "device_name": "sensor-0"})), wanted, row) is None
    )


def test_id2_identities_and_those_to_be_provisioned(plain):
    take_ids(plain)
    target = Board(board(1))
    job = Job("m", ID2, "ESP32_GENERIC", endpoint={"region": "cn-shanghai", "method": "https"})
    assert bring(target, plain, job) == Result("done", board(1), "meter001")
    fields = target.burned[0]
    assert (fields[24], fields[25], fields[26]) == (IDS[0][2].encode(), bytes.fromhex(IDS[0][3]), b"AES_128")
    assert fields[record.DEVICE_NAME] == b"meter001" and record.METHOD not in fields
    plain.add_product(Product("a1ID2Otp001", "id2", "mac", secret=Secret(TOKEN)), WHO)
    empty = Board(board(2))
    assert bring(empty, plain, Job("o", "a1ID2Otp001", "ESP32_GENERIC")) == Result("done", board(2), board(2))
    assert empty.burned[0][record.PRODUCT_SECRET] == TOKEN.encode() and 24 not in empty.burned[0]
    given = {24: b"0" * 24, 25: bytes(16), 26: b"AES_128"}
    plain.keep_issued(plain.find(mac=board(2)), given, WHO)
    empty.burned = empty.issued = None
    bring(empty, plain, Job("o", "a1ID2Otp001", "ESP32_GENERIC"))
    assert empty.issued == given


def test_a_gateway_is_burned_with_its_products_and_again_when_they_change(plain):
    plain.add_product(Product(PRODUCT), WHO)
    stock(plain, 1)
    plain.set_sub_products(PRODUCT, (("a1SubProdu1", None), ("a1SubProdu2", "Xh2sKw0Lq7PzT3vN")), WHO)
    target = Board(board(1))
    job = Job("g", PRODUCT, "ESP32_GENERIC")
    assert bring(target, plain, job).outcome == "done"
    assert target.burned[0][17] == b"a1SubProdu1\na1SubProdu2 Xh2sKw0Lq7PzT3vN"
    assert bring(target, plain, job).outcome == "already"
    plain.set_sub_products(PRODUCT, (), WHO)
    assert bring(target, plain, job).outcome == "done" and 17 not in target.burned[0]
    with plain.connection.engine.begin() as c:
        assert c.execute(sa.select(products.c.sub_products)).scalar() is None


@pytest.mark.parametrize(
    "way, endpoint, words",
    [
        ("x509", {"auth": "https"}, "endpoint.auth is not for a product with X.509"),
        ("x509", {"sign_method": "hmacsha1"}, "endpoint.sign_method is not for a product with X.509"),
        ("id2", {"bootstrap": "global"}, "'bootstrap' is not a field of an ID² identity"),
        ("id2", {"region": "ap-northeast-1"}, "host is missing"),
    ],
)
def test_a_job_for_another_way_is_refused_before_a_board_is_touched(way, endpoint, words):
    with pytest.raises(UserError, match=f"job x: {words}"):
        ways.check_job(Job("x", X509, "ESP32_GENERIC", endpoint=endpoint), Product(X509, way))
    ways.check_job(Job("x", X509, "ESP32_GENERIC", endpoint={"method": "https"}), Product(X509, way))


@pytest.mark.parametrize("way", ["x509", "id2"])
def test_a_station_that_dies_at_any_step_finds_the_same_identity_again(plain, issued, way):
    take_folder(plain, issued)
    take_ids(plain)
    job = JOB if way == "x509" else Job("m", ID2, "ESP32_GENERIC")
    deaths, at, done = 0, 0, set()
    while True:
        at += 1
        target, mortal = Board(board(at)), Mortal(at)
        if not [row for row in plain.list(job.product_key) if row.state == "free"]:
            for row in plain.list(job.product_key):
                plain.connection.write(
                    lambda c: c.execute(identities.update().values(state="free", mac=None, touched=False))
                )
        wire = mortal.guard(ScriptedWire(target), WIRE_CALLS)
        try:
            visit(
                wire,
                mortal.guard(plain, LEDGER_CALLS),
                job,
                WHO,
                lambda step, **facts: None,
                chip_name="esp32",
            )
            break
        except Died:
            deaths += 1
        result = bring(target, plain, job)
        assert result.outcome in ("done", "already") and len(set(target.burns)) <= 1
        assert plain.find(mac=board(at)).device_name == result.device_name
        done.add(result.device_name)
    assert deaths > 15 and done


def test_a_name_with_a_colon_comes_back_from_its_file(plain, tmp_path):
    (tmp_path / "i").mkdir()
    pair(tmp_path / "i", 1, "24:0a:c4:00:00:01")
    take_folder(plain, tmp_path / "i")
    assert plain.list()[0].device_name == device_names.of_mac("mac:", "240ac4000001")
