"""An amendment is asked for, then in force from a round on or refused with a reason.

Those that are there count already: whoever wrote them said from which round on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("amendments") as batch:
        batch.add_column(sa.Column("state", sa.String(length=255), nullable=False, server_default="in_force"))
        batch.add_column(sa.Column("asked_round", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("reason", sa.JSON(), nullable=True))
        batch.add_column(sa.Column("left_out", sa.JSON(), nullable=False, server_default="[]"))
        batch.alter_column("from_round", existing_type=sa.Integer(), nullable=True)
        batch.alter_column("why", existing_type=sa.String(length=255), type_=sa.Text(), nullable=False)
    op.execute("UPDATE amendments SET asked_round = from_round, decided_at = at")
    with op.batch_alter_table("amendments") as batch:
        batch.alter_column("state", existing_type=sa.String(length=255), server_default=None)
        batch.alter_column("left_out", existing_type=sa.JSON(), server_default=None)


def downgrade() -> None:
    op.execute("DELETE FROM amendments WHERE state <> 'in_force'")
    # On PostgreSQL text that is longer than the column is an error, not cut.
    op.execute("UPDATE amendments SET why = substr(why, 1, 255)")
    with op.batch_alter_table("amendments") as batch:
        batch.alter_column("why", existing_type=sa.Text(), type_=sa.String(length=255), nullable=False)
        batch.alter_column("from_round", existing_type=sa.Integer(), nullable=False)
        for name in ("left_out", "reason", "decided_at", "asked_round", "state"):
            batch.drop_column(name)
