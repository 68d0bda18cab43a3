"""The container files, as far as they can be checked without a container engine: what they start exists, and no
password has a default."""

import re
import sys
from pathlib import Path

import pytest
import typer.main

from backend.cli.main import app
from tests.system.composed import SERVICES

ROOT = Path(__file__).parents[2]
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
