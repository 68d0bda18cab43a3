"""Which store took whose place: none of those before is taken back by itself."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("stores", sa.Column("number", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("stores", "number")
