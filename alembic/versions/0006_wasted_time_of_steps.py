"""Time of attempts that came to nothing is kept: it costs as well.

Of what happened before, the last attempt's time is known where the step failed or was cancelled and said so. It is added to
the counters of its run, which agree with the steps. Earlier attempts did not leave their time behind.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

steps = sa.table(
    "steps",
    *(sa.column(name) for name in ("run_id", "state", "attempt", "seconds", "device", "started_at")),
    *(sa.column(name) for name in ("wasted_cpu_s", "wasted_gpu_s", "unmeasured_attempts")),
)
runs = sa.table("runs", *(sa.column(name) for name in ("id", "busy_s", "cpu_s", "gpu_s")))


def upgrade() -> None:
    op.add_column("steps", sa.Column("wasted_cpu_s", sa.Double(), nullable=False, server_default="0"))
    op.add_column("steps", sa.Column("wasted_gpu_s", sa.Double(), nullable=False, server_default="0"))
    op.add_column("steps", sa.Column("unmeasured_attempts", sa.Integer(), nullable=False, server_default="0"))
    in_vain = steps.update().where(steps.c.state.in_(("failed", "cancelled")))
    measured = in_vain.where(steps.c.seconds.is_not(None))
    op.execute(measured.values(wasted_cpu_s=steps.c.seconds))
    op.execute(measured.where(steps.c.device.like("cuda%")).values(wasted_gpu_s=steps.c.seconds))
    op.execute(steps.update().values(unmeasured_attempts=steps.c.attempt - 1))
    silent = in_vain.where(steps.c.seconds.is_(None), steps.c.started_at.is_not(None))
    op.execute(silent.values(unmeasured_attempts=steps.c.attempt))
    _add_to_runs(1)


def downgrade() -> None:
    _add_to_runs(-1)
    for name in ("unmeasured_attempts", "wasted_gpu_s", "wasted_cpu_s"):
        op.drop_column("steps", name)


def _add_to_runs(sign: int) -> None:
    def of(column: sa.ColumnClause[float]) -> sa.ColumnElement[float]:
        found = sa.select(sa.func.coalesce(sa.func.sum(column), 0.0)).where(steps.c.run_id == runs.c.id)
        return sign * found.correlate(runs).scalar_subquery()

    cpu, gpu = of(steps.c.wasted_cpu_s), of(steps.c.wasted_gpu_s)
    op.execute(
        runs.update().values(cpu_s=runs.c.cpu_s + cpu, busy_s=runs.c.busy_s + cpu, gpu_s=runs.c.gpu_s + gpu)
    )
