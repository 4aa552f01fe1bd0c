"""What the pictures from behavior to verdict show, in words."""

from __future__ import annotations

from collections.abc import Callable

import xarray as xr

from popdyn.reporting.captions import Results, told_by_source
from popdyn.reporting.wording import band, counted, number, quantity


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
        "of the stimulus with the 95 % interval over trials (orange). Dashed: no contraction.",
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
        "last; color is the stimulus, the line its set. Axes belong to their own source.",
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
        "Distance of each state of the reference to the state of every other orbit that it is "
        "compared with, negative on the side of the smallest stimulus; thin where the nearest "
        "state is the first or last of its orbit; color is the stimulus, the line its set. "
        "Distances grow with the number of neurons: compare their order and spacing between "
        "sources, not their size.",
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
    along = result.attrs.get("distance_method") == "coding_axis"
    told = f"distances in {counted(within, 'component')}" if within else "distances in all neurons"
    told = "distances along an axis of all neurons" if along else told
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
        "estimate (orange): lines are what they are, points what distances tell, their shape is "
        "the stimulus set. Estimates spread less than stimuli, so that their raw RMSE is smaller "
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
