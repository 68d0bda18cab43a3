"""SQL of exchanges."""

from sqlalchemy import Select, select

from backend.db.tables import ExchangeRow


def of_run(run_id: str, round: int | None) -> Select[ExchangeRow]:
    query = select(ExchangeRow).where(ExchangeRow.run_id == run_id)
    return query if round is None else query.where(ExchangeRow.round == round)
