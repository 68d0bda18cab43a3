"""A round knows whether its matches agree all around the graph; until it is complete its steps keep what they found.

Of rounds that are over it is not known: what was found then was not kept.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("steps", sa.Column("matched", sa.Text(), nullable=True))
    op.create_table(
        "rounds",
        sa.Column("run_id", sa.String(length=255), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("cycle_inconsistency", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_rounds_run_id_runs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "round", name="pk_rounds"),
    )


def downgrade() -> None:
    op.drop_table("rounds")
    op.drop_column("steps", "matched")
