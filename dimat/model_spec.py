"""The networks that a pilot can choose, by kind."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dimat.frozen import Frozen, Whole
from dimat.validation import kind_needed


class MlpSpec(Frozen):
    """Fully connected network with ReLU."""

    kind: Literal["mlp"] = "mlp"
    hidden: tuple[Annotated[Whole, Field(ge=1, le=8192)], ...] = Field(
        (128, 128), min_length=1, max_length=16
    )


class CnnSpec(Frozen):
    """Two convolutions with BatchNorm and ReLU, pooling, one linear head; `width` = first channels."""

    kind: Literal["cnn"] = "cnn"
    width: Whole = Field(16, ge=1, le=512)


# Times the channels of the published network.
WidthFactor = Annotated[float, Field(ge=1 / 16, le=16.0)]


class ResNet20Spec(Frozen):
    """ResNet-20 for small images, projections as shortcuts; `width` times 16, 32 and 64 channels."""

    kind: Literal["resnet20"] = "resnet20"
    width: WidthFactor = 1.0


class Vgg16BnSpec(Frozen):
    """VGG-16 with BatchNorm and one linear head; `width` times 64 to 512 channels."""

    kind: Literal["vgg16_bn"] = "vgg16_bn"
    width: WidthFactor = 1.0


class ResNet50Spec(Frozen):
    """ResNet-50 for small images, bottleneck blocks; `width` times 64 to 2,048 channels."""

    kind: Literal["resnet50"] = "resnet50"
    width: WidthFactor = 1.0


class Cnn1dSpec(Frozen):
    """Three convolutions along a series with BatchNorm and ReLU, one linear head; `width` = first channels."""

    kind: Literal["cnn1d"] = "cnn1d"
    width: Whole = Field(32, ge=1, le=512)


class VitSpec(Frozen):
    """Small vision transformer: `patch` pixels a side, `dim` features of each patch, `depth` blocks of `heads` heads.

    The patch must divide height and width of the images; the default divides 28 and 32.
    """

    kind: Literal["vit"] = "vit"
    patch: Whole = Field(4, ge=1, le=64)
    dim: Whole = Field(64, ge=2, le=1024)
    depth: Whole = Field(4, ge=1, le=24)
    heads: Whole = Field(4, ge=1, le=64)

    @model_validator(mode="after")
    def _heads_share_the_features(self) -> Self:
        if self.dim % self.heads:
            raise PydanticCustomError(
                "heads_do_not_divide",
                "{dim} features cannot be shared equally by heads, {heads} in number. "
                "Choose a number of features that is a multiple of it.",
                {"dim": self.dim, "heads": self.heads},
            )
        return self


_AnyModel = MlpSpec | CnnSpec | ResNet20Spec | Vgg16BnSpec | ResNet50Spec | Cnn1dSpec | VitSpec
ModelSpec = Annotated[_AnyModel, Field(discriminator="kind"), kind_needed(_AnyModel)]
