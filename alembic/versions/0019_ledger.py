"""Exchanges say how they travelled and what is not known of them; steps keep what they fetch, for the case that they die."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "exchanges", sa.Column("unknown_bytes", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.add_column("exchanges", sa.Column("wire_format", sa.String(255), nullable=True))
    op.add_column("steps", sa.Column("fetches", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("steps", "fetches")
    op.drop_column("exchanges", "wire_format")
    op.drop_column("exchanges", "unknown_bytes")
