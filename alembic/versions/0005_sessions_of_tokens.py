"""A session that was begun with a token ends with it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("token_id", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("sessions", "token_id")
