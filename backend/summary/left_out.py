"""Which sites an arm's runs went on without, as they were silent, and since when: whoever reads a mean must know whom it leaves out. Pure."""

from collections.abc import Sequence

from backend.roi.facts import PilotFacts
from backend.summary.schemas import ArmOutcome, LeftOutSite
from backend.text.schemas import Params, Text

SENTENCES = 3
"""So many are said one by one."""


def of_arm(facts: PilotFacts, arm: str) -> list[LeftOutSite]:
    """In the order of the sites, over the arm's runs that are looked at."""
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
        ends = [one.until_round for one in absences if one.until_round is not None]
        found.append(
            LeftOutSite(
                site=site.name,
                display_name=site.label,
                from_round=min(one.first_missed for one in absences),
                until_round=max(ends) if len(ends) == len(absences) else None,
            )
        )
    return found


def sentences(facts: PilotFacts, arms: Sequence[ArmOutcome]) -> list[Text]:
    """One for each site and span of rounds, with the arms that went on without it; of many how many more there are."""
    spans: dict[tuple[str, int, int | None], list[str]] = {}
    for arm in arms:
        for one in arm.left_out:
            spans.setdefault((one.display_name, one.from_round, one.until_round), []).append(arm.arm)
    said, named = [], set[str]()
    # Arms may go on without a site from different rounds on: each site once, before any a second time.
    firsts: dict[str, tuple[str, int, int | None]] = {}
    for key in spans:
        firsts.setdefault(key[0], key)
    order = sorted(spans, key=lambda key: firsts[key[0]] != key)
    for site, begun, until in order[:SENTENCES]:
        names = spans[site, begun, until]
        named.add(site)
        params: Params = {"site": site, "round": begun, "names": ", ".join(names)}
        if until is not None:
            said.append(Text(code="left_out_until", params={**params, "until": until}))
        else:
            said.append(Text(code="left_out_to_end" if facts.is_over() else "left_out", params=params))
    more = {site for site, _, _ in spans} - named
    return [*said, Text(code="left_out_more", params={"num_sites": len(more)})] if more else said
