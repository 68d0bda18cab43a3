"""Rounds of a pilot with a timetable are due at a time, which outlives the coordinator."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "round_timers",
        sa.Column("pilot_id", sa.String(255), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["pilot_id"], ["pilots.id"], name="fk_round_timers_pilot_id_pilots", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pilot_id", "round", name="pk_round_timers"),
    )


def downgrade() -> None:
    op.drop_table("round_timers")
