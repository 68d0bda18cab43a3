"""Pilots that share sites take turns there, and nobody's step waits for ever."""

from collections import Counter
from datetime import UTC, datetime
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from backend.coordinator.taking_turns import UNHEARD, Ready, Room, choose, full_sites, rooms
from backend.db.tables import StepRow
from dimat.spec import PilotSpec
from tests.backend.coordinator.stage import SITES, Stage, spec
from worker.messages.keys import site_queue
from worker.messages.reports import WorkerBeat

Key = tuple[str, str]


@st.composite
def workloads(draw: st.DrawFn) -> tuple[list[Ready], dict[str, Room]]:
    """Steps of some pilots at some sites, of which some have a worker of their own, some share one, and of some none is heard."""
    sites = [f"s{number}" for number in range(draw(st.integers(1, 4)))]
    pilots = [f"p{number}" for number in range(draw(st.integers(1, 4)))]
    places = draw(st.lists(st.tuples(st.sampled_from(sites), st.sampled_from(pilots)), max_size=40))
    steps = [Ready(draw(st.integers(0, 3)), f"{number:03}", *place) for number, place in enumerate(places)]
    most = {worker: draw(st.integers(1, 5)) for worker in ("w0", "w1")}
    served = draw(st.lists(st.sampled_from(["w0", "w1", ""]), min_size=len(sites), max_size=len(sites)))
    return steps, {
        site: Room(worker, most[worker]) for site, worker in zip(sites, served, strict=True) if worker
    }


@given(workload=workloads(), random=st.randoms(use_true_random=False))
def test_every_step_is_sent_in_the_end_and_no_pilot_twice_while_another_waits_for_its_turn(
    workload: tuple[list[Ready], dict[str, Room]], random: Random
) -> None:
    """Steps become ready and end in any order; each worker never has more on its way than it has room for."""
    coming, places = workload
    ready: list[Ready] = []
    under_way: list[Ready] = []
    served: dict[Key, tuple[int, float]] = {}
    sent: list[str] = []
    waited: dict[Key, set[str]] = {}
    """By site and pilot those who have waited there ever since its last turn."""
    while coming or ready or under_way:
        coming, arrived = coming[: len(coming) // 2], coming[len(coming) // 2 :]
        ready += arrived
        counts = Counter(step.site for step in under_way)
        full = full_sites(places, counts)
        chosen = choose([step for step in ready if step.site not in full], places, counts, served)
        assert chosen == choose(ready, places, counts, served), "leaving out full sites changes nothing"
        for step in chosen:
            waiting = {other.pilot for other in ready if other.site == step.site} - {step.pilot}
            assert not waited.get((step.site, step.pilot), set()) & waiting
            ready.remove(step)
            for (site, pilot), others in waited.items():
                if site == step.site and pilot != step.pilot:
                    others.discard(step.pilot)
            waited[step.site, step.pilot] = waiting
            served[step.site, step.pilot] = (1, float(len(sent)))
            sent.append(step.step_id)
        under_way += chosen
        for worker, number in Counter(_worker(places, step.site) for step in under_way).items():
            assert number <= worker.most
        assert under_way, "something is always on its way"
        for _ in range(random.randint(1, len(under_way))):
            under_way.pop(random.randrange(len(under_way)))
    assert sorted(sent) == [step.step_id for step in workload[0]]


def _worker(places: dict[str, Room], site: str) -> Room:
    return places.get(site, Room(f"of {site}", UNHEARD))


@given(workload=workloads())
def test_a_worker_with_room_is_sent_as_much_as_it_has_room_for(
    workload: tuple[list[Ready], dict[str, Room]],
) -> None:
    ready, places = workload
    chosen = Counter(_worker(places, step.site) for step in choose(ready, places, {}, {}))
    there = Counter(_worker(places, step.site) for step in ready)
    assert chosen == Counter({worker: min(number, worker.most) for worker, number in there.items()})


def test_within_a_pilot_the_earliest_round_comes_first_and_there_the_oldest_step() -> None:
    steps = [Ready(round, id, "s", "a") for round, id in ((3, "1"), (2, "4"), (2, "2"), (1, "3"))]
    assert [step.step_id for step in choose(steps, {"s": Room("w", 5)}, {}, {})] == ["3", "2", "4", "1"]


def test_pilots_take_turns() -> None:
    steps = [
        Ready(1, id, "s", pilot) for id, pilot in (("5", "b"), ("1", "a"), ("3", "a"), ("2", "a"), ("4", "b"))
    ]
    places = {"s": Room("w", 5)}
    assert [step.step_id for step in choose(steps, places, {}, {})] == ["1", "4", "2", "5", "3"]
    last = {("s", "a"): (1, 7.0), ("s", "b"): (0, 9e9)}
    assert [step.step_id for step in choose(steps, places, {}, last)] == ["4", "1", "5", "2", "3"]


def beat(worker_id: str, *sites: str, concurrency: int = 1) -> WorkerBeat:
    return WorkerBeat(
        worker_id=worker_id, placement="local", hostname="h", pid=1, device="cpu", concurrency=concurrency,
        queues=("local.idle", *map(site_queue, sites)), at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def test_a_worker_has_twice_as_many_steps_on_their_way_as_it_works_at() -> None:
    assert rooms([beat("w", "a", "b", concurrency=3)]) == {"a": Room("w", 6), "b": Room("w", 6)}


def test_a_site_with_a_worker_for_each_gpu_has_room_for_what_all_of_them_work_at() -> None:
    gpus = [beat(f"gpu{number}", "a") for number in range(8)]
    assert rooms(gpus) == {"a": Room("gpu0", 16)}
    assert full_sites(rooms(gpus), {"a": 15}) == set()
    assert full_sites(rooms(gpus), {"a": 16}) == {"a"}


SERVED = st.dictionaries(
    st.sampled_from([f"w{number}" for number in range(6)]),
    st.tuples(st.sets(st.sampled_from("abcdef"), max_size=3), st.integers(1, 4)),
)


@given(served=SERVED, random=st.randoms(use_true_random=False))
def test_workers_linked_by_sites_that_they_share_are_one_pool_in_whatever_order_they_are_heard(
    served: dict[str, tuple[set[str], int]], random: Random
) -> None:
    beats = [beat(id, *sorted(sites), concurrency=number) for id, (sites, number) in served.items()]
    random.shuffle(beats)
    pools = {id: {id} for id, (sites, _) in served.items() if sites}
    for _ in pools:  # whom each can reach over shared sites, one site further every time
        for id in pools:
            pools[id] |= {other for other in pools for one in pools[id] if served[one][0] & served[other][0]}
    assert rooms(beats) == {
        site: Room(min(pools[id]), sum(max(2 * served[one][1], UNHEARD) for one in pools[id]))
        for id in pools
        for site in served[id][0]
    }


# --- the coordinator -------------------------------------------------------------------------------


def many_arms(name: str, num_arms: int) -> PilotSpec:
    arms = [{"name": f"arm-{number:02}", "method": "local_only"} for number in range(num_arms)]
    return PilotSpec.model_validate({**spec(name, rounds=1).model_dump(mode="json"), "arms": arms})


def order_of_starts(stage: Stage, restarts: bool) -> list[str]:
    """The pilots of the steps that are worked at, at the first site, in their order."""
    order: list[str] = []
    for _ in range(500):
        stage.beat("w", *SITES, concurrency=1)
        stage.turn(after_s=0.5)
        waiting = stage.waiting()
        if not waiting:
            return order
        message = waiting[0]
        if message.context.site.name == SITES[0]:
            order.append(message.pilot_id)
        stage.finish(message, stage.begin(stage.take(message)))
        if restarts:
            stage.restart()
    raise AssertionError("still at work")


def test_a_pilot_launched_behind_one_with_many_arms_takes_turns_with_it(stage: Stage) -> None:
    """Also when the coordinator is another one at every turn."""
    stage.launch(many_arms("big", 8))
    for _ in range(6):
        stage.beat("w", *SITES, concurrency=1)
        stage.turn()
        for message in stage.waiting():
            stage.finish(message, stage.begin(stage.take(message)))
    stage.launch(many_arms("small", 2))
    order = order_of_starts(stage, restarts=True)
    assert stage.run("big/arm-07").state == stage.run("small/arm-01").state == "completed"
    last = len(order) - 1 - order[::-1].index("small")
    first = order.index("small")
    assert first <= 3  # what was on its way
    between = order[first : last + 1]
    assert between.count("small") == 5  # it prepares once, and each arm evaluates and trains
    assert between.count("big") <= 2 * 5


def test_no_more_steps_are_on_their_way_than_keep_the_worker_busy(stage: Stage) -> None:
    stage.launch(many_arms("big", 8))
    stage.beat("w", *SITES, concurrency=2)
    most = 0
    for _ in range(500):
        stage.beat("w", *SITES, concurrency=2)
        stage.turn(after_s=0.5)
        with stage.database.read() as session:
            under_way = select(func.count()).where(StepRow.state.in_(("dispatched", "running")))
            most = max(most, session.scalar(under_way) or 0)
        if not stage.waiting():
            break
        message = stage.waiting()[0]
        stage.finish(message, stage.begin(stage.take(message)))
    assert most == 4
    assert {stage.run(f"big/arm-{number:02}").state for number in range(8)} == {"completed"}
