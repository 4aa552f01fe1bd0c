"""What recordings lose: rates that drift, and trials in which a neuron was not recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.simulation.poisson import table_of
from popdyn.tensor.session import own_session

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Drift:
    """Slow change of each neuron's rate by a factor ``exp(y - size²/2)`` of mean 1.

    ``y`` is a stationary Ornstein-Uhlenbeck process of its own for each neuron, read at the starts
    of trials.

    Parameters
    ----------
    size : float
        Standard deviation of ``y``, which for small values is that of the factor.
    time : float
        Time in seconds after which the correlation of ``y`` has fallen to 1/e.
    """

    size: float
    time: float

    def gains(self, times: Array, generators: Sequence[np.random.Generator]) -> Array:
        """Return the factors ``(neuron, trial)``.

        Parameters
        ----------
        times : ndarray, shape (trial,)
            Starts of trials in seconds, in any order.
        generators : sequence of Generator
            One per neuron.
        """
        order = np.argsort(times, kind="stable")
        kept = np.exp(-np.diff(times[order]) / self.time)
        new = np.sqrt(1 - kept**2)
        drawn = np.stack([generator.standard_normal(times.size) for generator in generators])
        y = np.empty_like(drawn)
        y[:, 0] = drawn[:, 0]
        for step in range(1, times.size):
            y[:, step] = kept[step - 1] * y[:, step - 1] + new[step - 1] * drawn[:, step]
        gains = np.empty_like(y)
        gains[:, order] = np.exp(self.size * y - self.size**2 / 2)
        return gains


def thin(
    session: xr.Dataset, share: Array, generators: Sequence[np.random.Generator]
) -> xr.Dataset:
    """Keep each spike with the probability of its neuron and trial.

    Parameters
    ----------
    session : Session
        With ``start_time``; a spike belongs to the trial that started last.
    share : ndarray, shape (neuron, trial)
        Probabilities.
    generators : sequence of Generator
        One per neuron.

    Returns
    -------
    Session
    """
    times, starts = session["spike_time"].to_numpy(), session["neuron_start"].to_numpy()
    begin = trial_starts(session)
    order = np.argsort(begin, kind="stable")
    trial = np.searchsorted(begin[order], times, side="right") - 1
    chance = share[:, order][_owner(session), np.maximum(trial, 0)]
    counts = np.diff(starts)
    drawn = [generator.random(n) for generator, n in zip(generators, counts, strict=True)]
    return _rebuilt(session, np.concatenate([np.zeros(0), *drawn]) < chance)


def missing_stretches(
    begin: Array, fraction: float, generators: Sequence[np.random.Generator]
) -> tuple[Array, Array]:
    """Choose one stretch of consecutive trials for each neuron, anywhere in the session.

    Parameters
    ----------
    begin : ndarray, shape (trial,)
        Starts of trials in seconds, in any order.
    fraction : float
        Share of trials in the stretch.
    generators : sequence of Generator
        One per neuron.

    Returns
    -------
    start, stop : ndarray, shape (neuron,)
        In seconds: from the start of the first trial to that of the first that is back.
    """
    n_missing = round(fraction * begin.size)
    edges = np.append(np.sort(begin), np.inf)
    first = np.array([each.integers(0, begin.size - n_missing + 1) for each in generators])
    return edges[first], edges[first + n_missing]


def drop_time(session: xr.Dataset, start: Array, stop: Array) -> xr.Dataset:
    """Forget what each neuron did from a time to another, ``(neuron,)`` in seconds."""
    owner = _owner(session)
    times = session["spike_time"].to_numpy()
    left, right, who = _intervals(session)
    pieces = (
        np.concatenate([left, np.maximum(left, stop[who])]),
        np.concatenate([np.minimum(right, start[who]), right]),
        np.tile(who, 2),
    )
    keep = pieces[1] > pieces[0]
    gone = (times >= start[owner]) & (times < stop[owner])
    observed = (pieces[0][keep], pieces[1][keep], pieces[2][keep])
    return _rebuilt(session, ~gone, observed)


def keep_time(session: xr.Dataset, start: float, stop: float) -> xr.Dataset:
    """Forget what was before a time and from another on, in seconds."""
    times = session["spike_time"].to_numpy()
    left, right, who = _intervals(session)
    left, right = np.maximum(left, start), np.minimum(right, stop)
    keep = right > left
    observed = (left[keep], right[keep], who[keep])
    return _rebuilt(session, (times >= start) & (times < stop), observed)


def trial_starts(session: xr.Dataset) -> Array:
    """Return the starts of trials in seconds.

    Raises
    ------
    TensorError
        If the session does not have them.
    """
    if "start_time" not in session.coords:
        message = (
            "drift, missing trials and sessions recorded apart need to know when trials start: the "
            "session has no column start_time"
        )
        raise TensorError(message)
    starts: Array = session["start_time"].to_numpy().astype(np.float64)
    return starts


def _owner(session: xr.Dataset) -> NDArray[np.intp]:
    """Return the position of each spike's neuron."""
    return np.repeat(np.arange(session.sizes["neuron"]), np.diff(session["neuron_start"]))


def _intervals(session: xr.Dataset) -> tuple[Array, Array, NDArray[np.int64]]:
    """Return start, stop and neuron of the observation intervals."""
    names = ("obs_start", "obs_stop", "obs_neuron")
    start, stop, neuron = (session[name].to_numpy() for name in names)
    return start, stop, neuron


def _rebuilt(
    session: xr.Dataset,
    keep: NDArray[np.bool_],
    observed: tuple[Array, Array, NDArray[np.int64]] | None = None,
) -> xr.Dataset:
    """Return a session with some of its spikes, and other observation intervals."""
    counts = np.bincount(_owner(session)[keep], minlength=session.sizes["neuron"])
    return own_session(
        session["spike_time"].to_numpy()[keep],
        np.concatenate([[0], np.cumsum(counts)]),
        neurons=table_of(session, "neuron"),
        trials=table_of(session, "trial"),
        obs=_intervals(session) if observed is None else observed,
        attrs={str(key): value for key, value in session.attrs.items()},
        column_attrs={str(name): dict(coord.attrs) for name, coord in session.coords.items()},
    )
