"""`awase clean`: what is removed, or would be, in words."""

from backend.cli.local import fail, told_plainly
from backend.cli.people import must_be_there
from backend.db.session import Database
from backend.db.tables import utc_now
from backend.retention import service
from backend.settings import Settings
from worker.artifacts import StoreUnavailable, open_store


def clean(settings: Settings, dry_run: bool) -> int:
    """0: done, whether or not there was something; 1: one line why not."""
    must_be_there(settings)
    database = Database(settings.database_url)
    try:
        with told_plainly(settings):
            freed = service.clean(
                database, open_store(settings.artifacts_url), settings, utc_now(), dry=dry_run
            )
    except (service.StrangeStore, StoreUnavailable) as error:
        fail(str(error))
    finally:
        database.close()
    print(
        f"{'Would remove' if dry_run else 'Removed'}: artifacts that nobody needs: {freed.artifacts}; files of attempts that came to "
        f"nothing: {freed.orphans}; steps' logs: {freed.logs}; events: {freed.events}. Space: {freed.num_bytes / 1e6:.1f} MB ({freed.num_bytes} bytes)."
    )
    if freed.recent:
        print(
            f"Kept for now: {freed.recent} more that nobody is known to need, as they were put within the last day, or since a step began "
            "that is still under way: what made them may not have been reported yet. A later clean removes them."
        )
    if settings.keep_artifacts_days is None:
        print("Artifacts and logs of steps are kept for ever: AWASE_KEEP_ARTIFACTS_DAYS is not set.")
    if settings.keep_events_days is None:
        print("Events are kept for ever: AWASE_KEEP_EVENTS_DAYS is not set.")
    return 0
