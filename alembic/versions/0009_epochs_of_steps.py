"""How many epochs a step trained: with early stopping nobody knows it beforehand."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("steps", sa.Column("num_epochs", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("steps", "num_epochs")
