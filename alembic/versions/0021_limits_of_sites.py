"""A site may limit what is asked of its machine: epochs of a round, threads, memory."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sites", sa.Column("limits", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("sites", "limits")
