"""The settings of the study: data, how unequal the sites are, who is linked with whom, and the arms."""

from dataclasses import dataclass, field
from typing import Any

from dimat.spec import PilotSpec

Json = dict[str, Any]

BLIND: Json = {"loss": "balanced_softmax"}
KEPT: Json = {"keep_momentum": True}
OWN_MODEL: Json = {"own_model": True}


def arm(name: str, method: str, train: Json | None = None, merge: Json | None = None) -> Json:
    return {
        "name": name,
        "method": method,
        **({"train": train} if train else {}),
        **({"merge": merge} if merge else {}),
    }


LOCAL = arm("local", "local_only")
LOCAL_KEPT = arm("local-kept", "local_only", KEPT)
MAIN = (
    LOCAL,
    LOCAL_KEPT,
    arm("average", "plain_average"),
    arm("dimat", "dimat"),
    arm("guarded", "dimat_guarded"),
    arm("weights", "weight_matching"),
    arm("basis", "common_basis"),
    arm("average-plus", "plain_average", KEPT | BLIND),
    arm("basis-plus", "common_basis", KEPT | BLIND),
    arm("slowmo-plus", "slowmo", KEPT | BLIND),
    arm("fisher-plus", "fisher", KEPT | BLIND),
    arm("regmean", "regmean"),
    arm("regmean-plus", "regmean", KEPT | BLIND),
)
"""`plus`: momentum kept across merges and a loss that is blind to a site's class mix."""
PLAIN_LOSS = tuple(
    one | {"train": {name: value for name, value in one.get("train", {}).items() if name not in BLIND}}
    for one in MAIN
)
"""The same arms where it is not class mixes in which sites differ: all with plain cross-entropy, `plus` is kept momentum alone."""
IMAGES = tuple(
    one
    for one in MAIN
    if one["name"]
    in {"local", "local-kept", "average", "dimat", "basis", "basis-plus", "regmean", "regmean-plus"}
)
"""Of the settings with convolutions, which take the longest."""
ABLATION = (
    LOCAL_KEPT,
    arm("regmean-plus", "regmean", KEPT | BLIND),
    arm("not-aligned", "regmean", KEPT | BLIND, {"align": False}),
    arm("no-momentum", "regmean", BLIND),
    arm("cross-entropy", "regmean", KEPT),
    arm("no-gram", "common_basis", KEPT | BLIND),
    arm("neither", "plain_average", KEPT | BLIND),
    arm("diagonal-only", "regmean", KEPT | BLIND, {"off_diagonal": 0.0}),
    arm("full-trust", "regmean", KEPT | BLIND, {"off_diagonal": 1.0}),
    arm("final-merge", "regmean", KEPT | BLIND, {"final_merge": True}),
    arm("more-ridge", "regmean", KEPT | BLIND, {"ridge": 0.1}),
)
"""What each part of `regmean-plus` is worth: one of them left out or changed at a time."""
TREE: Json = {"over": "tree"}
OVER_ALL = (
    LOCAL_KEPT,
    arm("average-plus", "plain_average", KEPT | BLIND),
    arm("server-plus", "federated_average", KEPT | BLIND),
    arm("basis-plus", "common_basis", KEPT | BLIND),
    arm("basis-tree", "common_basis", KEPT | BLIND, TREE),
    arm("slowmo-tree", "slowmo", KEPT | BLIND, TREE),
    arm("fisher-tree", "fisher", KEPT | BLIND, TREE),
    arm("regmean-plus", "regmean", KEPT | BLIND),
    arm("regmean-tree", "regmean", KEPT | BLIND, TREE),
    arm("regmean-tree-final", "regmean", KEPT | BLIND, TREE | {"final_merge": True}),
)
"""An exact mean over all sites, up and down a tree, beside mixing with neighbours."""
HEADS = (
    LOCAL_KEPT,
    arm("regmean-tree", "regmean", KEPT | BLIND, TREE),
    arm("regmean-tree-final", "regmean", KEPT | BLIND, TREE | {"final_merge": True}),
    arm("regmean-tree-head", "regmean", KEPT | BLIND, TREE | {"ridge_head": True}),
    arm("regmean-head", "regmean", KEPT | BLIND, {"ridge_head": True}),
    arm("basis-tree", "common_basis", KEPT | BLIND, TREE),
    arm("basis-tree-head", "common_basis", KEPT | BLIND, TREE | {"ridge_head": True}),
)
"""A head in closed form at the end, for two rounds of training less; and one more merge, for one."""
HEADS_OF_IMAGES = tuple(
    one for one in HEADS if one["name"] in {"local-kept", "basis-tree", "basis-tree-head"}
)
UNTRAINED = (arm("head-untrained", "ridge_head", {"epochs": 0}, TREE),)
"""What a head alone is worth: on a network of random values, the same at every site, that nobody ever trained."""
WIRES = tuple(
    arm(f"{name}-{say}", method, KEPT | BLIND, {**over, "wire": {"numbers": numbers, "compress": compress}})
    for name, method, over in (("basis-plus", "common_basis", {}), ("regmean-tree", "regmean", TREE))
    for say, numbers, compress in (
        ("32", "float32", False),
        ("32z", "float32", True),
        ("16", "float16", False),
        ("b16", "bfloat16", False),
        ("8", "int8", False),
        ("8z", "int8", True),
    )
)
"""Bits of a number on the way; z: compressed."""
BOUNDED = tuple(one for one in MAIN if one["name"] in {"local", "average", "basis", "regmean-plus"})
"""Beside pooled data and exchange at every batch."""
MATCHING = (
    LOCAL,
    *(one for one in MAIN if one["name"] in {"average", "dimat", "guarded", "weights"}),
    arm("guarded-warm", "dimat_guarded", merge={"warm_start": True}),
    arm("weights-warm", "weight_matching", merge={"warm_start": True}),
)
"""Matching from the identity at every merge, or from the permutations of the last one."""
OWN_CASES = (
    *PLAIN_LOSS,
    arm("regmean-tree", "regmean", KEPT, TREE),
    arm("regmean-tree-own", "regmean", KEPT | OWN_MODEL, TREE),
    arm("regmean-tree-head", "regmean", KEPT, TREE | {"ridge_head": True}),
)
"""Where sites see different things: what a model trained alone is worth beside the shared one, for a site's own cases."""
GRAPHS = (
    LOCAL_KEPT,
    *(
        one
        for one in MAIN
        if one["name"]
        in {"average-plus", "dimat", "basis-plus", "slowmo-plus", "fisher-plus", "regmean-plus"}
    ),
)
"""On every graph."""
WIDTHS = tuple(
    one for one in MAIN if one["name"] in {"local", "local-kept", "average", "dimat", "basis", "basis-plus"}
)
"""Of deep networks; second moments of their layers take too long for two cores."""
EVERY = tuple(
    arm(f"{name}-{every}", method, train, {"merge_every": every})
    for name, method, train in (
        ("average", "plain_average", None),
        ("dimat", "dimat", None),
        ("basis", "common_basis", None),
        ("regmean-plus", "regmean", KEPT | BLIND),
    )
    for every in (1, 2, 5)
)


@dataclass(frozen=True)
class Setting:
    """One pilot. `say`: what it is, for the report. `table`: to which of its tables it belongs; those of `baselines` are run with
    pooled data and with an exchange at every batch, too (`dimat.baselines`)."""

    name: str
    say: str
    dataset: str
    partition: Json
    num_sites: int = 5
    topology: str = "ring"
    rounds: int = 8
    rows: int = 500
    model: Json = field(default_factory=lambda: {"kind": "mlp", "hidden": [128, 128]})
    train: Json = field(default_factory=dict)
    arms: tuple[Json, ...] = MAIN
    table: str = "main"
    shift: Json = field(default_factory=lambda: {"kind": "none"})

    def pilot(self, seeds: tuple[int, ...]) -> PilotSpec:
        names = [f"site-{number:02d}" for number in range(1, self.num_sites + 1)]
        return PilotSpec.model_validate(
            {
                "name": self.name,
                "title": self.say,
                "rounds": self.rounds,
                "seeds": list(seeds),
                "topology": {"kind": self.topology},
                "data": {"rows_per_site": self.rows, "partition": self.partition, "shift": self.shift},
                "model": self.model,
                "train": self.train,
                "sites": [
                    {"name": name, "data": {"kind": "sample", "dataset": self.dataset}} for name in names
                ],
                "arms": list(self.arms),
            }
        )


IID: Json = {"kind": "iid"}
SKEW: Json = {"kind": "dirichlet", "alpha": 0.5}
TWO: Json = {"kind": "shards", "classes_per_site": 2}
CNN: Json = {"kind": "cnn", "width": 16}
WIDE: Json = {"kind": "mlp", "hidden": [512, 512]}
PEOPLE: Json = {"kind": "column", "column": "subject"}
CONDITIONS: Json = {"kind": "conditions"}
SERIES: Json = {"kind": "cnn1d", "width": 16}
PEN, LETTER, FASHION, WATCH = "pendigits", "letter", "fashion_mnist_6k", "watch_imu"

SETTINGS = (
    Setting("pen-iid-ring", "pen digits, equal class mixes, ring of 5", PEN, IID),
    Setting("pen-skew-ring", "pen digits, Dirichlet 0.5, ring of 5", PEN, SKEW),
    Setting("pen-skew-full", "pen digits, Dirichlet 0.5, full graph of 8 (the demo)", PEN, SKEW, 8, "full"),
    Setting("pen-two-ring", "pen digits, 2 classes a site, ring of 5", PEN, TWO),
    Setting("pen-two-full", "pen digits, 2 classes a site, full graph of 8", PEN, TWO, 8, "full"),
    Setting("letter-iid-ring", "letters, equal class mixes, ring of 5", LETTER, IID),
    Setting("letter-skew-ring", "letters, Dirichlet 0.5, ring of 5", LETTER, SKEW),
    Setting("fashion-iid-ring", "Fashion-MNIST, equal class mixes, ring of 5", FASHION, IID),
    Setting("fashion-skew-ring", "Fashion-MNIST, Dirichlet 0.5, ring of 5", FASHION, SKEW),
    Setting("fashion-two-ring", "Fashion-MNIST, 2 classes a site, ring of 5", FASHION, TWO),
    Setting("fashion-shift-ring", "Fashion-MNIST, equal class mixes, conditions of its own at each site, plain cross-entropy, ring of 5", FASHION, IID, shift=CONDITIONS, arms=OWN_CASES, table="own"),
    Setting("watch-people-ring", "watch movements, two people a site, plain cross-entropy, ring of 5", WATCH, PEOPLE, rows=1_000, arms=OWN_CASES, table="own"),
    Setting("watch-people-cnn1d", "watch movements, two people a site, network for series, plain cross-entropy, ring of 5", WATCH, PEOPLE, rows=1_000, model=SERIES, arms=OWN_CASES, table="own"),
    Setting("own-pen-skew", "pen digits, Dirichlet 0.5, plain cross-entropy, ring of 5", PEN, SKEW, arms=OWN_CASES, table="own"),
    *(
        Setting(f"graph-{kind.replace('_', '-')}", f"pen digits, Dirichlet 0.5, {kind.replace('_', ' ')} of 8", PEN, SKEW, 8, kind, arms=GRAPHS, table="graph")
        for kind in ("line", "ring", "torus", "one_peer", "exponential", "full")
    ),
    *(
        Setting(
            f"width-{word}", f"Fashion-MNIST, ResNet-20 {say}, equal class mixes, ring of 5", FASHION, IID,
            model={"kind": "resnet20", "width": width}, rounds=3, train={"warmup_epochs": 5}, arms=WIDTHS, table="width",
        )
        for word, say, width in (("half", "half as wide", 0.5), ("one", "as published", 1.0), ("two", "twice as wide", 2.0), ("four", "four times as wide", 4.0))
    ),
    Setting("pen-skew-ring-30", "pen digits, Dirichlet 0.5, ring of 5, 30 rounds", PEN, SKEW, rounds=30),
    Setting("pen-iid-ring-30", "pen digits, equal class mixes, ring of 5, 30 rounds", PEN, IID, rounds=30),
    Setting("pen-skew-common", "pen digits, Dirichlet 0.5, ring of 5, one common start", PEN, SKEW, train={"init": "common"}),
    Setting("pen-skew-wide", "pen digits, Dirichlet 0.5, ring of 5, 512 units", PEN, SKEW, model=WIDE),
    Setting("pen-few-rows", "pen digits, Dirichlet 0.5, ring of 5, 100 rows a site", PEN, SKEW, rows=100),
    Setting("every-skew", "pen digits, Dirichlet 0.5, full graph of 8", PEN, SKEW, 8, "full", 10, arms=(LOCAL, LOCAL_KEPT, *EVERY), table="every"),
    Setting("every-iid", "pen digits, equal class mixes, ring of 5", PEN, IID, rounds=10, arms=(LOCAL, LOCAL_KEPT, *EVERY), table="every"),
    Setting("match-pen-skew-full", "pen digits, Dirichlet 0.5, full graph of 8", PEN, SKEW, 8, "full", arms=MATCHING, table="matching"),
    Setting("match-pen-skew-ring", "pen digits, Dirichlet 0.5, ring of 5", PEN, SKEW, arms=MATCHING, table="matching"),
    Setting("match-pen-iid-full", "pen digits, equal class mixes, full graph of 8", PEN, IID, 8, "full", arms=MATCHING, table="matching"),
    Setting("match-pen-iid-ring", "pen digits, equal class mixes, ring of 5", PEN, IID, arms=MATCHING, table="matching"),
    Setting("parts-skew-ring", "pen digits, Dirichlet 0.5, ring of 5", PEN, SKEW, arms=ABLATION, table="parts"),
    Setting("parts-two-ring", "pen digits, 2 classes a site, ring of 5", PEN, TWO, arms=ABLATION, table="parts"),
    Setting("parts-letter-iid", "letters, equal class mixes, ring of 5", LETTER, IID, arms=ABLATION, table="parts"),
    Setting("parts-common", "pen digits, Dirichlet 0.5, ring of 5, one common start", PEN, SKEW, train={"init": "common"}, arms=ABLATION, table="parts"),
    Setting("tree-pen-iid", "pen digits, equal class mixes, ring of 5", PEN, IID, arms=OVER_ALL, table="tree"),
    Setting("tree-pen-skew", "pen digits, Dirichlet 0.5, ring of 5", PEN, SKEW, arms=OVER_ALL, table="tree"),
    Setting("tree-pen-skew-10", "pen digits, Dirichlet 0.5, ring of 10", PEN, SKEW, 10, arms=OVER_ALL, table="tree"),
    Setting("tree-pen-two", "pen digits, 2 classes a site, ring of 5", PEN, TWO, arms=OVER_ALL, table="tree"),
    Setting("tree-pen-common", "pen digits, Dirichlet 0.5, ring of 5, one common start", PEN, SKEW, train={"init": "common"}, arms=OVER_ALL, table="tree"),
    Setting("tree-letter-iid", "letters, equal class mixes, ring of 5", LETTER, IID, arms=OVER_ALL, table="tree"),
    Setting("tree-fashion-skew", "Fashion-MNIST, Dirichlet 0.5, ring of 5", FASHION, SKEW, arms=OVER_ALL, table="tree"),
    Setting("tree-fashion-two", "Fashion-MNIST, 2 classes a site, ring of 5", FASHION, TWO, arms=OVER_ALL, table="tree"),
    Setting("head-pen-iid", "pen digits, equal class mixes, ring of 5", PEN, IID, arms=HEADS, table="head"),
    Setting("head-pen-skew", "pen digits, Dirichlet 0.5, ring of 5", PEN, SKEW, arms=HEADS, table="head"),
    Setting("head-pen-skew-10", "pen digits, Dirichlet 0.5, ring of 10", PEN, SKEW, 10, arms=HEADS, table="head"),
    Setting("head-pen-two", "pen digits, 2 classes a site, ring of 5", PEN, TWO, arms=HEADS, table="head"),
    Setting("head-pen-common", "pen digits, Dirichlet 0.5, ring of 5, one common start", PEN, SKEW, train={"init": "common"}, arms=HEADS, table="head"),
    Setting("head-pen-few", "pen digits, Dirichlet 0.5, ring of 5, 100 rows a site", PEN, SKEW, rows=100, arms=HEADS, table="head"),
    Setting("head-letter-iid", "letters, equal class mixes, ring of 5", LETTER, IID, arms=HEADS, table="head"),
    Setting("head-letter-skew", "letters, Dirichlet 0.5, ring of 5", LETTER, SKEW, arms=HEADS, table="head"),
    Setting("head-fashion-iid", "Fashion-MNIST, equal class mixes, ring of 5", FASHION, IID, arms=HEADS, table="head"),
    Setting("head-fashion-skew", "Fashion-MNIST, Dirichlet 0.5, ring of 5", FASHION, SKEW, arms=HEADS, table="head"),
    Setting("head-fashion-two", "Fashion-MNIST, 2 classes a site, ring of 5", FASHION, TWO, arms=HEADS, table="head"),
    Setting(
        "head-cnn-skew", "Fashion-MNIST, CNN with BatchNorm, Dirichlet 0.5, ring of 5", FASHION, SKEW,
        model=CNN, rounds=5, train={"warmup_epochs": 8}, arms=HEADS_OF_IMAGES, table="head",
    ),
    *(
        Setting(
            f"head-none-{short}", f"{say}, never trained", dataset, partition, rounds=1,
            train={"init": "common", "warmup_epochs": 0}, arms=UNTRAINED, table="head",
        )
        for short, say, dataset, partition in (
            ("pen-two", "pen digits, 2 classes a site", PEN, TWO),
            ("letter-iid", "letters, equal class mixes", LETTER, IID),
            ("fashion-two", "Fashion-MNIST, 2 classes a site", FASHION, TWO),
        )
    ),
    Setting("wire-pen-skew", "pen digits, Dirichlet 0.5, ring of 5", PEN, SKEW, arms=(LOCAL_KEPT, *WIRES), table="wire"),
    Setting("wire-pen-two", "pen digits, 2 classes a site, ring of 5", PEN, TWO, arms=(LOCAL_KEPT, *WIRES), table="wire"),
    Setting("wire-letter-iid", "letters, equal class mixes, ring of 5", LETTER, IID, arms=(LOCAL_KEPT, *WIRES), table="wire"),
    Setting("wire-fashion-skew", "Fashion-MNIST, Dirichlet 0.5, ring of 5", FASHION, SKEW, arms=(LOCAL_KEPT, *WIRES), table="wire"),
    Setting("bounds-pen-iid", "pen digits, equal class mixes, ring of 5", PEN, IID, arms=BOUNDED, table="baselines"),
    Setting("bounds-pen-skew", "pen digits, Dirichlet 0.5, ring of 5", PEN, SKEW, arms=BOUNDED, table="baselines"),
    Setting("bounds-pen-two", "pen digits, 2 classes a site, ring of 5", PEN, TWO, arms=BOUNDED, table="baselines"),
    Setting("bounds-letter-iid", "letters, equal class mixes, ring of 5", LETTER, IID, arms=BOUNDED, table="baselines"),
    Setting(
        "fashion-cnn-iid", "Fashion-MNIST, CNN with BatchNorm, equal class mixes, ring of 5", FASHION, IID,
        model=CNN, rounds=5, train={"warmup_epochs": 8}, arms=IMAGES,
    ),
    Setting(
        "fashion-cnn-skew", "Fashion-MNIST, CNN with BatchNorm, Dirichlet 0.5, ring of 5", FASHION, SKEW,
        model=CNN, rounds=5, train={"warmup_epochs": 8}, arms=IMAGES,
    ),
)  # fmt: skip
QUICK = (
    *("pen-skew-ring", "parts-skew-ring", "every-iid"),
    *("tree-pen-iid", "wire-pen-skew"),
    *("head-pen-few", "head-none-pen-two"),
    *("own-pen-skew", "graph-ring"),
    "match-pen-iid-ring",
)
"""Of every page some that take a minute."""
