"""Which store the models are in; before, whoever began to coordinate asked the store itself, which may be another one by then."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("stores", sa.Column("identity", sa.String, primary_key=True))


def downgrade() -> None:
    op.drop_table("stores")
