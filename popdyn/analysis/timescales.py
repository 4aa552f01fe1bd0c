"""How long does activity remember itself?  Intrinsic timescales without the bias of trials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.autocorrelation import deviations, usable
from popdyn.analysis.timescale_rows import Rows, Settings, estimate_row, expanded_level
from popdyn.errors import TensorError, warn
from popdyn.resample import BOUND, Seed, as_generator
from popdyn.tensor.contract import bin_width_of, check
from popdyn.tensor.result import make_result
from popdyn.tensor.view import group_conditions

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_FEWEST_TRIALS = 10
_SHARE_OF_WINDOW = 0.4
_N_FLIPS = 199
_LEVEL = 0.01
_NOISES = ("poisson", "free", "none")
_DIMS = {
    "timescale": (),
    "timescale_bound": ("bound",),
    "direct_fit": (),
    "autocorrelation": ("lag",),
    "fitted_autocorrelation": ("lag",),
    "signal_share": (),
    "two_timescales": ("component",),
    "two_weights": ("component",),
    "two_timescales_error": (),
    "reason": (),
}
_SECONDS = ("timescale", "timescale_bound", "direct_fit", "two_timescales")


def timescale(
    tensor: xr.DataArray,
    *,
    max_lag: float | None = None,
    by: str | Sequence[str] | None = None,
    noise: str | None = None,
    averaged: bool | None = None,
    n_draws: int = 500,
    rng: Seed = 0,
) -> xr.Dataset:
    """Estimate how long the activity of each neuron, and of all, stays correlated with itself.

    The autocovariance within trials is measured and compared with its exact expectation under a
    process with ``exp(-lag / timescale)``, the subtraction of each trial's mean included.  The
    usual exponential fit does not know of that subtraction and comes out short, several times
    too short for slow neurons; it is given beside as ``direct_fit``.

    Parameters
    ----------
    tensor : DataArray (neuron, time, trial)
        Spike counts, or rates that were not smoothed, in a window without stimuli or movements
        (fixation, a delay).  Bins that are NaN are left out, each trial with its own; a trial
        needs three bins.
    max_lag : float, optional
        Longest lag (s) that is compared; 40 % of the window by default.
    by : str or list of str, optional
        Trial columns: the average of each condition is subtracted; without it that of all trials.
    noise : {"poisson", "free", "none"}, optional
        White noise added at lag 0: of the variance of Poisson spikes (the default for counts), of
        a size that is fitted, or none (the default otherwise).
    averaged : bool, optional
        Whether a bin holds the sum or the mean over its width (default for counts) or a sample
        (default otherwise); it matters for timescales of a few bins.
    n_draws : int
        Bootstrap draws of trials.
    rng : int or Generator
        Seed of the bootstrap and of the test for modulation.

    Returns
    -------
    Dataset
        ``timescale (neuron)`` in s, NaN with a ``reason (neuron)`` where it cannot be estimated;
        ``timescale_bound (bound, neuron)``: 95 % bootstrap over trials, infinite where the data
        set no limit; ``direct_fit (neuron)``, biased;
        ``autocorrelation`` and ``fitted_autocorrelation (neuron, lag)``: the measured one and the
        expectation of the fit, over the variance of the signal; ``signal_share (neuron)``: of the
        variance, the rest is noise; ``two_timescales`` and ``two_weights (neuron, component)``:
        the fit of two exponentials, and ``two_timescales_error (neuron)``: its error on the other
        half of trials over that of one exponential (below 1 two are better);
        ``modulation_p (neuron)``: whether the average over trials changes within the window;
        and each of these for the population with ``population_`` before the name.

    Raises
    ------
    TensorError
        When the window or the trials are too few for any estimate, or an argument is out of range.

    Warns
    -----
    PopdynWarning
        When the average changes within the window and no `by` is given, or the tensor was smoothed.

    Notes
    -----
    The population's autocovariance is the sum of the neurons', each divided by its variance.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> rng, values = np.random.default_rng(0), np.empty((1, 50, 400))
    >>> values[:, 0] = rng.normal(size=400)
    >>> for i in range(1, 50):  # remembers exp(-0.02 / 0.1) of itself after 20 ms
    ...     values[:, i] = np.exp(-0.2) * values[:, i - 1]
    ...     values[:, i] += np.sqrt(1 - np.exp(-0.4)) * rng.normal(size=400)
    >>> tensor = pdn.make_tensor(values, 0.02 * np.arange(50), units="1")
    >>> result = pdn.timescale(tensor, n_draws=50)
    >>> float(result["timescale"][0].round(2)), float(result["direct_fit"][0].round(2))
    (0.1, 0.06)
    """
    tensor = check(tensor)
    noise, averaged = _assumed(tensor, noise, averaged)
    n_lags = _number_of_lags(tensor, max_lag, noise, n_draws)
    generator, seed = as_generator(rng)
    condition = _conditions(tensor, by)
    trial = _usable_trials(tensor.values, condition)
    _check_trials(tensor, trial.size)
    settings = Settings(bin_width_of(tensor), averaged, noise, n_lags, expanded_level(trial.size))
    modulation = _modulation_p(tensor.values, condition, generator)
    _say_unfit(tensor, modulation if by is None else modulation[:0])
    weights = _weights(trial.size, n_draws, generator)
    found = _estimate(tensor, condition, trial, weights, settings)
    result = make_result(
        {**_variables(found), "modulation_p": ("neuron", modulation)},
        coords={
            "neuron": tensor["neuron"].values,
            "lag": ("lag", np.arange(n_lags) * settings.bin_width, {"units": "s"}),
            "bound": BOUND,
            "component": np.array(["short", "long"]),
        },
        method="timescale",
        parameters={
            "max_lag": max_lag,
            "by": by,
            "noise": noise,
            "averaged": averaged,
            "n_draws": n_draws,
        },
        source=tensor,
        seed=seed,
    )
    result.attrs["n_trials"] = int(trial.size)
    result.attrs["n_estimated"] = int(np.isfinite(result["timescale"]).sum())
    return result


def _assumed(tensor: xr.DataArray, noise: str | None, averaged: bool | None) -> tuple[str, bool]:
    """Fill in what follows from the kind of tensor, and refuse what cannot be."""
    counts = tensor.name == "spike_count"
    noise = ("poisson" if counts else "none") if noise is None else noise
    if noise not in _NOISES:
        message = f"noise is one of {', '.join(_NOISES)}; found {noise!r}"
        raise TensorError(message)
    if noise == "poisson" and not counts and tensor.attrs["units"] != "Hz":
        message = (
            f"noise='poisson' needs spike counts or rates in Hz, found {tensor.name} in "
            f"{tensor.attrs['units']!r}: use noise='free' or 'none'"
        )
        raise TensorError(message)
    return noise, counts if averaged is None else averaged


def _number_of_lags(tensor: xr.DataArray, max_lag: Any, noise: str, n_draws: int) -> int:
    """How many lags are compared, the lag 0 among them; refuse too few and too many."""
    if n_draws < 1:
        message = f"n_draws is 1 or more; found {n_draws}"
        raise TensorError(message)
    if max_lag is not None and not isinstance(max_lag, (int, float, np.number)):
        message = f"max_lag is a number of seconds; found {max_lag!r}"
        raise TensorError(message)
    width, n_bins = bin_width_of(tensor), tensor.sizes["time"]
    longest = _SHARE_OF_WINDOW * n_bins * width if max_lag is None else max_lag
    n_lags = int(longest / width + 1e-6) + (max_lag is not None)
    needed = 4 if noise == "free" else 3
    if not needed <= n_lags < n_bins:
        message = (
            f"timescale compares lags of 0 to max_lag; {longest:g} s is {n_lags} lags of "
            f"{width:g} s, expected {needed} to {n_bins - 1} in a window of {n_bins} bins. Use "
            "narrower bins or a longer window, or another max_lag"
        )
        raise TensorError(message)
    return n_lags


def _conditions(tensor: xr.DataArray, by: str | Sequence[str] | None) -> Index:
    """Condition of each trial; one for all without `by`."""
    if by is None:
        return np.zeros(tensor.sizes["trial"], dtype=np.intp)
    return np.asarray(group_conditions(tensor, by).index, dtype=np.intp)


def _check_trials(tensor: xr.DataArray, n_trials: int) -> None:
    """Refuse too few trials."""
    if n_trials < _FEWEST_TRIALS:
        message = (
            f"timescale needs {_FEWEST_TRIALS} trials or more with three observed bins and "
            f"another trial of their condition; found {n_trials} of {tensor.sizes['trial']}. Use "
            "more trials, or fewer conditions in by="
        )
        raise TensorError(message)


def _weights(n_trials: int, n_draws: int, rng: np.random.Generator) -> Array:
    """How often each trial counts: in the data, in each bootstrap draw, in either half."""
    drawn = rng.multinomial(n_trials, np.full(n_trials, 1 / n_trials), size=n_draws)
    even = np.arange(n_trials) % 2 == 0
    return np.concatenate([np.ones((1, n_trials)), drawn, [even, ~even]]).astype(np.float64)


def _usable_trials(values: NDArray[np.floating[Any]], condition: Index) -> Index:
    """Positions of the trials that some neuron can be measured in."""
    found = np.zeros(values.shape[2], dtype=bool)
    for own in values:
        found |= usable(deviations(own[np.newaxis], condition)).any(axis=(0, 1))
    return np.flatnonzero(found)


def _estimate(
    tensor: xr.DataArray, condition: Index, trial: Index, weights: Array, settings: Settings
) -> list[dict[str, Any]]:
    """Estimate of every neuron and, last, of the population."""
    counts = tensor.name == "spike_count"
    # Poisson spikes vary as their number does, in Hz over the bin's width.
    per_value = 1.0 if counts else 1.0 / settings.bin_width
    window = tensor.sizes["time"] * settings.bin_width
    rows, found, n_all = Rows(weights, settings), [], 0.0
    # One neuron at a time: deviations take four times the memory of the data or more.
    for own in tensor.values:
        residual = deviations(own[np.newaxis], condition)[0][:, trial]
        chosen = own[:, trial].astype(np.float64)
        white = chosen * (per_value if settings.noise == "poisson" else 0.0)
        n_spikes = float(np.nansum(chosen)) if counts else np.inf
        n_all += n_spikes
        found.append(estimate_row(rows.measure(residual, white), settings, window, n_spikes))
    return [*found, estimate_row(rows.population(), settings, window, n_all)]


def _variables(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Variables of the neurons, and with ``population_`` before their name of the population."""
    variables: dict[str, Any] = {}
    for name, dims in _DIMS.items():
        attrs = {"units": "s" if name in _SECONDS else "1"} if name != "reason" else {}
        stacked = np.array([row[name] for row in found[:-1]])
        bound_first = dims == ("bound",)
        own = (("bound", "neuron"), stacked.T) if bound_first else (("neuron", *dims), stacked)
        variables[name] = (*own, attrs)
        variables[f"population_{name}"] = (dims, np.array(found[-1][name]), attrs)
    return variables


def _modulation_p(
    values: NDArray[np.floating[Any]], condition: Index, rng: np.random.Generator
) -> Array:
    """Whether the average over trials changes in the window: signs of trials flipped at random."""
    signs = rng.choice([-1.0, 1.0], size=(_N_FLIPS, values.shape[2]))
    signs[:, condition < 0] = 0.0
    signs = np.concatenate([(condition >= 0)[np.newaxis].astype(np.float64), signs])
    p = np.full(len(values), np.nan)
    for neuron, own in enumerate(values):
        known = np.isfinite(own)
        n = np.maximum(known.sum(axis=0), 1)
        centered = np.where(known, own - np.where(known, own, 0.0).sum(axis=0) / n, 0.0)
        total = signs @ centered.T.astype(np.float64)
        size = (total**2 / np.maximum(known.sum(axis=1), 1)).sum(axis=1)
        if size[0] > 0:
            p[neuron] = np.mean(size >= size[0] * (1 - 1e-12))
    return p


def _say_unfit(tensor: xr.DataArray, modulation: Array) -> None:
    """Warn about stimuli in the window and about smoothing."""
    if '"step": "smooth"' in str(tensor.attrs.get("popdyn", "")):
        warn(
            "the tensor was smoothed, and smoothing adds its own timescale: pass spike counts, or "
            "rates that were not smoothed"
        )
    # Whoever names conditions knows of the stimuli.
    known = np.isfinite(modulation)
    n_modulated = int((modulation[known] <= _LEVEL).sum())
    if n_modulated > max(1, 0.1 * known.sum()) or (known.sum() == 1 and n_modulated):
        warn(
            f"the mean over trials changes within the window in {n_modulated} of "
            f"{int(known.sum())} neurons (p <= {_LEVEL:g}). It is subtracted, but an intrinsic "
            "timescale is best measured without stimuli and movements: choose a window of "
            "fixation or a delay, or name the conditions with by="
        )
