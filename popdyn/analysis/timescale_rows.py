"""One autocovariance per neuron and one of the population, and the timescale of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from popdyn.analysis.autocorrelation import expectation_map, trial_sums, usable
from popdyn.analysis.timescale_fit import Model, fit_one, fit_two, grid, polish
from popdyn.resample import percentile_bounds

Array = NDArray[np.float64]

SHORTEST = 1 / 3  # of a bin: below, two bins are as good as independent
FEWEST_SPIKES = 100
_TAIL = 0.01
_SQUARES = 3


@dataclass(frozen=True)
class Settings:
    """How bins were made, and what is fitted to them."""

    bin_width: float
    averaged: bool
    noise: str
    n_lags: int
    level: float


@dataclass(frozen=True, eq=False)
class Row:
    """An autocovariance to be fitted.

    Attributes
    ----------
    measured : ndarray (draw, lag)
        The data's first, then those of bootstrap draws, then those of the even and of the odd
        trials.
    white : ndarray (draw,)
        Variance of the white noise that is known of.
    model : Model
        What is expected of them.
    """

    measured: Array
    white: Array
    model: Model

    def signal(self) -> Array:
        """Autocovariance without the noise that is known of."""
        return np.asarray(self.measured - np.outer(self.white, self.model.expectation[:, 0]))


def expanded_level(n_trials: int) -> float:
    """Level of bootstrap percentiles that makes up for few trials (Hesterberg 2015).

    Where the timescale is long, a trial is worth a few independent squares, whose spread is known
    far worse than that of normal values: with three squares to a trial, a third of the degrees
    of freedom.

    Examples
    --------
    >>> round(expanded_level(10), 4), round(expanded_level(1000), 3)
    (0.9992, 0.951)
    """
    reach = np.sqrt(n_trials / (n_trials - 1)) * stdtrit((n_trials - 1) / _SQUARES, 0.975)
    return float(1.0 - 2.0 * ndtr(-reach))


class Rows:
    """Measures the autocovariance of one neuron after the other, and of all together.

    Only sums are kept: deviations of all neurons would take several times the memory of the data.

    Parameters
    ----------
    weights : ndarray (draw, trial)
        How often each trial counts in each draw; the first row is ones.
    settings : Settings
    """

    _last: Row

    def __init__(self, weights: Array, settings: Settings) -> None:
        self.weights, self.settings = weights, settings
        self._maps: dict[bytes, Array] = {}
        self._sum = [np.zeros((len(weights), settings.n_lags)), np.zeros(len(weights))]
        self._expectation, self._n_usable = np.zeros(0), 0

    def measure(self, residual: Array, white: Array) -> Row:
        """Measure a neuron.

        Parameters
        ----------
        residual : ndarray (time, trial)
            From `deviations`.
        white : ndarray (time, trial)
            Variance of known white noise in each bin.

        Returns
        -------
        Row
        """
        known = usable(residual[np.newaxis])[0]
        sums = trial_sums(residual[np.newaxis], self.settings.n_lags)
        n_known = self.weights @ known.sum(axis=0)
        total = self.weights @ np.where(known, white, 0.0).sum(axis=0)
        level = np.divide(total, n_known, out=np.zeros(len(total)), where=n_known > 0)
        measured = sums.autocovariance(self.weights)[0]
        row = Row(measured, level, _model(self._map(known), self.settings))
        self._add(row)
        return row

    def population(self) -> Row:
        """Mean of the neurons, each in units of its own variance."""
        if not self._n_usable:
            return Row(self._last.measured * np.nan, self._last.white, self._last.model)
        measured, white = (total / self._n_usable for total in self._sum)
        return Row(measured, white, _model(self._expectation / self._n_usable, self.settings))

    def _add(self, row: Row) -> None:
        """Let a neuron count for the population."""
        self._last = row
        if not row.measured[0, 0] > 0:
            return
        scale = 1.0 / row.measured[0, 0]
        # A draw may leave a neuron without a pair of bins.
        self._sum[0] += scale * np.nan_to_num(row.measured)
        self._sum[1] += scale * row.white
        self._expectation = row.model.expectation + (self._expectation if self._n_usable else 0.0)
        self._n_usable += 1

    def _map(self, known: NDArray[np.bool_]) -> Array:
        """Give the expectation map of a neuron; neurons observed alike share theirs."""
        key = np.packbits(known).tobytes()
        if key not in self._maps:
            if len(self._maps) >= _MOST_MAPS:
                self._maps.clear()
            self._maps[key] = expectation_map(known, self.settings.n_lags)
        return self._maps[key]


# Each holds lags by bins.
_MOST_MAPS = 16


def _model(expectation: Array, settings: Settings) -> Model:
    free = settings.noise == "free"
    return Model(expectation, settings.bin_width, settings.averaged, free)


def estimate_row(
    row: Row, settings: Settings, window: float, n_spikes: float = np.inf
) -> dict[str, Any]:
    """Fit one row: estimate, bounds, direct fit, two timescales, or why there is none.

    Parameters
    ----------
    row : Row
    settings : Settings
    window : float
        Length of the window (s): no longer timescale is believed.
    n_spikes : float
        Spikes it was counted from, infinite for rates.

    Returns
    -------
    dict
        Variables of the result of ``popdyn.timescale`` for this row.
    """
    n_lags = settings.n_lags
    nothing: dict[str, Any] = {
        "timescale": np.nan,
        "timescale_bound": np.full(2, np.nan),
        "direct_fit": np.nan,
        "autocorrelation": np.full(n_lags, np.nan),
        "fitted_autocorrelation": np.full(n_lags, np.nan),
        "signal_share": np.nan,
        "two_timescales": np.full(2, np.nan),
        "two_weights": np.full(2, np.nan),
        "two_timescales_error": np.nan,
        "reason": "constant or not observed",
    }
    if not (np.isfinite(row.measured[0]).all() and row.measured[0, 0] > 0):
        return nothing
    if n_spikes < FEWEST_SPIKES:
        return {**nothing, "reason": f"too few spikes ({n_spikes:.0f}, needs {FEWEST_SPIKES})"}
    signal = np.nan_to_num(row.signal())
    tried = grid(settings.bin_width / 6, 20 * window)
    found, amplitude = fit_one(signal[:-2], row.model, tried)
    reason = _why_not(found, amplitude, settings.bin_width, window)
    if reason.startswith("no autocorrelation"):
        return {**nothing, "reason": reason, "signal_share": 0.0}
    step = float(np.log(tried[1] / tried[0]))
    best = polish(signal[:1], row.model, found[:1], step)
    identity = Model(
        np.eye(n_lags, row.model.expectation.shape[1]),
        settings.bin_width,
        settings.averaged,
        row.model.noise_free,
    )
    direct = polish(signal[:1], identity, fit_one(signal[:1], identity, tried)[0], step)[0]
    believed = {
        "timescale": float(best[0]),
        **_two(signal, row.model, tried[tried <= window]),
    }
    return {
        **nothing,
        **({} if reason else believed),
        "timescale_bound": _bounds(found, amplitude, tried, settings.level),
        "direct_fit": float(direct) if tried[1] < direct < tried[-2] else np.nan,
        **_curves(signal[0], row, float(best[0])),
        "reason": reason,
    }


def _why_not(found: Array, amplitude: Array, bin_width: float, window: float) -> str:
    """Why the first fit is no estimate; empty when it is one."""
    if amplitude[0] <= 0 or np.mean(amplitude[1:] <= 0) > _TAIL:
        return "no autocorrelation beyond the noise"
    if found[0] > window:
        return f"longer than the window ({window:g} s)"
    if found[0] < SHORTEST * bin_width:
        return f"shorter than a third of a bin ({bin_width:g} s)"
    return ""


def _bounds(found: Array, amplitude: Array, tried: Array, level: float) -> Array:
    """Bootstrap percentiles; what the data did not limit is 0 or infinite."""
    drawn = np.where(amplitude[1:] > 0, found[1:], np.nan)
    bound = np.exp(percentile_bounds(np.log(drawn), level=level))
    bound[bound <= tried[1]] = 0.0
    bound[bound >= tried[-2]] = np.inf
    return bound


def _curves(signal: Array, row: Row, timescale: float) -> dict[str, Any]:
    """Autocorrelation and its fit over the variance of the signal, and the signal's share."""
    model = row.model
    plain = Model(model.expectation, model.bin_width, model.averaged, noise_free=False)
    curve = plain.curves(np.array([timescale]))[0]
    seen = model.without_noise(np.stack([signal, curve]))
    amplitude = max(seen[0] @ seen[1] / (seen[1] @ seen[1]), 1e-300)
    white = model.expectation[:, 0]
    extra = (signal - amplitude * curve) @ white / (white @ white) if model.noise_free else 0.0
    true = amplitude * _variance_of_signal(model, timescale)
    noise = max(float(row.white[0] + extra), 0.0)
    return {
        "autocorrelation": (signal - extra * white) / amplitude,
        "fitted_autocorrelation": curve,
        "signal_share": float(true / (true + noise)),
    }


def _variance_of_signal(model: Model, timescale: float) -> float:
    """Variance of a unit process once binned."""
    one = Model(np.eye(1), model.bin_width, model.averaged, noise_free=False)
    return float(one.curves(np.array([timescale]))[0, 0])


def _two(signal: Array, model: Model, tried: Array) -> dict[str, Any]:
    """Two exponentials, and whether they foretell the other half of trials better than one."""
    if tried.size < 3:
        return {}
    pair, amplitude = fit_two(signal[[0, -2, -1]], model, tried)
    one, size = fit_one(signal[-2:], model, tried)
    halves = model.without_noise(signal[-2:])
    errors = np.zeros(2)
    for own, other in ((0, 1), (1, 0)):
        single = size[own] * model.curves(one[own : own + 1])[0]
        double = amplitude[own + 1] @ model.curves(pair[own + 1])
        errors += [((halves[other] - curve) ** 2).sum() for curve in (single, double)]
    total = amplitude[0].sum()
    return {
        "two_timescales": pair[0],
        "two_weights": amplitude[0] / total if total > 0 else np.full(2, np.nan),
        "two_timescales_error": float(errors[1] / errors[0]) if errors[0] > 0 else np.nan,
    }
