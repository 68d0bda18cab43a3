"""What is known, without reading them, of the sample data sets that ship with the product (`data/`)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """Something known of each row beside its features and its label, by which sites may be divided."""

    name: str
    num_values: int


@dataclass(frozen=True, slots=True)
class SampleInfo:
    """A data set shipped in `data/`.

    Attributes:
        name: its name in a pilot's spec.
        shape: of one row: (features,), (channels, length) or (channels, height, width).
        num_classes: labels are 0..num_classes-1.
        num_rows: all rows, before any split.
        file: file name in `data/`.
        origin: who made it, in one line.
        licence: under which it may be shipped.
        columns: what is known of each row beside.
    """

    name: str
    shape: tuple[int, ...]
    num_classes: int
    num_rows: int
    file: str
    origin: str
    licence: str
    columns: tuple[Column, ...] = ()

    @property
    def has_images(self) -> bool:
        return len(self.shape) == 3


SAMPLES: dict[str, SampleInfo] = {
    info.name: info
    for info in (
        SampleInfo(
            "pendigits", (16,), 10, 10_992, "pendigits.csv.gz",
            "UCI Pen-Based Recognition of Handwritten Digits (Alpaydin, Alimoglu, 1998)", "CC BY 4.0",
        ),
        SampleInfo(
            "letter", (16,), 26, 20_000, "letter.csv.gz",
            "UCI Letter Recognition (Slate, 1991)", "CC BY 4.0",
        ),
        SampleInfo(
            "fashion_mnist_6k", (1, 28, 28), 10, 6_000, "fashion_mnist_6k.npz",
            "Fashion-MNIST, first 5,000 + 1,000 images (Zalando Research, 2017)", "MIT",
        ),
        SampleInfo(
            "watch_imu", (6, 100), 7, 4_677, "watch_imu.npz",
            "Shoulder exercises with a smart watch, 10 people, in windows of 100 samples (Burns et al., 2018, by seglearn 1.2.5)",
            "BSD 3-Clause", (Column("subject", 10), Column("side", 2)),
        ),
    )
}  # fmt: skip
