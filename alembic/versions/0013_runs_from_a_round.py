"""A run may go on from a round of another one, and then stands in its place: of one arm and seed one run counts."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

COUNTING = sa.text("replaced_by IS NULL")


def upgrade() -> None:
    op.add_column("runs", sa.Column("from_round", sa.Integer(), nullable=True))
    op.add_column("runs", sa.Column("restart_key", sa.String(length=255), nullable=True))
    op.add_column("runs", sa.Column("replaced_by", sa.String(length=255), nullable=True))
    op.create_index(
        "ix_runs_arm_id_seed", "runs", ["arm_id", "seed"], unique=True,
        sqlite_where=COUNTING, postgresql_where=COUNTING,
    )  # fmt: skip
    op.create_index(
        "ix_runs_parent_run_id_restart_key", "runs", ["parent_run_id", "restart_key"], unique=True
    )


def downgrade() -> None:
    op.drop_index("ix_runs_parent_run_id_restart_key", "runs")
    op.drop_index("ix_runs_arm_id_seed", "runs")
    op.drop_column("runs", "replaced_by")
    op.drop_column("runs", "restart_key")
    op.drop_column("runs", "from_round")
