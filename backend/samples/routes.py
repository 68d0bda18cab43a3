"""HTTP of the sample data sets."""

from typing import Annotated

from fastapi import APIRouter, Depends

from backend.auth.guard import needs
from backend.auth.principal import Principal
from backend.problems import responses
from backend.samples.schemas import Sample, SampleColumn
from dimat.samples import SAMPLES

router = APIRouter(tags=["sites"])


@router.get("/samples", responses=responses(401, 403))
def list_samples(_: Annotated[Principal, Depends(needs("samples.read"))]) -> list[Sample]:
    """The data sets that ship with the product: what a site can start with."""
    return [
        Sample(
            name=info.name, shape=list(info.shape), num_classes=info.num_classes, num_rows=info.num_rows,
            origin=info.origin, licence=info.licence,
            columns=[SampleColumn(name=one.name, num_values=one.num_values) for one in info.columns],
        )
        for info in SAMPLES.values()
    ]  # fmt: skip
