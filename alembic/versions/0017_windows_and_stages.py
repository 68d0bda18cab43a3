"""A site may take work at certain times only; a pilot may be the next stage of another."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sites", sa.Column("window", sa.JSON(), nullable=True))
    op.add_column("steps", sa.Column("taken_back", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("pilots", sa.Column("follows_pilot_id", sa.String(255), nullable=True))


def downgrade() -> None:
    op.drop_column("pilots", "follows_pilot_id")
    op.drop_column("steps", "taken_back")
    op.drop_column("sites", "window")
