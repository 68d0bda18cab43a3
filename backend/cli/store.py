"""`awase adopt-store`: another store in place of the one that models were put into."""

from backend.artifacts import store_repository
from backend.cli.local import fail, told_plainly
from backend.cli.people import must_be_there
from backend.db.migrate import migrate
from backend.db.session import Database
from backend.settings import Settings
from worker.artifacts import StoreUnavailable, open_store


def adopt(settings: Settings) -> int:
    """0: the store counts, also if it did before; 1: one line why not. A coordinator that runs takes it up by itself."""
    must_be_there(settings)
    with told_plainly(settings):
        migrate(settings.database_url)
    database = Database(settings.database_url)
    try:
        with told_plainly(settings):
            with database.read() as session:
                put_last = store_repository.artifacts_put_last(session, store_repository.COPIED)
            store = open_store(settings.artifacts_url)
            lacking, found = sum(not store.has(ref) for ref in put_last), store.identify()
            with database.write() as session:
                store_repository.note(session, found)
    except StoreUnavailable as error:
        fail(str(error))
    finally:
        database.close()
    print(f"Models are put into {settings.artifacts_url} from now on.")
    if lacking:
        print(
            "Models that were put last are not in it. Copy what is left of the old store there; runs that need more fail, and are begun anew as copies of their pilots."
        )
    return 0
