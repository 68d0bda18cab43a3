"""`awase worker` and `awase simulate`: they belong to the worker's half, which needs torch.

It is started by name, as another program would be: no module of the server may import it.
"""

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from backend.cli.local import fail, writable


def worker(site: str | None, data_dir: Path | None) -> NoReturn:
    """Becomes the worker process."""
    if not os.environ.get("BROKER_URL"):
        fail(
            "a worker needs the broker of its server: set BROKER_URL (and AWASE_ARTIFACTS, if the store is "
            "not in the data directory). With ./awase up a worker for all local sites runs already."
        )
    environment = dict(os.environ)
    if site is not None:
        environment["AWASE_SITE"] = site
    if data_dir is not None:
        environment["AWASE_DATA_DIR"] = str(data_dir)
    os.execve(sys.executable, [sys.executable, "-m", "worker.main"], environment)  # noqa: S606


def simulate(pilot: Path, json_path: Path | None, quiet: bool, jobs: int = 1) -> int:
    """0 when all runs completed, 1 otherwise; a file that is no pilot is one line, before torch is loaded."""
    pilot_file, errors = import_module("worker.data.pilot_file"), import_module("dimat.errors")
    try:
        spec, _assumptions = pilot_file.read_pilot(pilot)
        if json_path is not None:
            json_path = writable(json_path)
        completed = import_module("worker.simulate").main(spec, json_path, quiet, jobs)
    except (pilot_file.PilotFileError, errors.DimatError) as error:
        fail(str(error))
    except OSError as error:
        fail(
            f"cannot write {error.filename or json_path}: {error.strerror}. Choose another file with --json."
        )
    return 0 if completed else 1
