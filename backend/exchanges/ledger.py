"""Sums of the byte ledger, put together from rows that the database added up. Pure."""

from collections.abc import Sequence
from typing import Any, get_args

from backend.exchanges.raw_data import raw_data_bytes
from backend.exchanges.repository import Sums
from backend.exchanges.schemas import Bytes, Ledger, LinkBytes, Purpose, PurposeBytes
from dimat.spec import PilotSpec


def ledger(sums: Sequence[Sums], spec: PilotSpec, taken_over_bytes: int) -> Ledger:
    """`total` is the sum of its parts, whichever way they are divided."""
    links = sorted({(one.from_index, one.to_index) for one in sums})
    return Ledger(
        total=Bytes.model_validate(_added(sums)),
        taken_over_bytes=taken_over_bytes,
        by_purpose=[
            PurposeBytes(purpose=purpose, **_added([one for one in sums if one.purpose == purpose]))
            for purpose in get_args(Purpose)
        ],
        by_link=[
            _link(spec, a, b, [s for s in sums if (s.from_index, s.to_index) == (a, b)]) for a, b in links
        ],
    )


def _link(spec: PilotSpec, a: int, b: int, sums: Sequence[Sums]) -> LinkBytes:
    source, target = spec.sites[a], spec.sites[b]
    return LinkBytes(
        from_index=a, from_site=source.name, from_display_name=source.display_name or source.name,
        to_index=b, to_site=target.name, to_display_name=target.display_name or target.name,
        wasted_bytes=sum(one.num_bytes for one in sums if one.purpose == "wasted"), **_added(sums),
    )  # fmt: skip


def _added(sums: Sequence[Sums]) -> dict[str, Any]:
    return {
        "num_exchanges": sum(one.num_exchanges for one in sums),
        "num_bytes": sum(one.num_bytes for one in sums),
        "unknown_bytes": sum(one.unknown_bytes for one in sums),
        "raw_data_bytes": sum(raw_data_bytes(one.fetched_for, one.num_bytes) for one in sums),
        "seconds": sum(one.seconds for one in sums),
    }
