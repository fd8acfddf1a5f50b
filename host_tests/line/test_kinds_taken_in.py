"""Intake of X.509, ID² and gateways: each bad input by its line."""

import pytest

from host_tests.line.conftest import CA, ID2, IDS, WHO, X509, board, bring, pair, sheet, take_folder, take_ids
from host_tests.support import pairs
from host_tests.support.scripted_board import Board
from tools.errors import UserError
from tools.firmware import record
from tools.line import identities as kinds
from tools.line.intake import tables
from tools.line.station.visit import Result

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
    spoil, message = BAD_PAIRS[name]
    spoil(issued)
    with pytest.raises(UserError, match=message) as caught:
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
    fields = kinds.of_pair(pairs.cer(pairs.Encoding.DER, serial=0x1000), b"key")
    with pytest.raises(UserError, match="certificate 1000 of other-1 is sensor-0's in the ledger already"):
        ledger.add_identities(X509, [("other-1", fields)], WHO)
    old = Board(board(2))
    old.burned = ({record.KIND: b"x509", record.CERTIFICATE: pairs.cer(pairs.Encoding.DER, serial=0x1000)}, 1)
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
    for odd, message in (
        (("a.cer", ""), "line 2: has no PrivateKey"),
        (("no.cer", "a.key"), "line 2: .*no.cer"),
    ):
        with pytest.raises(UserError, match=message):
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
    "change, message",
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
def test_a_bad_id2_row_is_named(plain, change, message):
    row = [change.get(at, value) for at, value in enumerate(IDS[0])]
    with pytest.raises(UserError) as caught:
        take_ids(plain, [row, IDS[1]])
    assert f"line 2: {message}" in str(caught.value) or message in str(caught.value)
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
    "text, message",
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
def test_bad_products_of_sub_devices_are_named(text, message):
    with pytest.raises(UserError, match=message):
        tables.sub_products(text.encode())


def test_products_of_sub_devices_may_have_secrets():
    found = tables.sub_products(
        "ProductKey,ProductSecret\na1SubProdu1,\na1SubProdu2,Xh2sKw0Lq7PzT3vN\n".encode()
    )
    assert found == (("a1SubProdu1", None), ("a1SubProdu2", "Xh2sKw0Lq7PzT3vN"))
