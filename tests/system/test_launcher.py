"""`./awase` on machines as people have them. A stand-in for the machine's Python notes what the launcher asks
of it; the last test installs for real."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest
import typer
from typer.core import TyperGroup

from backend import __version__
from backend.cli.main import app
from backend.supervisor.place import hold, note_address
from tests.system.house import until

ROOT = Path(__file__).parents[2]
PARTS = ("awase", "requirements.lock", "pyproject.toml", "scripts")
CHECKED_EARLY = ("backend/__init__.py", "backend/supervisor/__init__.py", "backend/supervisor/place.py")
TOOLS = ("sh", "cat", "cksum", "tr", "readlink", "dirname", "mkdir", "chmod")

# Answers the question for its version; as installer it notes its arguments and makes a minimal .venv.
MACHINE_PYTHON = """#!/bin/sh
if [ "$1" = -c ]; then echo {version}; exit {status}; fi
root=${{2%/scripts/install.py}}
echo "$@" >> "$root/installer-calls"
mkdir -p "$root/.venv/bin"
printf '%s' "$4" > "$root/.venv/awase-stamp"
cp_self="$root/.venv/bin/python"
cat "$0" > "$cp_self"; chmod +x "$cp_self"
printf '#!/bin/sh\\necho "program: $*"\\necho "data: $AWASE_DATA_DIR"\\n' > "$root/.venv/bin/awase"
chmod +x "$root/.venv/bin/awase"
"""


class Machine:
    """A checkout in a folder whose name has a space, and a PATH with nothing but the tools named here."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a checkout"
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.root.mkdir()
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, self.root / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, self.root / part)
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool) or tool)

    def has_python(self, name: str, version: str, status: int = 0) -> None:
        program = self.bin / name
        program.write_text(MACHINE_PYTHON.format(version=version, status=status))
        program.chmod(0o755)

    def run(
        self, *arguments: str, program: Path | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(program or self.root / "awase"), *arguments],
            env={"PATH": str(self.bin)}, cwd=cwd or self.root, capture_output=True, text=True, check=False,
        )  # fmt: skip

    @property
    def installer_calls(self) -> list[str]:
        calls = self.root / "installer-calls"
        return calls.read_text().splitlines() if calls.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_arguments_it_prints_help_and_installs_nothing(machine: Machine) -> None:
    done = machine.run()
    assert done.returncode == 0
    assert "./awase demo" in done.stdout
    assert not (machine.root / ".venv").exists()


def test_the_list_of_commands_names_every_command_of_the_program(machine: Machine) -> None:
    shown = [machine.run(*how).stdout for how in ((), ("help",), ("--help",), ("-h",))]
    assert len(set(shown)) == 1
    named = {line.split()[1] for line in shown[0].splitlines() if line.strip().startswith("./awase ")}
    program = typer.main.get_command(app)
    assert isinstance(program, TyperGroup)
    assert named == {*program.commands, "setup", "check", "test", "COMMAND", "--version", "help"}


def test_every_command_of_the_program_is_handed_over_and_any_other_word_installs_nothing(
    machine: Machine,
) -> None:
    machine.has_python("python3", "3.12.1")
    mistyped = machine.run("dmeo")
    assert (mistyped.returncode, machine.installer_calls) == (1, [])
    assert mistyped.stderr == "awase: there is no command 'dmeo'. ./awase help lists them.\n"
    program = typer.main.get_command(app)
    assert isinstance(program, TyperGroup)
    for name in program.commands:
        assert f"program: {name}" in machine.run(name).stdout


def test_the_version_is_told_before_and_after_the_installation(machine: Machine) -> None:
    assert machine.run("--version").stdout == f"awase {__version__}\n"
    program = subprocess.run(
        [sys.executable, "-m", "backend.cli.main", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )  # fmt: skip
    assert program.stdout == f"awase {__version__}\n"


def test_a_machine_without_python_is_told_what_to_install(machine: Machine) -> None:
    done = machine.run("demo")
    assert done.returncode == 1
    assert "python3 is missing" in done.stderr
    assert "apt install python3" in done.stderr


def test_an_old_python_is_named_with_its_version_and_the_remedy(machine: Machine) -> None:
    machine.has_python("python3", "3.9.2", status=3)
    done = machine.run("demo")
    assert done.returncode == 1
    assert "3.9.2" in done.stderr
    assert "AWASE_PYTHON=" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_missing_venv_module_is_named_with_its_package(machine: Machine) -> None:
    machine.has_python("python3", "3.11.2", status=4)
    done = machine.run("demo")
    assert done.returncode == 1
    assert "python3.11-venv" in done.stderr


def test_a_newer_python_is_found_beside_an_old_python3(machine: Machine) -> None:
    machine.has_python("python3", "3.9.2", status=3)
    machine.has_python("python3.12", "3.12.1")
    assert machine.run("setup").returncode == 0


def test_a_python_that_only_pretends_to_be_there_is_passed_over(machine: Machine) -> None:
    machine.has_python("python3", "", status=127)  # as version managers leave them on PATH
    machine.has_python("python3.13", "3.13.0")
    assert machine.run("setup").returncode == 0


def test_the_second_call_installs_nothing(machine: Machine) -> None:
    machine.has_python("python3", "3.12.1")
    machine.run("worker")
    done = machine.run("worker", "--site", "site-01")
    assert "program: worker --site site-01" in done.stdout
    assert len(machine.installer_calls) == 1


def test_changed_requirements_are_installed_at_the_next_call(machine: Machine) -> None:
    machine.has_python("python3", "3.12.1")
    machine.run("worker")
    with (machine.root / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    machine.run("worker")
    assert len(machine.installer_calls) == 2


def test_another_choice_of_torch_is_installed_at_the_next_call(machine: Machine) -> None:
    machine.has_python("python3", "3.12.1")
    machine.run("worker")
    subprocess.run(
        [str(machine.root / "awase"), "worker"], env={"PATH": str(machine.bin), "AWASE_TORCH": "cpu"}, check=True, capture_output=True
    )  # fmt: skip
    assert len(machine.installer_calls) == 2


@pytest.mark.parametrize("command", ["worker", "simulate", "token"])
def test_no_pages_are_built_for_what_has_no_pages(machine: Machine, command: str) -> None:
    machine.has_python("python3", "3.12.1")
    machine.run(command)
    assert "--pages" not in machine.installer_calls[0]


@pytest.mark.parametrize("command", ["up", "demo"])
def test_pages_are_built_for_what_shows_them(machine: Machine, command: str) -> None:
    machine.has_python("python3", "3.12.1")
    machine.run(command)
    assert "--pages" in machine.installer_calls[0]


@pytest.fixture
def real_machine(machine: Machine) -> Machine:
    """With a real Python: its installer runs, and would begin if it were not stopped by what it checks first."""
    for part in CHECKED_EARLY:
        (machine.root / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / part, machine.root / part)
    (machine.bin / "python3").symlink_to(sys._base_executable)  # type: ignore[attr-defined]  # not of a .venv
    return machine


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_taken_port_is_told_before_anything_is_installed(real_machine: Machine, command: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = real_machine.run(command, "--port", str(port))
    assert done.returncode == 1
    assert done.stderr.startswith(f"awase: port {port} of 127.0.0.1 cannot be used")
    assert "--port 8770" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (real_machine.root / ".venv").exists()
    assert not (real_machine.root / "var").exists()


@pytest.mark.parametrize("option", ["--prot=3", "--port=abc"])
def test_a_wrong_option_is_told_before_anything_is_installed(real_machine: Machine, option: str) -> None:
    done = real_machine.run("demo", option)
    assert done.returncode == 1
    assert option.partition("=")[0] in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (real_machine.root / ".venv").exists()


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1", "a" * 64 + ".example", "fe80::zz"])
def test_a_host_that_is_not_this_machine_s_is_told_before_anything_is_installed(
    real_machine: Machine, host: str
) -> None:
    done = real_machine.run("up", "--port", "0", "--host", host)
    assert done.returncode == 1
    assert done.stderr.startswith(f"awase: '{host}' is no address of this machine. Use --host 127.0.0.1")
    assert len(done.stderr.splitlines()) == 1
    assert not (real_machine.root / ".venv").exists()


def test_a_data_directory_in_use_is_told_before_anything_is_installed(
    real_machine: Machine, tmp_path: Path
) -> None:
    with hold(tmp_path / "data"):
        done = real_machine.run("up", "--port=0", f"--data-dir={tmp_path / 'data'}")
    assert done.returncode == 1
    assert (
        f"the data directory {tmp_path / 'data'} is in use by process {os.getpid()}. Use that one"
        in done.stderr
    )
    assert len(done.stderr.splitlines()) == 1
    assert not (real_machine.root / ".venv").exists()


def test_who_has_the_data_directory_is_told_with_its_address(real_machine: Machine, tmp_path: Path) -> None:
    with hold(tmp_path / "data"):
        note_address(tmp_path / "data", "http://127.0.0.1:8801")
        done = real_machine.run("up", "--port=0", f"--data-dir={tmp_path / 'data'}")
    assert "whose dashboard is http://127.0.0.1:8801" in done.stderr
    assert f"./awase sign-in-link --data-dir {tmp_path / 'data'}" in done.stderr


def test_a_data_directory_that_cannot_be_made_is_told_before_anything_is_installed(
    real_machine: Machine, tmp_path: Path
) -> None:
    (tmp_path / "a file").touch()
    done = real_machine.run("up", "--port", "0", "--data-dir", str(tmp_path / "a file" / "data"))
    assert done.returncode == 1
    assert "cannot write in the data directory" in done.stderr
    assert not (real_machine.root / ".venv").exists()


def test_it_works_from_anywhere_through_a_link_and_keeps_its_data_beside_it(
    machine: Machine, tmp_path: Path
) -> None:
    machine.has_python("python3", "3.12.1")
    link = tmp_path / "link"
    link.symlink_to(machine.root / "awase")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = machine.run("simulate", "my pilot.toml", program=link, cwd=elsewhere)
    assert "program: simulate my pilot.toml" in done.stdout
    assert f"data: {machine.root / 'var'}" in done.stdout
    assert list(elsewhere.iterdir()) == []


def test_an_unknown_option_of_setup_is_refused(machine: Machine) -> None:
    machine.has_python("python3", "3.12.1")
    assert machine.run("setup", "--fast").returncode == 1
    assert machine.installer_calls == []


def _package_index_answers() -> bool:
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--dry-run",
        "--no-deps",
        "--ignore-installed",
        "vine==5.1.0",
    ]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.timeout(590)
def test_two_first_calls_at_once_install_once_and_an_interrupted_installation_is_repaired(
    tmp_path: Path,
) -> None:
    if not _package_index_answers():
        pytest.skip("needs a package index: check the connection and pip's configuration")
    root = tmp_path / "a fresh clone"
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("AWASE_", "VIRTUAL_ENV"))
    }

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        interrupted = _setup(root, environment)
        started = psutil.Process(interrupted.pid)
        until((root / ".venv" / "unfinished").exists, "the installation has begun")
        begun = started.children(recursive=True)
        if number == signal.SIGTERM:
            interrupted.send_signal(number)  # as `kill` does: to the launcher alone
        else:
            os.killpg(interrupted.pid, number)  # as a terminal does
        said = interrupted.communicate(timeout=30)[0]
        (root / ".venv" / "unfinished").unlink()  # a sign of the next one; what is left is no less half done
        assert not (root / ".venv" / "awase-stamp").exists()
        _gone, alive = psutil.wait_procs(begun, timeout=10)
        assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []
        assert "interrupted. The next call goes on from here." in said
        assert "Traceback" not in said

    both = [_setup(root, environment) for _ in range(2)]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("setting up in" in text for text in said) == 1

    (root / ".venv" / "awase-stamp").unlink()
    (root / ".venv" / "unfinished").touch()
    shutil.rmtree(next((root / ".venv" / "lib").glob("python3*/site-packages/typer")))
    repaired = _setup(root, environment)
    said_again = repaired.communicate()[0]
    assert repaired.returncode == 0, said_again
    shown = subprocess.run(
        [str(root / "awase"), "simulate", "--help"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert "--quiet" in shown.stdout
    shutil.rmtree(root)


def _setup(root: Path, environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [str(root / "awase"), "setup", "--no-pages"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
