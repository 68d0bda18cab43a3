"""`awase COMMAND`: what each command is called and which options it has; the work is in the files beside."""

from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from backend import __version__

Role = Literal["viewer", "manager", "admin"]


def _directory(text: str) -> Path:
    if not text:  # as of a variable of a script that is not set; Path would take it for the folder one is in
        raise typer.BadParameter("it is empty; name a directory")
    return Path(text)


DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", parser=_directory, metavar="PATH",
        help="Where everything is kept (AWASE_DATA_DIR; otherwise ./var).",
    ),
]  # fmt: skip
Port = Annotated[
    int | None, typer.Option("--port", min=0, max=65535, help="Of the dashboard; 0 = any free one. 8765.")
]
Host = Annotated[str | None, typer.Option("--host", help="Address to listen on. 127.0.0.1.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write the results into this file.")]

app = typer.Typer(
    name="awase",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
token = typer.Typer(help="API tokens for scripts.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(token, name="token")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"awase {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Should your sites train their models together, and what is that worth?"""


@app.command()
def up(data_dir: DataDir = None, port: Port = None, host: Host = None) -> None:
    """Start the dashboard; Ctrl-C stops it."""
    from backend.cli import local

    _exit(local.up(local.settings(data_dir, port, host)))


@app.command()
def demo(
    data_dir: DataDir = None,
    port: Port = None,
    host: Host = None,
    exit: Annotated[bool, typer.Option("--exit", help="Stop when the pilot has ended.")] = False,
    json: Json = None,
) -> None:
    """Start the dashboard and a real pilot of eight sites in it."""
    from backend.cli import demo, local

    _exit(demo.run(local.settings(data_dir, port, host), leaves_at_end=exit, json_path=json))


@app.command()
def simulate(
    pilot: Annotated[
        Path,
        typer.Argument(
            help="A pilot's TOML file, such as data/pilots/demo.toml, or its downloaded results (JSON). With a [sweep] it is many: docs/sweeps.md."
        ),
    ],
    json: Annotated[
        Path | None,
        typer.Option("--json", help="Write the results into this file. A sweep goes on with what it lacks."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the results only, no progress.")] = False,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, max=256, help="Settings and seeds run at once, a process each.")
    ] = 1,
    baselines: Annotated[
        str,
        typer.Option(
            "--baselines",
            metavar="NAMES",
            help="What no company would run, beside the arms: centralised,cdsgd,sgp or some of them.",
        ),
    ] = "",
    parquet: Annotated[
        Path | None,
        typer.Option(
            "--parquet", help="Write a row for each setting, arm, seed, round, phase and site (needs DuckDB)."
        ),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(
            "--figure",
            help="Draw accuracy by round and by bytes: FILE.svg, .png, .pdf or .html (needs Matplotlib).",
        ),
    ] = None,
) -> None:
    """Run a pilot, or a sweep of them, without server or workers."""
    from backend.cli import workers

    _exit(workers.simulate(pilot, json, quiet, jobs, baselines, parquet, figure))


@app.command()
def worker(
    site: Annotated[
        str | None, typer.Option("--site", help="Serve this site only; otherwise all local sites.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Run a worker; it needs BROKER_URL and AWASE_ARTIFACTS of the server."""
    from backend.cli import workers

    _exit(workers.worker(site, data_dir))


@app.command()
def api(port: Port = None, host: Host = None, data_dir: DataDir = None) -> None:
    """Run only the HTTP API and the pages."""
    from backend.cli import local

    local.api(local.settings(data_dir, port, host))


@app.command()
def coordinator(data_dir: DataDir = None) -> None:
    """Run only the coordinator."""
    from backend.cli import local

    _exit(local.coordinator(local.settings(data_dir, None, None)))


@app.command("sign-in-link")
def sign_in_link(data_dir: DataDir = None, port: Port = None) -> None:
    """Print a fresh one-time sign-in link for the first administrator."""
    from backend.cli import local, people

    _exit(people.sign_in_link(local.settings(data_dir, port, None)))


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="A new file; nothing is replaced.")],
    data_dir: DataDir = None,
) -> None:
    """Write all of this Awase into one file, whether it runs or not."""
    from backend.cli import backup, local

    _exit(backup.backup(local.settings(data_dir, None, None), file))


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What 'awase backup' wrote.")],
    data_dir: DataDir = None,
) -> None:
    """Make an Awase out of a backup, in an empty data directory and database."""
    from backend.cli import backup, local

    _exit(backup.restore(local.settings(data_dir, None, None), file))


@app.command()
def clean(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Remove models, logs of steps and events that nobody needs any more, as AWASE_KEEP_ARTIFACTS_DAYS and AWASE_KEEP_EVENTS_DAYS say."""
    from backend.cli import clean, local

    _exit(clean.clean(local.settings(data_dir, None, None), dry_run))


@app.command("adopt-store")
def adopt_store(data_dir: DataDir = None) -> None:
    """Use the store of models at AWASE_ARTIFACTS from now on, though models were put into another one, which is gone."""
    from backend.cli import local, store

    _exit(store.adopt(local.settings(data_dir, None, None)))


@token.command("create")
def token_create(
    role: Annotated[Role, typer.Option("--role", help="What the token may do.")],
    name: Annotated[str, typer.Option("--name", help="What it is for.")] = "command line",
    data_dir: DataDir = None,
) -> None:
    """Print a new token; it is shown only this once."""
    from backend.cli import local, people

    _exit(people.token(local.settings(data_dir, None, None), name, role))


def _exit(code: int) -> NoReturn:
    raise typer.Exit(code)


if __name__ == "__main__":
    app()
