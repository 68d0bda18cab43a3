"""The assumptions under the name by which ROI knows them; they are defined where pilots keep them."""

from backend.pilots.assumptions import Assumptions, Blend, MoneyRange, ValueBasis

__all__ = ["Assumptions", "Blend", "MoneyRange", "ValueBasis"]
