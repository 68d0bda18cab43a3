"""The coordinator's process as it is, and at its end what it asked of the database: for `coordinator.py`.

    python -m benchmarks.watched_coordinator FILE [PROFILE]

Settings come from the environment, as of any coordinator. FILE gets JSON: `statements` sent to the database, `transactions`
committed, `rows` written on SQLite (PostgreSQL keeps that book itself). PROFILE, if given, gets a profile of its processor time (cProfile).
"""

import cProfile
import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.pool import Pool

from backend.coordinator.main import main


def watched(file: Path) -> int:
    """Runs it; its exit status."""
    seen = {"statements": 0, "transactions": 0, "rows": 0}

    def count_statement(*_: Any) -> None:
        seen["statements"] += 1

    def count_commit(*_: Any) -> None:
        seen["transactions"] += 1

    def count_rows(connection: Any, _record: Any) -> None:
        seen["rows"] += getattr(connection, "total_changes", 0)

    event.listen(Engine, "after_cursor_execute", count_statement)
    event.listen(Engine, "commit", count_commit)
    event.listen(Pool, "close", count_rows)
    status = main()
    file.write_text(json.dumps(seen), encoding="utf-8")
    return status


if __name__ == "__main__":
    with ExitStack() as stack:
        if len(sys.argv) > 2:
            profile = stack.enter_context(cProfile.Profile(time.process_time))
            stack.callback(lambda: profile.dump_stats(sys.argv[2]))
        status = watched(Path(sys.argv[1]))
    sys.exit(status)
