"""The Session: what was recorded, unbinned, on the session's clock.

An ``xarray.Dataset`` with ``spike_time (spike)`` in seconds, sorted within each neuron,
``neuron_start (neuron_edge)`` offsets into it, and observation intervals; the columns of the
neuron table lie on ``neuron``, those of the trial table on ``trial``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr

from popdyn.errors import TensorError
from popdyn.tensor.columns import table_columns, table_ids
from popdyn.tensor.result import add_history, digest

_REQUIRED = ("spike_time", "neuron_start", "obs_start", "obs_stop", "obs_neuron")


def is_session(x: Any) -> bool:
    """Whether x looks like a Session."""
    return isinstance(x, xr.Dataset) and "spike_time" in x and "neuron_start" in x


def make_session(
    spike_time: Any,
    neuron_start: Any,
    *,
    neurons: Any = None,
    trials: Any = None,
    obs: tuple[Any, Any, Any] | None = None,
    attrs: Mapping[str, Any] | None = None,
    column_attrs: Mapping[str, Mapping[str, Any]] | None = None,
) -> xr.Dataset:
    """Build a Session from flat spike times.

    Parameters
    ----------
    spike_time : array_like (spike,)
        Times in seconds on the session's clock, neuron after neuron.
    neuron_start : array_like (n_neurons + 1,)
        Where each neuron's spikes start; the last entry is the number of spikes.
    neurons, trials : pandas.DataFrame or mapping, optional
        Tables; ids come from a column ``id``, else from the DataFrame's index.
    obs : (obs_start, obs_stop, obs_neuron), optional
        Observation intervals: start and stop (s), position of the neuron.  Without them
        every neuron counts as observed all the time.
    attrs, column_attrs : mapping, optional
        Attributes of the session, and of columns (``units``, ``clock``, ``description``).

    Returns
    -------
    xarray.Dataset

    Raises
    ------
    TensorError
        If sizes do not fit, ids repeat, or times are not finite.

    Examples
    --------
    >>> session = make_session([0.1, 0.5, 0.2], [0, 2, 3], trials={"start_time": [0.0]})
    >>> neuron_spikes(session, 1).tolist()
    [0.2]
    """
    times = np.array(spike_time, dtype=np.float64).ravel()
    return own_session(
        times,
        neuron_start,
        neurons=neurons,
        trials=trials,
        obs=obs,
        attrs=attrs,
        column_attrs=column_attrs,
    )


def own_session(
    times: np.ndarray,
    neuron_start: Any,
    *,
    neurons: Any = None,
    trials: Any = None,
    obs: tuple[Any, Any, Any] | None = None,
    attrs: Mapping[str, Any] | None = None,
    column_attrs: Mapping[str, Mapping[str, Any]] | None = None,
) -> xr.Dataset:
    """Build a Session around spike times that nobody else uses: they are sorted in place.

    As `make_session`, without the copy, which for 50 million spikes is worth 400 MB.
    """
    starts = np.asarray(neuron_start, dtype=np.int64).ravel()
    _check_offsets(times, starts)
    n_unsorted = _sort_within_neurons(times, starts)
    n_neurons = starts.size - 1
    neuron_ids = table_ids(neurons, n_neurons, "neuron")
    trial_ids = table_ids(trials, None, "trial")
    columns = table_columns(neurons, trials, n_neurons, trial_ids.size, column_attrs)
    obs_start, obs_stop, obs_neuron = _observed(obs, n_neurons)
    session = xr.Dataset(
        {
            "spike_time": ("spike", times, {"units": "s", "clock": "session"}),
            "neuron_start": ("neuron_edge", starts),
            "obs_start": ("interval", obs_start, {"units": "s", "clock": "session"}),
            "obs_stop": ("interval", obs_stop, {"units": "s", "clock": "session"}),
            "obs_neuron": ("interval", obs_neuron),
        },
        coords={"neuron": neuron_ids, "trial": trial_ids, **columns},
    )
    defaults = {"source": "recording", "source_id": "session", "simultaneous": 1, "problems": "[]"}
    session.attrs = {**defaults, **dict(attrs or {}), "n_unsorted": n_unsorted}
    session.attrs["input_digest"] = digest(session)
    if "popdyn" not in session.attrs:
        session.attrs = add_history(session.attrs, "make_session")
    return session


def _check_offsets(times: np.ndarray, starts: np.ndarray) -> None:
    if starts.size < 1 or starts[0] != 0 or starts[-1] != times.size or (np.diff(starts) < 0).any():
        message = (
            f"neuron_start must rise from 0 to the number of spikes ({times.size}), found "
            f"{starts[:3].tolist()} ... {starts[-1:].tolist()}."
        )
        raise TensorError(message)
    if not all(np.isfinite(part).all() for part in pieces(times)):
        message = f"{int((~np.isfinite(times)).sum())} of {times.size} spike times are not finite."
        raise TensorError(message)


def _sort_within_neurons(times: np.ndarray, starts: np.ndarray) -> int:
    """Sort in place; return the number of spikes earlier than the one before them."""
    early = early_spikes(times, starts)
    for neuron in np.unique(np.searchsorted(starts, early, side="right") - 1):
        times[starts[neuron] : starts[neuron + 1]].sort()
    return int(early.size)


def early_spikes(times: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the positions of spikes that are earlier than the one before in the same neuron.

    Examples
    --------
    >>> early_spikes(np.array([1.0, 3.0, 2.0, 0.5, 0.7]), np.array([0, 3, 5])).tolist()
    [2]
    """
    found, first = [np.zeros(0, dtype=np.int64)], 1
    for part in pieces(times, overlap=1):
        found.append(first + np.flatnonzero(part[1:] < part[:-1]))
        first += part.size - 1
    falls = np.concatenate(found)
    return falls[~np.isin(falls, starts)]


def pieces(values: np.ndarray, size: int = 1 << 17, overlap: int = 0) -> Iterator[np.ndarray]:
    """Yield views of an array, a megabyte each: what is made of them stays small, and near.

    Examples
    --------
    >>> [part.tolist() for part in pieces(np.arange(5), 2, overlap=1)]
    [[0, 1, 2], [2, 3, 4], [4]]
    """
    for first in range(0, values.size, size):
        yield values[first : first + size + overlap]


def _observed(
    obs: tuple[Any, Any, Any] | None, n_neurons: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if obs is None:
        whole = np.full(n_neurons, np.inf)
        return -whole, whole, np.arange(n_neurons)
    start, stop = (np.asarray(values, dtype=np.float64).ravel() for values in obs[:2])
    neuron = np.asarray(obs[2], dtype=np.int64).ravel()
    if not start.size == stop.size == neuron.size:
        message = (
            f"observation intervals need as many starts as stops and neurons, found {start.size}, "
            f"{stop.size} and {neuron.size}."
        )
        raise TensorError(message)
    if neuron.size and (neuron.min() < 0 or neuron.max() >= n_neurons):
        message = (
            f"obs_neuron must lie in 0..{n_neurons - 1}, found {neuron.min()}..{neuron.max()}."
        )
        raise TensorError(message)
    if np.isnan(start).any() or np.isnan(stop).any() or (stop < start).any():
        message = "observation intervals need a start and a later stop (s); found NaN or reversed."
        raise TensorError(message)
    order = np.lexsort((start, neuron))
    return start[order], stop[order], neuron[order]


def check_session(session: Any) -> xr.Dataset:
    """Check that x is a Session; return it.

    Raises
    ------
    TensorError
        If variables of a Session are missing.
    """
    if not isinstance(session, xr.Dataset) or any(name not in session for name in _REQUIRED):
        found = (
            f"a Dataset with {', '.join(str(n) for n in session.data_vars)}"
            if isinstance(session, xr.Dataset)
            else type(session).__name__
        )
        message = (
            f"expected a Session (variables {', '.join(_REQUIRED)}), found {found}. Make one with "
            "popdyn.read_session or popdyn.observe."
        )
        raise TensorError(message)
    return session


def neuron_spikes(session: xr.Dataset, position: int) -> np.ndarray:
    """Spike times (s, session clock) of the neuron at a position."""
    starts = session["neuron_start"].values
    return np.asarray(session["spike_time"].values[starts[position] : starts[position + 1]])


def session_neurons(session: xr.Dataset, keep: np.ndarray) -> xr.Dataset:
    """Return the Session of some neurons only.

    Parameters
    ----------
    session : xarray.Dataset
    keep : numpy.ndarray of bool (neuron,)
    """
    positions = np.flatnonzero(keep)
    starts = session["neuron_start"].values
    counts = np.diff(starts)[positions]
    spike_keep = np.repeat(keep, np.diff(starts))
    interval_keep = keep[session["obs_neuron"].values]
    renumber = np.cumsum(keep) - 1
    part = session.isel(neuron=positions, spike=spike_keep, interval=interval_keep)
    part = part.drop_vars("neuron_start")
    part["neuron_start"] = ("neuron_edge", np.concatenate([[0], np.cumsum(counts)]))
    part["obs_neuron"] = ("interval", renumber[part["obs_neuron"].values])
    return part
