"""Sites that see the same things under conditions of their own: a camera that hangs askew, another light, a noisy sensor.

Legend: B = rows, `...` = the shape of a row.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dimat.data_spec import ConditionShift
from dimat.training.seeding import numpy_rng

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scale:
    """Mean and deviation of known rows: per feature, for images and series per channel. float64, (1, channels, 1, ...).

    A feature that never changes has deviation 1.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @classmethod
    def of(cls, x: Rows) -> Self:
        """Of (B, ...) rows."""
        axes = (0, *range(2, x.ndim))
        known = x.astype(np.float64)
        deviation = known.std(axis=axes, keepdims=True)
        return cls(known.mean(axis=axes, keepdims=True), np.where(deviation > 0, deviation, 1.0))

    def standardised(self, x: Rows) -> Rows:
        """(B, ...) float32 with mean 0 and deviation 1, were they the known rows."""
        scaled: Rows = ((x - self.mean) / self.deviation).astype(np.float32)
        return scaled


@dataclass(frozen=True, slots=True)
class Condition:
    """How one site sees.

    Attributes:
        angle: degrees by which images are turned.
        contrast: factor on the distance from the mean.
        brightness: added, in deviations.
        noise: deviation of normal noise on each value, in deviations.
    """

    angle: float
    contrast: float
    brightness: float
    noise: float

    def seen(self, x: Rows, scale: Scale, rng: np.random.Generator) -> Rows:
        """(B, ...) float32 rows as they look under this condition, in their own units.

        Args:
            scale: of rows as they are without a condition, the same for all sites. rng: makes the noise.
        """
        if self.angle:
            # By order 1 no value leaves the range of its image; what turns in from outside is like the edge.
            x = ndimage.rotate(x, self.angle, axes=(-2, -1), reshape=False, order=1, mode="nearest")
        standard = (x - scale.mean) / scale.deviation * self.contrast + self.brightness
        if self.noise:
            standard = standard + self.noise * rng.standard_normal(x.shape, dtype=np.float32)
        found: Rows = (scale.mean + scale.deviation * standard).astype(np.float32)
        return found


def condition_of(shift: ConditionShift, seed: int, site_index: int) -> Condition:
    """The condition of a site: it depends on nothing but the seed, the site's place and the strengths in `shift`."""
    angle, contrast, brightness, noise = numpy_rng(seed, "condition", site_index).random(4)
    return Condition(
        angle=shift.rotation * (2 * angle - 1),
        contrast=math.exp(math.log(shift.contrast) * (2 * contrast - 1)),
        brightness=shift.brightness * (2 * brightness - 1),
        noise=shift.noise * noise,
    )
