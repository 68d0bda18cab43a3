"""The container files, as far as they can be checked without a container engine: what they start exists, and no
password has a default."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import typer.main
import yaml

from backend.cli.main import app
from tests import services

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OWN = [name for name, service in SERVICES.items() if str(service["image"]).startswith("awase-")]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


@pytest.mark.parametrize("name", OWN)
def test_every_service_starts_a_command_that_exists(name: str) -> None:
    program, command, *options = SERVICES[name]["command"]
    if program != "awase":
        assert (Path(sys.executable).parent / program).exists()
        return
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert command in commands
    known = {flag for parameter in commands[command].params for flag in parameter.opts}
    assert {option for option in options if option.startswith("--")} <= known


def test_every_part_of_the_product_has_a_service() -> None:
    assert {"database", "broker", "api", "coordinator", "worker"} <= SERVICES.keys()


def test_no_password_has_a_default() -> None:
    uses = re.findall(r"\$\{(\w*PASSWORD\w*)([^}]*)\}", (ROOT / "docker-compose.yml").read_text())
    assert uses
    assert all(rest.startswith(":?") for _, rest in uses)
    example = (ROOT / ".env.example").read_text()
    assert all(f"{name}=\n" in example for name, _ in uses)


def test_nothing_is_published_beyond_this_machine() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_images_run_without_root() -> None:
    stages = DOCKERFILE.split("\nFROM ")[1:]
    assert all(
        re.findall(r"^USER (\w+)", stage, re.MULTILINE)[-1] == "awase" for stage in stages if "CMD" in stage
    )


def test_only_the_worker_image_gets_torch_in_the_version_of_the_launcher() -> None:
    version = re.search(r'^VERSION = "(.+)"', (ROOT / "scripts" / "torch_build.py").read_text(), re.MULTILINE)
    assert version is not None
    assert DOCKERFILE.index(f"torch=={version[1]}") > DOCKERFILE.index("AS worker")


def test_everything_the_image_copies_is_in_the_tree() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    assert all((ROOT / source).exists() for line in copied for source in line.split())


def test_parts_started_one_by_one_as_the_compose_file_does_find_each_other(
    empty_database_url: str, broker_url: str, tmp_path: Path
) -> None:
    port = services.free_port()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AWASE_")} | {
        "DATABASE_URL": empty_database_url,
        "BROKER_URL": broker_url,
        "AWASE_DATA_DIR": str(tmp_path / "data"),
        "AWASE_PORT": str(port),
        "AWASE_WORKER_CONCURRENCY": "1",
    }
    subprocess.run(_command("migrate"), cwd=ROOT, env=environment, check=True, capture_output=True)
    with ExitStack() as stack:
        for name in ("api", "coordinator", "worker"):
            stack.enter_context(_running(_command(name), environment, tmp_path / f"{name}.log"))
        health = _health_once_complete(f"http://127.0.0.1:{port}/api/v1/health", tmp_path)
    assert health["coordinator"]["ok"]
    assert [worker["ok"] for worker in health["workers"]] == [True]


def _command(service: str) -> list[str]:
    program, *rest = SERVICES[service]["command"]
    return [sys.executable, "-m", {"awase": "backend.cli.main"}.get(program, program), *rest]


@contextmanager
def _running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _health_once_complete(address: str, logs: Path, within_s: float = 180) -> dict[str, Any]:
    """The server's health when all parts have been seen; after `within_s` whatever it says then."""
    until = time.monotonic() + within_s
    health: dict[str, Any] = {}
    while time.monotonic() < until:
        try:
            with urlopen(address, timeout=5) as answer:
                health = json.load(answer)
        except (URLError, OSError):
            health = {}
        if health.get("status") == "ok" and health["workers"]:
            return health
        time.sleep(0.2)
    said = {log.name: log.read_text()[-2000:] for log in sorted(logs.glob("*.log"))}
    pytest.fail(f"not all parts found each other: {health} {said}")
