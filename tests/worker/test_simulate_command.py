"""`awase simulate`: from a pilot file to a table and a file of results."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend.cli import workers
from dimat.absence import Absence
from dimat.plan import Amendment
from worker.data.pilot_file import PilotFileError, read_pilot
from worker.data.samples import DATA_DIR
from worker.data.sweep import Sweep, read_sweep
from worker.simulate import main, simulate_spec
from worker.sweeps.files import write_json
from worker.sweeps.parquet import write_parquet
from worker.sweeps.wanted import Wanted

DEMO = DATA_DIR / "pilots" / "demo.toml"


def small_pilot(tmp_path: Path) -> Path:
    path = tmp_path / "pilot.toml"
    text = DEMO.read_text(encoding="utf-8")
    for old, new in (("rounds = 8", "rounds = 1"), ("warmup_epochs = 15", "warmup_epochs = 2")):
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return path


def single(path: Path, seeds: tuple[int, ...] = (1,)) -> Sweep:
    (setting,) = read_sweep(path).settings
    return Sweep.of(setting.spec.model_copy(update={"seeds": seeds}))


def test_every_round_of_every_arm_is_told_while_it_goes_on_unless_quiet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = single(small_pilot(tmp_path))
    spec = sweep.settings[0].spec
    assert main(sweep)
    told = capsys.readouterr()
    lines = told.err.splitlines()
    assert [(line.split()[2], line.split("round ")[1][:6]) for line in lines] == [
        (arm.name, f"{round} of 1") for arm in spec.arms for round in (0, 1)
    ]
    assert all("all-site" in line and "own-site" in line for line in lines)
    assert main(sweep, Wanted(quiet=True))
    quiet = capsys.readouterr()
    assert quiet.err == ""
    assert len(quiet.out.splitlines()) == len(told.out.splitlines())


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), ("folder", "Is a directory"), ("name = ", "is not a TOML file: "), ("\udcff", "not a TOML")],
)  # fmt: skip
def test_a_file_that_is_no_pilot_is_one_line_with_what_to_do(
    content: str | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pilot.toml"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_text(content, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(SystemExit) as ended:
        workers.simulate(path, None, quiet=False)
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("awase: ")
    assert str(path) in line
    assert said in line
    assert "data/pilots/demo.toml" in line


@pytest.mark.parametrize("target", ["a file/result.json", "a folder", "a pipe", "a link to the pipe"])
def test_a_result_that_cannot_be_written_is_told_before_anything_is_computed(
    target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a file").touch()
    (tmp_path / "a folder").mkdir()
    os.mkfifo(tmp_path / "a pipe")
    (tmp_path / "a link to the pipe").symlink_to("a pipe")
    with pytest.raises(SystemExit):
        workers.simulate(small_pilot(tmp_path), tmp_path / target, quiet=False)
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot write" in line
    assert "--json" in line


def test_result_is_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "deep" / "result.json"
    assert main(single(small_pilot(tmp_path)), Wanted(json=target))
    result = json.loads(target.read_text())
    assert {run["state"] for run in result["runs"]} == {"completed"}
    assert [path.name for path in target.parent.iterdir()] == ["result.json"]
    printed = capsys.readouterr().out
    assert all(run["arm"] in printed for run in result["runs"])


def test_seeds_at_once_give_what_seeds_one_by_one_give(tmp_path: Path) -> None:
    sweep = single(small_pilot(tmp_path), seeds=(1, 2))
    results = []
    for jobs in (1, 2):
        assert main(sweep, Wanted(json=tmp_path / "result.json", quiet=True, jobs=jobs))
        results.append(json.loads((tmp_path / "result.json").read_text(encoding="utf-8")))
        for run in results[-1]["runs"]:
            del run["seconds"], run["busy_s"]
    assert results[0] == results[1]
    assert [run["seed"] for run in results[0]["runs"]] == [1] * 5 + [2] * 5
    assert read_sweep(tmp_path / "result.json").settings[0].spec.seeds == (1, 2)


def test_a_run_that_failed_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = small_pilot(tmp_path)
    text = path.read_text().replace("warmup_lr = 0.03", "warmup_lr = 10.0")
    path.write_text(text.replace("weight_decay = 5e-4", "weight_decay = 1.0"))
    assert not main(single(path))
    printed = capsys.readouterr().out
    assert "local_only failed: The model of site 'site-" in printed
    assert "Lower the learning rate." in printed


def test_failed_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    target.write_text("old")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(target, {"value": float("nan")})
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_who_may_read_what_is_written_the_umask_says(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        write_json(tmp_path / "r.json", {})
        write_parquet(tmp_path / "r.parquet", {"round": "INTEGER"}, [{"round": 1}])
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("r.json", "r.parquet")] == [mode, mode]


def test_a_pilot_file_that_is_wrong_is_refused_before_torch_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "pilot.toml"
    path.write_text("rounds = 0\n", encoding="utf-8")
    script = (
        "import sys, pathlib\n"
        "from backend.cli.workers import simulate\n"
        "try:\n    simulate(pathlib.Path(sys.argv[1]))\n"
        "except SystemExit:\n    print({'torch', 'scipy'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()", done.stderr
    assert "is not a valid pilot" in done.stderr


AMENDED = """
[[amendments]]
from_round = 2
arm = "merged"
by = "aiko"
why = "every second round is enough"
patch = { merge = { merge_every = 2 } }

[[amendments]]
from_round = 3
by = "ben"
why = "one epoch is too little"
patch = { train = { epochs = 2 } }
"""
PLAIN = """
name = "amended"
rounds = 4
sites = [{ name = "a", data = { dataset = "pendigits" } }, { name = "b", data = { dataset = "pendigits" } }]
arms = [{ name = "alone", method = "local_only" }, { name = "merged", method = "dimat" }]
data = { rows_per_site = 60 }
model = { kind = "mlp", hidden = [8] }
train = { warmup_epochs = 1 }
"""


def test_a_pilot_that_was_amended_is_repeated_from_its_file(tmp_path: Path) -> None:
    """In a process and in several, as `dimat.simulate` gives it; the result tells the amendments in the form in which the file has them."""
    path, results = tmp_path / "pilot.toml", tmp_path / "results.json"
    path.write_text(PLAIN + AMENDED)
    sweep = read_sweep(path)
    assert main(sweep, Wanted(json=results, quiet=True))
    found = json.loads(results.read_text())
    merged = next(run for run in found["runs"] if run["arm"] == "merged")
    assert [one["merged"] for one in merged["rounds"]] == [False, True, True, False, True]
    assert tuple(Amendment.model_validate(one) for one in found["pilot"]["amendments"]) == sweep.amendments
    known = simulate_spec(sweep.settings[0].spec, amendments=sweep.amendments)
    assert [run["final_artifacts"] for run in found["runs"]] == [
        run["final_artifacts"] for run in known["runs"]
    ]
    assert found["runs"][0]["rounds"] != simulate_spec(sweep.settings[0].spec)["runs"][0]["rounds"]
    assert read_sweep(results) == sweep  # what is told can be repeated as it is


LATE = AMENDED + "left_out = [{ arm = 'merged', seed = 1 }]\n"


def test_a_run_that_an_amendment_came_too_late_for_is_repeated_without_it(tmp_path: Path) -> None:
    """Of both seeds in processes of their own, as `dimat.simulate` gives it; the result tells what was left out as the file does."""
    path, results = tmp_path / "pilot.toml", tmp_path / "results.json"
    path.write_text("seeds = [1, 2]\n" + PLAIN + LATE)
    sweep = read_sweep(path)
    assert main(sweep, Wanted(json=results, quiet=True, jobs=2))
    found, spec = json.loads(results.read_text()), sweep.settings[0].spec
    models = lambda result: [run["final_artifacts"] for run in result["runs"]]  # noqa: E731
    of_all = [one.model_copy(update={"left_out": ()}) for one in sweep.amendments]
    with_it = models(simulate_spec(spec, amendments=of_all))
    without = models(simulate_spec(spec, amendments=sweep.amendments[:1]))
    assert with_it[1] != without[1]
    assert models(found) == [with_it[0], without[1], *with_it[2:]]
    assert models(simulate_spec(spec, amendments=sweep.amendments)) == models(found)
    assert read_sweep(results) == sweep
    path.write_text(path.read_text() + '[sweep]\n"train.lr" = [0.1, 0.2]\n')
    with pytest.raises(
        PilotFileError, match="runs that are left out of amendments, which are of runs that were"
    ):
        read_sweep(path)


DELTAS = """
[[amendments]]
from_round = 2
arm = "merged"
by = "aiko"
why = "fewer bytes"
patch = { merge = { wire = { numbers = "int8", compress = true, deltas = true } } }
"""
NO_MERGE = """
[[amendments]]
from_round = 3
by = "ben"
why = "let them train"
patch = { merge = { merge_every = 9 } }
left_out = [{ arm = "merged", seed = 1 }, { arm = "merged", seed = 2 }]
"""


def test_only_a_run_that_an_amendment_concerns_is_asked_whether_it_can_run_so(tmp_path: Path) -> None:
    """As a server asks: results of a pilot that ran to its end had been refused for the arm that trains alone."""
    path = tmp_path / "pilot.toml"
    pilot = "seeds = [1, 2]\n" + PLAIN
    path.write_text(pilot + DELTAS + NO_MERGE)
    assert len(read_sweep(path).amendments) == 2
    path.write_text(pilot + DELTAS + NO_MERGE.replace(', { arm = "merged", seed = 2 }', ""))
    with pytest.raises(
        PilotFileError, match=r"amendments\.1\.patch\.merge\.merge_every: the arm 'merged' cannot"
    ):
        read_sweep(path)


ABSENT = """
[[absences]]
arm = "merged"
seed = 1
site = "c"
from_round = 2
undone = [[1, "train"]]
"""
THREE = PLAIN.replace('{ name = "b"', '{ name = "c", data = { dataset = "pendigits" } }, { name = "b"')


def test_a_run_that_went_on_without_a_site_is_repeated_without_it(tmp_path: Path) -> None:
    path, results = tmp_path / "pilot.toml", tmp_path / "results.json"
    path.write_text(THREE + ABSENT)
    sweep = read_sweep(path)
    assert main(sweep, Wanted(json=results, quiet=True))
    found, spec = json.loads(results.read_text()), sweep.settings[0].spec
    silent = {("merged", 1): (Absence(site="c", from_round=2, undone=((1, "train"),)),)}
    known = simulate_spec(spec, absences=silent)
    assert found["pilot"]["absences"] == known["pilot"]["absences"]
    for run, same, whole in zip(found["runs"], known["runs"], simulate_spec(spec)["runs"], strict=True):
        assert run["final_artifacts"] == same["final_artifacts"]
        assert (run["final_artifacts"] == whole["final_artifacts"]) == (run["arm"] == "alone")
    assert read_sweep(results) == sweep


def test_a_run_of_which_too_few_were_left_ends_where_it_ended(tmp_path: Path) -> None:
    """It had counted rounds of one site, and come to grief in one of none."""
    path, results = tmp_path / "pilot.toml", tmp_path / "results.json"
    path.write_text(PLAIN + ABSENT.replace('"c"', '"b"') + ABSENT.replace('"c"', '"a"'))
    assert not main(read_sweep(path), Wanted(json=results, quiet=True))
    alone, merged = json.loads(results.read_text())["runs"]
    assert alone["state"] == "completed"
    assert (merged["state"], merged["reason"]) == (
        "failed",
        {"code": "too_few_sites_in_round", "params": {"round": 1}},
    )
    assert [one["round"] for one in merged["rounds"]] == [0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('arm = "merged"', 'arm = "nobody"', "absences.0.arm: 'nobody' is no arm of the pilot (alone, merged)"),
        ("seed = 1", "seed = 5", "absences.0.seed: '5' is no seed of the pilot (1)"),
        ('site = "c"', 'site = "x"', "absences.0.site: 'x' is no site of the pilot (a, c, b)"),
        ("from_round = 2", "from_round = 0", "0.from_round: Input should be greater than or equal to 1"),
        ("[[absences]]", '[sweep]\n"train.lr" = [0.1, 0.2]\n[[absences]]', "are of runs that were"),
    ],
)  # fmt: skip
def test_an_absence_that_cannot_be_is_named_with_its_place(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "pilot.toml"
    path.write_text(THREE + ABSENT.replace(old, new))
    with pytest.raises(PilotFileError) as error:
        read_sweep(path)
    assert said in str(error.value)


def test_a_pilot_is_taken_from_json_as_the_api_tells_it(tmp_path: Path) -> None:
    (setting,) = read_sweep(DEMO).settings
    told = setting.spec.model_dump(mode="json")
    path = tmp_path / "pilot.json"
    for content in (told, {"id": "1", "name": "demo", "spec": told, "assumptions": {"currency": "EUR"}}):
        path.write_text(json.dumps(content))
        assert read_sweep(path) == Sweep.of(setting.spec)
        assert read_pilot(path) == (setting.spec, {})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not a JSON file"), ("[]", "holds no pilot"), ('{"spec": 3}', "holds no pilot"),
        ('{"pilot": {"name": "p", "amendments": []}, "runs": []}', "without the pilot that gave them"),
        ('{"spec": {"rounds": 0}}', "rounds: "),
    ],
)  # fmt: skip
def test_json_that_is_no_pilot_says_what_to_take(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "pilot.json"
    path.write_text(content)
    with pytest.raises(PilotFileError, match=said):
        read_sweep(path)


def test_an_amendment_of_a_sweep_may_concern_some_of_its_settings(tmp_path: Path) -> None:
    path = tmp_path / "pilot.toml"
    late = LATE[: LATE.index("[[amendments]]", LATE.index("[[amendments]]") + 1)]
    path.write_text(PLAIN + late + '[sweep]\n"arms.1.method" = ["local_only", "plain_average"]\n')
    assert len(read_sweep(path).settings) == 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('arm = "merged"', 'arm = "nobody"', "amendments.0.arm: 'nobody' is no arm of the pilot (alone, merged)"),
        ('arm = "merged"', 'arm = "alone"', "amendments.0 concerns no run"),
        ("merge_every = 2", "merge_every = 9", "amendments.0.patch.merge.merge_every: the arm 'merged' cannot run so: Changed from"),
        ("epochs = 2", "epochs = -2", "1.patch.train.epochs: Input should be greater than or equal to 0 (given: -2)"),
        ('by = "ben"', "", "1.by: is missing"),
        ("'merged'", "'x'", "amendments.1.left_out.0.arm: 'x' is no arm of the pilot (alone, merged)"),
        ("seed = 1", "seed = 3", "amendments.1.left_out.0.seed: '3' is no seed of the pilot (1)"),
        ("seed = 1", "round = 1", "1.left_out.0.seed: is missing"),
    ],
)  # fmt: skip
def test_an_amendment_that_cannot_be_is_named_with_its_place(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "pilot.toml"
    path.write_text(PLAIN + LATE.replace(old, new))
    with pytest.raises(PilotFileError) as caught:
        read_sweep(path)
    assert said in str(caught.value)
    with pytest.raises(PilotFileError, match="a pilot is amended once it runs"):
        read_pilot(path)
