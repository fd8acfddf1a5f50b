"""Certificates and IDs whose device has another one now: boards that hold them are known, nobody else gets one."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade():
    op.create_table(
        "replaced",
        sa.Column("mark", sa.String(130), primary_key=True),
        sa.Column(
            "identity_id",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            sa.ForeignKey("identities.id"),
            nullable=False,
        ),
    )
