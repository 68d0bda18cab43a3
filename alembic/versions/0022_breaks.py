"""Every time in which nobody coordinated, where the last sign of life had held the end of the last one."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

EVER = datetime(1970, 1, 1, tzinfo=UTC)


def upgrade() -> None:
    breaks = op.create_table(
        "breaks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
    )
    heartbeats = sa.table("heartbeats", sa.column("part", sa.String), sa.column("params", sa.JSON))
    params = op.get_bind().scalar(sa.select(heartbeats.c.params).where(heartbeats.c.part == "coordinator"))
    if params and params.get("since"):
        op.bulk_insert(
            breaks, [{"began_at": EVER, "ended_at": datetime.fromisoformat(params["since"]).astimezone(UTC)}]
        )


def downgrade() -> None:
    op.drop_table("breaks")
