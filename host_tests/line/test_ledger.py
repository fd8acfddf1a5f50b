"""What the ledger promises, on SQLite and on PostgreSQL alike."""

import pytest
import sqlalchemy as sa

from host_tests.line.conftest import PRODUCT, WHO, board, secret, stock
from tools.errors import UserError
from tools.line.ledger import transitions
from tools.line.ledger.connection import Patience
from tools.line.ledger.entries import Product, Who
from tools.line.ledger.ledger import Ledger
from tools.line.ledger.schema import events, identities, products

OTHER = Who("bay-2", "mei")
QUICK = Patience(limit=5.0)


def burn(ledger, mac, upto="finish"):
    """A board's whole visit, up to an action."""
    identity = ledger.begin_write(ledger.reserve(mac, PRODUCT, WHO), WHO)
    for action in ("write", "verify", "finish"):
        identity = ledger.move(identity, action, WHO, firmware="f" * 64, image="1" * 64)
        if action == upto:
            return identity


def test_boards_get_different_identities_and_the_same_board_the_same_one(ledger):
    stock(ledger, 3)
    given = [ledger.reserve(board(n), PRODUCT, WHO) for n in (1, 2, 1, 3, 2)]
    assert [identity.device_name for identity in given] == [
        "dev00000",
        "dev00001",
        "dev00000",
        "dev00002",
        "dev00001",
    ]
    assert given[0].secrets["device_secret"].reveal() == secret(0)


@pytest.mark.parametrize(
    "spelling", ["24:0A:C4:00:00:07", "24-0a-c4-00-00-07", "240AC4000007", "240a.c400.0007"]
)
def test_a_mac_is_one_board_however_it_is_spelled(ledger, spelling):
    stock(ledger, 2)
    first = ledger.reserve(board(7), PRODUCT, WHO)
    assert ledger.reserve(spelling, PRODUCT, WHO).device_name == first.device_name


def test_when_none_is_free_the_line_says_so(ledger):
    stock(ledger, 1)
    ledger.reserve(board(1), PRODUCT, WHO)
    with pytest.raises(UserError, match="no free identity of product a1B2c3D4e5F is left"):
        ledger.reserve(board(2), PRODUCT, WHO)


def test_a_board_of_another_product_is_refused(ledger):
    stock(ledger, 1)
    ledger.add_product(Product("b9B2c3D4e5F"), WHO)
    stock(ledger, 1, "b9B2c3D4e5F")
    ledger.reserve(board(1), PRODUCT, WHO)
    with pytest.raises(UserError, match="holds dev00000 of product a1B2c3D4e5F"):
        ledger.reserve(board(1), "b9B2c3D4e5F", WHO)
    assert ledger.counts("b9B2c3D4e5F")["b9B2c3D4e5F"]["free"] == 1


def test_each_step_is_an_event_with_who_when_and_which_image(ledger, clock):
    stock(ledger, 1)
    clock.forward(minutes=5)
    burn(ledger, board(1))
    steps = [(e["action"], e["from_state"], e["to_state"]) for e in ledger.history(mac=board(1))]
    assert steps == [
        ("reserve", "free", "reserved"),
        ("begin", "reserved", "reserved"),
        ("write", "reserved", "written"),
        ("verify", "written", "verified"),
        ("finish", "verified", "done"),
    ]
    last = ledger.history(mac=board(1))[-1]
    assert (last["station"], last["operator"], last["firmware"], last["image"], last["at"]) == (
        "bay-1",
        "lin",
        "f" * 64,
        "1" * 64,
        "2026-11-21T07:05:00.000Z",
    )


@pytest.mark.parametrize(
    "statement", [sa.update(events).values(note="rewritten"), sa.delete(events)], ids=["update", "delete"]
)
def test_events_cannot_be_rewritten(ledger, statement):
    stock(ledger, 1)
    before = ledger.history()
    with pytest.raises(Exception, match="append-only"):
        ledger.connection.write(lambda c: c.execute(statement))
    assert ledger.history() == before


@pytest.mark.parametrize("column, value", [("mac", board(1)), ("device_name", "dev00000")])
def test_the_database_itself_refuses_a_second_board_or_name(ledger, column, value):
    stock(ledger, 2)
    ledger.reserve(board(1), PRODUCT, WHO)
    with pytest.raises(sa.exc.IntegrityError):
        ledger.connection.write(
            lambda c: c.execute(
                sa.update(identities).where(identities.c.device_name == "dev00001").values({column: value})
            )
        )


def test_a_step_that_the_table_lacks_changes_nothing(ledger):
    stock(ledger, 1)
    identity = ledger.reserve(board(1), PRODUCT, WHO)
    with pytest.raises(UserError, match="dev00000: an identity that is reserved cannot finish"):
        ledger.move(identity, "finish", WHO)
    assert ledger.find(mac=board(1)).state == transitions.RESERVED


def test_an_older_visit_can_change_nothing_once_the_board_was_taken_up_again(ledger):
    stock(ledger, 1)
    stale = ledger.reserve(board(1), PRODUCT, WHO)
    fresh = ledger.reserve(board(1), PRODUCT, OTHER)
    with pytest.raises(UserError, match="taken up elsewhere meanwhile .station bay-2."):
        ledger.move(stale, "write", WHO)
    assert ledger.move(fresh, "write", OTHER).state == transitions.WRITTEN


@pytest.mark.parametrize("upto", ["write", "verify", "finish"])
def test_a_failed_board_keeps_its_identity_until_void(ledger, upto):
    stock(ledger, 2)
    failed = ledger.move(burn(ledger, board(1), upto), "fail", WHO, note="no self-test line")
    assert (failed.state, failed.mac) == (transitions.FAILED, board(1))
    assert ledger.reserve(board(2), PRODUCT, WHO).device_name == "dev00001"
    assert ledger.reserve(board(1), PRODUCT, WHO).device_name == "dev00000"
    with pytest.raises(UserError, match="can only be voided"):
        ledger.release(ledger.find(mac=board(1)), WHO)
    ledger.void(ledger.find(mac=board(1)), WHO, note="board destroyed")
    with pytest.raises(UserError, match="no free identity"):
        ledger.reserve(board(1), PRODUCT, WHO)


def test_an_identity_that_never_began_to_be_written_can_be_given_back(ledger):
    stock(ledger, 1)
    ledger.release(ledger.reserve(board(1), PRODUCT, WHO), WHO)
    assert ledger.reserve(board(2), PRODUCT, WHO).device_name == "dev00000"


def test_a_void_is_undone_for_the_board_that_had_it(ledger):
    stock(ledger, 2)
    burn(ledger, board(1))
    ledger.void(ledger.find(mac=board(1)), WHO)
    ledger.reopen(ledger.find(product_key=PRODUCT, device_name="dev00000"), WHO)
    again = ledger.reserve(board(1), PRODUCT, WHO)
    assert (again.device_name, again.state) == ("dev00000", transitions.RESERVED)


def test_a_void_is_not_undone_when_the_board_took_another_identity(ledger):
    stock(ledger, 2)
    burn(ledger, board(1))
    ledger.void(ledger.find(mac=board(1)), WHO)
    assert ledger.reserve(board(1), PRODUCT, WHO).device_name == "dev00001"
    with pytest.raises(UserError, match="holds another identity now"):
        ledger.reopen(ledger.find(product_key=PRODUCT, device_name="dev00000"), WHO)


@pytest.mark.parametrize(
    "rule, name",
    [
        ("mac", "240ac40000ab"),
        ("MAC", "240AC40000AB"),
        ("mac:", "24:0a:c4:00:00:ab"),
        ("MAC:", "24:0A:C4:00:00:AB"),
    ],
)
def test_a_product_with_a_mac_rule_names_each_board_itself(ledger, rule, name):
    ledger.add_product(Product("p9B2c3D4e5F", "product", rule), WHO)
    first = ledger.reserve(board(0xAB), "p9B2c3D4e5F", WHO)
    assert (first.device_name, first.secrets) == (name, {})
    assert ledger.reserve(board(0xAB), "p9B2c3D4e5F", WHO).id == first.id


def test_a_listed_product_takes_only_names_from_its_list(ledger):
    ledger.add_product(Product("p9B2c3D4e5F", "product", "mac", listed=True), WHO)
    ledger.add_identities("p9B2c3D4e5F", [(board(2), {}), (board(1), {})], WHO)
    assert ledger.reserve(board(1), "p9B2c3D4e5F", WHO).device_name == board(1)
    with pytest.raises(UserError, match="240ac4000003 is not on the list of product p9B2c3D4e5F"):
        ledger.reserve(board(3), "p9B2c3D4e5F", WHO)


def test_taking_in_twice_changes_nothing_and_another_secret_is_refused(ledger):
    rows = [("dev00000", {"device_secret": secret(0)}), ("dev00001", {"device_secret": secret(1)})]
    assert ledger.add_identities(PRODUCT, rows, WHO).new == 2
    before = ledger.history()
    again = ledger.add_identities(PRODUCT, rows, WHO)
    assert (again.new, again.known, ledger.history()) == (0, 2, before)
    with pytest.raises(UserError, match="dev00001 of a1B2c3D4e5F is in the ledger with another secret"):
        ledger.add_identities(PRODUCT, [("dev00009", {}), ("dev00001", {"device_secret": secret(7)})], WHO)
    assert ledger.find(product_key=PRODUCT, device_name="dev00009") is None


def test_no_secret_is_readable_in_the_database(ledger):
    stock(ledger, 1)
    ledger.add_product(Product("p9B2c3D4e5F", "product", "mac", secret=_secret("ProductSecret123")), WHO)
    ledger.keep_issued(ledger.reserve(board(1), PRODUCT, WHO), {4: b"IssuedSecret0123456789"}, WHO)
    dump = repr(
        ledger.connection.read(
            lambda c: [
                c.execute(sa.text(f"SELECT * FROM {table}")).all()
                for table in ("products", "identities", "issued", "events", "meta")
            ]
        )
    )
    for text in (secret(0), "ProductSecret123", "IssuedSecret0123456789"):
        assert (
            text not in dump
            and text.encode().hex() not in dump
            and text.encode().hex().encode().hex() not in dump
        )
    assert ledger.product("p9B2c3D4e5F", with_secret=True).secret.reveal() == "ProductSecret123"
    assert ledger.issued(ledger.find(mac=board(1))) == {4: b"IssuedSecret0123456789"}


def test_a_sealed_secret_copied_to_another_row_does_not_open(ledger):
    stock(ledger, 2)
    ledger.connection.write(
        lambda c: c.execute(
            sa.update(identities)
            .values(
                secret=sa.select(identities.c.secret)
                .where(identities.c.device_name == "dev00001")
                .scalar_subquery()
            )
            .where(identities.c.device_name == "dev00000")
        )
    )
    with pytest.raises(UserError, match="dev00000 does not open"):
        ledger.reserve(board(1), PRODUCT, WHO)


def test_without_the_key_states_are_seen_and_secrets_are_not(ledger, ledger_url):
    stock(ledger, 1)
    with Ledger.open(ledger_url, patience=QUICK) as blind:
        assert blind.counts()[PRODUCT]["free"] == 1
        with pytest.raises(UserError, match="sealed: name the key"):
            blind.reserve(board(1), PRODUCT, WHO)


def test_a_wrong_key_is_refused_at_once(ledger, ledger_url):
    from tools.line.ledger.seal import Key

    with pytest.raises(UserError, match="this is not the ledger's key"):
        Ledger.open(ledger_url, key=Key(bytes(32)), patience=QUICK)


def test_rekey_changes_the_key_of_every_secret_and_stops_stations_with_the_old_one(ledger, ledger_url, key):
    from tools.line.ledger.seal import Key

    stock(ledger, 5)
    ledger.add_product(Product("p9B2c3D4e5F", "product", "mac", secret=_secret("ProductSecret123")), WHO)
    ledger.keep_issued(ledger.reserve(board(1), PRODUCT, WHO), {4: b"issued"}, WHO)
    new = Key(bytes(reversed(range(32))))
    with Ledger.open(ledger_url, key=key, patience=QUICK) as station:
        assert ledger.rekey(new, WHO) == 7
        with pytest.raises(UserError, match="rekey"):
            station.add_identities(PRODUCT, [("late0001", {"device_secret": secret(1)})], WHO)
        with pytest.raises(UserError, match="sealed with key"):
            station.reserve(board(2), PRODUCT, WHO)
    with Ledger.open(ledger_url, key=new, patience=QUICK) as opened:
        assert opened.check_secrets() == 7
        assert opened.reserve(board(1), PRODUCT, WHO).secrets["device_secret"].reveal() == secret(0)


def test_a_plain_ledger_must_be_asked_for(ledger_url):
    with pytest.raises(UserError, match="asked to be plain"):
        Ledger.create(ledger_url)
    with Ledger.create(ledger_url, plain=True, patience=QUICK) as made:
        assert made.plain


def test_a_ledger_is_never_overwritten(ledger, ledger_url, key):
    stock(ledger, 1)
    with pytest.raises(UserError, match="never overwritten"):
        Ledger.create(ledger_url, key=key, patience=QUICK)
    assert ledger.counts()[PRODUCT]["free"] == 1


def test_an_empty_database_is_not_taken_for_a_ledger(ledger_url, tmp_path):
    if ledger_url.startswith("sqlite"):
        (tmp_path / "ledger.db").write_bytes(b"")
    with pytest.raises(UserError, match="not a ledger yet"):
        Ledger.open(ledger_url, patience=QUICK)


def test_products_are_told_apart_by_their_facts(ledger):
    ledger.add_product(Product(PRODUCT), WHO)
    with pytest.raises(UserError, match="is in the ledger as of kind device"):
        ledger.add_product(Product(PRODUCT, "product", "mac"), WHO)


def test_the_unique_constraints_are_in_the_tables(ledger):
    inspector = ledger.connection.read(
        lambda c: (
            sa.inspect(c).get_unique_constraints("identities"),
            sa.inspect(c).get_pk_constraint("products"),
        )
    )
    columns = {tuple(sorted(constraint["column_names"])) for constraint in inspector[0]}
    assert {("device_name", "product_key"), ("mac",)} <= columns
    assert inspector[1]["constrained_columns"] == [products.c.product_key.name]


def _secret(text):
    from tools.line.ledger.seal import Secret

    return Secret(text)
