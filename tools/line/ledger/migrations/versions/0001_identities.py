"""Products, identities and their events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")

APPEND_ONLY = {
    "sqlite": [
        "CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events "
        "BEGIN SELECT RAISE(ABORT, 'events are append-only'); END",
        "CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events "
        "BEGIN SELECT RAISE(ABORT, 'events are append-only'); END",
    ],
    "postgresql": [
        "CREATE FUNCTION events_are_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'events are append-only'; END $$",
        "CREATE TRIGGER events_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events "
        "FOR EACH STATEMENT EXECUTE FUNCTION events_are_append_only()",
    ],
}


def upgrade():
    op.create_table(
        "meta",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "products",
        sa.Column("product_key", sa.String(20), primary_key=True),
        sa.Column("way", sa.String(10), nullable=False),
        sa.Column("product_secret", sa.LargeBinary),
        sa.Column("name_rule", sa.String(10)),
        sa.Column("listed", sa.Boolean, nullable=False),
    )
    op.create_table(
        "identities",
        sa.Column("id", NUMBER, primary_key=True),
        sa.Column("product_key", sa.String(20), sa.ForeignKey("products.product_key"), nullable=False),
        sa.Column("device_name", sa.String(32), nullable=False),
        sa.Column("secret", sa.LargeBinary),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("mac", sa.String(12), unique=True),
        sa.Column("last_mac", sa.String(12), index=True),
        sa.Column("touched", sa.Boolean, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("station", sa.String(64)),
        sa.Column("operator", sa.String(64)),
        sa.Column("firmware", sa.String(64)),
        sa.Column("image", sa.String(64)),
        sa.Column("changed", sa.String(24), nullable=False),
        sa.UniqueConstraint("product_key", "device_name", name="one_device_name"),
    )
    op.create_index("next_free", "identities", ["product_key", "state", "id"])
    op.create_table(
        "events",
        sa.Column("id", NUMBER, primary_key=True),
        sa.Column("token", sa.String(32), nullable=False, unique=True),
        sa.Column("at", sa.String(24), nullable=False, index=True),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("identity_id", NUMBER, index=True),
        sa.Column("product_key", sa.String(20)),
        sa.Column("device_name", sa.String(32)),
        sa.Column("mac", sa.String(12), index=True),
        sa.Column("from_state", sa.String(10)),
        sa.Column("to_state", sa.String(10)),
        sa.Column("station", sa.String(64), nullable=False),
        sa.Column("operator", sa.String(64), nullable=False),
        sa.Column("firmware", sa.String(64)),
        sa.Column("image", sa.String(64)),
        sa.Column("note", sa.Text),
    )
    for statement in APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)
