"""A step's model may have 2 GiB and more.

SQLite keeps whole numbers of any size in either type.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column("steps", "artifact_bytes", existing_type=sa.Integer(), type_=sa.BigInteger())


def downgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column("steps", "artifact_bytes", existing_type=sa.BigInteger(), type_=sa.Integer())
