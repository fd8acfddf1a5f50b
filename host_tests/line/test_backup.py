"""Backup and return of a ledger, migrations, and a ledger that goes away and comes back."""

import os
import stat
import threading

import pytest
import sqlalchemy as sa

from host_tests.line.conftest import PRODUCT, WHO, board, secret, stock
from tools.errors import UserError
from tools.line.ledger import backup, connection, migration
from tools.line.ledger.connection import Connection, Patience
from tools.line.ledger.ledger import Ledger
from tools.line.ledger.schema import VERSION, identities, metadata

QUICK = Patience(limit=5.0)


def burned(ledger, count, spare=2):
    stock(ledger, count + spare)
    for number in range(count):
        ledger.move(ledger.reserve(board(number), PRODUCT, WHO), "write", WHO)


def test_a_backup_holds_every_row_and_opens_as_a_ledger(ledger, key, tmp_path):
    burned(ledger, 5)
    made = backup.backup(ledger, f"{tmp_path}/copy.db")
    assert made.rows["identities"] == 7
    assert stat.S_IMODE(os.stat(tmp_path / "copy.db").st_mode) == 0o600
    with Ledger.open(f"sqlite:///{tmp_path}/copy.db", key=key) as copy:
        assert copy.history() == ledger.history()
        assert copy.check_secrets() == 7
    assert [name for name in os.listdir(tmp_path) if name.startswith("copy")] == ["copy.db"]


def test_a_backup_comes_back_on_either_database_and_goes_on(ledger, key, tmp_path, ledger_url, postgres):
    burned(ledger, 3)
    backup.backup(ledger, f"{tmp_path}/copy.db")
    for place in (f"sqlite:///{tmp_path}/again.db", postgres.fresh()):
        backup.restore(f"{tmp_path}/copy.db", connection.parse_url(place), QUICK)
        with Ledger.open(place, key=key, patience=QUICK) as again:
            assert again.reserve(board(1), PRODUCT, WHO).device_name == "dev00001"
            assert again.reserve(board(9), PRODUCT, WHO).device_name == "dev00003"
            again.add_identities(PRODUCT, [("more0001", {"device_secret": secret(1)})], WHO)


def test_a_backup_is_taken_while_stations_work(ledger, ledger_url, key, tmp_path):
    burned(ledger, 3, spare=300)
    stop = threading.Event()

    def station():
        with Ledger.open(ledger_url, key=key, patience=QUICK) as own:
            number = 100
            while not stop.is_set():
                own.reserve(board(number), PRODUCT, WHO)
                number += 1

    worker = threading.Thread(target=station)
    worker.start()
    try:
        copies = [backup.backup(ledger, f"{tmp_path}/{n}.db") for n in range(3)]
    finally:
        stop.set()
        worker.join()
    for number, made in enumerate(copies):
        with Ledger.open(f"sqlite:///{tmp_path}/{number}.db", key=key) as copy:
            reserved = [e for e in copy.history() if e["action"] == "reserve"]
            assert len(reserved) == sum(row.mac is not None for row in copy.list()), (
                "one moment, not a mixture"
            )
            assert made.rows["events"] == len(copy.history())


def test_nothing_is_overwritten_by_a_backup_or_by_its_return(ledger, ledger_url, tmp_path):
    (tmp_path / "taken.db").write_text("mine")
    with pytest.raises(UserError, match="never overwritten"):
        backup.backup(ledger, f"{tmp_path}/taken.db")
    assert (tmp_path / "taken.db").read_text() == "mine"
    backup.backup(ledger, f"{tmp_path}/copy.db")
    with pytest.raises(UserError, match="never overwritten"):
        backup.restore(f"{tmp_path}/copy.db", connection.parse_url(ledger_url), QUICK)


def test_a_file_that_is_no_backup_is_refused(ledger, tmp_path):
    for content in (b"", b"not a database at all, only some text in a file" * 50):
        (tmp_path / "odd.db").write_bytes(content)
        with pytest.raises(UserError, match="no backup|no ledger"):
            backup.restore(f"{tmp_path}/odd.db", connection.parse_url(f"sqlite:///{tmp_path}/new.db"), QUICK)


def test_an_older_ledger_is_migrated_with_its_rows(ledger_url, key):
    url = connection.parse_url(ledger_url)
    if url.drivername == "sqlite":
        connection.create_file(url.database)
    old = Connection(url, QUICK)
    old.write(lambda c: migration.upgrade(c, "0001"))
    old.write(
        lambda c: (
            c.execute(
                sa.text("INSERT INTO products (product_key, way, listed) VALUES (:pk, 'device', false)"),
                {"pk": PRODUCT},
            ),
            c.execute(
                sa.text(
                    "INSERT INTO identities (product_key, device_name, state, touched, attempt, changed) "
                    "VALUES (:pk, 'old-0001', 'free', false, 0, '2025-01-01T00:00:00.000Z')"
                ),
                {"pk": PRODUCT},
            ),
        )
    )
    from tools.line.ledger.description import describe
    from tools.line.ledger.seal import Seal

    old.write(lambda c: describe(c, Seal("0" * 32, key), "2025-01-01T00:00:00.000Z"))
    old.close()
    with Ledger.open(ledger_url, key=key, patience=QUICK) as opened:
        assert opened.connection.read(migration.schema_version) == VERSION
        identity = opened.reserve(board(1), PRODUCT, WHO)
        assert identity.device_name == "old-0001"
        opened.keep_issued(identity, {4: b"issued"}, WHO)


def test_the_migrations_make_exactly_the_tables_that_the_program_uses(ledger):
    def differences(c):
        from alembic.autogenerate import compare_metadata
        from alembic.migration import MigrationContext

        return compare_metadata(MigrationContext.configure(c), metadata)

    assert ledger.connection.read(differences) == []


def test_a_newer_ledger_is_left_alone(ledger, ledger_url, key):
    ledger.connection.write(lambda c: c.execute(sa.text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(UserError, match="update aliot on this station"):
        Ledger.open(ledger_url, key=key, patience=QUICK)


def test_a_ledger_that_goes_away_and_comes_back_is_waited_for(ledger, ledger_url, key, postgres, tmp_path):
    stock(ledger, 4)
    reports = []

    def away():
        if ledger_url.startswith("sqlite"):
            os.rename(tmp_path / "ledger.db", tmp_path / "elsewhere.db")
        else:
            postgres.cut()

    def back(seconds):
        if len(reports) == 2 and ledger_url.startswith("sqlite"):
            os.rename(tmp_path / "elsewhere.db", tmp_path / "ledger.db")
        elif len(reports) == 2:
            postgres.start()

    patience = Patience(limit=60, report=reports.append, sleep=back)
    with Ledger.open(ledger_url, key=key, patience=patience) as station:
        first = station.reserve(board(1), PRODUCT, WHO)
        away()
        second = station.reserve(board(2), PRODUCT, WHO)
        assert station.move(first, "write", WHO).state == "written"
    assert (first.device_name, second.device_name) == ("dev00000", "dev00001")
    assert len(reports) >= 2 and "is away" in reports[0]
    names = [e["device_name"] for e in ledger.history() if e["action"] == "reserve"]
    assert names == ["dev00000", "dev00001"], "no try was counted twice"


def test_patience_ends_with_one_line(ledger, ledger_url, key, postgres, tmp_path):
    with Ledger.open(ledger_url, key=key, patience=Patience(limit=0.2, longest=0.05)) as station:
        if ledger_url.startswith("sqlite"):
            os.rename(tmp_path / "ledger.db", tmp_path / "elsewhere.db")
        else:
            postgres.stop()
        try:
            with pytest.raises(UserError, match="did not answer for 0.2 s .*no identity is lost"):
                station.reserve(board(1), PRODUCT, WHO)
        finally:
            if ledger_url.startswith("postgresql"):
                postgres.start()


def test_a_commit_whose_answer_was_lost_is_not_done_twice(ledger, monkeypatch):
    """The commit goes through, the connection dies before the answer: the repeated call finds its own
    event.
    """
    stock(ledger, 3)
    lost = []

    def once(source, work):
        with source.begin() as c:
            result = work(c)
        if not lost:
            lost.append(True)
            raise sa.exc.OperationalError("COMMIT", None, Exception("server closed the connection"))
        return result

    identity = ledger.reserve(board(1), PRODUCT, WHO)
    monkeypatch.setattr(ledger.connection, "_once", once)
    assert ledger.move(identity, "write", WHO).state == "written"
    lost.clear()
    second = ledger.reserve(board(2), PRODUCT, WHO)
    assert (second.device_name, second.attempt) == ("dev00001", 1)
    assert [e["action"] for e in ledger.history()].count("write") == 1


NO_ROOM = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.id > 20 THEN RAISE EXCEPTION 'could not extend file "base/1/2": No space left on device'
    USING ERRCODE = '53100'; END IF; RETURN NEW; END $$;
CREATE TRIGGER no_room BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION no_room()
"""


def fill_disk(station):
    """SQLite: the file may not grow. PostgreSQL: the server's own error for a full disk, raised by a
    trigger.
    """

    def cap(c):
        if c.dialect.name == "postgresql":
            c.exec_driver_sql(NO_ROOM)
        else:
            c.exec_driver_sql(f"PRAGMA max_page_count = {c.exec_driver_sql('PRAGMA page_count').scalar()}")

    station.connection.write(cap)


def test_a_full_disk_is_said_at_once_and_loses_nothing(ledger, ledger_url, key):
    stock(ledger, 200)
    with Ledger.open(
        ledger_url, key=key, patience=Patience(limit=60, sleep=lambda _: pytest.fail("waited"))
    ) as station:
        fill_disk(station)
        with pytest.raises(UserError, match="its disk is full; make room"):
            for number in range(200):
                station.reserve(board(number), PRODUCT, WHO)
    bound = [row for row in ledger.list() if row.mac]
    assert bound and len(bound) == len([e for e in ledger.history() if e["action"] == "reserve"])


def test_a_password_is_refused_on_the_command_line_and_never_shown(postgres):
    url = postgres.url(user="locked", password="OpenSesame99")
    with pytest.raises(UserError, match="password on the command line") as refused:
        connection.parse_url(url, from_command_line=True)
    assert "OpenSesame99" not in str(refused.value)
    postgres.run("CREATE ROLE locked LOGIN PASSWORD 'another'")
    with pytest.raises(UserError, match="wrong or missing password") as wrong:
        Ledger.open(url, patience=Patience(limit=5))
    assert "OpenSesame99" not in str(wrong.value)


@pytest.mark.parametrize(
    "url, message",
    [
        ("mysql://host/db", "cannot be on 'mysql'"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("postgresql+psycopg://line@host:port/db", "cannot be read"),
    ],
)
def test_what_is_no_ledger_url_is_one_line(url, message):
    with pytest.raises(UserError, match=message):
        connection.parse_url(url)


def test_the_ledger_file_is_private(ledger, ledger_url, tmp_path):
    if ledger_url.startswith("sqlite"):
        assert stat.S_IMODE(os.stat(tmp_path / "ledger.db").st_mode) == 0o600
    assert ledger.connection.read(lambda c: c.execute(sa.select(identities)).all()) == []


def test_replay_binds_what_stations_burned_since_the_backup(ledger, key, tmp_path, capsys):
    import json

    from tools import cli

    stock(ledger, 6)
    backup.backup(ledger, f"{tmp_path}/copy.db")
    lines = []
    for number in range(3):
        row = ledger.move(ledger.begin_write(ledger.reserve(board(number), PRODUCT, WHO), WHO), "write", WHO)
        lines.append(
            json.dumps(
                {"mac": row.mac, "product_key": PRODUCT, "device_name": row.device_name, "event": "written"}
            )
        )
    (tmp_path / "journal").write_text("\n".join(lines) + '\n{"mac": "24')  # the last line torn by a power cut
    (tmp_path / "key").write_text(bytes(range(32)).hex())
    os.chmod(tmp_path / "key", 0o600)
    command = [
        "line",
        "replay",
        f"{tmp_path}/journal",
        "--ledger",
        f"sqlite:///{tmp_path}/copy.db",
        "--key-file",
        f"{tmp_path}/key",
    ]
    assert cli.main(command) == 0 and "3 identities bound" in capsys.readouterr().out
    assert cli.main(command) == 0 and "0 identities bound" in capsys.readouterr().out
    with Ledger.open(f"sqlite:///{tmp_path}/copy.db", key=key) as again:
        assert [again.find(mac=board(n)).device_name for n in range(3)] == [
            "dev00000",
            "dev00001",
            "dev00002",
        ]
        assert again.reserve(board(9), PRODUCT, WHO).device_name == "dev00003"
        again.void(again.find(mac=board(1)), WHO)
    assert cli.main(command) == 1 and "dev00001" in capsys.readouterr().err
