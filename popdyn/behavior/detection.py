"""Signal detection: how well a stimulus is told from none, and from where on one says yes."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import ndtri

from popdyn.behavior.psychometric import psychometric
from popdyn.errors import PopdynError, TensorError
from popdyn.resample import BOUND, Seed, as_generator, percentile_bounds
from popdyn.tensor.result import make_result

Array = NDArray[np.float64]


def detection(
    present: Any,
    choice: Any,
    *,
    onset: Any = None,
    bins: int | Any = 7,
    amplitude: Any = None,
    n_draws: int = 1000,
    rng: Seed = 0,
) -> xr.Dataset:
    """Measure sensitivity and criterion of yes-or-no choices.

    Shares are corrected, ``(k + 0.5) / (n + 1)``, so that none is 0 or 1.

    Parameters
    ----------
    present : array-like (trial,)
        Whether there was a stimulus.
    choice : array-like (trial,)
        1 yes; -1 or 0 no; NaN no answer.
    onset : array-like (trial,), optional
        When the stimulus came (s), NaN without one.  Measures are given over onsets too.
    bins : int or array-like
        Number of bins of onsets with equal widths, or their edges.
    amplitude : array-like (trial,), optional
        Of the stimulus: with `onset`, the amplitude detected in half of the cases is found for each
        bin of onsets.
    n_draws : int
        Bootstrap draws of trials, present and absent apart.
    rng : int or numpy.random.Generator

    Returns
    -------
    Dataset
        Method ``"detection"``: ``hit_rate``, ``false_alarm_rate``, ``d_prime``, ``criterion``, each
        with ``_bound (bound)``; ``n_present``, ``n_absent``.  With onsets ``onset_hit_rate``,
        ``onset_d_prime``, ``onset_criterion`` and ``onset_n_trials (onset)``, with bounds, NaN in
        bins without stimulus; with amplitudes ``half_amplitude (onset)`` and its bound.

    Notes
    -----
    ``d_prime = z(hits) - z(false alarms)``, ``criterion = -(z(hits) + z(false alarms)) / 2``.
    Trials without stimulus have no onset: their false alarms are those of all bins.  Stimuli that
    come outside of all bins count in the measures of all trials, and in none over onsets.

    Raises
    ------
    TensorError
        If choices are not binary, lengths differ, or there are no trials of one sort.

    Examples
    --------
    >>> import popdyn as pdn
    >>> present = [1] * 10000 + [0] * 10000
    >>> choice = [1] * 8413 + [0] * 1587 + [1] * 1587 + [0] * 8413
    >>> result = pdn.detection(present, choice, n_draws=100)
    >>> float(result["d_prime"].round(2)), abs(float(result["criterion"])) < 1e-9
    (2.0, True)
    """
    shown, yes = _checked(present, choice)
    generator, seed = as_generator(rng)
    n_hits, n_present = yes[shown].sum(), shown.sum()
    n_false, n_absent = yes[~shown].sum(), (~shown).sum()
    drawn_false = _drawn(n_false, n_absent, n_draws, generator)
    false, drawn_false = _corrected(n_false, n_absent), _corrected(drawn_false, n_absent)
    drawn_hits = _corrected(_drawn(n_hits, n_present, n_draws, generator), n_present)
    variables: dict[str, Any] = {"n_present": int(n_present), "n_absent": int(n_absent)}
    variables |= _measures(_corrected(n_hits, n_present), drawn_hits, false, drawn_false)
    coords: dict[str, Any] = {"bound": BOUND}
    if onset is not None:
        edges, which = _bins(onset, bins, present, choice)
        over, center = _over_onsets(which, len(edges) - 1, yes, false, drawn_false, generator)
        variables |= over
        coords["onset"] = ("onset", (edges[:-1] + edges[1:]) / 2, {"units": "s"})
        if amplitude is not None:
            size = np.asarray(amplitude, dtype=np.float64).ravel()[_known(present, choice)]
            variables |= _half_amplitudes(
                which, center, size, yes, float(false), n_draws, generator
            )
    parameters = {"bins": bins, "n_draws": n_draws, "correction": "(k + 0.5) / (n + 1)"}
    return make_result(
        variables, coords=coords, method="detection", parameters=parameters, seed=seed
    )


def _known(present: Any, choice: Any) -> NDArray[np.bool_]:
    shown, chosen = (np.asarray(x, dtype=np.float64).ravel() for x in (present, choice))
    if shown.size != chosen.size:
        message = f"present and choice have a value per trial, found {shown.size} and {chosen.size}"
        raise TensorError(message)
    return np.isfinite(shown) & np.isfinite(chosen)


def _checked(present: Any, choice: Any) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    known = _known(present, choice)
    shown, chosen = (np.asarray(x, dtype=np.float64).ravel()[known] for x in (present, choice))
    values = np.unique(chosen)
    if not (np.isin(values, (-1, 1)).all() or np.isin(values, (0, 1)).all()):
        message = f"choices are -1 and 1, or 0 and 1; found {values[:6].tolist()}"
        raise TensorError(message)
    if shown.all() or not shown.any():
        message = (
            f"{int((shown > 0).sum())} of {shown.size} trials have a stimulus: detection needs "
            "trials with and without one"
        )
        raise TensorError(message)
    return shown > 0, chosen > 0


def _corrected(k: Any, n: Any) -> Any:
    return (np.asarray(k, dtype=np.float64) + 0.5) / (np.asarray(n, dtype=np.float64) + 1)


def _drawn(k: Any, n: Any, n_draws: int, rng: np.random.Generator) -> Array:
    """Draw trials with replacement: how many of them are yes."""
    k, n = np.asarray(k), np.asarray(n)
    share = np.divide(k, n, out=np.zeros(k.shape), where=n > 0)
    return rng.binomial(n, share, size=(n_draws, *k.shape)).astype(np.float64)


def _measures(hits: Any, drawn_hits: Array, false: Any, drawn_false: Array) -> dict[str, Any]:
    pairs = {
        "hit_rate": (hits, drawn_hits),
        "false_alarm_rate": (false, drawn_false),
        "d_prime": (ndtri(hits) - ndtri(false), ndtri(drawn_hits) - ndtri(drawn_false)),
        "criterion": (
            -(ndtri(hits) + ndtri(false)) / 2,
            -(ndtri(drawn_hits) + ndtri(drawn_false)) / 2,
        ),
    }
    variables: dict[str, Any] = {}
    for name, (value, draws) in pairs.items():
        variables[name] = float(value)
        variables[f"{name}_bound"] = ("bound", percentile_bounds(draws))
    return variables


def _bins(onset: Any, bins: Any, present: Any, choice: Any) -> tuple[Array, NDArray[np.intp]]:
    known = _known(present, choice)
    times = np.asarray(onset, dtype=np.float64).ravel()
    if times.size != known.size:
        message = f"onset has {times.size} values for {known.size} trials"
        raise TensorError(message)
    shown = np.asarray(present, dtype=np.float64).ravel()[known] > 0
    times = np.where(shown, times[known], np.nan)
    if not np.isfinite(times).any():
        message = "no trial with a stimulus has an onset"
        raise TensorError(message)
    if np.ndim(bins) == 0:
        if int(bins) < 1:
            message = f"bins must be at least 1, found {bins}"
            raise PopdynError(message)
        edges = np.linspace(np.nanmin(times), np.nanmax(times), int(bins) + 1)
    else:
        edges = np.asarray(bins, dtype=np.float64)
    which = np.searchsorted(edges, times, side="right") - 1
    which = np.where(times == edges[-1], len(edges) - 2, which)
    inside = np.isfinite(times) & (which >= 0) & (which < len(edges) - 1)
    return edges, np.where(inside, which, -1)


def _over_onsets(
    which: NDArray[np.intp],
    n_bins: int,
    yes: NDArray[np.bool_],
    false: Any,
    drawn_false: Array,
    rng: np.random.Generator,
) -> tuple[dict[str, Any], NDArray[np.intp]]:
    inside = which >= 0
    n = np.bincount(which[inside], minlength=n_bins)
    k = np.bincount(which[inside], yes[inside], n_bins).astype(np.int64)
    draws = _corrected(_drawn(k, n, len(drawn_false), rng), n)
    hits = np.where(n > 0, _corrected(k, n), np.nan)
    draws = np.where(n > 0, draws, np.nan)
    others = drawn_false[:, None]
    pairs = {
        "onset_hit_rate": (hits, draws),
        "onset_d_prime": (ndtri(hits) - ndtri(false), ndtri(draws) - ndtri(others)),
        "onset_criterion": (
            -(ndtri(hits) + ndtri(false)) / 2,
            -(ndtri(draws) + ndtri(others)) / 2,
        ),
    }
    variables: dict[str, Any] = {"onset_n_trials": ("onset", n)}
    for name, (value, drawn) in pairs.items():
        variables[name] = ("onset", value)
        variables[f"{name}_bound"] = (("bound", "onset"), percentile_bounds(drawn))
    return variables, np.arange(n_bins)


def _half_amplitudes(
    which: NDArray[np.intp],
    bins: NDArray[np.intp],
    amplitude: Array,
    yes: NDArray[np.bool_],
    guess: float,
    n_draws: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Fit the hits of each bin over amplitudes, with a given share of guesses."""
    value, bound = np.full(bins.size, np.nan), np.full((2, bins.size), np.nan)
    for i in bins:
        own = (which == i) & np.isfinite(amplitude)
        if np.unique(amplitude[own]).size < 3 or yes[own].all() or not yes[own].any():
            continue
        fitted = psychometric(
            yes[own], amplitude[own], guess=guess, lapse=0.0, n_draws=n_draws, rng=rng
        )
        value[i] = fitted["threshold"].item()
        bound[:, i] = fitted["threshold_bound"].values[:, 0]
    return {
        "half_amplitude": ("onset", value),
        "half_amplitude_bound": (("bound", "onset"), bound),
    }
