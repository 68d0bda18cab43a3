"""Settings of the server: environment variables, with defaults that need no service at all.

DATABASE_URL     default sqlite in the data directory; postgresql+psycopg://... in production
BROKER_URL       default: the bundled broker that the supervisor starts
AWASE_DATA_DIR   default ./var
AWASE_ARTIFACTS  fsspec URL or directory of the store; default <data dir>/artifacts
AWASE_LOG        text (the default) | json: lines of the log
AWASE_KEEP_ARTIFACTS_DAYS, AWASE_KEEP_EVENTS_DAYS  after the end of a run, of events of pilots that have ended; default: for ever
AWASE_PUBLIC_URL address people use, for links and for the origin check; default: the server's own address

An empty variable is one that is not set.
"""

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, AliasChoices, Field
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from worker.logs import Style

DATABASE = re.compile(r"(sqlite:///.+|postgresql\+psycopg://.+)", re.DOTALL)
BROKER = re.compile(r"(rediss?|unix)://.+", re.DOTALL)


def _database_url(url: str) -> str:
    # As hosts hand them out, and as SQLAlchemy would take them for another driver.
    url = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)
    if not DATABASE.fullmatch(url):
        raise PydanticCustomError(
            "database_url", "use sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
        )
    return url


def _broker_url(url: str) -> str:
    if not BROKER.fullmatch(url):
        raise PydanticCustomError("broker_url", "use redis://:PASSWORD@HOST:6379/0")
    return url


Days = Annotated[float, Field(ge=0, le=36_500, allow_inf_nan=False)]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="AWASE_", env_ignore_empty=True, extra="ignore", populate_by_name=True
    )

    data_dir: Path = Path("var")
    database_url_given: Annotated[str, AfterValidator(_database_url)] | None = Field(
        None, validation_alias=AliasChoices("DATABASE_URL")
    )
    broker_url: Annotated[str, AfterValidator(_broker_url)] | None = Field(
        None, validation_alias=AliasChoices("BROKER_URL")
    )
    artifacts: str | None = None
    log: Style = "text"
    host: str = "127.0.0.1"
    port: int = 8765
    public_url: str | None = None
    step_beat_s: float = 4.0
    silent_after_s: float = 12.0
    lease_s: float = 40.0
    max_attempts: int = 5
    session_days: int = 14
    sign_in_link_minutes: int = 60
    keep_artifacts_days: Days | None = None
    keep_events_days: Days | None = None
    stream_ping_s: float = 15.0

    @cached_property
    def database_url(self) -> str:
        return self.database_url_given or f"sqlite:///{self.sqlite_file}"

    @property
    def sqlite_file(self) -> Path:
        """The database where no other one is named."""
        return (self.data_dir / "awase.sqlite").absolute()

    @cached_property
    def artifacts_url(self) -> str:
        return self.artifacts or str((self.data_dir / "artifacts").absolute())

    @property
    def own_address(self) -> str:
        """Where this machine reaches the server."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - read, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def origin(self) -> str:
        """Where people reach it, as far as is known."""
        return (self.public_url or self.own_address).rstrip("/")

    @property
    def is_open_without_tls(self) -> bool:
        """Whether other machines can reach the server, and nothing says that a proxy encrypts what they send."""
        return self.public_url is None and self.host not in ("127.0.0.1", "::1", "localhost")
