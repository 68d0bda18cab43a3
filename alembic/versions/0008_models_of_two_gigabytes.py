"""A step's model may have 2 GiB and more."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _change(sa.Integer(), sa.BigInteger())


def downgrade() -> None:
    _change(sa.BigInteger(), sa.Integer())


def _change(before: sa.types.TypeEngine[int], after: sa.types.TypeEngine[int]) -> None:
    # SQLite cannot alter a column: the table is made anew and its rows are copied.
    with op.batch_alter_table("steps") as steps:
        steps.alter_column("artifact_bytes", existing_type=before, type_=after)
