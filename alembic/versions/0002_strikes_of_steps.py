"""attempts of a step that count against it

Revision ID: 0002
Revises: 0001
Created: 2026-11-24 19:45:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("steps", sa.Column("strikes", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE steps SET strikes = attempt - 1")


def downgrade() -> None:
    op.drop_column("steps", "strikes")
