"""Make a network look like a recording: spikes of a few of its neurons, as a Session."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.resample import Seed, as_generator, spawn
from popdyn.simulation.rate_map import (
    Array,
    HertzMap,
    RateMap,
    RateMapLike,
    in_hertz,
    read_rate_map,
    refuse_negative,
)
from popdyn.tensor.contract import bin_width_of, check, column_names
from popdyn.tensor.result import add_history
from popdyn.tensor.session import make_session

# Seconds between trials of a tensor that has no place on a session's clock.
_PAUSE = 1.0
# Slack (s) for times that were computed in different orders.
_SLACK = 1e-9


def observe(
    sim: xr.Dataset | xr.DataArray,
    n_neurons: int,
    *,
    rate_map: RateMapLike | None = None,
    rng: Seed = 0,
    source_id: str | None = None,
) -> xr.Dataset:
    """Draw Poisson spikes of some neurons of a simulated network.

    Neurons are chosen at random.  Their rates are constant within a bin, so the spikes are
    exact draws of an inhomogeneous Poisson process: a Poisson number per bin, at independent
    uniform times in it.  What a neuron spikes does not depend on which others are chosen.

    Parameters
    ----------
    sim : Dataset or tensor
        From `popdyn.simulate`, or a tensor ``rate (neuron, time, trial)`` in 1 or in Hz.  NaN
        is taken only after a trial's end.
    n_neurons : int
        Number of neurons to observe.
    rate_map : RateMap, mapping or callable, optional
        From dimensionless rates to Hz: a mapping with ``baseline`` (Hz), ``gain`` (Hz per unit
        rate) and optionally ``rectify``, or a function of an array (neuron, time, trial).  By
        default the range of the network's nonlinearity becomes 0 to 20 Hz: ``10 + 10 r`` for
        tanh, ``20 r`` for sigmoid, relu and softplus.  Rates in Hz are used as they are.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.
    source_id : str, optional
        Name of the source in comparisons; by default that of the simulation.

    Returns
    -------
    Session
        Spike times in seconds on the session's clock; each neuron is observed during the
        simulated trials and at no other time.  Neuron ids are those of the network; the trial
        table with its events is carried over.

    Raises
    ------
    TensorError
        If rates are NaN inside a trial or negative in Hz, `n_neurons` is not available, the
        rates are dimensionless and no map is known, or trials overlap on the session's clock.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.Rate.random(50, g=0.9, rng=0)
    >>> sim = pdn.simulate(net, pdn.tasks.PerceptualDecision().sample(8, rng=0, dt=net.dt))
    >>> session = pdn.observe(sim, 20, rng=1)
    >>> counts = pdn.align(session, "stimulus_on_time", window=(0.0, 0.8), bin_width=0.1)
    >>> dict(counts.sizes)
    {'neuron': 20, 'time': 8, 'trial': 8}
    """
    rate = _rate_of(sim)
    n_bins = _bins_observed(rate)
    chooser, drawer, seed = _generators(rng)
    neurons = _choose(rate.sizes["neuron"], n_neurons, chooser)
    part = rate.isel(neuron=neurons)
    hertz_map = read_rate_map(rate_map, part)
    observed = np.arange(rate.sizes["time"])[:, None] < n_bins
    hertz = in_hertz(part, hertz_map, observed)
    width = bin_width_of(rate)
    part, first_edge = _on_clock(part, width, n_bins)
    children = spawn(drawer, rate.sizes["neuron"])
    left = first_edge + np.arange(rate.sizes["time"])[:, None] * width
    spikes = [
        poisson_times(hertz[i], left, width, children[neuron]) for i, neuron in enumerate(neurons)
    ]
    offsets = np.concatenate([[0], np.cumsum([len(times) for times in spikes])])
    start, stop = first_edge, first_edge + n_bins * width
    n_each = len(n_bins)
    owner = np.repeat(np.arange(n_neurons), n_each)
    return make_session(
        np.concatenate(spikes),
        offsets,
        neurons=_table(part, "neuron"),
        trials=_table(part, "trial"),
        obs=(np.tile(start, n_neurons), np.tile(stop, n_neurons), owner),
        attrs=_attrs(rate, source_id, seed, n_neurons, hertz_map),
        column_attrs={str(name): dict(coord.attrs) for name, coord in part.coords.items()},
    )


def poisson_times(hertz: Array, left: Array, width: float, generator: np.random.Generator) -> Array:
    """Draw the spike times of one neuron, sorted.

    Parameters
    ----------
    hertz : ndarray, shape (time, trial)
        Firing rate in each bin, 0 where nothing is observed.
    left : ndarray, shape (time, trial)
        Left edge of each bin, in seconds.
    width : float
        Width of a bin, in seconds.
    generator : Generator
        To draw from.

    Returns
    -------
    ndarray, shape (spike,)
        Times in seconds.
    """
    n_spikes = generator.poisson(hertz.T * width)
    start = np.repeat(left.T.ravel(), n_spikes.ravel())
    times: Array = start + width * generator.random(len(start))
    times.sort()
    return times


def _generators(rng: Seed) -> tuple[np.random.Generator, np.random.Generator, str]:
    """Return one generator to choose neurons, one for their spikes, and the seed."""
    generator, seed = as_generator(rng)
    chooser, drawer = spawn(generator, 2)
    return chooser, drawer, seed


def _rate_of(sim: Any) -> xr.DataArray:
    """Return the rates to observe, checked, but for NaN and negative values."""
    if isinstance(sim, xr.Dataset) and "rate" not in sim:
        names = ", ".join(map(str, sim.data_vars)) or "(none)"
        message = (
            f"expected a simulation with the variable 'rate', found {names}: run "
            "pdn.simulate(net, trials) with record=('rate',)"
        )
        raise TensorError(message)
    rate = sim["rate"] if isinstance(sim, xr.Dataset) else sim
    if isinstance(rate, xr.DataArray) and rate.name == "rate" and rate.attrs.get("units") == "Hz":
        refuse_negative(rate.to_numpy(), "")
    rate = check(rate)
    if rate.name != "rate":
        message = f"expected rates to draw spikes from, found the tensor {rate.name!r}"
        raise TensorError(message)
    return rate


def _bins_observed(rate: xr.DataArray) -> NDArray[np.int64]:
    """Return how many bins each trial lasts; NaN is allowed only after them."""
    known = np.isfinite(rate.to_numpy())
    anyone = known.any(axis=0)
    n_time = anyone.shape[0]
    n_bins = np.where(anyone.any(axis=0), n_time - np.argmax(anyone[::-1], axis=0), 0)
    if rate.attrs.get("align") == "start_time" and {"start_time", "stop_time"} <= set(rate.coords):
        lasts = rate["stop_time"].to_numpy() - rate["start_time"].to_numpy()
        stop_bin = (lasts / bin_width_of(rate) + 1e-6).astype(np.int64)
        n_bins = np.maximum(n_bins, np.minimum(stop_bin, n_time))
    missing = ~known & (np.arange(n_time)[:, None] < n_bins)
    missing[0, :, n_bins == 0] = True
    if missing.any():
        bad = np.flatnonzero(missing.any(axis=(0, 1)))
        message = (
            f"rates are NaN inside {len(bad)} of {known.shape[2]} trials "
            f"({int(missing.sum())} values, first in trial {rate['trial'].to_numpy()[bad[0]]!s}): "
            "spikes cannot be drawn from them. NaN is allowed only after a trial's end; select "
            "the trials and neurons that are complete"
        )
        raise TensorError(message)
    return n_bins.astype(np.int64)


def _choose(n_available: int, n_neurons: int, generator: np.random.Generator) -> NDArray[np.intp]:
    """Choose neurons at random, in the order of the network."""
    if not isinstance(n_neurons, (int, np.integer)) or not 1 <= n_neurons <= n_available:
        message = (
            f"n_neurons must be a whole number from 1 to {n_available}, the neurons of the "
            f"network; found {n_neurons!r}"
        )
        raise TensorError(message)
    return np.sort(generator.permutation(n_available)[:n_neurons])


def _on_clock(
    rate: xr.DataArray, width: float, n_bins: NDArray[np.int64]
) -> tuple[xr.DataArray, Array]:
    """Return the rates and the session time of each trial's first bin edge.

    Trials without a place on the session's clock are put one after the other, and the event
    they are aligned to becomes a column.
    """
    offset = float(rate["time"].to_numpy()[0]) - width / 2
    event = str(rate.attrs.get("align") or "start_time")
    if "align_time" in rate.coords:
        zero = rate["align_time"].to_numpy().astype(np.float64)
    elif rate.coords.get(event, rate["time"]).attrs.get("clock") == "session":
        zero = rate[event].to_numpy().astype(np.float64)
    else:
        clocked = [
            n for n in column_names(rate, "trial") if rate[n].attrs.get("clock") == "session"
        ]
        if clocked:
            message = (
                f"the rates have times on the session's clock ({', '.join(clocked)}) but do not "
                "say where their own zero is: add the coordinate align_time (trial) in seconds"
            )
            raise TensorError(message)
        length = rate.sizes["time"] * width + _PAUSE
        zero = np.arange(rate.sizes["trial"], dtype=np.float64) * length - min(offset, 0.0)
        place = ("trial", zero, {"units": "s", "clock": "session"})
        rate = rate.assign_coords({event: place})
    first_edge: Array = zero + offset
    order = np.argsort(first_edge)
    ends = (first_edge + n_bins * width)[order]
    n_overlap = int((first_edge[order][1:] < ends[:-1] - _SLACK).sum())
    if n_overlap or not np.isfinite(first_edge).all():
        message = (
            f"{n_overlap} trials overlap the one before on the session's clock (or have no time): "
            "a neuron would spike twice. Sample trials with a longer inter_trial, or give "
            "windows that do not overlap"
        )
        raise TensorError(message)
    return rate, first_edge


def _session_columns(rate: xr.DataArray) -> list[str]:
    """Return the trial columns that are times on the session's clock."""
    return [
        name for name in column_names(rate, "trial") if rate[name].attrs.get("clock") == "session"
    ]


def _table(rate: xr.DataArray, dim: str) -> dict[str, Any]:
    """Return the columns on a dim with their ids."""
    columns = {name: rate[name].to_numpy() for name in column_names(rate, dim)}
    columns.pop("align_time", None)
    return {"id": rate[dim].to_numpy(), **columns}


def _attrs(
    rate: xr.DataArray,
    source_id: str | None,
    seed: str,
    n_neurons: int,
    rate_map: HertzMap | None,
) -> dict[str, Any]:
    """Return what the session says about where it comes from."""
    shown: Any = asdict(rate_map) if isinstance(rate_map, RateMap) else rate_map
    history = add_history(
        {"popdyn": rate.attrs.get("popdyn", "[]")},
        "observe",
        n_neurons=int(n_neurons),
        rate_map=shown,
        seed=seed,
    )
    return {
        "source": "network",
        "source_id": source_id or str(rate.attrs.get("source_id", "network")),
        "simultaneous": 1,
        "problems": "[]",
        "seed": seed,
        "roles": rate.attrs.get("roles", json.dumps({})),
        **history,
    }
