"""Limits of a site's machine, with real workers."""

from pathlib import Path

from tests.system import house


def test_a_step_that_needs_more_memory_than_its_site_allows_ends_its_run_at_once_and_says_so(
    tmp_path: Path,
) -> None:
    spec = house.small_pilot(rounds=1, arms=[{"name": "alone", "method": "local_only"}])
    small = spec["sites"][1]
    with house.running(tmp_path) as server:
        site = server.post("/sites", {"name": small["name"], "data": small["data"]})
        server.patch(f"/sites/{site['id']}", {"limits": {"memory_mb": 300}})
        pilot_id = server.launch(spec)
        server.wait_for_end(pilot_id)
        (run,) = server.runs(pilot_id)
        steps = server.get(f"/runs/{run['id']}/steps?limit=200")["items"]
        assert (run["state"], run["reason"]["code"]) == ("failed", "memory_over_limit")
        told = run["reason"]["params"]
        assert (told["site"], told["limit_mb"]) == (small["name"], 300)
        assert told["used_mb"] > 300
        (ended,) = [step for step in steps if step["site_name"] == small["name"]]
        assert (ended["state"], ended["attempt"]) == ("failed", 1)
