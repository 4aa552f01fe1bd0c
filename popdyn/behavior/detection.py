"""Signal detection: how well a stimulus is told from none, and from where on one says yes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.special import ndtri

from popdyn.behavior.arguments import check_count
from popdyn.behavior.interval import draw_bounds
from popdyn.behavior.psychometric import psychometric
from popdyn.behavior.trials import behavior_table, column_of, is_trials
from popdyn.errors import TensorError
from popdyn.network.real_numbers import real_array
from popdyn.resample import BOUND, Seed, as_generator
from popdyn.tensor.result import make_result

Array = NDArray[np.float64]

# Onsets this long (s) after the start of a trial are in ms, or on another clock.
_LATE = 100.0


def detection(
    present: Any,
    choice: Any = None,
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
    present : array-like (trial,), or DataFrame, mapping, tensor, Session or Dataset
        Whether there was a stimulus.  Or trials with the columns ``choice`` and ``stimulus``, the
        amplitude, which is 0 where there was none.
    choice : array-like (trial,), or mapping
        1 yes; -1 or 0 no; NaN no answer.  Of trials their roles, where these columns have other
        names.
    onset : array-like (trial,) or str, optional
        When the stimulus came (s from the start of the trial), NaN without one; of trials the
        name of a column.  Measures are given over onsets too.  Onsets that are known to be on the
        clock of a session count from ``start_time``.
    bins : int or array-like
        Number of bins of onsets with equal widths, or their edges.
    amplitude : array-like (trial,) or str, optional
        Of the stimulus, of trials the name of a column: with `onset`, the amplitude detected in
        half of the cases is found for each bin of onsets.
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
        If choices are not binary, lengths differ, there are no trials of one sort, no onset lies
        in a bin, or onsets are later than 100 s on most trials.

    Examples
    --------
    >>> import popdyn as pdn
    >>> present = [1] * 10000 + [0] * 10000
    >>> choice = [1] * 8413 + [0] * 1587 + [1] * 1587 + [0] * 8413
    >>> result = pdn.detection(present, choice, n_draws=100)
    >>> float(result["d_prime"].round(2)), abs(float(result["criterion"])) < 1e-9
    (2.0, True)
    >>> trials = {"stimulus": [0.0, 0.0, 0.5, 0.9], "choice": [-1, 1, 1, 1]}
    >>> pdn.detection(trials, n_draws=100)["hit_rate"].item().__round__(2)
    0.83
    """
    check_count("n_draws", n_draws, 2)
    shown, yes, table = _checked(present, choice, onset, amplitude)
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
        edges, which = _bins(table["onset"].to_numpy(), bins, shown)
        variables |= _over_onsets(which, len(edges) - 1, yes, false, drawn_false, generator)
        center = (edges[:-1] + edges[1:]) / 2
        coords["onset"] = ("onset", center, {"units": "s"})
        if amplitude is not None:
            size = table["amplitude"].to_numpy()
            variables |= _half_amplitudes(
                which, center, size, yes, float(false), n_draws, generator
            )
    parameters = {"bins": bins, "n_draws": n_draws, "correction": "(k + 0.5) / (n + 1)"}
    return make_result(
        variables, coords=coords, method="detection", parameters=parameters, seed=seed
    )


def _checked(
    present: Any, choice: Any, onset: Any, amplitude: Any
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], pd.DataFrame]:
    """Return whether there was a stimulus, whether the answer was yes, and what is known of it."""
    if is_trials(present):
        table = behavior_table(present, choice, ("stimulus", "choice"))
        table["present"] = table["stimulus"].where(table["stimulus"].isna(), table["stimulus"] != 0)
    elif choice is None or is_trials(choice):
        message = (
            "detection takes whether there was a stimulus and choices, or trials and their roles; "
            f"found {type(present).__name__} and {type(choice).__name__}"
        )
        raise TensorError(message)
    else:
        arrays = {"present": present, "choice": choice}
        table = behavior_table(arrays, None, ("present", "choice"))
    if onset is not None:
        times = _floats(column_of(table, onset, "onset"), "onset")
        table["onset"] = times - _starts(present, table, onset)
    if amplitude is not None:
        table["amplitude"] = _floats(column_of(table, amplitude, "amplitude"), "amplitude")
    known = np.isfinite(table[["present", "choice"]].to_numpy(dtype=np.float64)).all(axis=1)
    used = table.loc[known]
    shown = used["present"].to_numpy(dtype=np.float64) > 0
    if shown.all() or not shown.any():
        message = (
            f"{int(shown.sum())} of {shown.size} trials have a stimulus: detection needs trials "
            "with and without one"
        )
        raise TensorError(message)
    return shown, np.asarray(used["choice"].to_numpy() > 0), used


def _floats(values: Any, name: str) -> Array:
    return real_array(name, values, what="numbers, one per trial")


def _starts(trials: Any, table: pd.DataFrame, onset: Any) -> Any:
    """Return when trials start, for onsets on the clock of a session; else 0."""
    known = isinstance(onset, str) and isinstance(trials, (xr.Dataset, xr.DataArray))
    if known and "start_time" in table and trials[onset].attrs.get("clock") == "session":
        return table["start_time"].to_numpy()
    return 0.0


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
        variables[f"{name}_bound"] = ("bound", draw_bounds(draws))
    return variables


def _bins(onset: Array, bins: Any, shown: NDArray[np.bool_]) -> tuple[Array, NDArray[np.intp]]:
    """Return the edges of bins, and the bin of each trial, -1 outside of all."""
    times = np.where(shown, onset, np.nan)
    if not np.isfinite(times).any():
        message = "no trial with a stimulus has an onset"
        raise TensorError(message)
    first, last = np.nanmin(times), np.nanmax(times)
    if np.nanmedian(np.abs(times)) > _LATE:
        message = (
            f"onset is in s from the start of the trial, found {first:g} to {last:g}: that seems "
            "to be in ms (divide it by 1000), or on the clock of the session (subtract when trials "
            "start)"
        )
        raise TensorError(message)
    if np.ndim(bins) == 0:
        edges = np.linspace(first, last, check_count("bins", bins) + 1)
    else:
        edges = np.array(real_array("bins", bins, what="a number of bins, or their edges"))
    if edges.size < 2 or not (np.diff(edges) > 0).all():
        message = (
            f"bins need edges that grow, found {edges[:6].tolist()}; onsets lie between {first:g} "
            f"and {last:g} s"
        )
        raise TensorError(message)
    which = np.searchsorted(edges, times, side="right") - 1
    which = np.where(times == edges[-1], len(edges) - 2, which)
    inside = np.isfinite(times) & (which >= 0) & (which < len(edges) - 1)
    if not inside.any():
        message = (
            f"no stimulus comes within the bins, {edges[0]:g} to {edges[-1]:g} s: onsets lie "
            f"between {first:g} and {last:g} s"
        )
        raise TensorError(message)
    return edges, np.where(inside, which, -1)


def _over_onsets(
    which: NDArray[np.intp],
    n_bins: int,
    yes: NDArray[np.bool_],
    false: Any,
    drawn_false: Array,
    rng: np.random.Generator,
) -> dict[str, Any]:
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
        variables[f"{name}_bound"] = (("bound", "onset"), draw_bounds(drawn))
    return variables


def _half_amplitudes(
    which: NDArray[np.intp],
    center: Array,
    amplitude: Array,
    yes: NDArray[np.bool_],
    guess: float,
    n_draws: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Fit the hits of each bin over amplitudes, with a given share of guesses."""
    value, bound = np.full(center.size, np.nan), np.full((2, center.size), np.nan)
    for i, time in enumerate(center):
        own = (which == i) & np.isfinite(amplitude)
        if np.unique(amplitude[own]).size < 3 or yes[own].all() or not yes[own].any():
            continue
        keys: dict[str, Any] = {"by": np.full(own.sum(), f"onsets about {time:.3g} s")}
        keys |= {"guess": guess, "lapse": 0.0, "n_draws": n_draws, "rng": rng}
        fitted = psychometric(yes[own], amplitude[own], **keys)
        value[i] = fitted["threshold"].item()
        bound[:, i] = fitted["threshold_bound"].values[:, 0]
    return {
        "half_amplitude": ("onset", value),
        "half_amplitude_bound": (("bound", "onset"), bound),
    }
