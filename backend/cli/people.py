"""Sign-in links and tokens at the server's own command line: who can read the data directory is trusted."""

from backend.auth import service as auth
from backend.cli.local import fail, told_plainly
from backend.db.migrate import migrate
from backend.db.session import Database
from backend.settings import Settings
from backend.supervisor.place import noted_address


def sign_in_link(settings: Settings) -> int:
    """Prints a fresh link. A running server takes it at once.

    It leads to where the server of this data directory answers, unless the settings say where that is.
    """
    must_be_there(settings)
    address = noted_address(settings.data_dir)
    if address is not None and not {"public_url", "port"} & settings.model_fields_set:
        settings = settings.model_copy(update={"public_url": address})
    with told_plainly(settings):
        migrate(settings.database_url)
        print(fresh_link(settings))
    return 0


def token(settings: Settings, name: str, role: str) -> int:
    """Prints the secret of a new token, and nothing else, so that scripts can take it."""
    if not name.strip():
        fail("--name must not be empty. Say what the token is for.")
    must_be_there(settings)
    with told_plainly(settings):
        migrate(settings.database_url)
        database = Database(settings.database_url)
        try:
            with database.write() as session:
                secret = auth.token_for_command_line(session, name, role)
        finally:
            database.close()
        print(secret)
    return 0


def must_be_there(settings: Settings) -> None:
    """A mistyped directory must not become an installation that no server knows."""
    if settings.database_url_given is None and not settings.sqlite_file.is_file():
        fail(
            f"there is no Awase in {settings.data_dir.absolute()}. Name its data directory with --data-dir, or start "
            "one: ./awase up"
        )


def fresh_link(settings: Settings) -> str:
    database = Database(settings.database_url)
    try:
        with database.write() as session:
            return auth.first_admin_link(session, settings)
    finally:
        database.close()
