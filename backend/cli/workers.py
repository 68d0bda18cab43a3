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


def simulate(
    pilot: Path,
    json: Path | None = None,
    quiet: bool = False,
    jobs: int = 1,
    baselines: str = "",
    parquet: Path | None = None,
    figure: Path | None = None,
) -> int:
    """0 when all runs completed, 1 otherwise, 130 after Ctrl-C; what cannot be followed is one line, before torch is loaded."""
    sweeps, errors = import_module("worker.data.sweep"), import_module("dimat.errors")
    pilot_file, asked = import_module("worker.data.pilot_file"), import_module("worker.sweeps.wanted")
    kept, processes = import_module("worker.sweeps.kept"), import_module("worker.sweeps.processes")
    try:
        wanted = asked.Wanted(
            json=json and writable(json),
            parquet=parquet and writable(parquet, "--parquet"),
            figure=figure and writable(figure, "--figure"),
            baselines=asked.baselines_of(baselines),
            quiet=quiet,
            jobs=jobs,
        )
        wanted.check()
        sweep = sweeps.read_sweep(pilot)
        completed = import_module("worker.simulate").main(sweep, wanted)
    except (
        pilot_file.PilotFileError, asked.WantedError, kept.KeptError, processes.ProcessEnded, errors.DimatError,
    ) as error:  # fmt: skip
        fail(str(error))
    except OSError as error:
        fail(f"cannot write {error.filename or json}: {error.strerror}. Choose another file.")
    except KeyboardInterrupt:
        return 130
    return 0 if completed else 1
