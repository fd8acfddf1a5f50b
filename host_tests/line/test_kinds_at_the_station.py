"""X.509, ID² and gateways at the station: given, found again, refused."""

import json

import pytest
import sqlalchemy as sa

from host_tests.line.conftest import (
    ID2,
    IDS,
    PRODUCT,
    WHO,
    X509,
    X509_JOB,
    board,
    bring,
    pair,
    stock,
    take_folder,
    take_ids,
)
from host_tests.support import pairs
from host_tests.support.scripted_board import LEDGER_CALLS, WIRE_CALLS, Board, Died, Mortal, ScriptedWire
from tools import cli
from tools.errors import UserError
from tools.firmware import record
from tools.line import device_names
from tools.line import identities as kinds
from tools.line.job import Job
from tools.line.ledger.entries import Product
from tools.line.ledger.schema import identities, products
from tools.line.ledger.seal import Secret
from tools.line.station import station_file, wire
from tools.line.station.visit import Result, judge_name, visit

TOKEN = "i11" + "0123456789abcdef" + "." * 13


def test_a_board_gets_a_certificate_and_keeps_it(plain, issued):
    take_folder(plain, issued)
    target = Board(board(1))
    assert bring(target, plain) == Result("done", board(1), "sensor-0")
    fields = target.burned[0]
    assert fields[record.CERTIFICATE] == pairs.certificate(serial=0x1000).public_bytes(pairs.Encoding.DER)
    assert fields[record.KIND] == b"x509" and record.PRODUCT_KEY not in fields
    assert bring(target, plain).outcome == "already"
    target.burned = None
    assert bring(target, plain) == Result("done", board(1), "sensor-0")
    assert len(target.burns) == 2 and plain.counts()[X509]["done"] == 1


@pytest.mark.parametrize("kind", ["x509", "id2"])
def test_a_lost_identity_is_put_back_by_mac(plain, issued, tmp_path, monkeypatch, capsys, kind):
    take_folder(plain, issued)
    take_ids(plain)
    job = X509_JOB if kind == "x509" else Job("m", ID2, "ESP32_GENERIC", endpoint=X509_JOB.endpoint)
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
    output = capsys.readouterr().err
    assert ("nothing is issued that could get lost" if kind == "x509" else "holds no issued secret") in output


def test_the_certificate_of_one_board_on_another_is_two_boards_with_one_identity(plain, issued):
    take_folder(plain, issued)
    first, twin = Board(board(1)), Board(board(2))
    bring(first, plain)
    twin.burned = first.burned
    assert "the board holds sensor-0, which board 24:0a:c4:00:00:01 has" in bring(twin, plain).why
    unknown = Board(board(3))
    other = pairs.certificate(serial=0x77).public_bytes(pairs.Encoding.DER)
    unknown.burned = ({record.KIND: b"x509", record.CERTIFICATE: other}, 1)
    assert (
        "holds certificate 77 of product X.509, which the ledger does not know" in bring(unknown, plain).why
    )
    unknown.burned = ({record.KIND: b"x509", record.CERTIFICATE: other[:90]}, 1)
    assert "a certificate that cannot be read" in bring(unknown, plain).why


def test_a_certificate_that_is_on_a_board_but_free_is_bound_to_it(plain, issued):
    take_folder(plain, issued)
    target = Board(board(1))
    row = plain.find(product_key=X509, device_name="sensor-2", with_secrets=True)
    target.burned = (kinds.wanted(X509_JOB, plain.product(X509), row).fields(), 1)
    assert bring(target, plain) == Result("done", board(1), "sensor-2")


def test_a_certificate_that_ended_meanwhile_fails_its_board_by_its_line(plain, tmp_path):
    plain.add_product(Product(X509, "x509"), WHO)
    ended = pairs.certificate(serial=0x99, start=-9, days=3).public_bytes(pairs.Encoding.DER)
    fields = kinds.of_pair(ended, pairs.key_bytes(encoding=pairs.Encoding.DER))
    plain.add_identities(X509, [("sensor-9", fields)], WHO)
    with plain.connection.engine.begin() as c:
        c.execute(identities.update().values(expires=None))
    assert "sensor-9 cannot be burned: the certificate: it ended on" in bring(Board(board(1)), plain).why
    assert plain.find(mac=board(1)).state == "failed"


def test_the_platform_may_know_a_certificate_by_another_name(plain, issued):
    take_folder(plain, issued)
    row = plain.find(product_key=X509, device_name="sensor-0", with_secrets=True)
    wanted = kinds.wanted(X509_JOB, plain.product(X509), row)
    reported = {"aliot": "connected", "product_key": X509, "device_name": "sensor-1"}
    assert "as a1X509Prod1/sensor-1, the ledger as a1X509Prod1/sensor-0: check the association" in judge_name(
        wire.Tested(({"aliot": "boot"}, reported)), wanted, row
    )
    assert (
        judge_name(wire.Tested(({"aliot": "boot"}, {**reported, "device_name": "sensor-0"})), wanted, row)
        is None
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
    "kind, endpoint, message",
    [
        ("x509", {"auth": "https"}, "endpoint.auth is not for a product with X.509"),
        ("x509", {"sign_method": "hmacsha1"}, "endpoint.sign_method is not for a product with X.509"),
        ("id2", {"bootstrap": "global"}, "'bootstrap' is not a field of an ID² identity"),
        ("id2", {"region": "ap-northeast-1"}, "host is missing"),
    ],
)
def test_a_job_for_another_kind_is_refused_before_a_board_is_touched(kind, endpoint, message):
    with pytest.raises(UserError, match=f"job x: {message}"):
        kinds.check_job(Job("x", X509, "ESP32_GENERIC", endpoint=endpoint), Product(X509, kind))
    kinds.check_job(Job("x", X509, "ESP32_GENERIC", endpoint={"method": "https"}), Product(X509, kind))


@pytest.mark.parametrize("kind", ["x509", "id2"])
def test_a_station_that_dies_at_any_step_finds_the_same_identity_again(plain, issued, kind):
    take_folder(plain, issued)
    take_ids(plain)
    job = X509_JOB if kind == "x509" else Job("m", ID2, "ESP32_GENERIC")
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
