"""A step that trains tells how far it has come, so that the attempt after a lost one goes on there."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("steps", sa.Column("checkpoint", sa.JSON(), nullable=True))
    op.add_column("steps", sa.Column("resumed", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("steps", "resumed")
    op.drop_column("steps", "checkpoint")
