"""What makes a pilot valid, and what applies in which round."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from dimat.parts import MergePatch, MergeSpec, TrainPatch, TrainSpec
from dimat.plan import Amendment, Patch, effective_spec
from dimat.spec import PilotSpec, SiteSpec, spec_sha256
from dimat.topology_spec import TopologySpec

MakeSpec = Callable[..., PilotSpec]
SITES = [{"name": name, "data": {"dataset": "pendigits"}} for name in ("east", "west", "north")]
WATCHES = [{"name": name, "data": {"dataset": "watch_imu"}} for name in ("east", "west", "north")]
UNEVEN = [[0.5, 0.5, 0.0], [0.5, 0.4, 0.0], [0.0, 0.5, 0.5]]


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"rounds": 0}, "greater_than_equal", "greater than or equal to 1"),
        ({"rounds": "3"}, "int_type", "valid integer"),
        ({"data": {"partition": {"alpha": 0.1}}}, "kind_missing", "'kind' is missing; there are: iid, dirichlet, shards, column."),
        ({"data": {"shift": {}}}, "kind_missing", "'kind' is missing; there are: none, conditions."),
        ({"model": {"hidden": [8]}}, "kind_missing", "'kind' is missing; there are: mlp, cnn, "),
        ({"rounds": True}, "int_type", "valid integer"),
        ({"rounds": 3.0}, "int_type", "valid integer"),
        ({"seeds": [True]}, "int_type", "valid integer"),
        ({"arms": [{"name": "x", "method": "dimat", "train": {"epochs": "2"}}]}, "int_type", "valid integer"),
        ({"seeds": [2, 1, 1]}, "duplicate_seed", "The seed 1 is given more than once"),
        ({"rounds": 100_000, "seeds": list(range(40))}, "pilot_too_large", "make .* the most is 10000000"),
        ({"rounds": 3, "merge": {"merge_every": 4}}, "never_merges", "every 4 rounds, and there are 3"),
        ({"rounds": 3, "arms": [{"name": "x", "method": "dimat", "merge": {"merge_every": 4}}]}, "never_merges", "arm 'x'"),
        ({"data": {"rows_per_site": 900_000}}, "rows_run_out", "'pendigits' has .* need 2700000. At most"),
        ({"rounds": 4, "merge": {"merge_every": 3, "final_merge": True}}, "final_merge_missed", "multiple of 3"),
        ({"sites": [1] * 2_000}, "too_long", "at most 1000"),
        ({"seeds": []}, "too_short", "at least 1 item"),
        ({"arms": [{"name": "x", "method": "magic"}]}, "literal_error", "local_only"),
        ({"arms": [{"name": "x", "method": "dimat"}] * 2}, "duplicate_name", "arm name 'x'"),
        ({"sites": SITES[:1]}, "too_short", "at least 2 items"),
        ({"sites": [*SITES, SITES[0]]}, "duplicate_name", "site name 'east'"),
        ({"sites": [*SITES, {"name": "No Name!", "data": {"dataset": "letter"}}]}, "string_pattern_mismatch", "pattern"),
        ({"sites": [*SITES, {"name": "s", "data": {"dataset": "mnist"}}]}, "unknown_sample", "'mnist'"),
        ({"sites": [*SITES, {"name": "s", "data": {"dataset": "letter"}}]}, "data_sets_differ", "letter, pendigits"),
        ({"title": "a\x00"}, "string_pattern_mismatch", "title"),
        ({"sites": [*SITES, {"name": "s", "display_name": "a\nb", "data": {"dataset": "pendigits"}}]},
         "string_pattern_mismatch", "display_name"),
        ({"data": {"split": {"key": "a\x00"}}}, "string_pattern_mismatch", "split.key"),
        ({"data": {"partition": {"kind": "column", "column": "subject"}}}, "unknown_column", r"'pendigits' .* 'subject' .* -\)"),
        ({"sites": WATCHES, "data": {"partition": {"kind": "column", "column": "hand"}}}, "unknown_column", "subject, side"),
        ({"sites": WATCHES, "data": {"partition": {"kind": "column", "column": "side"}}}, "too_few_groups",
         "'side' has 2 values, .* there are 3 sites"),
        ({"data": {"shift": {"kind": "conditions"}}}, "rotation_needs_images", r"rows of shape \(16,\)"),
        ({"sites": WATCHES, "data": {"shift": {"kind": "conditions"}}}, "rotation_needs_images", r"\(6, 100\)"),
        ({"model": {"kind": "cnn"}}, "model_needs_images", r"needs images .*'pendigits'"),
        ({"model": {"kind": "cnn1d"}}, "model_needs_series", r"needs series .*'pendigits'"),
        ({"model": {"kind": "vit", "patch": 8}}, "model_needs_patches", r"its patch \(8\).*'pendigits'"),
        ({"model": {"kind": "vit", "dim": 10, "heads": 4}}, "heads_do_not_divide", "10 features .* 4"),
        ({"model": {"kind": "mlp", "hidden": []}}, "too_short", "at least 1 item"),
        ({"topology": {"kind": "star", "hub": "south"}}, "unknown_site", "'south' is not a site .*east, west, north"),
        ({"topology": {"kind": "custom", "links": [{"a": "east", "b": "west"}]}}, "topology_disconnected",
         "no path leads from 'east' to 'north'"),
        ({"topology": {"kind": "custom", "links": [{"a": "east", "b": "east"}]}}, "topology_self_link", "'east'"),
        ({"topology": {"kind": "line", "mixing": "custom", "weights": UNEVEN}}, "mixing_row_sum", "'west' sum to 0.9"),
        ({"topology": {"mixing": "custom"}}, "weights_mixing", "Give both or neither"),
        ({"arms": [{"name": "x", "method": "dimat", "topology": {"kind": "custom"}}]}, "topology_disconnected", "east"),
        ({"data": {"split": {"test_fraction": 0.8, "validation_fraction": 0.2}}}, "split_leaves_nothing", "0.8"),
        ({"train": {"lr": float("nan")}}, "finite_number", "finite"),
        ({"train": {"loss": "balanced_softmax", "class_weights": "balanced"}}, "classes_counted_twice", "Choose one of"),
        ({"train": {"class_weights": "balanced"}, "arms": [{"name": "x", "method": "dimat", "train": {"loss": "balanced_softmax"}}]},
         "classes_counted_twice", "Choose one of"),
        ({"train": {"patience": -1}}, "greater_than_equal", "greater than or equal to 0"),
        ({"train": {"speed": 3}}, "extra_forbidden", "Extra inputs"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(changes: dict[str, Any], code: str, words: str, make_spec: MakeSpec) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        make_spec(**{"sites": SITES, **changes})
    assert code in {error["type"] for error in caught.value.errors()}


def test_natural_groups_need_not_have_the_rows_that_they_may_have(make_spec: MakeSpec) -> None:
    data = {"partition": {"kind": "column", "column": "subject"}, "rows_per_site": 100_000}
    assert make_spec(sites=WATCHES, data=data).data.rows_per_site == 100_000


def test_a_stored_pilot_without_a_shift_has_none(make_spec: MakeSpec) -> None:
    assert make_spec().data.shift.kind == "none"


def test_override_out_of_range_is_refused_with_the_pilot(make_spec: MakeSpec) -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        make_spec(arms=[{"name": "x", "method": "dimat", "merge": {"merge_every": 0}}])


def test_more_rows_than_the_data_set_has_are_refused_before_launch(make_spec: MakeSpec) -> None:
    with pytest.raises(ValidationError, match="with 1000000 each need"):
        make_spec(data={"rows_per_site": 1_000_000})


def test_arm_overrides_come_before_amendments_and_later_amendments_win(make_spec: MakeSpec) -> None:
    arms = [
        {"name": "rare", "method": "dimat", "merge": {"merge_every": 5}, "train": {"epochs": 3}},
        {"name": "control", "method": "local_only"},
    ]
    spec = make_spec(arms=arms, rounds=6)

    def amendment(from_round: int, arm: str | None = None, **patch: Any) -> Amendment:
        return Amendment(from_round=from_round, arm=arm, patch=Patch(**patch), by="m", why="w")

    amendments = [
        amendment(2, train=TrainPatch(epochs=4)),
        amendment(3, arm="rare", method="common_basis", topology=TopologySpec(kind="full")),
        amendment(3, train=TrainPatch(epochs=7, lr=0.5)),
    ]
    first, second, third = (effective_spec(spec, "rare", amendments, round) for round in (1, 2, 3))
    assert (first.merge.merge_every, first.train.epochs, first.train.lr) == (5, 3, spec.train.lr)
    assert (second.train.epochs, second.method, second.topology.kind) == (4, "dimat", "ring")
    assert (third.train.epochs, third.train.lr, third.method, third.topology.kind) == (
        7,
        0.5,
        "common_basis",
        "full",
    )
    assert third.merge.probe == spec.merge.probe
    control = effective_spec(spec, "control", amendments, 3)
    assert (control.method, control.topology.kind, control.train.epochs) == ("local_only", "ring", 7)


def test_a_method_for_every_arm_leaves_the_control_arm_a_control(make_spec: MakeSpec) -> None:
    spec = make_spec(arms=[{"name": "control", "method": "local_only"}, {"name": "basis", "method": "dimat"}])
    everywhere = Amendment(
        from_round=2, patch=Patch(method="regmean", train=TrainPatch(epochs=4)), by="a", why="b"
    )
    control, basis = (effective_spec(spec, arm, [everywhere], 2) for arm in ("control", "basis"))
    assert (control.method, basis.method) == ("local_only", "regmean")
    assert control.train.epochs == basis.train.epochs == 4
    own = everywhere.model_copy(update={"arm": "control"})
    assert effective_spec(spec, "control", [own], 2).method == "regmean"


def test_amendment_out_of_range_is_refused_before_it_applies() -> None:
    with pytest.raises(ValidationError, match=r"patch\.train\.epochs\n.*greater than or equal to 0"):
        Amendment.model_validate({"from_round": 1, "patch": {"train": {"epochs": -1}}, "by": "m", "why": "w"})


@pytest.mark.parametrize("field", ["by", "why"])
def test_an_amendment_has_no_control_characters(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        Amendment.model_validate({"from_round": 1, "patch": {}, "by": "m", "why": "w", field: "a\x00b"})


@pytest.mark.parametrize(("patch", "whole"), [(TrainPatch, TrainSpec), (MergePatch, MergeSpec)])
def test_patches_name_fields_of_what_they_change(patch: type[Any], whole: type[Any]) -> None:
    assert set(patch.model_fields) <= set(whole.model_fields)


def test_merging_follows_merge_every_and_never_happens_in_the_control_arm(make_spec: MakeSpec) -> None:
    spec = make_spec(merge={"merge_every": 3}, rounds=9)
    merging = [round for round in range(1, 10) if effective_spec(spec, "dimat", (), round).merges_in(round)]
    assert merging == [3, 6, 9]
    assert not effective_spec(spec, "local_only", (), 3).merges_in(3)


def test_the_control_arm_is_the_first_that_never_merges(make_spec: MakeSpec) -> None:
    alone = {"name": "alone", "method": "local_only"}
    merging = {"name": "x", "method": "dimat"}
    found = make_spec(arms=[merging, alone]).control_arm
    assert found is not None
    assert found.name == "alone"
    assert make_spec(arms=[merging]).control_arm is None


def test_equal_specs_have_equal_digests_and_survive_json(make_spec: MakeSpec) -> None:
    spec = make_spec()
    again = PilotSpec.model_validate_json(spec.model_dump_json())
    assert again == spec
    assert spec_sha256(again) == spec_sha256(spec) != spec_sha256(make_spec(rounds=3))


def test_light_half_is_importable_without_torch() -> None:
    code = (
        "import sys, dimat.errors, dimat.samples, dimat.spec, dimat.topology, dimat.schedule;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_list_that_is_too_long_is_one_finding_whatever_is_in_it(make_spec: MakeSpec) -> None:
    with pytest.raises(ValidationError) as caught:
        make_spec(sites=[1] * 100_000)
    assert [(error["type"], error["loc"]) for error in caught.value.errors()] == [("too_long", ("sites",))]


@pytest.mark.parametrize(("asked", "most", "found"), [(3, None, 3), (3, 5, 3), (3, 2, 2)])
def test_a_site_trains_no_more_epochs_than_its_limit(asked: int, most: int | None, found: int) -> None:
    site = SiteSpec.model_validate({**SITES[0], "max_epochs": most})
    assert site.trains(TrainSpec(epochs=asked, lr=0.1)) == TrainSpec(epochs=found, lr=0.1)
