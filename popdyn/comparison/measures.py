"""The cells of a scorecard: a measure, how it is read from a result, and its doubt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Results = Mapping[str, xr.Dataset]
NO_BAND = np.full(2, np.nan)


@dataclass(frozen=True)
class Cell:
    """A measure of one source: value, 95 % interval, 95 % band of its null, p and n.

    ``reason`` says why there is no value although the analysis gave a result, or what the value
    alone would not tell.
    """

    value: float = np.nan
    bound: NDArray[np.float64] = field(default_factory=lambda: NO_BAND)
    null: NDArray[np.float64] = field(default_factory=lambda: NO_BAND)
    p: float = np.nan
    n_trials: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Measure:
    """A row: its words, its unit, the analysis it comes from, and how it is read there."""

    words: str
    unit: str
    analysis: str
    read: Callable[[xr.Dataset, Results], Cell]


def smallest(summary: xr.Dataset) -> int:
    """Trials of the smallest condition."""
    return int(summary["n_trials_condition"].min())


def attribute_of(results: Mapping[str, Results], analysis: str, name: str, default: str) -> str:
    """Look an attribute up in the first source that has the analysis."""
    found = [own[analysis].attrs.get(name) for own in results.values() if analysis in own]
    return str(found[0]) if found and found[0] is not None else default


def names_of(results: Mapping[str, Results], analysis: str, coord: str) -> list[str]:
    """List the values of a coordinate over all sources that have the analysis."""
    found = [own[analysis][coord].values for own in results.values() if analysis in own]
    return list(dict.fromkeys(str(name) for values in found for name in values))
