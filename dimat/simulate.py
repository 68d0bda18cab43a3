"""A whole pilot in one process: the reference implementation, and the oracle of distributed runs.

It walks the same schedule, calls the same steps and sends the same bytes as workers do, so the final
artifacts of a distributed run must be equal to the last bit. No clock of its own: the caller gives one.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import astuple

from dimat import second_moments, steps, told
from dimat.absence import Absence, RunAbsence
from dimat.checked import check_kind
from dimat.cycles import Units, inconsistency
from dimat.errors import DimatError, TooFewSitesInRound
from dimat.leaving import short_round
from dimat.made import Made
from dimat.merging.mix import Remembered
from dimat.merging.sums import Sums
from dimat.methods import MOMENTS_OF, Moments
from dimat.params import Params
from dimat.plan import Amendment, ArmPlan, amendments_of_run
from dimat.results import RoundResult, RunResult, SimulationResult
from dimat.rows import SiteRows, check_alike, check_sane
from dimat.schedule import Schedule, StepKey
from dimat.spec import ArmSpec, PilotSpec
from dimat.steps import Alone, StepContext, StepResult
from dimat.topology import Link
from dimat.training.evaluate import Metrics
from dimat.wire.codec import decode, encode, sha256
from dimat.wire.deltas import against, is_of_use
from dimat.wire.sending import Artifacts, artifacts_of

RowsOf = Callable[[int, int], SiteRows]
"""Rows of a site: (seed, site index) -> rows."""
Clock = Callable[[], float]
"""Seconds since some fixed moment."""
OnRound = Callable[[ArmSpec, int, RoundResult], None]
"""Told when all sites have finished a round: (arm, seed, round)."""


def simulate(
    spec: PilotSpec,
    rows_of: RowsOf,
    clock: Clock,
    amendments: Sequence[Amendment] = (),
    on_round: OnRound | None = None,
    device: str = "cpu",
    absences: Mapping[tuple[str, int], Sequence[Absence]] | None = None,
) -> SimulationResult:
    """Runs every arm with every seed.

    A run that meets a `DimatError` ends as `failed` with this reason; the others go on. For the same bits every time
    the caller asks for `compute_repeatably` first.

    Args:
        amendments: in the order in which they apply, each to all runs of its arms but those that it names as left out.
        device: torch device of the computation (`cpu`, `cuda:0`); runs on different ones differ in their last bits.
        absences: by arm and seed who fell silent in that run.

    Raises: TypeError: `spec` is no `PilotSpec`, or `rows_of` gives no `SiteRows`.
    """
    check_kind("'spec'", spec, PilotSpec, "a PilotSpec, as PilotSpec.model_validate(...) makes it of a dict")
    runs = []
    for seed in spec.seeds:
        prepared: dict[int, bytes] = {}
        for arm in spec.arms:
            silent = (absences or {}).get((arm.name, seed), ())
            amended = amendments_of_run(amendments, arm.name, seed)
            run = _Run(spec, arm, seed, rows_of, clock, amended, on_round, device, silent)
            runs.append(run.go(prepared))
    told = tuple(
        RunAbsence(arm=arm, seed=seed, **dict(one))
        for (arm, seed), some in (absences or {}).items()
        for one in some
    )
    return SimulationResult(spec, tuple(runs), tuple(amendments), told)


class _Run:
    """One run under way: artifacts made so far and what was measured."""

    def __init__(
        self,
        spec: PilotSpec,
        arm: ArmSpec,
        seed: int,
        rows_of: RowsOf,
        clock: Clock,
        amendments: Sequence[Amendment],
        on_round: OnRound | None,
        device: str,
        absences: Sequence[Absence],
    ) -> None:
        self.spec, self.arm, self.seed, self.clock = spec, arm, seed, clock
        self.device = device
        self.schedule = Schedule.of(spec, arm.name, amendments, absences)
        # As on a server a run does not go on into a round that too few sites would finish.
        self.short = short_round(self.schedule, 0) if absences else None
        self.last_round = spec.rounds if self.short is None else self.short - 1
        self.sites = range(len(spec.sites))
        self.rows_of, self.on_round = rows_of, on_round
        self.rounds: list[RoundResult] = []
        self.made = Made(self.schedule)
        self.metrics: dict[StepKey, Metrics] = {}
        self.matched: dict[int, dict[Link, Units]] = {}
        self.held: dict[Link, str] = {}
        """(from, to) -> the name of the model that the one has of the other since its last merge, where sites keep them."""
        self.bytes_exchanged = self.bytes_uploaded = self.bytes_wasted = 0
        self.busy_s = 0.0

    def go(self, prepared: dict[int, bytes]) -> RunResult:
        """Runs to the end. `prepared` holds the sites' start models, and is filled by the first arm."""
        started = self.clock()
        done: set[StepKey] = set()
        failure = None
        try:
            for site in self.sites:
                if site not in prepared:
                    context = self._context(StepKey(0, "prepare", site))
                    check_sane(self._rows(site), self.spec.site_names[site])
                    check_alike(self._rows(site), self._rows(0), self.spec.site_names[site])
                    prepared[site] = encode(_made(steps.prepare(context, self._rows(site), self.spec.train)))
                key = StepKey(0, "prepare", site)
                self.made.add(key, Artifacts(prepared[site]))
                done.add(key)
            while ready := [key for key in self.schedule.ready_steps(done) if key.round <= self.last_round]:
                for key in ready:
                    self._do(key)
                    done.add(key)
                    self._close_rounds()
            if self.short is not None:
                raise TooFewSitesInRound(round=self.short)
        except DimatError as error:
            failure = (error.code, error.params)
        last = [self.schedule.last_trained(site) for site in self.sites]
        return RunResult(
            arm=self.arm,
            seed=self.seed,
            state="failed" if failure else "completed",
            reason=failure or ("completed", {"rounds": self.spec.rounds}),
            rounds=tuple(self.rounds),
            bytes_exchanged=self.bytes_exchanged,
            bytes_uploaded=self.bytes_uploaded,
            bytes_wasted=self.bytes_wasted,
            busy_s=self.busy_s,
            seconds=self.clock() - started,
            final_artifacts=()
            if failure
            else tuple(None if key is None else sha256(self._model(key)) for key in last),
        )

    def _do(self, key: StepKey) -> None:
        """One step, from artifacts to an artifact."""
        began = self.clock()
        result = self._result(key)
        wire, is_gather = told.wire_of(self.schedule, key), key.kind == "gather"
        made = artifacts_of(result, wire, is_gather, self._residual(key), self._sent_before(key))
        self.made.add(key, made)
        self.bytes_uploaded += sum(len(data) for data in astuple(made) if data is not None)
        if result.metrics is not None:
            self.metrics[key] = result.metrics
        for match in result.matches:
            if match.units_U is not None:
                self.matched.setdefault(key.round, {})[key.site, match.site_index] = match.units_U
        self.busy_s += self.clock() - began

    def _result(self, key: StepKey) -> StepResult:
        context, rows = self._context(key), self._rows(key.site)
        own_key, *other_keys = inputs = self.schedule.inputs(key)
        expected = steps.layout(self.spec.model, rows)
        own = decode(self._model(own_key), expected)
        plan = self.schedule.plan_of(max(key.round, 1))
        if key.kind == "evaluate":
            return steps.evaluate(context, rows, own)
        if key.kind == "train":
            momentum, alone = self._momentum(key, rows), self._alone(key, rows, plan)
            how = self.spec.sites[key.site].trains(plan.train)
            return steps.train(context, rows, how, own, momentum, told.tells(self.schedule, key), alone)
        if key.kind == "gather" or (key.kind == "merge" and self.schedule.tree_of(key.round) is not None):
            return self._over_all(key, other_keys, own, plan)
        others = {
            other.site: decode(self._sent(other), expected, allow_non_finite=True) for other in other_keys
        }
        if key.kind == "adopt":
            source = next(iter(others.items()))
            result = steps.adopt(context, rows, source, told.tells(self.schedule, key))
        elif key.kind == "align":
            parent = next(iter(others.items()), None)
            tell, momentum = told.tells(self.schedule, key), self._momentum(key, rows)
            result = steps.align(context, rows, plan.merge, own, parent, tell, momentum)
        else:
            row = self.schedule.weights(key)
            weights = {site: float(row[site]) for site in (key.site, *others)}
            kind = MOMENTS_OF.get(plan.method)
            moments = self._moments(inputs, rows, kind) if kind else {}
            result = steps.merge(
                context, rows, plan.merge, plan.method, own, others, weights, moments, self._before(key, rows)
            )
        self._account(key, other_keys, result.rejected)
        return result

    def _over_all(
        self, key: StepKey, other_keys: Sequence[StepKey], own: Params, plan: ArmPlan
    ) -> StepResult:
        """`gather`, and a merge over all sites."""
        context, rows = self._context(key), self._rows(key.site)
        if key.kind == "gather":
            branches = {other.site: self._sums(other, rows, plan) for other in other_keys}
            result = steps.gather(context, rows, plan.merge, plan.method, own, branches)
            self._account(key, other_keys, result.rejected)
            return result
        source = other_keys[0]
        found: Sums | Params
        if source.kind == "gather":
            found = self._sums(source, rows, plan)
        else:
            mean = _there(self.made[source].mean)
            found = decode(mean, steps.mean_layout(self.spec.model, rows))
            self.bytes_exchanged += len(mean)
        return steps.merge_all(context, rows, plan.merge, plan.method, own, found, self._before(key, rows))

    def _sums(self, key: StepKey, rows: SiteRows, plan: ArmPlan) -> Sums:
        params = decode(self._model(key), steps.sums_layout(self.spec.model, rows), allow_non_finite=True)
        kind = MOMENTS_OF.get(plan.method)
        return Sums(params, self._moments([key], rows, kind)[key.site] if kind else {})

    def _momentum(self, key: StepKey, rows: SiteRows) -> Params | None:
        before = told.momentum_of(self.schedule, key)
        momentum = self.made[before].momentum if before is not None else None
        if momentum is None:
            return None
        return decode(momentum, steps.momentum_layout(self.spec.model, rows))

    def _alone(self, key: StepKey, rows: SiteRows, plan: ArmPlan) -> Alone | None:
        before = told.alone_of(self.schedule, key)
        if before is None:
            return None
        made = self.made[before]
        params = decode(made.alone or _there(made.model), steps.layout(self.spec.model, rows))
        if made.alone_momentum is None or not plan.train.keep_momentum:
            return Alone(params)
        return Alone(params, decode(made.alone_momentum, steps.momentum_layout(self.spec.model, rows)))

    def _before(self, key: StepKey, rows: SiteRows) -> Remembered | None:
        before, plan = told.momentum_of(self.schedule, key), self.schedule.plan_of(key.round)
        momentum = self.made[before].momentum if before is not None else None
        if before is None or momentum is None:
            return None
        expected = steps.remembered_layout(self.spec.model, rows, plan.method, len(self.spec.sites))
        model = None
        if plan.remembers == "slow_momentum":
            model = decode(self._model(before), steps.layout(self.spec.model, rows))
        return Remembered(decode(momentum, expected), model)

    def _residual(self, key: StepKey) -> Params | None:
        before = told.residual_of(self.schedule, key)
        if before is None:
            return None
        expected = steps.mean_layout(self.spec.model, self._rows(key.site))
        return decode(_there(self.made[before].residual), expected)

    def _sent_before(self, key: StepKey) -> bytes | None:
        before = told.sent_before(self.schedule, key)
        return None if before is None else self._sent(before)

    def _moments(self, keys: Sequence[StepKey], rows: SiteRows, kind: Moments) -> dict[int, Params]:
        expected = second_moments.layout(kind, self.spec.model, rows)
        return {
            key.site: decode(_there(self.made[key].moments), expected, allow_non_finite=True) for key in keys
        }

    def _account(self, step: StepKey, fetched: Sequence[StepKey], rejected: Container[int]) -> None:
        """Books other sites' models: those that were used as exchanged, those that were refused as wasted."""
        keeps = told.keeps_what_it_fetches(self.schedule, step)
        for key in fetched:
            num_bytes = len(self._fetched(key, step.site) if keeps else self._sent(key))
            if keeps:
                self.held[key.site, step.site] = sha256(self._sent(key))
            if step.kind in ("merge", "gather"):
                num_bytes += len(self.made[key].moments or b"")
            if key.site in rejected:
                self.bytes_wasted += num_bytes
            else:
                self.bytes_exchanged += num_bytes

    def _model(self, key: StepKey) -> bytes:
        return _there(self.made[key].model)

    def _sent(self, key: StepKey) -> bytes:
        """The model as other sites get it."""
        return self.made[key].shared or self._model(key)

    def _fetched(self, key: StepKey, receiver: int) -> bytes:
        """As what the receiver, which keeps models, gets it."""
        delta = self.made[key].delta
        if delta is not None and is_of_use(against(delta), self.held.get((key.site, receiver))):
            return delta
        return self._sent(key)

    def _rows(self, site: int) -> SiteRows:
        rows = self.rows_of(self.seed, site)
        check_kind(f"what 'rows_of' gives for site {site}", rows, SiteRows, "SiteRows")
        return rows

    def _context(self, key: StepKey) -> StepContext:
        return StepContext(
            seed=self.seed,
            round=key.round,
            rounds=self.spec.rounds,
            site_index=key.site,
            site_name=self.spec.site_names[key.site],
            num_sites=len(self.spec.sites),
            model=self.spec.model,
            evaluation=self.spec.evaluation,
            last_loss=told.last_loss(self.schedule, key),
            device=self.device,
        )

    def _close_rounds(self) -> None:
        """Notes and tells what all sites that take part have finished since."""
        while len(self.rounds) <= self.last_round:
            round = len(self.rounds)
            ends = self.schedule.ends(round)
            if any(key not in self.metrics for key in ends):
                return
            merges = self.schedule.merges(round)
            found = self.matched.pop(round, None)
            apart = inconsistency(self.schedule.topology_of(round), found) if found else None
            self.rounds.append(
                RoundResult(
                    round=round,
                    after_merge=self._of(merges) if merges else None,
                    after_train=self._of(ends),
                    bytes_so_far=self.bytes_exchanged,
                    cycle_inconsistency=apart,
                    merged=tuple(key.site for key in merges) if merges else None,
                    trained=tuple(key.site for key in ends),
                )
            )
            if self.on_round is not None:
                self.on_round(self.arm, self.seed, self.rounds[-1])

    def _of(self, keys: Sequence[StepKey]) -> tuple[Metrics, ...]:
        return tuple(self.metrics[key] for key in keys)


def _there(data: bytes | None) -> bytes:
    assert data is not None, "the schedule names only steps that made it"
    return data


def _made(result: StepResult) -> Params:
    assert result.params is not None, "prepare always makes params"
    return result.params
