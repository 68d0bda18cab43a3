"""Every error `dimat` raises for a reason its user can do something about.

    DimatError
    |-- UnknownSite            a name that is not a site of the pilot
    |-- UnknownMember          likewise, of one that is to take part
    |-- TooFewMembers          nobody to merge with
    |-- TooFewSitesInRound     likewise, as the others fell silent
    |-- HubTakesNoPart         a star without its hub
    |-- SkipNeedsNeighbours    merges over all sites, and going on without one
    |-- DeltasNeedCompression  differences that are not compressed are no shorter
    |-- DeltasNeedNeighbours   differences, where no model is fetched from a neighbour twice
    |-- LimitMissing           a policy that would never take effect
    |-- CronMalformed          a timetable that cannot be read
    |-- CronPartMalformed      a timetable of which one part cannot be read
    |-- CronNeverComes         or that names a day that no year has
    |-- UnknownTimeZone
    |-- MembersOfOneArm        who takes part, changed for one arm alone
    |-- DuplicateName          two sites or two arms with one name
    |-- DuplicateSeed          one seed twice: the same run twice
    |-- PilotTooLarge          more work than can be run and stored
    |-- ClassesCountedTwice    a loss that makes up for class counts, and weights that do so again
    |-- NumbersHaveNoClasses   class weights where targets are numbers
    |-- NeverMerges            a merging arm whose first merge lies behind the last round
    |-- MergesNoMore           likewise from an amendment on
    |-- FinalMergeMissed       an arm that is to end with a merge in a round without one
    |-- RidgeHeadNeedsBasis    an arm that is to end with a head and does not merge as a sum
    |-- RidgeHeadNeedsRounds   likewise, in too few rounds
    |-- RidgeHeadTooLate       an amendment of that in the last round
    |-- DataSetsDiffer         sites that hold different sample data sets
    |-- TopologyError
    |   |-- TopologyDisconnected
    |   |-- TopologySelfLink
    |   |-- TopologyTooSmall
    |   |-- TopologyDegreeTooHigh
    |   |-- TopologyDegreeTooLow
    |   |-- RegularDegreeOdd
    |   `-- SmallWorldDegree
    |-- NumberError              an argument that cannot be this number
    |   |-- NumberNotWhole
    |   |-- NumberNotFinite
    |   |-- NumberTooSmall
    |   |-- NumberTooLarge
    |   `-- NumberNoFraction
    |-- MixingError
    |   |-- MixingShape
    |   |-- MixingRowSum
    |   |-- MixingNegative
    |   |-- MixingOffLink
    |   `-- MixingTooLarge
    |-- DataError
    |   |-- NonFiniteData
    |   |-- NonFiniteInput   the same of rows that belong to no site
    |   |-- NoRows
    |   |-- TooFewRows
    |   |-- RowsRunOut       the sites' shares are more than the whole
    |   |-- UnknownSample
    |   |-- UnknownColumn    sites cannot be divided by it
    |   |-- TooFewGroups     more sites than natural groups
    |   |-- RotationNeedsImages
    |   |-- FeaturesMalformed  numbers of another kind than a model's
    |   |-- ClassMixMalformed  no shares of classes
    |   |-- TargetsMalformed   neither classes nor numbers
    |   |-- UnknownLabel       a class that the class mix does not have
    |   |-- LabelOutOfRange    a class that a model has no output for
    |   |-- RowsDiffer         of a site and of others, or of two sides of a site
    |   |-- TargetsAreClasses  a loss for numbers
    |   |-- TargetsAreNumbers  a loss for classes
    |   `-- RowsNotGiven       only a caller of `simulate` has them
    |-- ModelMismatch          model and data do not fit together
    |   |-- ModelNeedsImages
    |   |-- ModelNeedsPatches
    |   |-- ModelNeedsSeries
    |   |-- InputsNotTaken   the forward pass fails on them
    |   |-- OutputsNotTaken  it gives something else than one row of numbers for each row
    |   |-- HiddenByVmap     a layer whose activations cannot be seen
    |   `-- ModelNotSized    lazy layers that have seen no rows
    |-- UnknownLayer           a layer for which no start values are known
    |-- LayerNotMergeable      a layer that has no second moments
    |-- HeadNotFound           a model whose outputs no linear layer gives
    |-- NonFiniteParams        a model that diverged
    |-- SumsImpossible         moments, or a share, that no rows and no sites make
    |-- ShapeMismatch          arrays whose shapes do not belong together
    |-- SiteMissing            a site that is in one argument of a merge and not in another
    |-- TensorMissing          a tensor that the models of other sites have
    |-- TensorsUnknown         tensors under other names than the model's
    |-- WireOverflow           a number too large for how models travel
    |-- WireNameReserved       a tensor's name that means something on the way
    |-- UnknownGroup           a permutation of units that the model has not
    |-- PermutationNotAdmissible  it would change what a model computes
    `-- ArtifactInvalid        bytes that are not the model they should be

An error is `code` + `params` (the catalogue in `locales/` says it in the reader's language) and, for
users of the library, the same sentence in English: what happened, to which thing, which value, what to do.
"""

from typing import ClassVar


class DimatError(Exception):
    """Base of all errors of this library.

    Attributes:
        code: stable snake_case identifier, key `errors.<code>` of the catalogue.
        params: values named in `template`; JSON scalars only.
    """

    code: ClassVar[str] = "dimat_error"
    template: ClassVar[str] = ""

    def __init__(self, **params: str | float) -> None:
        self.params = params
        super().__init__(self.template.format(**params))


class UnknownSite(DimatError):
    code = "unknown_site"
    template = "'{name}' is not a site of this pilot (its sites: {known}). Use one of these names."


class UnknownMember(DimatError):
    code = "unknown_member"
    template = (
        "'{name}' is not a site of this pilot (its sites: {known}), and a pilot that runs takes in no other. "
        "Begin its next stage with more sites."
    )


class TooFewMembers(DimatError):
    code = "too_few_members"
    template = "At least 2 sites must take part in a pilot, and {n} would. Leave more of them in."


class TooFewSitesInRound(DimatError):
    code = "too_few_sites_in_round"
    template = (
        "Fewer than 2 sites would finish round {round}: the others fell silent, or do not belong to it."
    )


class HubTakesNoPart(DimatError):
    code = "hub_takes_no_part"
    template = "The topology is a star around '{name}', which is not among those that take part ({members}). Choose another hub."


class SkipNeedsNeighbours(DimatError):
    code = "skip_needs_neighbours"
    template = (
        "The arm '{arm}' adds up the models of all sites, and cannot leave one out on the way; the pilot is to go on without silent "
        "sites. Let it wait or stop, or merge over neighbours."
    )


class DeltasNeedCompression(DimatError):
    code = "deltas_need_compression"
    template = "Differences from the last model are shorter only if they are compressed. Set compress, too, or leave out deltas."


class DeltasNeedNeighbours(DimatError):
    code = "deltas_need_neighbours"
    template = (
        "The arm '{arm}' is to send differences from the last model, and fetches no models of neighbours to merge: there is nothing that "
        "they could be against. Leave out deltas, or merge over neighbours."
    )


class LimitMissing(DimatError):
    code = "limit_missing"
    template = (
        "A pilot that is to '{policy}' when a site is silent needs to know after how long. Give limit_s."
    )


class CronMalformed(DimatError):
    code = "cron_malformed"
    template = (
        "'{cron}' is no cron expression. Give minute, hour, day of the month, month and day of the week, such as 0 2 * * 1 for every "
        "Monday at 02:00."
    )


class CronPartMalformed(DimatError):
    code = "cron_part_malformed"
    template = (
        "'{value}' cannot be the {part} of a cron expression ('{cron}'). Give {lowest} to {highest}, * for every one, a list such as 1,3, "
        "a range such as 1-5 or steps such as */2."
    )


class CronNeverComes(DimatError):
    code = "cron_never_comes"
    template = "The time '{cron}' never comes: no year has such a day. Choose a day that there is."


class UnknownTimeZone(DimatError):
    code = "unknown_time_zone"
    template = "There is no time zone '{name}'. Use a name such as Asia/Tokyo, Europe/Berlin or UTC."


class MembersOfOneArm(DimatError):
    code = "members_of_one_arm"
    template = (
        "Who takes part was changed for the arm '{arm}' alone; arms can be compared only over the same sites. "
        "Change it for the whole pilot."
    )


class DuplicateName(DimatError):
    code = "duplicate_name"
    template = "The {thing} name '{name}' is used more than once. Give each {thing} a name of its own."


class DuplicateSeed(DimatError):
    code = "duplicate_seed"
    template = (
        "The seed {seed} is given more than once; the same seed gives the same run. Give each seed once."
    )


class NeverMerges(DimatError):
    code = "never_merges"
    template = (
        "The arm '{arm}' would never merge: it merges every {merge_every} rounds, and there are {rounds}. "
        "Let it merge more often, or use the method local_only."
    )


class MergesNoMore(DimatError):
    code = "merges_no_more"
    template = (
        "Changed from round {from_round} on, the arm '{arm}' would not merge any more: it merges every {merge_every} rounds, and there "
        "are {rounds}. Let it merge more often, or use the method local_only."
    )


class ClassesCountedTwice(DimatError):
    code = "classes_counted_twice"
    template = (
        "Balanced softmax makes up for unequal class counts by itself; class weights on top would make up for them twice, so that "
        "rare classes rule. Choose one of the two."
    )


class NumbersHaveNoClasses(DimatError):
    code = "numbers_have_no_classes"
    template = (
        "The loss 'mse' is for targets that are numbers, and numbers have no classes to weigh; class weights are '{class_weights}'. "
        "Set them to 'none'."
    )


class PilotTooLarge(DimatError):
    code = "pilot_too_large"
    template = (
        "{runs} runs of {rounds} rounds at {sites} sites make {site_rounds} rounds of sites; the most is {limit}. "
        "Use fewer rounds, seeds, arms or sites."
    )


class TopologyError(DimatError):
    """The graph over the sites cannot be used."""


class TopologyDisconnected(TopologyError):
    code = "topology_disconnected"
    template = (
        "The topology is not connected: no path leads from '{a}' to '{b}'. Add a link between the parts."
    )


class TopologySelfLink(TopologyError):
    code = "topology_self_link"
    template = "Site '{name}' is linked to itself. Remove this link."


class TopologyTooSmall(TopologyError):
    code = "topology_too_small"
    template = "A pilot needs at least 2 sites, this one has {n}. Add a site."


class TopologyDegreeTooHigh(TopologyError):
    code = "topology_degree_too_high"
    template = "Of {n} sites none can have {degree} links. Choose a degree below the number of sites."


class TopologyDegreeTooLow(TopologyError):
    code = "topology_degree_too_low"
    template = "A degree of {degree} is too low: {n} sites cannot all be connected. Choose 2 or more."


class RegularDegreeOdd(TopologyError):
    code = "regular_degree_odd"
    template = (
        "{n} sites cannot have {degree} links each: each link has two ends, and {n} times {degree} is odd. "
        "Choose an even degree, or add a site."
    )


class SmallWorldDegree(TopologyError):
    code = "small_world_degree"
    template = "A small world needs an even degree of 4 or more, not {degree}. Change the degree."


class NumberError(DimatError):
    """An argument cannot be this number."""


class NumberNotWhole(NumberError):
    code = "number_not_whole"
    template = "'{name}' is {value}, which is no whole number. Give a whole number."


class NumberNotFinite(NumberError):
    code = "number_not_finite"
    template = "'{name}' is {value}. Give a finite number."


class NumberTooSmall(NumberError):
    code = "number_too_small"
    template = "'{name}' is {value}; the least is {least}. Give a larger number."


class NumberTooLarge(NumberError):
    code = "number_too_large"
    template = "'{name}' is {value}; the most is {most}. Give a smaller number."


class NumberNoFraction(NumberError):
    code = "number_no_fraction"
    template = "'{name}' is {value}, which is not between 0 and 1. Give a fraction from 0 to 1."


class MixingError(DimatError):
    """The mixing matrix W cannot be used."""


class MixingShape(MixingError):
    code = "mixing_shape"
    template = (
        "The mixing matrix must have {n} rows of {n} weights, one per site; row {row} has {width}. "
        "Correct this row, or choose 'metropolis'."
    )


class MixingRowSum(MixingError):
    code = "mixing_row_sum"
    template = (
        "The weights of site '{name}' sum to {total:.6g}, not to 1. "
        "Change them so that the row sums to 1, or choose 'metropolis'."
    )


class MixingNegative(MixingError):
    code = "mixing_negative"
    template = (
        "The weight of site '{b}' in the row of site '{a}' is {value:.6g}. Weights must be between 0 and 1."
    )


class MixingOffLink(MixingError):
    code = "mixing_off_link"
    template = (
        "Site '{a}' gives weight {value:.6g} to site '{b}', but the two are not linked. "
        "Set the weight to 0 or add the link."
    )


class MixingTooLarge(MixingError):
    code = "mixing_too_large"
    template = "Weights can be optimised for at most {most}, not for {n} sites. Choose 'metropolis'."


class DataError(DimatError):
    """A site's rows cannot be used."""


class NonFiniteData(DataError):
    code = "non_finite_data"
    template = (
        "The data of site '{site}' has {count} values that are not numbers (NaN or infinite), "
        "first in row {row}, column {column}. Correct or remove these rows."
    )


class NonFiniteInput(DataError):
    code = "non_finite_input"
    template = "'{name}' has values that are not numbers (NaN or infinite), first in row {row}. Correct or remove these rows."


class NoRows(DataError):
    code = "no_rows"
    template = "'{name}' has no rows. Give at least one."


class RowsRunOut(DataError):
    code = "rows_run_out"
    template = (
        "The data set '{dataset}' has {pool} training rows; {sites} sites with {needed} each need {total}. "
        "At most {most} a site are possible."
    )


class TooFewRows(DataError):
    code = "too_few_rows"
    template = (
        "Site '{site}' has {rows} {side} rows, at least {needed} are needed. "
        "Use fewer sites, fewer rows a site, or a larger data set."
    )


class UnknownSample(DataError):
    code = "unknown_sample"
    template = "There is no sample data set '{name}' (there are: {known}). Use one of these names."


class UnknownColumn(DataError):
    code = "unknown_column"
    template = (
        "The data set '{dataset}' has no column '{column}' to divide sites by (it has: {known}). "
        "Use one of its columns, or another partition."
    )


class TooFewGroups(DataError):
    code = "too_few_groups"
    template = (
        "The column '{column}' has {groups} values, at least one for each site, and there are {sites} sites. "
        "Use at most {groups} sites, or another partition."
    )


class RotationNeedsImages(DataError):
    code = "rotation_needs_images"
    template = "Only images can be turned, and the data set '{dataset}' has rows of shape {shape}. Set the rotation to 0."


class FeaturesMalformed(DataError):
    code = "features_malformed"
    template = "'{name}' is {dtype}, and features are float32. Give all of a site's rows so, as by x.float()."


class ClassMixMalformed(DataError):
    code = "class_mix_malformed"
    template = (
        "'class_mix' has shape {shape} and sum {total:.6g}. It is the share of every class in the site's rows: shape (classes,), "
        "none below 0, sum 1. Give these, and no counts or number of classes; where targets are numbers, none."
    )


class TargetsMalformed(DataError):
    code = "targets_malformed"
    template = (
        "'{name}' is {dtype} of shape {shape}. Targets are classes, int64 of shape (rows,) with a class mix, or numbers, float32 of "
        "shape (rows, outputs) without one. Give all of a site's targets in one of these forms."
    )


class UnknownLabel(DataError):
    code = "unknown_label"
    template = (
        "Site '{site}' has a row of class {label}, and its class mix goes from class 0 to {last}. "
        "Give a class mix with a share for every class."
    )


class LabelOutOfRange(DataError):
    code = "label_out_of_range"
    template = (
        "A row of '{name}' is of class {label}, and the model's outputs go from class 0 to {last}. "
        "Give labels of these classes."
    )


class RowsDiffer(DataError):
    code = "rows_differ"
    template = "Site '{site}' has {what} of shape {actual}, expected {expected}. Give the same features and targets everywhere."


class TargetsAreClasses(DataError):
    code = "targets_are_classes"
    template = (
        "The loss 'mse' is for targets that are numbers, and those of '{data}' are classes. "
        "Choose 'cross_entropy' or 'balanced_softmax'."
    )


class TargetsAreNumbers(DataError):
    code = "targets_are_numbers"
    template = "The loss '{loss}' is for targets that are classes, and those of '{data}' are numbers. Choose 'mse' for the whole pilot."


class RowsNotGiven(DataError):
    code = "rows_not_given"
    template = (
        "The rows of site '{site}' are to be given by the caller of dimat.simulate, and nobody else has them. "
        "Call it with 'rows_of', or name a sample data set."
    )


class FinalMergeMissed(DimatError):
    code = "final_merge_missed"
    template = (
        "The arm '{arm}' is to end with a merge, but it merges every {merge_every} rounds, and {rounds} rounds do not end with one. "
        "Choose a number of rounds that is a multiple of {merge_every}."
    )


class RidgeHeadNeedsBasis(DimatError):
    code = "ridge_head_needs_basis"
    template = (
        "The arm '{arm}' is to end with a head in closed form, but with the method '{method}' each site keeps an order of units of its "
        "own, so that their features cannot be added up. Choose 'regmean' or 'common_basis', or leave 'ridge_head' out."
    )


class RidgeHeadNeedsRounds(DimatError):
    code = "ridge_head_needs_rounds"
    template = (
        "The arm '{arm}' is to end with a head in closed form, which takes two rounds, and the pilot has {rounds}. "
        "Choose more rounds: the last two do not train."
    )


class RidgeHeadTooLate(DimatError):
    code = "ridge_head_too_late"
    template = (
        "Whether the arm '{arm}' ends with a head in closed form is settled in its last two rounds together. "
        "Let the change begin in round {round} or before."
    )


class DataSetsDiffer(DimatError):
    code = "data_sets_differ"
    template = "The sites hold different data sets ({names}), and one model cannot read them all. Choose sites with the same data set."


class ModelMismatch(DimatError):
    code = "model_mismatch"


class ModelNeedsImages(ModelMismatch):
    code = "model_needs_images"
    template = (
        "The model '{model}' needs images (channels, height >= {smallest}, width >= {smallest}), but the data set '{dataset}' "
        "has rows of shape {shape}. Choose another model or another data set."
    )


class ModelNeedsPatches(ModelMismatch):
    code = "model_needs_patches"
    template = (
        "The model '{model}' needs images whose height and width are multiples of its patch ({patch}), but the data set "
        "'{dataset}' has rows of shape {shape}. Choose another patch, another model or another data set."
    )


class ModelNeedsSeries(ModelMismatch):
    code = "model_needs_series"
    template = (
        "The model '{model}' needs series (channels, length >= {shortest}), but the data set '{dataset}' has rows of shape "
        "{shape}. Choose another model or another data set."
    )


class InputsNotTaken(ModelMismatch):
    code = "inputs_not_taken"
    template = "The model fails on these inputs: {problem}. Give what its forward pass takes."


class OutputsNotTaken(ModelMismatch):
    code = "outputs_not_taken"
    template = "The model gives {given}, and what is needed is one Tensor {expected}. Wrap it in a module that gives that."


class HiddenByVmap(ModelMismatch):
    code = "hidden_by_vmap"
    template = (
        "The layer '{layer}' is called inside of torch.vmap, where its activations cannot be seen. "
        "Match by weights, or call it on all rows at once."
    )


class ModelNotSized(ModelMismatch):
    code = "model_not_sized"
    template = "The tensor '{tensor}' of the model has no size yet: its layer is lazy. Send some rows through the model once before."


class UnknownLayer(DimatError):
    code = "unknown_layer"
    template = (
        "The layer '{layer}' ({kind}) has tensors for which no start values are known. "
        "Give it a method start(rng) that sets them, or draw them yourself."
    )


class LayerNotMergeable(DimatError):
    code = "layer_not_mergeable"
    template = "'{layer}' is no layer that has second moments (these have: {known}). Use some of these."


class HeadNotFound(DimatError):
    code = "head_not_found"
    template = (
        "The model has no head that could be solved in closed form: a linear layer that reads hidden units, whose answers are the "
        "outputs as they are, one row for each row, and whose weight nothing else uses. Choose another method than 'ridge_head'."
    )


class NonFiniteParams(DimatError):
    code = "non_finite_params"
    template = (
        "The model of site '{site}' diverged: '{tensor}' has values that are not finite. "
        "Lower the learning rate. If it is a constant such as a mask, keep it out of the state dict (persistent=False)."
    )


class SumsImpossible(DimatError):
    code = "sums_impossible"
    template = (
        "'{tensor}' of site '{site}' cannot be: no rows have squares below 0, and no branch of the tree holds less than one site, or more "
        "than there are. Have it made anew by its site."
    )


class ShapeMismatch(DimatError):
    code = "shape_mismatch"
    template = "'{name}' has shape {actual}, expected {expected}."


class SiteMissing(DimatError):
    code = "site_missing"
    template = "'{argument}' has nothing of site {site}. Give the same sites everywhere."


class TensorMissing(DimatError):
    code = "tensor_missing"
    template = "'{argument}' of site {site} has no tensor '{name}'. Let all sites use the same model."


class TensorsUnknown(DimatError):
    code = "tensors_unknown"
    template = (
        "'{argument}' has none of the tensors that it is about, such as '{name}', but others, such as '{given}'. "
        "Give them under the names that they have in the model's own state dict, without a prefix such as 'module.'."
    )


class WireOverflow(DimatError):
    code = "wire_overflow"
    template = (
        "The tensor '{tensor}' has the value {value}, and the largest number of {numbers} is {most}: it cannot be sent so. "
        "Let models travel as bfloat16 or float32."
    )


class WireNotFinite(DimatError):
    code = "wire_not_finite"
    template = (
        "The tensor '{tensor}' has values that are not finite (NaN or infinite), which whoever gets it refuses. "
        "Train the model anew with a lower learning rate."
    )


class WireNameReserved(DimatError):
    code = "wire_name_reserved"
    template = (
        "The tensor '{tensor}' cannot be sent as int8: names that end in '{ending}' are those of factors. "
        "Rename it, or let models travel as bfloat16 or float32."
    )


class UnknownGroup(DimatError):
    code = "unknown_group"
    template = (
        "'{name}' is not a group of units of this model (its groups: {known}). "
        "Use permutations made for this architecture."
    )


class PermutationNotAdmissible(DimatError):
    code = "permutation_not_admissible"
    template = "The permutation of '{name}' would change what the model computes: it needs {expected}."


class ArtifactInvalid(DimatError):
    code = "artifact_invalid"
    template = "The artifact {sha256} is not usable: {problem}. Have it made anew by its site."


def first_line(error: Exception) -> str:
    """What another library's error says, in one line; its kind where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
