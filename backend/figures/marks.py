"""Amendments on a chart over rounds: a vertical line before the first round that they change, and on top a mark that tells what
changed when one points at it."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC
from typing import Any

from backend.figures.frame import Look, Trace, axis_name, plain
from backend.roi.facts import Mark, PilotFacts, RunFacts
from backend.runs.schemas import ArmChanges
from backend.runs.settings_changed import words

SIGN = "◆"
BEFORE_MERGE, BEFORE_BARS = 0.75, 0.5
"""How far before its round a line stands: clear of the round's merge, or between two bars."""
LINE_UP_TO = 60


def of_pilot(facts: PilotFacts) -> list[Mark]:
    """All amendments; where one changes every arm, these need not be named."""
    return [
        replace(mark, changes=tuple(_unnamed(one, len(facts.arms)) for one in mark.changes))
        for mark in facts.amendments
    ]


def _unnamed(one: ArmChanges, num_arms: int) -> ArmChanges:
    return one.model_copy(update={"arms": []}) if len(one.arms) == num_arms else one


def of_run(facts: PilotFacts, run: RunFacts) -> list[Mark]:
    """The amendments under which the run went on, and that change its arm, which need not be named."""
    mine = [
        (mark, [one.model_copy(update={"arms": []}) for one in mark.changes if run.arm in one.arms])
        for mark in facts.amendments
        if run.id not in mark.left_out
    ]
    return [replace(mark, changes=tuple(changes)) for mark, changes in mine if changes]


def drawn(
    look: Look, marks: Sequence[Mark], panels: int, before: float, told: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """The part of a layout that shows `marks` on each of `panels`, beside the annotations `told` that the chart has already."""
    by_round: dict[int, list[Mark]] = {}
    for mark in marks:
        by_round.setdefault(mark.round, []).append(mark)
    shapes, annotations = [], list(told)
    for panel in range(1, panels + 1):
        across, up = axis_name("x", panel), f"{axis_name('y', panel)} domain"
        for round, together in sorted(by_round.items()):
            place = {"xref": across, "yref": up}
            line = {"color": look.colours.muted, "width": 1.5, "dash": "dot"}
            shapes.append(
                {"type": "line", "x0": round - before, "x1": round - before, "y0": 0, "y1": 1, "line": line,
                 "layer": "below", **place}
            )  # fmt: skip
            annotations.append(
                {"text": SIGN, "x": round - before, "y": 1, "yanchor": "middle", "showarrow": False,
                 "hovertext": _hover(look, round, together), "font": {"size": 15, "color": look.colours.text},
                 "hoverlabel": {"bgcolor": look.colours.hover, "bordercolor": look.colours.muted,
                                "font": {"size": 13, "color": look.colours.text}}, **place}
            )  # fmt: skip
    return {"shapes": shapes, "annotations": annotations}


def legend(look: Look, marks: Iterable[Mark], rounds: int) -> list[Trace]:
    """What the sign means, beside the names of the lines; nothing is drawn where it stands for. Without one within the `rounds` that are
    shown there is none."""
    if all(mark.round > rounds for mark in marks):
        return []
    sign = {"symbol": "diamond", "size": 9, "color": look.colours.text}
    return [
        {"type": "scatter", "mode": "markers", "x": [None], "y": [None], "name": look.t("mark_legend"),
         "marker": sign, "showlegend": True, "hoverinfo": "skip", "legendrank": 2000}
    ]  # fmt: skip


def notes(look: Look, marks: Iterable[Mark]) -> list[str]:
    """The same in sentences, in the order of rounds."""
    return [
        look.t("mark_summary", round=mark.round, changes=look.t("list_separator").join(_lines(look, mark)))
        for mark in sorted(marks, key=lambda mark: mark.round)
    ]


def _hover(look: Look, round: int, marks: Sequence[Mark]) -> str:
    lines = [f"<b>{look.t('mark_heading', round=round)}</b>"]
    for mark in marks:
        lines += [plain(line) for line in _lines(look, mark)]
        when = "" if mark.at is None else f"{mark.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        why = look.t("mark_why_at" if when else "mark_why", who=mark.by, when=when, why=mark.why)
        lines += [
            f"<i>{plain(line)}</i>"
            for line in textwrap.wrap(why, LINE_UP_TO // 2 if look.lang == "ja" else LINE_UP_TO)
        ]
    return "<br>".join(lines)


def _lines(look: Look, mark: Mark) -> list[str]:
    return [
        look.t("mark_arms", arms=look.t("between_names").join(change.arms), change=said)
        if change.arms
        else said
        for change in mark.changes
        for said in (words(look.lang, setting) for setting in change.settings)
    ]
