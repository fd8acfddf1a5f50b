"""Backups of what registration issued to a device."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    op.create_table(
        "issued",
        sa.Column(
            "identity_id",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            sa.ForeignKey("identities.id"),
            primary_key=True,
        ),
        sa.Column("backup", sa.LargeBinary, nullable=False),
        sa.Column("taken", sa.String(24), nullable=False),
    )
