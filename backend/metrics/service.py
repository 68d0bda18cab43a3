"""A run's accuracies, for reading."""

from sqlalchemy.orm import Session

from backend.db.paging import Order, page
from backend.db.tables import MetricRow
from backend.metrics import repository
from backend.metrics.schemas import Metric, MetricPage
from backend.runs import service as runs
from backend.web import ListQuery

_ORDER = (Order(MetricRow.round), Order(MetricRow.phase), Order(MetricRow.site_index))


def list_metrics(session: Session, run_id: str, paging: ListQuery, since: int) -> MetricPage:
    """Raises: NotFound."""
    names = runs.spec_of(session, runs.row_of(session, run_id)).site_names
    found = page(session, repository.of_run(run_id, since), _ORDER, paging.cursor, paging.limit)
    items = [
        Metric.model_validate(
            {
                "round": row.round, "phase": row.phase, "site_index": row.site_index,
                "site_name": names[row.site_index], "own_site": row.own_site, "all_site": row.all_site,
                "validation": row.validation, "alone_share": row.alone_share,
            }
        )
        for row in found.rows
    ]  # fmt: skip
    return MetricPage(items=items, next_cursor=found.next_cursor, total=found.total)
