"""The ledger's tables follow the program by themselves: Alembic, one migration at a time, in one
transaction.
"""

import os

import sqlalchemy as sa

from tools.errors import UserError
from tools.line.ledger import connection as database
from tools.line.ledger.schema import VERSION

FOLDER = os.path.join(os.path.dirname(__file__), "migrations")


def migrate(connection: database.Connection, only_existing: bool = False) -> None:
    """Bring the tables to this program's version; stations that start together wait for one of them.

    UserError when the ledger is newer than this program.
    """

    def work(c):
        if c.dialect.name == "postgresql":
            c.execute(sa.select(sa.func.pg_advisory_xact_lock(database.MIGRATION_LOCK)))
        found = schema_version(c)
        if found == VERSION:
            return
        if found is None and only_existing:
            raise UserError(f"{database.shown(connection.url)} is not a ledger yet; 'line init' makes one")
        if found is not None and found > VERSION:
            raise UserError(
                f"the ledger's tables are version {found}, this program knows {VERSION}; "
                "update aliot on this station"
            )
        upgrade(c)

    if connection.read(schema_version) != VERSION:
        connection.write(work)


def upgrade(c: sa.Connection, to: str = "head") -> None:
    """Run Alembic's migrations inside the transaction of `c`."""
    import alembic.command
    import alembic.config

    config = alembic.config.Config()
    config.set_main_option("script_location", FOLDER)
    config.attributes["connection"] = c
    alembic.command.upgrade(config, to)


def schema_version(c: sa.Connection) -> str | None:
    """The version of the tables, or None when there are none."""
    if not sa.inspect(c).has_table("alembic_version"):
        return None
    return c.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
