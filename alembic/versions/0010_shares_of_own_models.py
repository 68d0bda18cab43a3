"""How much a site's own model counts in its answers, where it trains one alone beside the one it shares in."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("metrics", sa.Column("alone_share", sa.Double(), nullable=True))


def downgrade() -> None:
    op.drop_column("metrics", "alone_share")
