"""The services of docker-compose.yml as processes of this machine: the same commands, settings and checks of health.

What differs are addresses. A container's name becomes 127.0.0.1 and a port that is free; the broker's server is the
`redis-server` of this machine; PostgreSQL is a cluster of the tests.
"""

import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.services import Missing, Postgres, free_port
from tests.system.house import ROOT, environment

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
BROKER_REMEDY = "no redis-server: install it (Debian: apt-get install redis-server)"


@dataclass
class Composed:
    """What `docker compose up` would start, one service at a time."""

    postgres: Postgres
    folder: Path
    database: str = ""
    api_port: int = field(default_factory=free_port)
    broker_port: int = field(default_factory=free_port)
    passwords: dict[str, str] = field(default_factory=lambda: {
        name: secrets.token_hex(24) for name in ("AWASE_DB_PASSWORD", "AWASE_BROKER_PASSWORD")
    })  # fmt: skip

    def __post_init__(self) -> None:
        self.database = self.postgres.create()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    def settings(self, service: str) -> dict[str, str]:
        """The environment of a service; its images say where data are and on which port the API listens."""
        own = {
            name: self._resolved(value) for name, value in SERVICES[service].get("environment", {}).items()
        }
        of_image = {"AWASE_DATA_DIR": str(self.folder / "data"), "AWASE_PORT": str(self.api_port)}
        return environment(**of_image, **own)

    def run(self, service: str, *arguments: str) -> str:
        """`docker compose run`, or `exec` with arguments; what it printed. Raises: CalledProcessError."""
        words = list(arguments) or SERVICES[service]["command"]
        done = subprocess.run(
            _command(words), cwd=ROOT, env=self.settings(service), check=True, capture_output=True, text=True
        )
        return done.stdout

    @contextmanager
    def running(self, service: str) -> Iterator[Path]:
        """The service until the block ends, then stopped as compose does; gives the file of its log."""
        log = self.folder / f"{service}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                self._broker() if service == "broker" else _command(SERVICES[service]["command"]),
                cwd=self.folder if service == "broker" else ROOT, env=self.settings(service), stdout=output, stderr=output,
            )  # fmt: skip
        try:
            yield log
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def wait_until_healthy(self, service: str, within_s: float = 180) -> None:
        """By the check of its compose entry. Raises: AssertionError, with the end of the log."""
        kind, program, *rest = SERVICES[service]["healthcheck"]["test"]
        assert kind == "CMD"
        words = [{"python": sys.executable, "sh": "sh"}[program], *map(self._here, rest)]
        until = time.monotonic() + within_s
        while True:
            done = subprocess.run(words, env=self.settings(service), capture_output=True, text=True)
            if done.returncode == 0:
                return
            log = (self.folder / f"{service}.log").read_text()[-2000:]
            assert time.monotonic() < until, f"{service} is not healthy: {done.stderr[-500:]}\n{log}"
            time.sleep(0.3)

    def _broker(self) -> list[str]:
        server = shutil.which("redis-server")
        if server is None:
            raise Missing(BROKER_REMEDY)
        shell, flag, script = SERVICES["broker"]["command"]
        there = f"exec {server} - --port {self.broker_port} --bind 127.0.0.1"
        return [shell, flag, script.replace("$$", "$").replace("exec valkey-server -", there)]

    def _here(self, text: str) -> str:
        """A check, asked of the addresses of this machine."""
        cli = shutil.which("redis-cli") or "redis-cli"
        text = re.sub(r"http://(127\.0\.0\.1|api):8765", self.origin, text)
        return text.replace("$$", "$").replace("valkey-cli", f"{cli} -p {self.broker_port}")

    def _resolved(self, value: str) -> str:
        """As compose puts variables in, with the addresses of this machine."""
        value = re.sub(
            r"\$\{(\w+):[?-]([^}]*)\}", lambda found: self.passwords.get(found[1], found[2]), value
        )
        there = self.postgres.url(self.database)
        value = re.sub(r"@database:5432/awase$", there[there.index("@") :], value)
        return value.replace("@broker:6379", f"@127.0.0.1:{self.broker_port}")


def _command(words: Sequence[str]) -> list[str]:
    programs: Mapping[str, str] = {"awase": "backend.cli.main", "alembic": "alembic"}
    return [sys.executable, "-m", programs[words[0]], *words[1:]]
