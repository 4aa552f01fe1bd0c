"""Sentences for a methods section from behavior to verdict."""

from __future__ import annotations

from collections.abc import Callable

import xarray as xr

from popdyn.reporting.phrases import draws, grouping, prepared, setting, short
from popdyn.reporting.provenance import parameters
from popdyn.reporting.wording import listed

_STRAIGHT = ("true", "estimate")


def behavior_methods(result: xr.Dataset) -> list[str]:
    """Write the sentences of a methods section about behavior.

    Parameters
    ----------
    result
        Of the step ``behavior``.

    Returns
    -------
    list of str
    """
    values = parameters(result)
    taken = {"mean": "mean", "mode": "maximum", "median": "median"}[values.get("estimator", "mean")]
    prior = {
        "uniform": "uniform between the smallest and the largest stimulus",
        "stimuli": "the frequencies of the stimuli",
    }[values.get("prior", "stimuli")]
    names = listed([str(one).replace("_", " ") for one in result["parameter"].values])
    sets = result.attrs.get("sets", "")
    each = f", in each {sets}" if sets else ""
    if result.attrs.get("kind") == "production":
        what = "the slope of responses on stimuli"
        model = "produce it (Jazayeri & Shadlen 2010)"
    else:
        what = "the ratio of the weights of both stimuli in a probit regression of choices"
        model = "compare it with the second stimulus (Ashourian & Loewenstein 2011)"
    return [
        f"Contraction of behavior is {what}{each}. An ideal observer that measures the stimulus "
        f"with noise, takes the {taken} of its posterior (prior: {prior}) and was to {model} was "
        f"fitted to the same trials by maximum likelihood ({names}); intervals are from "
        f"{draws(result, 'draw')} bootstrap draws of trials within conditions.",
    ]


def kinet_methods(result: xr.Dataset) -> list[str]:
    """Write the sentences of a methods section about orbits.

    Parameters
    ----------
    result
        Of the step ``kinet``.

    Returns
    -------
    list of str
    """
    values = parameters(result)
    method, alignment = values.get("method", "kinet"), values.get("alignment", "nearest")
    how = {
        "kinet": "signed by the end of the row of conditions whose direction is closer (KiNeT; "
        "Remington et al. 2018)",
        "arc_length": "as the length of the line through the conditions in between",
        "coding_axis": "along the axis of all neurons on which the conditions lie best",
    }[method]
    if method != "kinet" and alignment != "time":
        how += " (states matched by KiNeT; Remington et al. 2018)"
    over = values.get("mean_over")
    mean = f" from {short(over[0])} to {short(over[1])}\u00a0s" if over else ""
    matched = {
        "nearest": "nearest state",
        "monotone": "state on the shortest path that never goes back in time",
        "time": "state at the same time",
    }[alignment]
    within = str(values.get("n_components", "")).replace("%", " %")
    share = f"as many principal components as hold {within} of the variance"
    space = f" and projected on {share if '%' in within else f'{within} principal components'}"
    space += " of the averages"
    # The axis is one of all neurons, whatever components are drawn.
    if method == "coding_axis" and alignment == "time" or within in ("", "None"):
        space = ""
    return [
        prepared(result),
        f"Activity {setting(result)} was averaged over the trials of each "
        f"{grouping(result)}{space}. Each state "
        f"of the reference ({result.attrs.get('reference', '?')}) was compared with the "
        f"{matched} of every other average; distances are taken "
        f"{how} and averaged over times of the reference{mean}. Intervals are from "
        f"{draws(result, 'draw')} bootstrap draws of the trials, those of behavior.",
        *(
            [
                "Tested were differences of the same states along the axis of all neurons on which "
                "the conditions of the reference's set lie best."
            ]
            if "mean_axis_distance" in result
            else []
        ),
    ]


def estimation_methods(result: xr.Dataset) -> list[str]:
    """Write the sentences of a methods section about the test.

    Parameters
    ----------
    result
        Of `estimation_test`.

    Returns
    -------
    list of str
    """
    values = parameters(result)
    n = values.get("n_draws", "?")
    parts = [
        "Stimuli and the observer's estimates of them were each regressed on mean distances. p "
        "values are of the difference of the root mean squared errors, each over the deviation of "
        f"its target, in {n} data sets simulated under either hypothesis with the joint bootstrap "
        "covariance of distances and estimates. Estimates were compared with bent codes of the "
        "true stimulus ("
        + listed([str(one) for one in result["alternative"].values if one not in _STRAIGHT])
        + ") by errors at conditions and repeats left out."
    ]
    if "set_shift" in result:
        parts.append(
            "The shift of shared stimuli between two stimulus sets was tested against none and "
            "against that of the estimates."
        )
    return parts


def method_of(result: xr.Dataset) -> str:
    """Name what made a result: KiNeT and distances at the same time share their method's name."""
    method = str(result.attrs.get("method", ""))
    ordered = str(result.attrs.get("distance_method", "euclidean")) != "euclidean"
    return "kinet" if method == "relative_distance" and ordered else method


SENTENCES: dict[str, Callable[[xr.Dataset], list[str]]] = {
    "behavior": behavior_methods,
    "kinet": kinet_methods,
    "estimation_test": estimation_methods,
}
