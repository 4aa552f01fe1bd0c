"""Spikes drawn from rates: an inhomogeneous Poisson process, exactly."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError, warn
from popdyn.simulation.rate_map import Array, HertzMap, in_hertz, refuse_negative
from popdyn.tensor.contract import bin_width_of, check, column_names
from popdyn.tensor.session import make_session

# Seconds between trials of a tensor that has no place on a session's clock.
_PAUSE = 1.0
# Slack (s) for times that were computed in different orders.
_SLACK = 1e-9


def poisson_session(
    part: xr.DataArray,
    n_bins: NDArray[np.int64],
    hertz_map: HertzMap | None,
    generators: Sequence[np.random.Generator],
    gain: Callable[[Array], Array] | None,
    attrs: dict[str, Any],
) -> xr.Dataset:
    """Draw the spikes of neurons from their rates.

    Parameters
    ----------
    part : tensor
        Rates of the neurons, from `rate_of`.
    n_bins : ndarray, shape (trial,)
        Bins that each trial lasts, from `bins_observed`.
    hertz_map : callable or None
        From rates to Hz.
    generators : sequence of Generator
        One per neuron.
    gain : callable or None
        From the times of trials in seconds to what multiplies rates, ``(neuron, trial)``.
    attrs : dict
        What the session says about itself.

    Returns
    -------
    Session
    """
    n_neurons, n_time, n_trials = part.shape
    hertz = in_hertz(part, hertz_map, np.arange(n_time)[:, None] < n_bins)
    width = bin_width_of(part)
    part, first_edge = on_clock(part, width, n_bins)
    if gain is not None:
        hertz = hertz * gain(first_edge)[:, None]
    left = first_edge + np.arange(n_time)[:, None] * width
    spikes = [
        poisson_times(each, left, width, generator)
        for each, generator in zip(hertz, generators, strict=True)
    ]
    start, stop = first_edge, first_edge + n_bins * width
    return make_session(
        np.concatenate(spikes),
        np.concatenate([[0], np.cumsum([len(times) for times in spikes])]),
        neurons=table_of(part, "neuron"),
        trials=table_of(part, "trial"),
        obs=(
            np.tile(start, n_neurons),
            np.tile(stop, n_neurons),
            np.repeat(np.arange(n_neurons), n_trials),
        ),
        attrs=attrs,
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


def rate_of(sim: Any) -> xr.DataArray:
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
        message = (
            f"expected rates to draw spikes from, found the tensor {rate.name!r}: give sim['rate'] "
            "of pdn.simulate(net, trials, record=('rate',)), or a Session of spikes"
        )
        raise TensorError(message)
    steps = json.loads(str(rate.attrs.get("popdyn", "[]")))
    if rate.attrs["units"] == "Hz" and steps and steps[-1]["step"] == "simulate":
        warn(
            "these rates are counts of a spiking network's own spikes: spikes drawn from them vary "
            "twice. Observe the Session of pdn.simulate(net, trials, record=('spikes',)) instead"
        )
    if rate.attrs.get("align") == "start_time" and _goes_around(steps):
        # Time between trials belongs to the one before as well as to the one after.
        lasts = rate["stop_time"] - rate["start_time"]
        own = (rate["time"] > 0) & (rate["time"] + bin_width_of(rate) / 2 < lasts + _SLACK)
        rate = rate.where(own).isel(time=np.flatnonzero(rate["time"].to_numpy() > 0))
    return rate


def _goes_around(steps: list[dict[str, Any]]) -> bool:
    """Tell whether a simulation kept time around its trials."""
    return any("around" in each["parameters"] for each in steps if each["step"] == "simulate")


def bins_observed(rate: xr.DataArray) -> NDArray[np.int64]:
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


def on_clock(
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
        if event in rate.coords:
            message = (
                f"the rates have a column {event!r}, but no clock is said of it, so that it cannot "
                "place the trials on the session's: pass column_attrs={"
                f"{event!r}: {{'units': 's', 'clock': 'session'}}}} to make_tensor, add the "
                f"coordinate align_time (trial) in seconds, or drop {event!r}, to have trials one "
                "after the other"
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


def table_of(rate: xr.DataArray | xr.Dataset, dim: str) -> dict[str, Any]:
    """Return the columns on a dim with their ids."""
    columns = {name: rate[name].to_numpy() for name in column_names(rate, dim)}
    columns.pop("align_time", None)
    return {"id": rate[dim].to_numpy(), **columns}
