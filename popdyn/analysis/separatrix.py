"""How far from a decision is the state, as missed stimuli tell it (Carnevale et al. 2015).

Weak stimuli that were just missed ended just short of the boundary between yes and no.  The
distance from the trajectory of correct rejections to the state at their offset is therefore an
estimate of the distance to that boundary, over the times at which stimuli came.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.distance_space import component_axes
from popdyn.analysis.kinet_orbits import raised_width
from popdyn.analysis.separatrix_trials import (
    Outcomes,
    near_threshold,
    outcomes_of,
    thresholds,
)
from popdyn.analysis.trials import Array, mean_trial
from popdyn.errors import FitError, TensorError, warn
from popdyn.preprocess.normalize import rate
from popdyn.preprocess.smooth import smooth as smoothed
from popdyn.resample import BOUND, Seed, as_generator, percentile_bounds, spawn
from popdyn.tensor.contract import check
from popdyn.tensor.result import make_result

_FEWEST = 10


def separatrix_distance(
    tensor: xr.DataArray,
    roles: Mapping[str, Any] | None = None,
    *,
    onset: str = "stimulus_on_time",
    offset: str = "stimulus_off_time",
    onset_bins: int | Any = 7,
    near: tuple[float, float] = (0.25, 0.75),
    match: Literal["same", "nearest"] = "same",
    smooth: float | None = 0.040,
    n_components: int | str | None = "90%",
    n_draws: int = 500,
    rng: Seed = 0,
) -> xr.Dataset:
    """Distance from correct rejections to the state in which faint stimuli were just missed.

    Parameters
    ----------
    tensor : DataArray (neuron, time, trial)
        Aligned so that the same time is the same time in the trial (to its start, not to the
        stimulus).
    roles : mapping, optional
        Columns of ``stimulus`` (amplitude, 0 without one) and ``choice`` (1 yes; 0 or -1 no).
    onset, offset : str
        Columns with the times at which the stimulus began and ended.
    onset_bins : int or sequence of float, default 7
        Bins of the onset: how many of equal width, or their edges (s).
    near : (float, float), default (.25, .75)
        Misses count whose amplitude, at that time, is detected with a probability in between.
    match : {"same", "nearest"}, default "same"
        Correct rejections at the same time in the trial, or at the nearest of their states.
    smooth, n_components, n_draws, rng
        As in `popdyn.relative_distance`; components of the averages of correct rejections, hits
        and misses.

    Returns
    -------
    Dataset
        By ``onset`` (s, centers of the bins), NaN with fewer than ten misses:

        - ``separatrix_distance``; ``corrected_distance``, without the noise of the trials (0 where
          nothing is left); ``separatrix_distance_bound (bound, onset)``, 95 %, and
          ``draw_separatrix_distance (draw, onset)``
        - ``threshold``: amplitude detected half of the time, from behavior, a monotone fit
        - ``hit_rate``; ``n_misses``, those that count
        - ``correlation`` of distance and threshold over onsets, ``correlation_bound``

    Raises
    ------
    TensorError
        Missing roles or columns; choices that are not binary; times that look like milliseconds.
    FitError
        Without correct rejections or misses, or ten near-threshold misses in no bin.

    Warns
    -----
    PopdynWarning
        When no amplitude is near threshold in a bin, so that all its misses count.

    Notes
    -----
    The estimate lags the true boundary by about the length of the stimulus, and misses of strong
    stimuli make it too short.  NaN (a trial's end) at the offset leaves the trial out.

    References
    ----------
    Carnevale, de Lafuente, Romo, Barak and Parga (2015), Neuron 86:1067.  The amplitudes that
    count, the correction and the bounds are ours.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> rng = np.random.default_rng(0)
    >>> n, time = 4000, np.arange(40) * 0.1
    >>> present, on = rng.random(n) < 0.8, rng.uniform(1.0, 3.0, n)
    >>> amplitude = np.where(present, rng.uniform(0.0, 2.0, n), 0.0)
    >>> step = (time[:, None] >= on) * amplitude
    >>> choice = np.where(amplitude > 1.2 - 0.2 * on + 0.1 * rng.normal(size=n), 1, -1)
    >>> columns = {
    ...     "stimulus": amplitude, "choice": choice, "stimulus_on_time": on,
    ...     "stimulus_off_time": np.where(present, on + 0.3, np.nan),
    ... }
    >>> x = pdn.make_tensor(step[None], time, trials=columns, units="1")
    >>> result = pdn.separatrix_distance(x, smooth=None, n_components=None, n_draws=20)
    >>> bool(result.correlation > 0.9)
    True
    """
    if match not in ("same", "nearest"):
        message = f"match must be 'same' or 'nearest', found {match!r}"
        raise TensorError(message)
    x = check(tensor)
    generator, seed = as_generator(rng)
    outcomes = outcomes_of(x, roles, onset, offset, onset_bins)
    x = rate(x) if x.name == "spike_count" else x
    sigma = raised_width(x, smooth)
    states, axes = _states(smoothed(x, sigma=sigma) if sigma else x, outcomes, n_components)
    counted = _counted(outcomes, near)
    variables = _estimates(states, outcomes, counted, match)
    if n_draws:
        variables |= _drawn(states, outcomes, counted, match, n_draws, generator, variables)
    result = make_result(
        variables,
        coords={"onset": outcomes.centers}
        | ({"draw": np.arange(n_draws), "bound": BOUND} if n_draws else {}),
        method="separatrix_distance",
        parameters={
            "roles": roles, "onset": onset, "offset": offset, "near": near, "match": match,
            "smooth": smooth, "n_components": n_components, "n_draws": n_draws,
            "edges": outcomes.edges,
        },
        source=x,
        seed=seed,
    )  # fmt: skip
    units = str(result.attrs.get("units", "1"))
    long = "1" if units == "1" else f"{units}*sqrt(neurons)"
    for name in result.data_vars:
        result[name].attrs["units"] = long if "distance" in str(name) else "1"
    result["onset"].attrs["units"] = "s"
    result.attrs |= {"smooth": sigma, "n_components": 0 if axes is None else axes.shape[1]}
    return result


def _states(
    x: xr.DataArray, outcomes: Outcomes, n_components: int | str | None
) -> tuple[Array, Array | None]:
    """Trials (trial, feature, time) in the components of the averages of outcomes."""
    values = np.moveaxis(x.values, 2, 0)
    if n_components is None:
        return np.asarray(values, dtype=np.float64), None
    groups = [outcomes.rejected, outcomes.missed, outcomes.hit]
    mean = np.stack([mean_trial(values[own].astype(np.float64)) for own in groups if own.any()])
    axes = component_axes(mean, n_components)
    return np.einsum("fk,nft->nkt", axes, values), axes


def _counted(outcomes: Outcomes, near: tuple[float, float]) -> list[NDArray[np.intp]]:
    """Misses that count in each bin."""
    counted, without = [], []
    for number, center in enumerate(outcomes.centers):
        own = np.flatnonzero(outcomes.missed & (outcomes.bin == number))
        chosen = near_threshold(outcomes, number, own, near)
        if not chosen.size and own.size:
            without.append(f"{center:.3g}")
            chosen = own
        counted.append(chosen)
    if without:
        warn(
            f"no miss is near threshold (detected with {near[0]:g} to {near[1]:g}) at onsets "
            f"{', '.join(without)} s: all misses count there, and the distance is too short"
        )
    if max(len(own) for own in counted) < _FEWEST:
        message = (
            f"no onset bin has {_FEWEST} misses that count, the most is "
            f"{max(len(own) for own in counted)}: take fewer onset_bins, or a wider near="
        )
        raise FitError(message)
    return counted


def _estimates(
    states: Array, outcomes: Outcomes, counted: list[NDArray[np.intp]], match: str
) -> dict[str, Any]:
    """Distances of all bins, beside behavior."""
    rejected = np.flatnonzero(outcomes.rejected)
    pairs = [_distance(states, outcomes, own, rejected, match) for own in counted]
    distance, corrected = (np.array(column) for column in zip(*pairs, strict=True))
    threshold, hit_rate = thresholds(outcomes)
    return {
        "separatrix_distance": ("onset", distance),
        "corrected_distance": ("onset", corrected),
        "threshold": ("onset", threshold),
        "hit_rate": ("onset", hit_rate),
        "n_misses": ("onset", np.array([len(own) for own in counted])),
        "correlation": ((), _correlation(distance, threshold)),
    }


def _distance(
    states: Array,
    outcomes: Outcomes,
    misses: NDArray[np.intp],
    rejected: NDArray[np.intp],
    match: str,
) -> tuple[float, float]:
    """Distance of the mean missed state from correct rejections, as it is and corrected."""
    if len(misses) < _FEWEST or len(rejected) < 2:
        return np.nan, np.nan
    at = outcomes.offset_bin[misses]
    missed = states[misses, :, at]
    known = np.isfinite(missed).all(axis=1)
    if known.sum() < _FEWEST:
        return np.nan, np.nan
    missed, at = missed[known], at[known]
    if match == "nearest":
        path = mean_trial(states[rejected])
        away = ((path - missed.mean(axis=0)[:, None]) ** 2).sum(axis=0)
        at = np.full(len(at), int(np.nanargmin(away)))
    times, share = np.unique(at, return_counts=True)
    along = states[rejected][:, :, times] @ (share / share.sum())
    along = along[np.isfinite(along).all(axis=1)]
    square = float(((missed.mean(axis=0) - along.mean(axis=0)) ** 2).sum())
    noise = sum(float(group.var(axis=0, ddof=1).sum()) / len(group) for group in (missed, along))
    return float(np.sqrt(square)), float(np.sqrt(max(0.0, square - noise)))


def _drawn(
    states: Array,
    outcomes: Outcomes,
    counted: list[NDArray[np.intp]],
    match: str,
    n_draws: int,
    rng: Seed,
    variables: dict[str, Any],
) -> dict[str, Any]:
    """Draw misses and correct rejections again."""
    rejected = np.flatnonzero(outcomes.rejected)
    threshold = variables["threshold"][1]
    draws = np.empty((n_draws, len(counted)))
    for draw, own in enumerate(spawn(rng, n_draws)):
        drawn = own.choice(rejected, len(rejected))
        draws[draw] = [
            _distance(states, outcomes, own.choice(one, len(one)), drawn, match)[0]
            if len(one)
            else np.nan
            for one in counted
        ]
    distance = variables["separatrix_distance"][1]
    low, high = percentile_bounds(draws)
    correlations = np.array([_correlation(one, threshold) for one in draws])
    return {
        "draw_separatrix_distance": (("draw", "onset"), draws),
        "separatrix_distance_bound": (
            ("bound", "onset"), np.stack([2 * distance - high, 2 * distance - low]),
        ),
        "correlation_bound": ("bound", percentile_bounds(correlations)),
    }  # fmt: skip


def _correlation(first: Array, second: Array) -> float:
    """Correlation over the onsets at which both are known; NaN with fewer than three."""
    known = np.isfinite(first) & np.isfinite(second)
    if known.sum() < 3 or first[known].std() == 0.0 or second[known].std() == 0.0:
        return float("nan")
    return float(np.corrcoef(first[known], second[known])[0, 1])
