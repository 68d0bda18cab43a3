"""Work on one run in a savepoint of its own, so that what goes wrong there stops no other run.

It only contains and tells; what becomes of the run is for the caller to decide.

A database that refuses writes (full, read-only after a failover, away) is nobody's fault here: the error goes up,
the turn's transaction is rolled back, and its reports are not acknowledged. They stay on the broker's list of
taken reports, in their order, and the next try takes them first, for as long as it needs. A worker's report is
lost only with the broker's memory; then its step shows no sign of life, and the lease brings the next attempt.
"""

import logging
from collections.abc import Callable

from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.orm import Session

from backend.coordinator.changes import Changes

log = logging.getLogger(__name__)
# PostgreSQL's refusal to write in a read-only transaction is an InternalError.
DATABASE_IN_TROUBLE = (InterfaceError, InternalError, OperationalError)


def attempt(
    session: Session, work: Callable[[Changes], None], changes: Changes, what: str
) -> Exception | None:
    """Does `work`, whose changes join `changes`; when it raises, rows and changes are as before.

    Args:
        what: what was being done, for the log.

    Returns:
        What nobody foresaw, or None. A database in trouble is no run's fault.

    Raises: OperationalError, InterfaceError, InternalError.
    """
    mine = Changes()
    try:
        with session.begin_nested():
            work(mine)
    except DATABASE_IN_TROUBLE:
        raise
    except Exception as error:
        log.exception("%s went wrong", what)
        return error
    changes.join(mine)
    return None
