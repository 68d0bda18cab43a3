"""Awase as a person starts it, for tests from outside: real processes, spoken to over HTTP."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from backend.db.session import Database
from backend.db.tables import AmendmentRow
from dimat.absence import Absence
from dimat.plan import Amendment

ROOT = Path(__file__).parents[2]
PENDIGITS = {"kind": "sample", "dataset": "pendigits"}
ENDED = ("completed", "failed", "cancelled")
PARTS = {
    "worker": "worker.main",
    "coordinator": "backend.coordinator.main",
    "api": "backend.main:create_app",
    "broker": "-server 127.0.0.1:",  # as it calls itself once it runs
}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "backend.cli.main", *arguments]


def environment(**more: str) -> dict[str, str]:
    """The caller's, without settings of ours."""
    ours = ("AWASE_", "BROKER_URL", "DATABASE_URL")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def awase(*arguments: str, timeout_s: int = 420, **settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*arguments), cwd=ROOT, env=environment(**settings), capture_output=True, text=True, timeout=timeout_s,
        check=False,
    )  # fmt: skip


def until(happens: Callable[[], bool], what: str, within_s: float = 120) -> None:
    deadline = time.monotonic() + within_s
    while not happens():
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {what}"
        time.sleep(0.1)


def small_pilot(**changes: Any) -> dict[str, Any]:
    """Three sites, two arms, three rounds: seconds instead of half a minute."""
    names = ("site-a", "site-b", "site-c")
    return {
        "name": "small",
        "rounds": 3,
        "sites": [{"name": name, "data": PENDIGITS} for name in names],
        "data": {"rows_per_site": 300},
        "model": {"kind": "mlp", "hidden": [32, 32]},
        "train": {"warmup_epochs": 3},
        "arms": [{"name": "alone", "method": "local_only"}, {"name": "basis", "method": "common_basis"}],
        **changes,
    }


@contextmanager
def suspended(processes: Sequence[psutil.Process]) -> Iterator[None]:
    """They stand still, as when their machine sleeps."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        yield
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()


def absence_of(told: dict[str, Any]) -> Absence:
    """As the API tells it."""
    undone = [(step["round"], step["kind"]) for step in told["undone"]]
    fields = ("site", "from_round", "until_round")
    return Absence.model_validate({**{name: told[name] for name in fields}, "undone": undone})


class House:
    """A running `awase up`."""

    def __init__(
        self, process: "subprocess.Popen[str]", origin: str, data_dir: Path, **settings: str
    ) -> None:
        self.process, self.origin, self.data_dir = process, origin, data_dir
        made = awase("token", "create", "--role", "admin", "--data-dir", str(data_dir), **settings)
        assert made.returncode == 0, made.stderr
        self._http = httpx.Client(
            base_url=f"{origin}/api/v1", timeout=30, trust_env=False,
            headers={"Authorization": f"Bearer {made.stdout.strip()}"},
        )  # fmt: skip

    def get(self, path: str) -> Any:
        """The answer; waits while the API is being restarted, or says that it has no database just now."""
        for _ in range(300):
            try:
                answer = self._http.get(path)
            except httpx.TransportError:
                time.sleep(0.1)
                continue
            if answer.status_code == 503:
                time.sleep(0.1)
                continue
            assert answer.status_code == 200, answer.text
            return answer.json()
        raise AssertionError(f"the API does not answer: {path}")

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        answer = self._http.post(path, json=body, headers=headers)
        assert answer.status_code in (200, 201, 202), answer.text
        return answer.json()

    def patch(self, path: str, body: Any) -> Any:
        answer = self._http.patch(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def launch(self, spec: dict[str, Any], amendments: Sequence[Amendment] = ()) -> str:
        """Creates sites and pilot, launches; the pilot's id. Amendments are in force before it begins, each in the round that it names."""
        known = {site["name"] for site in self.get("/sites?limit=100")["items"]}
        for site in spec["sites"]:
            if site["name"] not in known:
                self.post("/sites", {"name": site["name"], "data": site["data"]})
        pilot: dict[str, Any] = self.post("/pilots", {"spec": spec})
        with (
            closing(Database(f"sqlite:///{self.data_dir / 'awase.sqlite'}")) as database,
            database.write() as session,
        ):
            for amendment in amendments:
                session.add(
                    AmendmentRow(pilot_id=pilot["id"], state="in_force", **amendment.model_dump(mode="json"))
                )
        self.post(f"/pilots/{pilot['id']}/launch", **{"Idempotency-Key": "once"})
        return str(pilot["id"])

    def runs(self, pilot_id: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.get(f"/pilots/{pilot_id}/runs")["items"]
        return items

    def wait_for_end(self, pilot_id: str, within_s: float = 240) -> dict[str, Any]:
        """The result once all runs have ended."""
        until(lambda: all(run["state"] in ENDED for run in self.runs(pilot_id)), "all runs end", within_s)
        result: dict[str, Any] = self.get(f"/pilots/{pilot_id}/result")
        return result

    def wait_for_round(self, pilot_id: str, round: int) -> None:
        until(
            lambda: any(run["rounds_done"] >= round for run in self.runs(pilot_id)), f"round {round} is done"
        )

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def part(self, name: str) -> psutil.Process:
        """The process of a part; of the worker its parent process."""
        found: list[psutil.Process] = []

        def look() -> bool:
            for process in psutil.Process(self.process.pid).children():
                try:
                    if PARTS[name] in " ".join(process.cmdline()):
                        found.append(process)
                except psutil.NoSuchProcess:
                    continue
            return bool(found)

        until(look, f"{name} runs")
        return found[0]

    def pool(self) -> list[psutil.Process]:
        """The processes of the worker that compute."""
        return self.part("worker").children()

    def broker_url(self) -> str:
        """As its parts know it; the embedded one has a password of its own."""
        return self.part("coordinator").environ()["BROKER_URL"]

    def kill(self, name: str) -> None:
        self.part(name).send_signal(signal.SIGKILL)

    def close(self) -> None:
        self._http.close()


@contextmanager
def running(data_dir: Path, **settings: str) -> Iterator[House]:
    """`awase up` on a free port; stopped as by Ctrl-C at the end."""
    with subprocess.Popen(
        command("up", "--port", "0", "--data-dir", str(data_dir)),
        cwd=ROOT, env=environment(**settings), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            said = ""
            for line in process.stdout:
                said += line
                if found := re.search(r"running at (http://\S+)", line):
                    break
            else:
                raise AssertionError(f"it did not start: {said}")
            house = House(process, found.group(1), data_dir, **settings)
            try:
                yield house
            finally:
                house.close()
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
