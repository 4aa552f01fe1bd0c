"""What the pictures from behavior to verdict show, in words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from popdyn.reporting.captions import Results, told_by_source
from popdyn.reporting.provenance import parameters
from popdyn.reporting.wording import band, counted, number, p_value, quantity

_MET = {1.0: "met", 0.0: "not met"}


def perceived_behavior(results: Results) -> tuple[str, ...]:
    """Describe what was done, and the observer fitted to it.

    Parameters
    ----------
    results
        Results of the step ``behavior``, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> perceived_behavior({})[0][:34]
    'Answers of each source, and the Ba'
    """
    return (
        "Answers of each source, and the Bayesian observer fitted to them alone, never to "
        "activity: mean and standard deviation done (points and bars; of comparisons the share "
        "that called the second larger), what the observer would do (blue), and its mean estimate "
        "of the stimulus with the 95 % interval over trials (red). Dashed: no contraction.",
        *told_by_source(results, behavior_details),
    )


def behavior_details(result: xr.Dataset) -> list[str]:
    """Tell slope and parameters of each stimulus set.

    Parameters
    ----------
    result
        Of the step ``behavior``.

    Returns
    -------
    list of str
    """
    told = []
    for name in result["set"].values:
        own = result.sel(set=name)
        low, high = own["slope_bound"].sel(bound=["lower", "upper"]).values
        found = [
            f"{one.replace('_', ' ')} {number(float(own['value'].sel(parameter=one)))}"
            for one in map(str, own["parameter"].values)
        ]
        where = "" if name == "all" else f"{name}: "
        slope = number(float(own["slope"]), spread=high - low)
        told.append(f"{where}slope {slope} ({band(low, high)}), {', '.join(found)}")
    return told


def orbits(results: Results) -> tuple[str, ...]:
    """Describe orbits in state space.

    Parameters
    ----------
    results
        Results of the step ``kinet``, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> orbits({})[0][:31]
    'Averages of each stimulus in th'
    """
    return (
        "Averages of each stimulus in the first two principal components; dot: first time, cross: "
        "last; color is the stimulus. Axes belong to their own source.",
        *told_by_source(results, _space),
    )


def orbit_distances(results: Results) -> tuple[str, ...]:
    """Describe signed distances between orbits over time.

    Parameters
    ----------
    results
        Results of the step ``kinet``, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> orbit_distances({})[0][:34]
    'Distance of each state of the refe'
    """
    return (
        "Distance of each state of the reference to the nearest state of every other orbit, "
        "negative on the side of the smallest stimulus; thin where that state is the first or last "
        "of its orbit. Distances grow with the number of neurons: compare their order and spacing "
        "between sources, not their size.",
        *told_by_source(results, kinet_details),
    )


def kinet_details(result: xr.Dataset) -> list[str]:
    """Tell the reference, and the mean distances of the smallest and the largest stimulus.

    Parameters
    ----------
    result
        Of the step ``kinet``.

    Returns
    -------
    list of str
    """
    told = [f"reference {result.attrs.get('reference', '?')}"]
    shown = result["stimulus"].values
    ends = [int(shown.argmin()), int(shown.argmax())]
    for position in ends:
        own = result.isel(condition=position)
        label = str(own["condition"].values)
        bound = ""
        if "mean_distance_bound" in own:
            bound = f" ({band(*own['mean_distance_bound'].values)})"
        told.append(f"mean distance of {label} {number(float(own['mean_distance']))}{bound}")
    return told


def _space(result: xr.Dataset) -> list[str]:
    within = int(result.attrs.get("n_components", 0))
    n_neurons = int(result.attrs.get("n_neurons", 0))
    told = f"distances in {counted(within, 'component')}" if within else "distances in all neurons"
    return [f"{counted(n_neurons, 'neuron')}, {told}"]


def told_stimuli(results: Results) -> tuple[str, ...]:
    """Describe the stimuli that distances tell.

    Parameters
    ----------
    results
        Results of `estimation_test`, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> told_stimuli({})[0][:35]
    'What a straight line through mean d'
    """
    return (
        "What a straight line through mean distances makes of the true stimulus (blue) and of the "
        "estimate (red): lines are what they are, points what distances tell; open and filled are "
        "two stimulus sets. Estimates spread less than stimuli, so that their raw RMSE is smaller "
        "also where the true stimulus is coded.",
        *told_by_source(results, estimation_details),
    )


def error_distributions(results: Results) -> tuple[str, ...]:
    """Describe how the errors of both hypotheses scatter.

    Parameters
    ----------
    results
        Results of `estimation_test`, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> error_distributions({})[0][:32]
    'Raw RMSE of both (lines), and of'
    """
    return (
        "Raw RMSE of both (lines), and of draws of trials in which behavior and activity are drawn "
        "together. Draws are noisier than the data. Their difference is biased in favor of the "
        "estimate: the p values of the verdict are of errors free of scale.",
        *told_by_source(results, _errors),
    )


def _errors(result: xr.Dataset) -> list[str]:
    told = [
        f"error over deviation {number(float(result[f'nrmse_{name}']))} ({words})"
        for name, words in (("true", "true"), ("estimate", "estimate"))
    ]
    if "rmse_difference_bound" in result:
        unit = str(result["rmse_true"].attrs.get("units", "1"))
        low, high = result["rmse_difference_bound"].values
        told.append(f"raw difference {quantity(low, unit)} to {quantity(high, unit)} (95 %)")
    return told


def verdicts(results: Results) -> tuple[str, ...]:
    """Say the verdict with its four conditions.

    Parameters
    ----------
    results
        Results of `estimation_test`, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> verdicts({})[0][:36]
    'What these numbers allow to say. “Es'
    """
    return (
        "What these numbers allow to say. “Estimate” takes four conditions: a bent code of the "
        "true stimulus would look the same without the prior, which alone moves what is perceived.",
        *told_by_source(results, verdict_details),
    )


def verdict_details(result: xr.Dataset) -> list[str]:
    """Tell the verdict, its reason, and each condition with its numbers.

    Parameters
    ----------
    result
        Of `estimation_test`.

    Returns
    -------
    list of str
    """
    n = parameters(result).get("n_draws")
    codes = result["alternative_error"].to_series()
    bent = codes.drop(["true", "estimate"]).dropna()
    unit = str(result["alternative_error"].attrs.get("units", "1"))
    words = {
        "rmse": f"the true stimulus is rejected ({p_value(float(result['p_true']), n)}), the "
        f"estimate is not ({p_value(float(result['p_estimate']), n)}{_lack(result)}; powers "
        f"{number(float(result['power_true']))} and {number(float(result['power_estimate']))})",
        "alternatives": f"the estimate predicts conditions left out better "
        f"({quantity(codes['estimate'], unit)}) than the best bent code of the true stimulus "
        f"({bent.idxmin()}: {quantity(bent.min(), unit)})",
        "behavior": "the interval of the slope of behavior excludes 1",
        "shift": _shift_words(result),
    }
    told = [f"verdict: {result.attrs['verdict']} – {result.attrs['reason']}"]
    for name in [str(one) for one in result["requirement"].values]:
        met = float(result["condition_met"].sel(requirement=name))
        told.append(f"{_MET.get(met, 'not seen')}: {words.get(name, name)}")
    return told


def _lack(result: xr.Dataset) -> str:
    """Tell the p of what a line through the estimate leaves of the distances."""
    p = float(result["lack_of_fit_p_estimate"])
    return f"; lack of fit {p_value(p)}" if np.isfinite(p) else ""


def _shift_words(result: xr.Dataset) -> str:
    """Tell the shift of shared stimuli between two sets."""
    words = "stimuli that two sets share shift between them as estimates do"
    if "set_shift" not in result:
        return f"{words} (no two sets that share any)"
    n = parameters(result).get("n_draws")
    seen = float(result["set_shift"].mean() / result["expected_set_shift"].mean())
    return (
        f"{words} ({number(seen)} times what is expected; no shift: "
        f"{p_value(float(result['shift_p_none']), n)}; as much as expected: "
        f"{p_value(float(result['shift_p_amount']), n)})"
    )


def estimation_details(result: xr.Dataset) -> list[str]:
    """Tell both raw errors and the verdict.

    Parameters
    ----------
    result
        Of `estimation_test`.

    Returns
    -------
    list of str
    """
    unit = str(result["rmse_true"].attrs.get("units", "1"))
    return [
        f"RMSE {quantity(float(result['rmse_true']), unit)} to the true stimulus, "
        f"{quantity(float(result['rmse_estimate']), unit)} to the estimate",
        f"verdict: {result.attrs['verdict']}",
    ]


DETAILS: dict[str, Callable[[xr.Dataset], list[str]]] = {
    "behavior": behavior_details,
    "kinet": kinet_details,
    "estimation_test": estimation_details,
}
