"""Which sites an arm's runs went on without, as they were silent, and since when: whoever reads a mean must know whom it leaves out. Pure."""

from collections.abc import Iterable, Sequence
from operator import itemgetter

from backend.roi.facts import PilotFacts
from backend.summary.schemas import ArmOutcome, LeftOutSite
from backend.text.schemas import Params, Text
from dimat.absence import Absence

SENTENCES = 3
"""So many are said one by one."""
Span = tuple[int, int | None]
"""The first round without a site, and the one in which it came back, if it did."""
_Told = tuple[str, int, int | None, int]


def of_arm(facts: PilotFacts, arm: str) -> list[LeftOutSite]:
    """In the order of the sites, over the arm's runs that are looked at; of each the last time that it was left out."""
    found = []
    for site in facts.sites:
        absences = [
            one
            for run in facts.counted_of(arm)
            for one in run.absences
            if one.site == site.name and one.first_missed <= run.rounds
        ]
        if not absences:
            continue
        times = _times(absences)
        begun, until = times[-1]
        found.append(
            LeftOutSite(
                site=site.name, display_name=site.label, from_round=begun, until_round=until, times=len(times)
            )
        )
    return found


def _times(absences: Iterable[Absence]) -> list[Span]:
    """The spans of rounds, what seeds have in common as one, in their order."""
    found: list[Span] = []
    for begun, until in sorted(((one.first_missed, one.until_round) for one in absences), key=itemgetter(0)):
        first, last = found[-1] if found else (0, 0)
        if found and (last is None or begun < last):
            found[-1] = (first, None if last is None or until is None else max(last, until))
        else:
            found.append((begun, until))
    return found


def sentences(facts: PilotFacts, arms: Sequence[ArmOutcome]) -> list[Text]:
    """One for each site and span of rounds, with the arms that went on without it; of many how many more there are."""
    spans: dict[_Told, list[str]] = {}
    for arm in arms:
        for one in arm.left_out:
            told = (one.display_name, one.from_round, one.until_round, one.times)
            spans.setdefault(told, []).append(arm.arm)
    said, named = [], set[str]()
    # Arms may go on without a site from different rounds on: each site once, before any a second time.
    firsts: dict[str, _Told] = {}
    for key in spans:
        firsts.setdefault(key[0], key)
    order = sorted(spans, key=lambda key: firsts[key[0]] != key)
    for told in order[:SENTENCES]:
        site, begun, until, times = told
        named.add(site)
        params: Params = {"site": site, "round": begun, "names": ", ".join(spans[told])}
        code = "left_out_again" if times > 1 else "left_out"
        if times > 1:
            params["times"] = times
        if until is not None:
            said.append(Text(code=f"{code}_until", params={**params, "until": until}))
        else:
            said.append(Text(code=f"{code}_to_end" if facts.is_over() else code, params=params))
    more = {site for site, *_ in spans} - named
    return [*said, Text(code="left_out_more", params={"num_sites": len(more)})] if more else said
