"""`./awase check` and `./awase test`: every tool in turn, one verdict at the end.

Must not decide what is tested or skipped: the tests and `tests/conftest.py` do.
"""

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pages
from shell import ROOT, VENV

TYPED = ("dimat", "worker", "backend", "scripts")
SLOW = ("tests/system", "tests/browser")
REPORTS = ROOT / "test-results"
Tool = tuple[str, Sequence[str | Path]]


@dataclass
class Outcome:
    """What became of a tool."""

    name: str
    code: int
    seconds: float
    output: str


@dataclass
class Counts:
    """What pytest counted, over several calls."""

    passed: int = 0
    failed: int = 0
    skipped: list[str] = field(default_factory=list)
    """The reason of each, which says how to get what is missing."""


def main(arguments: Sequence[str]) -> int:
    command, rest = arguments[0], list(arguments[1:])
    failed = [] if rest else lint()
    if command == "check":
        calls = [["-n", "2", *_folders(fast=True), *rest]]
    elif rest:
        calls = [rest]
    else:
        # System and browser tests start whole installations: one after the other, with both cores for each.
        calls = [["-n", "2", *_folders(fast=True)], _folders(fast=False)]
    counts = Counts()
    for number, call in enumerate(call for call in calls if call):
        report = REPORTS / f"{number}.xml"
        if _pytest(call, report) != 0:
            failed.append("tests")
        _add(report, counts)
    _tell(counts, failed)
    return 1 if failed else 0


def lint() -> list[str]:
    """Run formatter, linters and type checkers; print what they find. Returns the names of those that failed."""
    bin_ = VENV / "bin"
    python: list[Tool] = [
        ("ruff format", [bin_ / "ruff", "format", "--check", "."]),
        ("ruff check", [bin_ / "ruff", "check", "."]),
        ("import-linter", [bin_ / "lint-imports"]),
        ("mypy", [bin_ / "mypy", "--strict", *TYPED]),
    ]
    npm: list[Tool] = [("pages", ["npm", "run", "--silent", "check"])]
    if os.environ.get("AWASE_PAGES") == "no" or not pages.FRONTEND.exists():
        npm = []
    with ThreadPoolExecutor(2) as pool:
        halves = [pool.submit(_in_turn, python, ROOT), pool.submit(_in_turn, npm, pages.FRONTEND)]
        outcomes = [outcome for half in halves for outcome in half.result()]
    for outcome in outcomes:
        print(
            f"{'ok    ' if outcome.code == 0 else 'FAILED'} {outcome.name} ({outcome.seconds:.0f} s)",
            flush=True,
        )
        if outcome.code != 0:
            print(outcome.output)
    return [outcome.name for outcome in outcomes if outcome.code != 0]


def _in_turn(tools: Iterable[Tool], cwd: Path) -> list[Outcome]:
    outcomes = []
    for name, command in tools:
        start = time.monotonic()
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd, env=pages.node_environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        outcomes.append(Outcome(name, done.returncode, time.monotonic() - start, done.stdout))
    return outcomes


def _folders(fast: bool) -> list[str]:
    found = sorted(path for path in (ROOT / "tests").iterdir() if any(path.rglob("test_*.py")))
    names = [f"tests/{path.name}" for path in found if path.is_dir()]
    return [name for name in names if (name not in SLOW) == fast]


def _pytest(arguments: Sequence[str], report: Path) -> int:
    REPORTS.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    command = [str(VENV / "bin" / "python"), "-m", "pytest", f"--junitxml={report}", *arguments]
    print(f"pytest {' '.join(arguments)}", flush=True)
    return subprocess.run(command, cwd=ROOT, env=pages.node_environment(), check=False).returncode


def _add(report: Path, counts: Counts) -> None:
    if not report.exists():
        return
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it a moment ago
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            counts.failed += 1
        elif skipped is not None:
            counts.skipped.append(str(skipped.get("message", "")))
        else:
            counts.passed += 1


def _tell(counts: Counts, failed: Sequence[str]) -> None:
    for reason, number in sorted(Counter(counts.skipped).items()):
        print(f"skipped {number}: {reason}")
    if failed:
        print(f"failed: {', '.join(dict.fromkeys(failed))}")
    print(f"{counts.passed} passed, {counts.failed} failed, {len(counts.skipped)} skipped")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
