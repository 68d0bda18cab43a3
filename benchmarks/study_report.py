"""The tables of the study as Markdown, from its results. Every number is a mean over seeds, ± the standard deviation."""

from collections.abc import Callable, Iterable, Sequence
from statistics import mean, stdev
from typing import Any

from benchmarks.study_settings import MAIN, SETTINGS, Setting

Results = dict[str, Any]
Value = Callable[[list[dict[str, Any]]], float | None]
CONTROLS = ("local", "local-kept")
MERGING = [one["name"] for one in MAIN if one["name"] not in CONTROLS]
BASELINES = ["centralised", "cdsgd", "sgp"]
HEAD = (
    "Made by `benchmarks/study.py --page {page} --report docs/{page}.md` from the results it keeps; what they mean is said in "
    "[results.md](results.md). Every number is a mean over seeds, ± the standard deviation between them; – stands for what was not run."
)
PAGES = {
    "study": ("Tables of the study", ("main", "baselines", "every", "parts")),
    "study-trees-and-bits": ("Tables of the study: trees and bits", ("tree", "wire")),
    "study-heads": ("Tables of the study: heads", ("head",)),
    "study-sites": (
        "Tables of the study: sites that see different things, graphs, and width",
        ("own", "graph", "width"),
    ),
    "study-matching": ("Tables of the study: matching from the last permutations", ("matching",)),
}
"""By name of a page in `docs`: its title and its tables."""
LEVEL = 0.005
"""Half a percentage point: closer than this counts as level."""


def settings_of(page: str) -> list[Setting]:
    """Of which a page tells."""
    return [s for s in SETTINGS if s.table in PAGES[page][1]]


def markdown(results: Results, page: str) -> str:
    title, _ = PAGES[page]
    done = [s for s in settings_of(page) if _seeds(results, s)]
    where = [_machines(results, done), _settings(results, done)]
    parts = [f"# {title}", HEAD.format(page=page), "## What was run", *where]
    for table, title in (
        ("main", "Methods"),
        ("baselines", "Pooled data, and an exchange at every batch"),
        ("every", "Merging every 1, 2 or 5 rounds"),
        ("matching", "Matching from the permutations of the last merge"),
        ("own", "Where sites see different things"),
        ("graph", "Who is linked with whom"),
        ("width", "Width of a deep network"),
        ("parts", "What each part is worth"),
        ("tree", "All sites along a tree, or neighbours"),
        ("head", "A head in closed form at the end"),
        ("wire", "Fewer bits on the way"),
    ):
        settings = [s for s in done if s.table == table]
        if not settings:
            continue
        parts += [
            f"## {title}",
            "All-site accuracy after the last round, %:",
            _table(results, settings, lambda r: r[-1]["all"]),
        ]
        parts += [
            "Own-site accuracy after the last round, %:",
            _table(results, settings, lambda r: r[-1]["own"]),
        ]
        if table in ("baselines", "tree", "head", "wire", "own", "graph"):
            parts += [
                "Sent over links in all rounds, MB:",
                _table(results, settings, lambda r: r[-1]["bytes"] / 1e8),
            ]
        if table == "matching":
            parts += [
                "Lost around the circle in the last round (mean share of units, `dimat.cycles`), %:",
                _table(results, settings, lambda r: r[-1].get("around")),
            ]
        if table == "main":
            parts += [
                "## The first merge",
                "All-site accuracy before the first merge (first column) and right after it, %:",
            ]
            parts += [_first_merge(results, settings)]
            parts += ["## At the same bytes", _equal_bytes_words(), _equal_bytes(results, settings)]
            parts += ["## What holds", _claims(results, settings)]
    return "\n\n".join(parts) + "\n"


def _machines(results: Results, settings: Sequence[Setting]) -> str:
    """Where and at which commit each setting was run, and the load before its runs."""
    ran: dict[str, dict[str, None]] = {}
    loads: dict[str, list[float]] = {}
    for s in settings:
        for seed in _seeds(results, s):
            run = results["runs"][f"{s.name}/{seed}"]
            ran.setdefault(run["machine"], {})[s.name] = None
            loads.setdefault(run["machine"], []).append(run["load_before"])
    told = []
    for machine, names in sorted(ran.items()):
        which = f": {', '.join(names)}" if len(ran) > 1 else ""
        told.append(f"- {machine}, load before {min(loads[machine]):.1f} to {max(loads[machine]):.1f}{which}")
    return "\n".join(told)


def _settings(results: Results, settings: Iterable[Setting]) -> str:
    rows = []
    for s in settings:
        seeds = _seeds(results, s)
        cpu = mean(results["runs"][f"{s.name}/{seed}"]["cpu_s"] for seed in seeds)
        rows.append([s.name, s.say, f"{s.rounds}", f"{s.rows}", ", ".join(map(str, seeds)), f"{cpu:.0f}"])
    return _grid(["setting", "what", "rounds", "rows a site", "seeds", "CPU s a seed"], rows)


def _table(results: Results, settings: Sequence[Setting], value: Value) -> str:
    arms = list(dict.fromkeys(one["name"] for s in settings for one in s.arms))
    if settings[0].table == "baselines":
        arms += BASELINES
    rows = [[s.name, *(_cell(_values(results, s, name, value)) for name in arms)] for s in settings]
    return _grid(["setting", *arms], rows)


def _first_merge(results: Results, settings: Sequence[Setting]) -> str:
    arms = ("average", "dimat", "guarded", "basis", "regmean", "regmean-plus")
    rows = [
        [
            s.name,
            _cell(_values(results, s, "average", lambda r: r[0]["all"])),
            *(_cell(_values(results, s, name, lambda r: r[1]["all_merged"])) for name in arms),
        ]
        for s in settings
    ]
    return _grid(["setting", "before", *arms], rows)


def _equal_bytes_words() -> str:
    return (
        "All-site / own-site accuracy, %, after the last round that each arm could afford with the bytes that plain averaging "
        "sent in all its rounds; in brackets how many rounds that is. Sites that train alone send nothing and train all rounds."
    )


def _equal_bytes(results: Results, settings: Sequence[Setting]) -> str:
    rows = []
    for s in settings:
        cells = []
        for name in (*CONTROLS, *MERGING):
            found = []
            for seed in _seeds(results, s):
                ours, average = (_rounds(results, s, seed, one) for one in (name, "average"))
                reached = _affordable(ours, average) if ours and average else None
                if reached is not None:
                    found.append(reached)
            cells.append(
                f"{_percent([f['all'] for f in found])} / {_percent([f['own'] for f in found])} ({found[0]['round']})"
                if found
                else "–"
            )
        rows.append([s.name, *cells])
    return _grid(["setting", *CONTROLS, *MERGING], rows)


def _affordable(rounds: list[dict[str, Any]], average: list[dict[str, Any]]) -> dict[str, Any] | None:
    """None: not even the alignment before the first merge."""
    budget = average[-1]["bytes"]
    last = max((number for number, one in enumerate(rounds) if one["bytes"] <= budget), default=None)
    return None if last is None else {**rounds[last], "round": last}


def _claims(results: Results, settings: Sequence[Setting]) -> str:
    """Against the better of the two controls, in each seed: level means within half a point."""
    rows = []
    for s in settings:
        cells = []
        for name in MERGING:
            verdicts = []
            for measure in ("all", "own"):
                differences = _differences(results, s, name, measure)
                verdicts.append(_verdict(differences))
            cells.append(" / ".join(verdicts))
        rows.append([s.name, *cells])
    words = (
        "Each arm against the better of the two controls (sites alone, with or without kept momentum), all-site / own-site after the "
        "last round: **+** ahead in every seed by more than half a point, **=** level (mean within half a point), **−** behind in "
        "every seed by more than half a point, **~** neither.\n\n"
    )
    return words + _grid(["setting", *MERGING], rows)


def _differences(results: Results, setting: Setting, name: str, measure: str) -> list[float]:
    found = []
    for seed in _seeds(results, setting):
        ours = _rounds(results, setting, seed, name)
        controls = [r for control in CONTROLS if (r := _rounds(results, setting, seed, control))]
        if ours and controls:
            found.append(ours[-1][measure] - max(r[-1][measure] for r in controls))
    return found


def _verdict(differences: list[float]) -> str:
    if not differences:
        return "–"
    if all(d > LEVEL for d in differences):
        return "+"
    if all(d < -LEVEL for d in differences):
        return "−"
    return "=" if abs(mean(differences)) <= LEVEL else "~"


def _values(results: Results, setting: Setting, name: str, value: Value) -> list[float]:
    found = []
    for seed in _seeds(results, setting):
        rounds = _rounds(results, setting, seed, name)
        one = value(rounds) if rounds else None
        if one is not None:
            found.append(one)
    return found


def _rounds(results: Results, setting: Setting, seed: int, name: str) -> list[dict[str, Any]] | None:
    arm = results["runs"][f"{setting.name}/{seed}"]["arms"].get(name, {})
    rounds: list[dict[str, Any]] | None = arm.get("rounds")
    return rounds


def _seeds(results: Results, setting: Setting) -> list[int]:
    keys = [key.rpartition("/") for key in results["runs"]]
    return sorted(int(seed) for name, _, seed in keys if name == setting.name)


def _cell(values: list[float]) -> str:
    if not values:
        return "–"
    spread = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return _percent(values) + spread


def _percent(values: list[float]) -> str:
    return f"{100 * mean(values):.1f}"


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
