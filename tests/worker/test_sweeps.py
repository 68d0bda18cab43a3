"""`awase simulate` with a `[sweep]`: every setting and seed, at once or not, kept as they are done."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from backend.cli import workers
from dimat.spec import spec_sha256
from tests.worker.small_pilot import SMALL
from worker.data.sweep import read_sweep

SWEEP = '[sweep]\n"train.lr" = [0.01, 0.05]\n"merge.merge_every" = [1, 2]\n'


def small(tmp_path: Path, sweep: str = SWEEP, base: str = SMALL) -> Path:
    path = tmp_path / "pilot.toml"
    path.write_text(f"{base}\n{sweep}", encoding="utf-8")
    return path


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def timeless(result: Any) -> Any:
    """Without what the clock says."""
    if isinstance(result, dict):
        return {key: timeless(value) for key, value in result.items() if key not in ("seconds", "busy_s")}
    return [timeless(one) for one in result] if isinstance(result, list) else result


def refused(capsys: pytest.CaptureFixture[str], *given: Any, **options: Any) -> str:
    """The line that a person reads."""
    with pytest.raises(SystemExit) as ended:
        workers.simulate(*given, **options)
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("awase: ")
    return said


def test_all_settings_are_run_with_all_seeds_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pilot, target = small(tmp_path), tmp_path / "result.json"
    assert workers.simulate(pilot, target) == 0
    result = read(target)
    settings = read_sweep(pilot).settings
    assert result["sweep"] == {"train.lr": [0.01, 0.05], "merge.merge_every": [1, 2]}
    assert [one["values"] for one in result["settings"]] == [setting.values for setting in settings]
    for one, setting in zip(result["settings"], settings, strict=True):
        assert one["pilot"]["spec_sha256"] == spec_sha256(setting.spec)
        assert [(run["seed"], run["arm"], run["state"]) for run in one["runs"]] == [
            (seed, arm, "completed") for seed in (1, 2) for arm in ("alone", "mean")
        ]
        assert "baselines" not in one
    told = capsys.readouterr()
    assert told.out.splitlines()[0] == "setting 1: train.lr = 0.01, merge.merge_every = 1"
    assert "setting 4 of 4: train.lr = 0.05, merge.merge_every = 2" in told.err


def test_settings_at_once_give_what_settings_one_by_one_give(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pilot = small(tmp_path)
    results = []
    for jobs in (1, 2):
        target = tmp_path / f"{jobs}.json"
        assert workers.simulate(pilot, target, jobs=jobs, baselines="centralised, cdsgd") == 0
        results.append(timeless(read(target)))
    assert results[0] == results[1]
    lines = [line for line in capsys.readouterr().err.splitlines() if " of 8   setting " in line]
    assert sorted(line.split("setting ")[1] for line in lines) == sorted(
        f"{setting.number} ({text})   seed {seed}"
        for setting in read_sweep(pilot).settings
        for text in [f"train.lr = {setting.spec.train.lr}, merge.merge_every = {setting.spec.merge.merge_every}"]
        for seed in (1, 2)
    )  # fmt: skip


def test_baselines_stand_beside_the_runs_and_a_pilot_without_a_sweep_keeps_its_shape(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pilot, bare, full = small(tmp_path, sweep=""), tmp_path / "bare.json", tmp_path / "full.json"
    assert workers.simulate(pilot, bare) == 0
    assert workers.simulate(pilot, full, baselines="centralised,cdsgd,sgp") == 0
    result = timeless(read(full))
    beside = result.pop("baselines")
    assert result == timeless(read(bare))
    assert list(result) == ["pilot", "runs"]
    assert list(result["runs"][0]["rounds"][0]) == [
        "round",
        "merged",
        "after_merge",
        "after_train",
        "cycle_inconsistency",
    ]
    assert list(result["runs"][0]["rounds"][0]["after_train"]) == ["all_site", "own_site"]
    assert [(one["baseline"], one["seed"], one["state"]) for one in beside] == [
        (name, seed, "completed") for seed in (1, 2) for name in ("centralised", "cdsgd", "sgp")
    ]
    assert [one["bytes_exchanged"] is None for one in beside] == [True, False, False] * 2
    assert "baseline centralised" in capsys.readouterr().out


def test_a_setting_that_fails_says_why_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = SMALL.replace("warmup_epochs = 1", "warmup_epochs = 60, weight_decay = 1.0")
    pilot = small(tmp_path, '[sweep]\n"train.warmup_lr" = [0.01, 10.0]', base)
    assert workers.simulate(pilot, tmp_path / "result.json", baselines="centralised") == 1
    one, other = read(tmp_path / "result.json")["settings"]
    assert {run["state"] for run in one["runs"] + one["baselines"]} == {"completed"}
    assert {run["reason"]["code"] for run in other["runs"] + other["baselines"]} == {"non_finite_params"}
    printed = capsys.readouterr().out
    assert "alone failed: The model of site 'a' diverged" in printed
    assert "baseline centralised failed: The model of site 'a' diverged" in printed


def test_what_was_done_is_not_done_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pilot, target = small(tmp_path), tmp_path / "result.json"
    assert workers.simulate(pilot, target) == 0
    whole = read(target)
    del whole["settings"][1:3]
    target.write_text(json.dumps(whole), encoding="utf-8")
    capsys.readouterr()
    assert workers.simulate(pilot, target) == 0
    told = capsys.readouterr()
    assert "2 of 4 settings are in" in told.err
    assert [line.split(":")[0] for line in told.err.splitlines() if line.startswith("setting")] == [
        "setting 2 of 4", "setting 3 of 4",
    ]  # fmt: skip
    assert read(target)["settings"][0] == whole["settings"][0]
    assert [one["setting"] for one in read(target)["settings"]] == [1, 2, 3, 4]
    assert told.out.count("setting ") == 4


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ("results of my life", "it is no JSON"),
        ('{"pilot": {}, "runs": []}', "it is no result of a sweep"),
        ('{"settings": [], "spec_sha256s": ["0"]}', "its pilots are others"),
        ("cut", "a setting in it is not whole"),
        ("baselines", "its baselines are sgp"),
    ],
)
def test_a_file_of_something_else_is_not_overwritten(
    there: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pilot, target = small(tmp_path, '[sweep]\n"train.lr" = [0.01]'), tmp_path / "result.json"
    if there == "baselines":
        assert workers.simulate(pilot, target, baselines="sgp") == 0
    elif there == "cut":
        assert workers.simulate(pilot, target) == 0
        target.write_text(json.dumps(read(target) | {"settings": [{"setting": 1}]}), encoding="utf-8")
    else:
        target.write_text(there, encoding="utf-8")
    before = target.read_text(encoding="utf-8")
    capsys.readouterr()
    said = refused(capsys, pilot, target)
    assert words in said
    assert "Choose another file with --json, or remove that one." in said
    assert target.read_text(encoding="utf-8") == before


def test_an_empty_file_as_of_mktemp_is_no_obstacle(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    target.touch()
    assert workers.simulate(small(tmp_path, '[sweep]\n"train.lr" = [0.01]'), target, quiet=True) == 0
    assert len(read(target)["settings"]) == 1


@pytest.mark.parametrize(
    ("baselines", "words"),
    [("centralized", "no baseline 'centralized' (there are: centralised, cdsgd, sgp)"), ("sgp,sgp", "more than once")],
)  # fmt: skip
def test_a_baseline_that_is_none_is_told_with_those_there_are(
    baselines: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in refused(capsys, small(tmp_path), None, baselines=baselines)


@pytest.mark.parametrize("to_all", [True, False], ids=["as in a terminal", "to the first process only"])
def test_ctrl_c_ends_every_process_and_keeps_what_is_done(to_all: bool, tmp_path: Path) -> None:
    base = SMALL.replace("rounds = 2", "rounds = 100000").replace("seeds = [1, 2]", "seeds = [1]")
    pilot, target = small(tmp_path, '[sweep]\n"rounds" = [1, 99999, 100000]', base), tmp_path / "result.json"
    command = [sys.executable, "-m", "backend.cli.main", "simulate", pilot, "--json", target, "--jobs", "2"]
    # A shell lets what it runs in the background ignore Ctrl-C, and so all that this starts: here nobody does.
    hearing = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    began = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=hearing
    )
    assert began.stderr is not None
    assert "1 of 3   setting 1" in began.stderr.readline()
    (os.killpg if to_all else os.kill)(began.pid, signal.SIGINT)
    said = began.communicate(timeout=60)[1]
    assert began.returncode == 130
    assert said.splitlines() == [
        f"1 of 3 settings are kept in {target}; the same command goes on with the others"
    ]
    assert [one["setting"] for one in read(target)["settings"]] == [1]
    wait_until_ended(began.pid)


def test_a_process_that_the_system_ends_is_told_with_what_to_do(tmp_path: Path) -> None:
    pilot = small(tmp_path, '[sweep]\n"rounds" = [1, 99999, 100000]')
    command = [sys.executable, "-m", "backend.cli.main", "simulate", pilot, "--jobs", "2"]
    began = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True)  # fmt: skip
    assert began.stderr is not None
    assert "setting 1" in began.stderr.readline()
    at_work = [
        pid for pid in processes_of(began.pid) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    os.kill(at_work[0], signal.SIGKILL)
    said = began.communicate(timeout=60)[1]
    assert began.returncode == 1
    assert said.splitlines()[-1].startswith("awase: the system ended one of the processes")
    assert "fewer --jobs" in said
    wait_until_ended(began.pid)


def test_processes_end_with_one_that_is_killed(tmp_path: Path) -> None:
    pilot = small(tmp_path, '[sweep]\n"rounds" = [1, 99999, 100000]')
    command = [sys.executable, "-m", "backend.cli.main", "simulate", pilot, "--jobs", "2"]
    began = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True)  # fmt: skip
    assert began.stderr is not None
    assert "setting 1" in began.stderr.readline()
    began.kill()
    began.communicate(timeout=60)  # ends when the last process that holds its standard error has ended
    wait_until_ended(began.pid)


def wait_until_ended(session: int) -> None:
    """The helper of Python that looks after shared memory ends a moment after the others."""
    while processes_of(session):
        time.sleep(0.1)


def processes_of(session: int) -> list[int]:
    """Living processes of a session."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                state, _parent, _group, of, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(of) == session and state != "Z":
                found.append(int(folder.name))
    return found
