"""Gateways' products, X.509 certificates and ID²: what of them may be looked for, each once in the ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade():
    op.add_column("products", sa.Column("sub_products", sa.LargeBinary))
    op.add_column("identities", sa.Column("issuer", sa.String(64)))
    op.add_column("identities", sa.Column("serial", sa.String(40)))
    op.add_column("identities", sa.Column("expires", sa.String(24)))
    op.add_column("identities", sa.Column("id2", sa.String(24)))
    op.create_index("one_certificate", "identities", ["issuer", "serial"], unique=True)
    op.create_index("one_id2", "identities", ["id2"], unique=True)
