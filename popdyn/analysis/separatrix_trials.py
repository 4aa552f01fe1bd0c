"""What happened in the trials of a detection task: outcomes, onsets and what was detected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.trials import Array
from popdyn.errors import FitError, TensorError
from popdyn.tensor.contract import bin_width_of
from popdyn.tensor.view import trial_table


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Outcome of every trial.

    Attributes
    ----------
    amplitude : ndarray, shape (trial,)
        0 without a stimulus.
    hit, missed, rejected : ndarray of bool, shape (trial,)
        Stimulus and yes; stimulus and no; neither.
    bin : ndarray of int, shape (trial,)
        Bin of the onset, -1 for none.
    offset_bin : ndarray of int, shape (trial,)
        Position on the time axis at which the stimulus was over.
    edges, centers : ndarray
        Of the bins of the onset (s).
    """

    amplitude: Array
    hit: NDArray[np.bool_]
    missed: NDArray[np.bool_]
    rejected: NDArray[np.bool_]
    bin: NDArray[np.intp]
    offset_bin: NDArray[np.intp]
    edges: Array

    def shown(self, number: int) -> NDArray[np.intp]:
        """Trials of one bin whose stimulus was detected or missed."""
        return np.flatnonzero((self.bin == number) & (self.hit | self.missed))

    @property
    def centers(self) -> Array:
        """Centers of the bins (s)."""
        middle: Array = (self.edges[:-1] + self.edges[1:]) / 2.0
        return middle


def outcomes_of(
    x: xr.DataArray, roles: Mapping[str, Any] | None, onset: str, offset: str, onset_bins: Any
) -> Outcomes:
    """Read outcomes from the trial table.

    Raises
    ------
    TensorError
        If columns are missing, choices not binary, or times outside the window.
    FitError
        Without correct rejections, misses or hits.
    """
    table = trial_table(x, dict(roles) if roles else None)
    for name in ("stimulus", "choice", onset, offset):
        if name not in table:
            message = (
                f"the trials have no column {name!r}, found {', '.join(map(str, table.columns))}: "
                "name it in roles= (stimulus, choice), onset= or offset="
            )
            raise TensorError(message)
    amplitude = table["stimulus"].to_numpy(dtype=np.float64)
    yes, answered = _answers(table)
    present = np.nan_to_num(amplitude) > 0.0
    on = table[onset].to_numpy(dtype=np.float64)
    off = table[offset].to_numpy(dtype=np.float64)
    _check_order(on[present], off[present], onset, offset)
    placed, offset_bin = _offsets(x, off, present)
    hit, missed = present & yes & answered, present & ~yes & answered
    rejected = ~present & ~yes & answered & np.isfinite(amplitude)
    for name, own in (("correct rejection", rejected), ("miss", missed), ("hit", hit)):
        if not own.any():
            message = (
                f"no trial is a {name}: the distance needs trials without a stimulus that were "
                "answered no, and stimuli that were missed and others that were detected"
            )
            raise FitError(message)
    edges = _edges(onset_bins, on[present & np.isfinite(on)])
    number = np.searchsorted(edges, np.nan_to_num(on, nan=-np.inf), side="right") - 1
    number[on == edges[-1]] = len(edges) - 2
    inside = present & placed & (number >= 0) & (number < len(edges) - 1)
    return Outcomes(
        np.where(present, amplitude, 0.0), hit, missed, rejected,
        np.where(inside, number, -1), offset_bin, edges,
    )  # fmt: skip


def near_threshold(outcomes: Outcomes, number: int, near: tuple[float, float]) -> NDArray[np.intp]:
    """Misses of one bin whose amplitude is detected with a probability within ``near``."""
    own = outcomes.shown(number)
    at, chance = detected(outcomes.amplitude[own], outcomes.hit[own])
    misses = own[outcomes.missed[own]]
    own_chance = chance[np.searchsorted(at, outcomes.amplitude[misses])]
    chosen: NDArray[np.intp] = misses[(own_chance >= near[0]) & (own_chance <= near[1])]
    return chosen


def threshold_of(amplitude: Array, hit: NDArray[np.bool_]) -> float:
    """Amplitude detected half of the time; NaN where answers do not cross a half."""
    at, chance = detected(amplitude, hit)
    below, above = chance < 0.5, chance > 0.5
    if not (below.any() and above.any()):
        return float("nan")
    low, high = np.flatnonzero(below)[-1], np.flatnonzero(above)[0]
    share = (0.5 - chance[low]) / (chance[high] - chance[low])
    return float(at[low] + (at[high] - at[low]) * share)


def detected(amplitude: Array, hit: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Different amplitudes, and the probability of yes to each, which rises with it."""
    from sklearn.isotonic import isotonic_regression

    at, which, n = np.unique(amplitude, return_inverse=True, return_counts=True)
    if not at.size:
        return at, at
    share = np.bincount(which, weights=hit.astype(np.float64)) / n
    fit: Any = isotonic_regression(share, sample_weight=n.astype(np.float64), y_min=0.0, y_max=1.0)
    return at, fit


def _answers(table: pd.DataFrame) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which trials were answered yes, and which at all."""
    column = table["choice"].to_numpy()
    if column.dtype.kind not in "biuf":
        found = ", ".join(map(str, np.unique(column.astype(np.str_))[:5]))
        message = (
            f"choice must be 1 (yes) or 0 or -1 (no), found {found}: map it in roles, for "
            "instance {'choice': {'column': 'choice', 'values': {'yes': 1, 'no': -1}}}"
        )
        raise TensorError(message)
    choice = column.astype(np.float64)
    answered = np.isfinite(choice)
    values = set(np.unique(choice[answered]).tolist())
    if not (values <= {-1.0, 1.0} or values <= {0.0, 1.0}):
        message = (
            f"choice must be binary, 1 (yes) and 0 or -1 (no), found {sorted(values)[:6]}: drop "
            "trials without an answer, or map the values in roles"
        )
        raise TensorError(message)
    return choice > 0.0, answered


def _check_order(on: Array, off: Array, onset: str, offset: str) -> None:
    """Refuse stimuli that end before they begin."""
    wrong = off <= on
    if wrong.any():
        message = (
            f"{int(wrong.sum())} of {len(on)} stimuli end before they begin ({offset!r} at "
            f"{off[wrong][0]:g} s, {onset!r} at {on[wrong][0]:g} s): the columns of onset= and "
            "offset= may be exchanged, or one of them is no time within the trial"
        )
        raise TensorError(message)


def _offsets(
    x: xr.DataArray, off: Array, present: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Bin of the time axis that holds the end of each stimulus, and whether there is one."""
    time = x["time"].to_numpy().astype(np.float64)
    width = bin_width_of(x)
    number = np.floor((off - time[0]) / width + 0.5 + 1e-9)
    placed = present & (number >= 0) & (number < len(time))
    known = off[present & np.isfinite(off)]
    if 2 * placed.sum() <= len(known) or not placed.any():
        span = f"{known.min():g} to {known.max():g} s" if known.size else "nowhere"
        message = (
            f"{int(placed.sum())} of {len(known)} stimuli end within the window ({time[0]:g} to "
            f"{time[-1]:g} s), they end at {span}: align to the start of the trial, with a window "
            "that holds them; times are in s, from the trial's start and not the session's"
        )
        raise TensorError(message)
    return placed, np.where(placed, number, 0).astype(np.intp)


def _edges(onset_bins: Any, on: Array) -> Array:
    """Edges of the bins of the onset (s)."""
    if isinstance(onset_bins, (int, np.integer)) and not isinstance(onset_bins, bool):
        if onset_bins < 1 or not on.size or on.min() == on.max():
            message = (
                f"{onset_bins} onset bins from onsets {np.unique(on)[:3]}: onsets must vary, or "
                "give edges"
            )
            raise TensorError(message)
        return np.linspace(on.min(), on.max(), int(onset_bins) + 1)
    edges = np.asarray(onset_bins, dtype=np.float64)
    if edges.ndim != 1 or len(edges) < 2 or not (np.diff(edges) > 0).all():
        message = f"onset_bins must be a number of bins or rising edges (s), found {onset_bins!r}"
        raise TensorError(message)
    return edges
