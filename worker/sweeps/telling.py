"""Results of a setting as lines of text, in English."""

from collections.abc import Iterator
from typing import Any

from dimat.errors import DimatError


def table(result: dict[str, Any]) -> str:
    """The runs, then the baselines; accuracies in percent."""
    lines = [
        f"{'arm':<24}{'seed':>5}  {'state':<10}{'all-site':>9}{'own-site':>9}{'exchanged':>12}{'time':>8}"
    ]
    named = [(name_of(run), run) for run in (*result["runs"], *result.get("baselines", ()))]
    for name, run in named:
        last = run["rounds"][-1]["after_train"] if run["rounds"] else {"all_site": None, "own_site": None}
        lines.append(
            f"{name:<24}{run['seed']:>5}  {run['state']:<10}"
            f"{_percent(last['all_site']):>9}{_percent(last['own_site']):>9}"
            f"{_bytes(run['bytes_exchanged']):>12}{run['seconds']:>6.1f} s"
        )
    lines += [f"{name} failed: {_sentence(run['reason'])}" for name, run in named if run["state"] == "failed"]
    return "\n".join(lines)


def name_of(run: dict[str, Any]) -> str:
    """Of an arm, or of a baseline, which is none: an arm may have the name of a baseline."""
    return f"baseline {run['baseline']}" if "baseline" in run else str(run["arm"])


def _sentence(reason: dict[str, Any]) -> str:
    """What the error said, from its code and params."""
    known = {error.code: error.template for error in _errors(DimatError)}
    return known[reason["code"]].format(**reason["params"])


def _errors(base: type[DimatError]) -> Iterator[type[DimatError]]:
    for error in base.__subclasses__():
        yield error
        yield from _errors(error)


def _percent(accuracy: dict[str, Any] | None) -> str:
    return "-" if accuracy is None else f"{100 * accuracy['mean']:.1f}%"


def _bytes(num_bytes: int | None) -> str:
    """As the pages write it: 45.9 kB, and 1.0 MB from 999,950 on, which as kB would round to a thousand."""
    if num_bytes is None:
        return "-"
    if num_bytes < 1000:
        return f"{num_bytes} bytes"
    return f"{num_bytes / 1e3:.1f} kB" if num_bytes < 999_950 else f"{num_bytes / 1e6:.1f} MB"
