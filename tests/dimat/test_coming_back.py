"""Sites that fall silent and come back, told of while a run goes on: nothing that was sent changes."""

import random
from collections.abc import Sequence
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dimat import told
from dimat.absence import Absence
from dimat.leaving import Moment, absence_of, round_of_return, short_round
from dimat.plan import Amendment
from dimat.schedule import Schedule, StepKey
from dimat.spec import PilotSpec
from tests.dimat.test_members import GRAPHS, MEMBERS, NAMES, ROUNDS, MakeSpec, N, amended, of
from tests.dimat.test_schedule import prepared


class Walk:
    """A run as a coordinator leads it: steps are made when they are ready, sites fall silent and come back."""

    def __init__(
        self, spec: PilotSpec, arm: str, amendments: Sequence[Amendment], last_open: int = ROUNDS
    ) -> None:
        self.spec, self.arm, self.amendments, self.last_open = spec, arm, amendments, last_open
        self.absences: list[Absence] = []
        self.silent: set[int] = set()
        self.rounds_done = -1
        self.schedule = self._made()
        self.done = prepared(self.schedule)
        self.sent: dict[StepKey, Any] = {}
        self.send()

    def _made(self, but: Absence | None = None) -> Schedule:
        absences = [one for one in self.absences if one is not but]
        return Schedule.of(self.spec, self.arm, self.amendments, absences)

    def send(self) -> None:
        ready = self.schedule.ready_steps(self.done, self.sent.keys())
        since = max(self.rounds_done, 0)
        needed = self.schedule.older_inputs(since)
        recent = {step for step in self.done if step.round >= since or step in needed}
        assert self.schedule.ready_steps(recent, self.sent.keys(), since) == ready
        for step in ready:
            if step.round <= self.last_open:
                self.sent[step] = told.all_of(self.schedule, step)
                assert self.done.issuperset(told.read_by(self.schedule, step)), step
        while self.rounds_done < self.spec.rounds and self.done.issuperset(
            self.schedule.ends(self.rounds_done + 1)
        ):
            self.rounds_done += 1

    def open(self) -> list[StepKey]:
        steps = self.sent.keys() - self.done
        return sorted(step for step in steps if step.site not in self.silent)

    def finish(self, step: StepKey) -> None:
        self.done.add(step)
        self.send()

    def moment(self) -> Moment:
        about = (self.spec, self.arm, self.amendments, tuple(self.absences), set(self.done), set(self.sent))
        return Moment(*about, self.rounds_done, self.last_open)

    def leave(self, site: int) -> bool:
        """False: too few would be left."""
        found = absence_of(self.schedule, site, NAMES[site], self.done)
        if found is None:
            return True
        without = Schedule.of(self.spec, self.arm, self.amendments, [*self.absences, found])
        if short_round(without, self.rounds_done, found.from_round) is not None:
            return False
        self.silent.add(site)
        self.absences.append(found)
        for step in [step for step in self.sent if step.site == site and step not in self.done]:
            del self.sent[step]
        self.schedule = self._made()
        self.send()
        return True

    def come_back(self, site: int) -> None:
        last = next(one for one in reversed(self.absences) if one.site == NAMES[site])
        round = round_of_return(self._made(last), site, last, self.sent, self.rounds_done)
        if round is None:
            return
        self.silent.remove(site)
        self.absences[self.absences.index(last)] = last.model_copy(update={"until_round": round})
        self.schedule = self._made()
        self.send()


def test_whose_model_was_taken_over_stays_when_that_site_falls_silent_in_the_same_round(
    make_spec: MakeSpec,
) -> None:
    spec = make_spec(N, rounds=ROUNDS, topology={"kind": "full"}, arms=[{"name": "arm", "method": "dimat"}])
    back = Absence(site=NAMES[1], from_round=3, until_round=4)
    step = StepKey(4, "adopt", 1)
    before = Schedule.of(spec, "arm", (), [back]).inputs(step)
    assert before[-1] == StepKey(3, "train", 0)
    silent = Absence(site=NAMES[0], from_round=4)
    assert Schedule.of(spec, "arm", (), [back, silent]).inputs(step) == before


def test_nobody_comes_back_into_a_round_from_which_another_has_chosen_its_model(make_spec: MakeSpec) -> None:
    """Site 4 joined in round 5, far away on the line: it would have taken the model of site 1, had that been there in round 4."""
    spec = make_spec(N, rounds=ROUNDS, topology={"kind": "line"}, arms=[{"name": "arm", "method": "dimat"}])
    absence = Absence(site=NAMES[1], from_round=3)
    begun = [StepKey(3, "train", 0), StepKey(3, "train", 2)]
    present = Schedule.of(spec, "arm")
    assert round_of_return(present, 1, absence, begun, rounds_done=2) == 4
    assert round_of_return(present, 1, absence, [*begun, StepKey(5, "adopt", 4)], rounds_done=2) == 5


@settings(max_examples=60, deadline=None)
@given(
    method=st.sampled_from(["local_only", "dimat_guarded", "slowmo", "regmean"]),
    turn=st.sampled_from([None, None, "regmean", "local_only"]),
    kind=GRAPHS,
    every=st.integers(1, 2),
    rng=st.randoms(use_true_random=False),
)
def test_nothing_that_was_sent_changes_when_sites_fall_silent_and_come_back(
    method: str, turn: Any, kind: str, every: int, rng: random.Random, make_spec: MakeSpec
) -> None:
    """Whenever it happens, and the run ends: what was done is what the schedule with these absences says."""
    wire = {"numbers": "int8", "compress": True, "deltas": True}
    spec = make_spec(
        N, rounds=ROUNDS, topology={"kind": kind}, arms=[{"name": "arm", "method": method}],
        train={"keep_momentum": True, "own_model": True}, merge={"wire": wire, "merge_every": every},
    )  # fmt: skip
    amendments = [amended(4, method=turn)] if turn else []
    run = Walk(spec, "arm", amendments)
    while steps := run.open():
        run.finish(rng.choice(steps))
        if rng.random() < 0.12:
            run.leave(rng.choice(sorted(set(range(N)) - run.silent)))
        if run.silent and rng.random() < 0.2:
            run.come_back(rng.choice(sorted(run.silent)))
    assert run.rounds_done == ROUNDS
    # A site that comes back, takes over a model and falls silent before that is in the others' order did so in vain.
    began = {(one.from_round, NAMES.index(one.site)) for one in run.absences}
    in_vain = {step for step in run.done if step.kind == "adopt" and (step.round, step.site) in began}
    in_vain -= set(run.schedule.all_steps())
    assert run.done - prepared(run.schedule) - in_vain == set(run.schedule.all_steps())
    for step, sent in run.sent.items():
        assert step in in_vain or told.all_of(run.schedule, step) == sent, step


def test_who_comes_back_second_waits_for_no_model_that_the_first_has_begun_to_take_over(
    make_spec: MakeSpec,
) -> None:
    spec = make_spec(N, rounds=ROUNDS, topology={"kind": "full"}, arms=[{"name": "arm", "method": "dimat"}])
    gone = [Absence(site=NAMES[site], from_round=1) for site in (3, 4)]
    done = prepared(Schedule.of(spec, "arm"))
    done |= {StepKey(round, "train", site) for round in (1, 2) for site in range(3)} | {
        StepKey(3, "train", 0)
    }
    begun = done | {StepKey(3, "train", site) for site in range(3)}
    assert Moment(spec, "arm", (), gone, done, begun, 2, ROUNDS).come_back([0, 1]) == {0: 4, 1: 5}
    assert Moment(spec, "arm", (), gone, done, begun, 2, 3).come_back([1, 0]) == {0: 4, 1: 4}


@settings(max_examples=30, deadline=None)
@given(
    method=st.sampled_from(["local_only", "dimat_guarded", "common_basis", "regmean"]),
    kind=GRAPHS,
    members=MEMBERS,
    last_open=st.integers(2, ROUNDS),
    rng=st.randoms(use_true_random=False),
)
def test_sites_that_leave_or_come_back_in_one_go_do_so_as_if_one_after_the_other(
    method: str, kind: str, members: list[str], last_open: int, rng: random.Random, make_spec: MakeSpec
) -> None:
    """All steps are made in between that are ready, of rounds that may begin."""
    arms = [{"name": "arm", "method": method}]
    spec = make_spec(N, rounds=ROUNDS, topology={"kind": kind}, arms=arms)
    assume(kind != "star" or NAMES[0] in members)
    run = Walk(spec, "arm", [amended(4, members)], last_open)
    while steps := run.open():
        run.finish(rng.choice(steps))
        if rng.random() < 0.1:
            moment, before = run.moment(), len(run.absences)
            sites = rng.sample(range(N), 3)
            found, needed = moment.leave(site for site in sites if site not in run.silent)
            stays = next((s for s in sites if s not in run.silent and not run.leave(s)), None)
            assert list(found.values()) == run.absences[before:]
            assert needed == stays
        if run.silent and rng.random() < 0.3:
            places = [place for place, one in enumerate(run.absences) if one.until_round is None]
            rng.shuffle(places)
            rounds = run.moment().come_back(places)
            for place in places:
                run.come_back(NAMES.index(run.absences[place].site))
            assert {p: run.absences[p].until_round for p in places} == {p: rounds.get(p) for p in places}


def test_a_round_is_short_where_fewer_than_two_members_are_there_and_owe_nothing_of_it(
    make_spec: MakeSpec,
) -> None:
    spec = make_spec(3, rounds=ROUNDS, topology={"kind": "full"}, arms=[{"name": "arm", "method": "dimat"}])
    fewer = [amended(5, of(1, 2))]

    def short(*absences: Absence, rounds_done: int = 0) -> int | None:
        return short_round(Schedule.of(spec, "arm", fewer, absences), rounds_done)

    assert short() is None
    assert short(Absence(site=NAMES[2], from_round=2)) == 5
    assert short(Absence(site=NAMES[2], from_round=2, until_round=5)) is None
    assert short(Absence(site=NAMES[0], from_round=2)) is None
    owes = Absence(site=NAMES[2], from_round=4, until_round=5, undone=((3, "train"),))
    assert short(owes, Absence(site=NAMES[0], from_round=3)) == 3
    assert short(owes, Absence(site=NAMES[0], from_round=3), rounds_done=3) == 4
    assert short(Absence(site=NAMES[1], from_round=ROUNDS + 1, undone=((ROUNDS, "train"),))) == ROUNDS
