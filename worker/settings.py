"""Settings of a worker process: environment variables only, as a site's machine sets them.

BROKER_URL                redis://... of the shared broker
AWASE_ARTIFACTS           the store; default <data dir>/artifacts
AWASE_DATA_DIR            where the log file goes, and models that are kept (AWASE_HELD_MB); default ./var
AWASE_WORKER_ID           name of this worker, new at each start
AWASE_WORKER_CONCURRENCY  steps at the same time; default: one for each core
AWASE_DEVICE              auto | cpu | cuda
AWASE_CHECKPOINT_EVERY_S  seconds of training after which a step leaves a checkpoint, at the end of an epoch; default 10
AWASE_STUCK_AFTER_S       seconds after which a step is ended and tried again that neither computes nor gets on with what it fetches; default 3600
AWASE_HELD_MB             millions of bytes of neighbours' models that are kept in <data dir>/held, where pilots let models travel as
                          differences; default 2000; 0: none are kept, and all models come whole
AWASE_LOG                 text | json: lines of the log; json goes to standard error instead of the log file
AWASE_SITE                the one site this worker serves; unset: all local sites
"""

import os
import socket
import uuid
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from dimat.frozen import Name
from worker.logs import Style

STUCK_AFTER_S = 3600.0
"""A model of some hundred megabytes over a thin line comes in less."""
DeviceChoice = Literal["auto", "cpu", "cuda"]


class WorkerSettings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="AWASE_", env_ignore_empty=True, extra="ignore", populate_by_name=True
    )

    broker_url: str = Field(validation_alias=AliasChoices("BROKER_URL"), pattern=r"^(rediss?|unix)://")
    data_dir: Path = Path("var")
    artifacts: str | None = None
    worker_id: str = Field(default_factory=lambda: new_worker_id("worker"))
    worker_concurrency: int = Field(default_factory=lambda: len(os.sched_getaffinity(0)), ge=1)
    device: DeviceChoice = "auto"
    log: Style = "text"
    site: Name | None = None
    step_beat_s: float = Field(4.0, gt=0)
    worker_beat_s: float = Field(4.0, gt=0)
    checkpoint_every_s: float = Field(10.0, ge=0)
    held_mb: int = Field(2000, ge=0)
    stuck_after_s: float = Field(STUCK_AFTER_S, gt=0)

    @cached_property
    def artifacts_url(self) -> str:
        return self.artifacts or str((self.data_dir / "artifacts").absolute())


def new_worker_id(kind: str) -> str:
    """A Celery node name that no earlier worker had: what is said of a lost worker never meets its successor."""
    return f"{kind}-{uuid.uuid4().hex[:8]}@{socket.gethostname()}"


def what_is_wrong(error: ValidationError) -> str:
    """One line about the first setting that cannot be used, with its variable and the remedy."""
    first = error.errors()[0]
    place = str(first["loc"][0]).upper()
    variable = place if place == "BROKER_URL" else f"AWASE_{place}"
    if first["type"] == "missing":
        return f"{variable} is not set. Set it to that of the server."
    if place == "BROKER_URL":  # its value may hold a password
        return "BROKER_URL cannot be used. Use that of the server, such as redis://:PASSWORD@HOST:6379/0."
    if place == "SITE":
        return f"'{first['input']}' is no name of a site. Use the name that the dashboard shows, such as site-01."
    return f"{variable} is '{first['input']}'. {first['msg']}."
