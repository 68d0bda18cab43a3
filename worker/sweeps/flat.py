"""Results as a flat table: a row for each setting, arm or baseline, seed, round, phase and site. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

PHASES = ("after_merge", "after_train")
COLUMNS = {
    "pilot": "VARCHAR",
    "setting": "INTEGER",
    "arm": "VARCHAR",
    "is_baseline": "BOOLEAN",
    "method": "VARCHAR",
    "seed": "INTEGER",
    "state": "VARCHAR",
    "round": "INTEGER",
    "phase": "VARCHAR",
    "site": "VARCHAR",
    "own_site": "DOUBLE",
    "all_site": "DOUBLE",
    "validation": "DOUBLE",
    "bytes_so_far": "BIGINT",
}
"""Type by name. `bytes_so_far` is what all sites of the run together have sent to the end of the round."""


def columns(swept: Mapping[str, Sequence[Any]]) -> dict[str, str]:
    """`COLUMNS`, and one for each swept place, called like it."""
    return COLUMNS | {place: _type(values) for place, values in swept.items()}


def rows(
    swept: Mapping[str, Sequence[Any]], results: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Of a run that failed, the rounds that it came to. A phase that a round does not have has no rows."""
    as_text = {place for place, values in swept.items() if _is_mixed(values)}
    for result in results:
        values = {
            place: json.dumps(value, sort_keys=True) if place in as_text else value
            for place, value in result["values"].items()
        }
        setting = {"pilot": result["pilot"]["name"], "setting": result["setting"]}
        for run in (*result["runs"], *result.get("baselines", ())):
            which = {
                "arm": run.get("arm", run.get("baseline")),
                "is_baseline": "baseline" in run,
                "method": run.get("method"),
                "seed": run["seed"],
                "state": run["state"],
            }
            for measured in _rows_of(run):
                yield setting | which | measured | values


def _rows_of(run: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for one in run["rounds"]:
        for phase in PHASES:
            found = one[phase]
            for site in found["own_site"]["by_site"] if found else ():
                yield {
                    "round": one["round"],
                    "phase": phase,
                    "site": site,
                    "own_site": found["own_site"]["by_site"][site],
                    "all_site": found["all_site"]["by_site"][site] if found["all_site"] else None,
                    "validation": found["validation"]["by_site"][site],
                    "bytes_so_far": one["bytes_so_far"],
                }


def _type(values: Sequence[Any]) -> str:
    """Of a column with these values; those that are not of one kind are written as JSON."""
    kinds = {type(value) for value in values}
    for type_, python in (("BOOLEAN", {bool}), ("BIGINT", {int}), ("DOUBLE", {int, float})):
        if kinds <= python:
            return type_
    return "VARCHAR"


def _is_mixed(values: Sequence[Any]) -> bool:
    return _type(values) == "VARCHAR" and not all(isinstance(value, str) for value in values)
