"""How far from a decision is the state, as missed stimuli tell it (Carnevale et al. 2015).

Weak stimuli that were just missed ended just short of the boundary between yes and no.  The
distance from the trajectory of correct rejections to the state at their offset is therefore an
estimate of the distance to that boundary, over the times at which stimuli came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import stdtrit

from popdyn.analysis.distance_space import component_axes
from popdyn.analysis.kinet_orbits import raised_width
from popdyn.analysis.separatrix_trials import Outcomes, near_threshold, outcomes_of, threshold_of
from popdyn.analysis.separatrix_ways import FEWEST, Ways
from popdyn.analysis.trials import Array, mean_trial
from popdyn.errors import FitError, TensorError, warn
from popdyn.network.real_numbers import real_number
from popdyn.preprocess.normalize import rate
from popdyn.preprocess.smooth import smooth as smoothed
from popdyn.resample import BOUND, Seed, as_generator, percentile_bounds, spawn
from popdyn.tensor.contract import check
from popdyn.tensor.result import make_result

# Share of the squared distance that components should hold.
_LEAST_KEPT = 0.5


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
        and misses.  Hits late in the trial may leave none to faint stimuli (there is a warning):
        None keeps all neurons.

    Returns
    -------
    Dataset
        By ``onset`` (s, centers of the bins), NaN with fewer than ten misses:

        - ``separatrix_distance``; ``corrected_distance``, without the noise of the trials (0 where
          nothing is left); ``separatrix_distance_bound (bound, onset)``, 95 %, of the distance
          without noise, and ``draw_separatrix_distance (draw, onset)``
        - ``threshold``: amplitude detected half of the time, from behavior, a monotone fit
        - ``hit_rate``; ``n_misses``, those that count
        - ``correlation`` of distance and threshold over onsets, ``correlation_bound`` (trials of
          both drawn again)

    Raises
    ------
    TensorError
        Missing roles or columns; choices that are not binary; stimuli that end before they begin,
        or mostly outside the window (milliseconds, times of the session); ``near`` not rising.
    FitError
        Without correct rejections or misses, or ten near-threshold misses in no bin.

    Warns
    -----
    PopdynWarning
        When no amplitude is near threshold in a bin, so that all its misses count; when bins have
        no distance or no threshold; when components hold less than half of the squared distance.

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
    >>> choice = np.where(amplitude > 1.2 - 0.2 * on + 0.3 * rng.normal(size=n), 1, -1)
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
    smooth_x = smoothed(x, sigma=sigma) if sigma else x
    states, axes = _states(smooth_x, outcomes, n_components)
    ways = Ways(states, outcomes, _counted(outcomes, _near(near)), match)
    if axes is not None:
        _say_left_out(
            ways, replace(ways, states=_states(smooth_x, outcomes, None)[0]), axes.shape[1]
        )
    variables = _estimates(ways)
    if n_draws:
        variables |= _drawn(ways, n_draws, generator)
    _say_unknown(variables, outcomes)
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


def _near(near: tuple[float, float]) -> tuple[float, float]:
    """Return the two probabilities in between which misses count."""
    values = [real_number("near", one, "two probabilities") for one in near]
    if len(values) != 2 or not 0.0 <= values[0] < values[1] <= 1.0:
        message = f"near must be two rising probabilities, such as (0.25, 0.75), found {near!r}"
        raise TensorError(message)
    return values[0], values[1]


def _counted(outcomes: Outcomes, near: tuple[float, float]) -> list[NDArray[np.intp]]:
    """Misses that count in each bin."""
    counted, without = [], []
    for number, center in enumerate(outcomes.centers):
        chosen = near_threshold(outcomes, number, near)
        own = np.flatnonzero(outcomes.missed & (outcomes.bin == number))
        if not chosen.size and own.size:
            without.append(f"{center:.3g}")
            chosen = own
        counted.append(chosen)
    if without:
        warn(
            f"no miss is near threshold (detected with {near[0]:g} to {near[1]:g}) at onsets "
            f"{', '.join(without)} s: all misses count there, and the distance is too short"
        )
    most = max(len(own) for own in counted)
    if most < FEWEST:
        message = (
            f"no onset bin has {FEWEST} misses that count, the most is {most}: take fewer "
            "onset_bins, or a wider near="
        )
        raise FitError(message)
    return counted


def _estimates(ways: Ways) -> dict[str, Any]:
    """Distances of all bins, beside behavior."""
    outcomes = ways.outcomes
    square, noise = ways.squares
    shown = [outcomes.shown(number) for number in range(len(square))]
    threshold = np.array(
        [threshold_of(outcomes.amplitude[own], outcomes.hit[own]) for own in shown]
    )
    return {
        "separatrix_distance": ("onset", np.sqrt(square)),
        "corrected_distance": ("onset", _root(square - noise)),
        "threshold": ("onset", threshold),
        "hit_rate": (
            "onset", np.array([outcomes.hit[own].mean() if len(own) else np.nan for own in shown])
        ),
        "n_misses": ("onset", np.array([len(own) for own in ways.counted])),
        "correlation": ((), _correlation(np.sqrt(square), threshold)),
    }  # fmt: skip


def _drawn(ways: Ways, n_draws: int, rng: Seed) -> dict[str, Any]:
    """Draw trials again: rejections, and those with a stimulus within each bin."""
    outcomes, n_bins = ways.outcomes, len(ways.usable)
    shown = [outcomes.shown(number) for number in range(n_bins)]
    counts = [np.isin(one, own) for one, own in zip(shown, ways.usable, strict=True)]
    generators = spawn(rng, n_draws)
    weights = np.stack([_times_drawn(one, len(ways.rejected)) for one in generators])
    square, threshold = np.full((2, n_draws, n_bins), np.nan)
    for draw, (own, path) in enumerate(zip(generators, ways.paths(weights), strict=True)):
        for number, trials in enumerate(shown):
            again = own.integers(len(trials), size=len(trials))
            chosen = trials[again]
            square[draw, number] = ways.square(chosen[counts[number][again]], path)
            threshold[draw, number] = threshold_of(outcomes.amplitude[chosen], outcomes.hit[chosen])
    correlations = np.array(
        [_correlation(*pair) for pair in zip(np.sqrt(square), threshold, strict=True)]
    )
    return {
        "draw_separatrix_distance": (("draw", "onset"), np.sqrt(square)),
        "separatrix_distance_bound": (
            ("bound", "onset"), _bounds(ways, square),
        ),
        "correlation_bound": ("bound", percentile_bounds(correlations)),
    }  # fmt: skip


def _bounds(ways: Ways, drawn: Array) -> Array:
    """Bounds of the distance without noise, from squared distances (draw, onset).

    A draw adds the noise of a second sample to that of the data: the draws lie around the
    estimate plus its noise.  Few misses widen the bounds as they do those of a mean.
    """
    square, noise = ways.squares
    n = np.array([max(len(own), 2) for own in ways.usable], dtype=np.float64)
    wider = stdtrit(n - 1.0, 0.975) / stdtrit(np.inf, 0.975) * np.sqrt(n / (n - 1.0))
    return _root(square - noise + wider * (percentile_bounds(drawn) - square - noise))


def _times_drawn(rng: np.random.Generator, n: int) -> Array:
    """How often each of ``n`` is drawn, with replacement."""
    return np.bincount(rng.integers(n, size=n), minlength=n).astype(np.float64)


def _root(square: Array) -> Array:
    """Root of squares that noise may have made negative; 0 for these."""
    root: Array = np.sqrt(np.maximum(square, 0.0))
    return root


def _correlation(first: Array, second: Array) -> float:
    """Correlation over the onsets at which both are known; NaN with fewer than three."""
    known = np.isfinite(first) & np.isfinite(second)
    if known.sum() < 3 or first[known].std() == 0.0 or second[known].std() == 0.0:
        return float("nan")
    return float(np.corrcoef(first[known], second[known])[0, 1])


def _say_left_out(ways: Ways, whole: Ways, n_components: int) -> None:
    """Warn if most of the way from rejected to missed states is outside the components."""
    kept, all_of_it = (np.nansum(np.subtract(*one.squares)) for one in (ways, whole))
    if kept < _LEAST_KEPT * all_of_it:
        warn(
            f"{n_components} components hold {max(kept, 0.0) / all_of_it:.0%} of the squared "
            "distance (noise subtracted) that all neurons have: faint stimuli move the state where "
            "the averages vary little; n_components=None keeps all"
        )


def _say_unknown(variables: dict[str, Any], outcomes: Outcomes) -> None:
    """Warn of onsets without a distance, or without a threshold."""
    why = {
        "separatrix_distance": f"distance (fewer than {FEWEST} misses that count)",
        "threshold": "threshold (amplitudes are not detected partly less, partly more than half "
        "of the time)",
    }
    for name, text in why.items():
        unknown = np.isnan(variables[name][1])
        if unknown.any():
            onsets = ", ".join(f"{one:.3g}" for one in outcomes.centers[unknown])
            warn(f"no {text} at onsets {onsets} s: NaN; wider onset_bins may help")
