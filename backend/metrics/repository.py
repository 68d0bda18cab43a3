"""SQL of metrics."""

from sqlalchemy import Select, select

from backend.db.tables import MetricRow


def of_run(run_id: str, since: int) -> Select[MetricRow]:
    return select(MetricRow).where(MetricRow.run_id == run_id, MetricRow.round >= since)
