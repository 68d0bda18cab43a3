"""Runs migrations on the connection that `backend.db.migrate` hands over, or, from the alembic command,
on the database of the settings."""

from alembic import context
from sqlalchemy import Connection

from backend.db.migrate import migration_engine, render_type, transaction
from backend.db.tables import Base
from backend.settings import Settings


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        compare_type=True,
        render_item=render_type,
    )
    context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    engine = migration_engine(Settings().database_url)
    with transaction(engine) as connection:
        run(connection)
    engine.dispose()
