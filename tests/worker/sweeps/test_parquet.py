"""`--parquet`: one flat table of all that was measured."""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import duckdb
import pytest

from backend.cli import workers
from tests.worker.small_pilot import SMALL
from worker.sweeps import flat
from worker.sweeps.parquet import write_parquet
from worker.sweeps.wanted import DUCKDB, MATPLOTLIB

ROOT = Path(__file__).resolve().parents[3]
PILOT = f"""{SMALL}
[sweep]
"train.lr" = [0.01, 0.05]
"topology.kind" = ["ring"]
"""


def read(path: Path) -> list[dict[str, Any]]:
    found = duckdb.connect().read_parquet(str(path))
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def test_every_measurement_has_a_row_with_what_was_swept(tmp_path: Path) -> None:
    pilot, table, kept = tmp_path / "pilot.toml", tmp_path / "new" / "r.parquet", tmp_path / "r.json"
    pilot.write_text(PILOT, encoding="utf-8")
    assert workers.simulate(pilot, kept, quiet=True, baselines="centralised", parquet=table) == 0
    rows = read(table)
    assert [path.name for path in table.parent.iterdir()] == ["r.parquet"]
    result = json.loads(kept.read_text(encoding="utf-8"))
    # settings x seeds x sites x phases (a start; two rounds, of which the merging arm's have two phases)
    assert len(rows) == 2 * 2 * 2 * (3 + 5 + 3)
    for setting, lr in ((1, 0.01), (2, 0.05)):
        mine = [row for row in rows if row["setting"] == setting]
        assert {(row["train.lr"], row["topology.kind"], row["pilot"]) for row in mine} == {
            (lr, "ring", "small")
        }
        (last,) = [
            row for row in mine
            if (row["arm"], row["seed"], row["round"], row["phase"], row["site"]) == ("mean", 2, 2, "after_train", "b")
        ]  # fmt: skip
        told = result["settings"][setting - 1]["runs"][3]
        of_round = told["rounds"][2]["after_train"]
        assert (last["own_site"], last["all_site"], last["validation"]) == tuple(
            of_round[view]["by_site"]["b"] for view in ("own_site", "all_site", "validation")
        )
        assert last["bytes_so_far"] == told["bytes_exchanged"] > 0
        assert (last["method"], last["is_baseline"], last["state"]) == ("plain_average", False, "completed")
    beside = [row for row in rows if row["is_baseline"]]
    assert {(row["arm"], row["method"], row["bytes_so_far"], row["phase"]) for row in beside} == {
        ("centralised", None, None, "after_train")
    }


def test_swept_values_keep_their_kind_and_tables_are_json(tmp_path: Path) -> None:
    swept = {
        "rounds": [1, 2], "train.lr": [1, 0.5], "train.keep_momentum": [True, False], "title": ['"\n', "ü"],
        "model": [{"kind": "mlp"}, {"kind": "cnn"}], "seeds": [[1], [2]],
    }  # fmt: skip
    assert list(flat.columns(swept).values())[-6:] == [
        "BIGINT", "DOUBLE", "BOOLEAN", "VARCHAR", "VARCHAR", "VARCHAR",
    ]  # fmt: skip
    accuracy = {"mean": 0.1 + 0.2, "by_site": {"a": 0.1 + 0.2}}
    one = {"round": 0, "after_merge": None, "bytes_so_far": 2**53 + 1}
    one["after_train"] = {"own_site": accuracy, "all_site": None, "validation": accuracy}
    run = {"arm": "x", "method": "dimat", "seed": 1, "state": "failed", "rounds": [one]}
    results = [
        {"setting": k + 1, "values": {place: of[k] for place, of in swept.items()}, "pilot": {"name": "p"}, "runs": [run]}
        for k in range(2)
    ]  # fmt: skip
    write_parquet(tmp_path / "r.parquet", flat.columns(swept), flat.rows(swept, results))
    rows = read(tmp_path / "r.parquet")
    assert [list(row.values())[-6:] for row in rows] == [
        [1, 1.0, True, '"\n', '{"kind": "mlp"}', "[1]"],
        [2, 0.5, False, "ü", '{"kind": "cnn"}', "[2]"],
    ]
    assert (rows[0]["own_site"], rows[0]["all_site"], rows[0]["bytes_so_far"]) == (0.1 + 0.2, None, 2**53 + 1)


def test_runs_without_a_round_leave_a_table_without_rows(tmp_path: Path) -> None:
    write_parquet(tmp_path / "r.parquet", flat.columns({}), [])
    assert read(tmp_path / "r.parquet") == []


def test_without_duckdb_it_is_told_how_to_get_it_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pilot.toml").write_text(PILOT, encoding="utf-8")
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(SystemExit):
        workers.simulate(tmp_path / "pilot.toml", parquet=tmp_path / "r.parquet")
    (line,) = capsys.readouterr().err.splitlines()
    assert (
        line
        == f"awase: --parquet needs DuckDB, which is not installed. Get it: .venv/bin/pip install '{DUCKDB}'"
    )
    assert not (tmp_path / "r.parquet").exists()


def test_what_is_told_to_install_is_what_the_extra_says() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    for extra, requirement in (("parquet", DUCKDB), ("figure", MATPLOTLIB)):
        assert extras[extra] == [requirement]
        assert requirement in extras["dev"]
