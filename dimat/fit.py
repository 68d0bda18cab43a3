"""Which rows a model can take: asked when a pilot is written, and again where the rows are.

Light: no torch, so that a pilot can be checked anywhere.
"""

from dimat.errors import ModelNeedsImages, ModelNeedsPatches, ModelNeedsSeries
from dimat.model_spec import (
    Cnn1dSpec,
    CnnSpec,
    MlpSpec,
    ModelSpec,
    ResNet20Spec,
    ResNet50Spec,
    Vgg16BnSpec,
    VitSpec,
)

SHORTEST_SERIES = 4
"""`cnn1d` halves the length twice."""


def check_fits(model: ModelSpec, shape: tuple[int, ...], dataset: str = "of this site") -> None:
    """Whether the model can take rows of this shape.

    Args:
        shape: of one row: (features,), (channels, length) or (channels, height, width).
        dataset: its name, for the message.

    Raises:
        ModelMismatch: it cannot; the kind of error says what the model needs.
    """
    about: dict[str, str] = {"model": model.kind, "dataset": dataset, "shape": str(shape)}
    match model:
        case MlpSpec():
            return
        case Cnn1dSpec():
            if len(shape) != 2 or shape[1] < SHORTEST_SERIES:
                raise ModelNeedsSeries(**about, shortest=SHORTEST_SERIES)
        case CnnSpec() | ResNet20Spec() | ResNet50Spec() | Vgg16BnSpec():
            smallest = 4 if isinstance(model, CnnSpec) else 1
            if len(shape) != 3 or min(shape[1:]) < smallest:
                raise ModelNeedsImages(**about, smallest=smallest)
        case VitSpec():
            if len(shape) != 3 or any(pixels % model.patch for pixels in shape[1:]):
                raise ModelNeedsPatches(**about, patch=model.patch)
