"""Work on one run in a savepoint of its own, so that what goes wrong there stops no other run.

It only contains and tells; what becomes of the run is for the caller to decide.
"""

import logging
from collections.abc import Callable

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from backend.coordinator.changes import Changes

log = logging.getLogger(__name__)


def attempt(
    session: Session, work: Callable[[Changes], None], changes: Changes, what: str
) -> Exception | None:
    """Does `work`, whose changes join `changes`; when it raises, rows and changes are as before.

    Args:
        what: what was being done, for the log.

    Returns:
        What nobody foresaw, or None. A database in trouble is no run's fault.

    Raises: OperationalError, InterfaceError.
    """
    mine = Changes()
    try:
        with session.begin_nested():
            work(mine)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.exception("%s went wrong", what)
        return error
    changes.join(mine)
    return None
