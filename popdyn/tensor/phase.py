"""Bins of equal phase: where they lie in each trial, and what was seen in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from popdyn.errors import TensorError
from popdyn.tensor.align import SLACK, inside_intervals, merge_intervals
from popdyn.tensor.contract import bin_width_of
from popdyn.tensor.session import neuron_spikes

# Seconds: a bin below is no bin; it is well above the rounding of session times.
SHORTEST = 1e-8


@dataclass(frozen=True)
class Segments:
    """The pieces of a trial, from one event to the next.

    Attributes
    ----------
    events : tuple of str
        Columns of event times.
    n_bins : tuple of int
        Number of bins of each segment, one fewer than there are events.
    """

    events: tuple[str, ...]
    n_bins: tuple[int, ...]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """First and last event of each segment, without a common ``_time`` at the end."""
        short = [event.removesuffix("_time") for event in self.events]
        names = short if len(set(short)) == len(short) else list(self.events)
        return list(zip(names[:-1], names[1:], strict=True))

    @property
    def names(self) -> list[str]:
        """Name of each segment, such as ``"cue to go"``."""
        return [f"{first} to {last}" for first, last in self.pairs]

    def columns(self, quantity: str) -> list[str]:
        """Name of the trial column of a quantity for each segment, ``duration_cue_go``."""
        return [f"{quantity}_{first}_{last}" for first, last in self.pairs]

    @property
    def centers(self) -> np.ndarray:
        """Phase (phase,) of the centers of all bins; segment k lies from k to k + 1."""
        return np.concatenate([k + (np.arange(n) + 0.5) / n for k, n in enumerate(self.n_bins)])

    def edges(self, times: np.ndarray) -> np.ndarray:
        """Edges (trial, edge) in the time of the events (trial, event), which they contain."""
        pieces = [
            times[:, k, None] + np.diff(times)[:, k, None] * (np.arange(n) / n)
            for k, n in enumerate(self.n_bins)
        ]
        return np.concatenate([*pieces, times[:, -1:]], axis=1)


def make_segments(events: Sequence[str], n_bins: int | Sequence[int]) -> Segments:
    """Check events and numbers of bins; one number serves every segment.

    Examples
    --------
    >>> make_segments(["cue_time", "go_time"], 2).centers.tolist()
    [0.25, 0.75]

    Raises
    ------
    TensorError
        Fewer than two events, an event twice, or numbers of bins that do not fit.
    """
    if isinstance(events, str) or len(events) < 2 or len(set(events)) < len(events):
        message = f"events must be two or more different columns of event times, got {events!r}."
        raise TensorError(message)
    n_segments = len(events) - 1
    given: list[Any] = [n_bins] * n_segments if np.ndim(n_bins) == 0 else list(n_bins)  # type: ignore[arg-type]
    whole = [int(n) for n in given if isinstance(n, (int, np.integer)) and int(n) >= 1]
    if len(whole) < len(given) or len(given) != n_segments:
        message = (
            f"n_bins needs a whole number of at least 1 for each of the {n_segments} segments "
            f"between the {len(events)} events, got {n_bins!r}."
        )
        raise TensorError(message)
    return Segments(tuple(str(event) for event in events), tuple(whole))


def rate_in_bins(session: xr.Dataset, edges: np.ndarray) -> np.ndarray:
    """Spikes per second (neuron, phase, trial) between the edges (trial, edge) of a session.

    Bins are half-open; NaN where a bin is not wholly inside an observation interval.
    """
    widths = np.diff(edges).T
    rates = np.full((session.sizes["neuron"], *widths.shape), np.nan)
    owner = session["obs_neuron"].values
    start, stop = session["obs_start"].values, session["obs_stop"].values
    for neuron in range(rates.shape[0]):
        counts = np.diff(np.searchsorted(neuron_spikes(session, neuron), edges)).T
        merged = merge_intervals(start[owner == neuron], stop[owner == neuron])
        seen = inside_intervals(edges[:, :-1], edges[:, 1:], *merged).T
        rates[neuron][seen] = (counts / widths)[seen]
    return rates


def mean_in_bins(x: xr.DataArray, edges: np.ndarray) -> np.ndarray:
    """Time-weighted mean (neuron, phase, trial) of a tensor that is constant within its bins.

    Spike counts become spikes per second.  ``edges (trial, edge)`` count from the tensor's own
    zero.  NaN where a bin reaches past the tensor's time or touches one of its NaN.
    """
    width, n_bins = bin_width_of(x), x.sizes["time"]
    position = (edges - (float(x["time"].values[0]) - width / 2)) / width
    near = np.round(position)
    position = np.where(np.abs(position - near) * width < SLACK, near, position)
    means = np.full((x.sizes["neuron"], edges.shape[1] - 1, edges.shape[0]), np.nan)
    counted = x.name == "spike_count"
    for trial, at in enumerate(position):
        real = np.diff(edges[trial]) if counted else np.diff(at)
        within = (at[:-1] >= 0) & (at[1:] <= n_bins)
        total, lacking = _integrals(np.asarray(x.values[:, :, trial]), np.clip(at, 0, n_bins))
        means[:, within, trial] = (total / real)[:, within]
        means[..., trial][lacking] = np.nan
    return means


def _integrals(values: np.ndarray, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Integral (neuron, interval) between positions in units of bins, and whether NaN is in it."""
    unseen = np.isnan(values)
    known = np.where(unseen, 0.0, values).astype(np.float64)
    first, after = np.floor(position).astype(int), np.ceil(position).astype(int)
    own = np.minimum(first, values.shape[1] - 1)
    reached = _from_zero(known)[:, first] + (position - first) * known[:, own]
    n_unseen = _from_zero(unseen)
    return np.diff(reached), n_unseen[:, after[1:]] > n_unseen[:, first[:-1]]


def _from_zero(values: np.ndarray) -> np.ndarray:
    return np.pad(np.cumsum(values, axis=1), ((0, 0), (1, 0)))
