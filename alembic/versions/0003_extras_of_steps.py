"""what steps make beside the model

Revision ID: 0003
Revises: 0002
Created: 2026-11-24 19:25:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("steps", sa.Column("extras", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("steps", "extras")
