"""Topologies: what is saved can be used; what is edited is explained."""

from typing import Any

import pytest

from backend.topologies.facts import preview
from dimat.topology_spec import TopologySpec
from tests.backend.building import create_sites
from tests.backend.conftest import Api


def _custom(*pairs: str) -> dict[str, Any]:
    return {"kind": "custom", "links": [dict(zip("ab", pair.split(), strict=True)) for pair in pairs]}


def test_ring_of_five_has_the_known_eigenvalue() -> None:
    facts = preview(list("abcde"), TopologySpec(kind="ring")).facts
    assert facts.connected
    assert facts.num_links == 5
    assert facts.second_eigenvalue == pytest.approx(0.539, abs=1e-3)
    assert facts.rounds_to_mix == 8
    assert facts.busiest_site_links == 2


@pytest.mark.parametrize(
    ("kind", "busiest", "links"),
    [("full", None, 4), ("ring", None, 2), ("star", "a", 4), ("line", "b", 2), ("custom", None, 0)],
)
def test_a_site_is_busiest_only_where_others_have_fewer_links(
    kind: str, busiest: str | None, links: int
) -> None:
    facts = preview(list("abcde"), TopologySpec.model_validate({"kind": kind})).facts
    assert (facts.busiest_site, facts.busiest_site_links) == (busiest, links)


def test_full_graph_mixes_in_one_round() -> None:
    assert preview(list("abcd"), TopologySpec(kind="full")).facts.rounds_to_mix == 1


def test_graph_that_changes_with_every_merge_is_judged_over_a_period() -> None:
    shown = preview(list("abcdefgh"), TopologySpec(kind="one_peer"))
    assert shown.facts.connected
    # Pairs 1, 2 and 4 apart: after three merges every site holds the mean of all.
    assert (shown.facts.period, shown.facts.rounds_to_mix, shown.facts.num_links) == (3, 3, 12)
    assert shown.facts.second_eigenvalue == pytest.approx(0, abs=1e-12)
    assert shown.mixing == [[0.125] * 8] * 8
    uneven = preview(list("abcde"), TopologySpec(kind="one_peer")).facts
    assert uneven.second_eigenvalue == pytest.approx(0.2023, abs=1e-3)
    assert (uneven.period, uneven.rounds_to_mix) == (3, 9)
    assert preview(list("abcde"), TopologySpec(kind="ring")).facts.period == 1


def test_disconnected_graph_is_explained_with_the_links_it_has() -> None:
    shown = preview(list("abcd"), TopologySpec.model_validate(_custom("a b", "c d")))
    assert not shown.facts.connected
    assert shown.facts.problem is not None
    assert shown.facts.problem.code == "topology_disconnected"
    assert [(link.a, link.b) for link in shown.links] == [("a", "b"), ("c", "d")]
    assert shown.mixing is None


@pytest.mark.parametrize(
    ("names", "spec", "code"),
    [
        ([], {"kind": "full"}, "topology_too_small"),
        (["a"], {"kind": "ring"}, "topology_too_small"),
        (["a", "a"], {"kind": "full"}, "duplicate_name"),
        (["a", "b"], _custom("a z"), "unknown_site"),
        (["a", "b"], _custom("a a"), "topology_self_link"),
        (["a", "b"], _custom(), "topology_disconnected"),
        (["a", "b"], {"kind": "star", "hub": "z"}, "unknown_site"),
        (["a", "b"], {"mixing": "custom", "weights": [[0.5, 0.4], [0.5, 0.5]]}, "mixing_row_sum"),
        (["a", "b"], {"mixing": "custom", "weights": [[1.0]]}, "mixing_shape"),
        (["a", "b", "c"], {"kind": "random_regular", "degree": 3}, "topology_degree_too_high"),
        (list("abcde"), {"kind": "random_regular", "degree": 3}, "regular_degree_odd"),
        (list("abcdef"), {"kind": "small_world", "degree": 3, "probability": 0.1}, "small_world_degree"),
        ([f"s{i}" for i in range(1001)], {"kind": "ring", "mixing": "optimised"}, "mixing_too_large"),
    ],
)
def test_preview_explains_what_cannot_be_used(names: list[str], spec: dict[str, Any], code: str) -> None:
    problem = preview(names, TopologySpec.model_validate(spec)).facts.problem
    assert problem is not None
    assert problem.code == code


def test_preview_is_an_answer_not_an_error(api: Api) -> None:
    body = {"site_names": ["a", "b", "c"], "spec": _custom("a b")}
    answer = api.viewer.post("/api/v1/topologies/preview", json=body)
    assert answer.status_code == 200
    assert answer.json()["facts"]["problem"]["params"] == {"a": "a", "b": "c"}


def test_saved_topology_carries_links_and_facts(api: Api) -> None:
    names = create_sites(api.manager)
    body = {"name": "line", "site_names": names, "spec": {"kind": "line"}}
    made = api.manager.post("/api/v1/topologies", json=body)
    assert (made.status_code, made.headers["etag"]) == (201, 'W/"1"')
    assert made.json()["links"] == [{"a": "site-01", "b": "site-02"}, {"a": "site-02", "b": "site-03"}]
    assert made.json()["facts"]["busiest_site"] == "site-02"
    again = api.manager.post("/api/v1/topologies", json=body)
    assert (again.status_code, again.json()["code"]) == (409, "name_taken")
    changed = api.manager.patch(
        f"/api/v1/topologies/{made.json()['id']}",
        json={"spec": {"kind": "full"}},
        headers={"If-Match": 'W/"1"'},
    )
    assert (changed.json()["facts"]["num_links"], changed.headers["etag"]) == (3, 'W/"2"')
    stale = api.manager.patch(
        f"/api/v1/topologies/{made.json()['id']}", json={"name": "x"}, headers={"If-Match": 'W/"1"'}
    )
    assert stale.status_code == 412


@pytest.mark.parametrize(
    "spec",
    [
        {"kind": "torus"},
        {"kind": "exponential", "mixing": "optimised"},
        {"kind": "one_peer"},
        {"kind": "random_regular", "degree": 2, "seed": 7},
    ],
)
def test_graph_of_a_newer_kind_is_saved_and_comes_back(api: Api, spec: dict[str, Any]) -> None:
    body = {"name": "new", "site_names": create_sites(api.manager), "spec": spec}
    made = api.manager.post("/api/v1/topologies", json=body)
    assert made.status_code == 201, made.json()
    again = api.viewer.get(f"/api/v1/topologies/{made.json()['id']}").json()
    assert {key: again["spec"][key] for key in spec} == spec
    assert again["facts"]["connected"] is True
    assert again["facts"]["problem"] is None


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"site_names": ["site-01", "nowhere"]}, "unknown_site", "site_names.1"),
        ({"spec": _custom("site-01 site-02")}, "topology_disconnected", "spec"),
        (
            {"spec": {"mixing": "custom", "weights": [[1, 0, 0], [0, 1, 0], [0, 0.2, 0.7]]}},
            "mixing_row_sum",
            "spec",
        ),
        ({"site_names": ["site-01", "site-01"]}, "duplicate_name", "site_names"),
        ({"spec": {"kind": "custom", "mixing": "custom"}}, "weights_mixing", "spec"),
        ({"spec": {"kind": "random_regular"}}, "topology_option_missing", "spec"),
        ({"spec": {"kind": "ring", "seed": 1}}, "topology_option_unused", "spec"),
        ({"spec": {"kind": "one_peer", "mixing": "optimised"}}, "one_peer_mixing", "spec"),
        ({"spec": {"kind": "random_regular", "degree": 5}}, "topology_degree_too_high", "spec"),
    ],
)
def test_topology_that_cannot_be_used_is_not_saved(
    api: Api, change: dict[str, Any], code: str, field: str
) -> None:
    body = {"name": "bad", "site_names": create_sites(api.manager), "spec": {"kind": "full"}, **change}
    answer = api.manager.post("/api/v1/topologies", json=body)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, code, field)
    assert answer.json()["remedy"]
    assert api.viewer.get("/api/v1/topologies").json()["total"] == 0
