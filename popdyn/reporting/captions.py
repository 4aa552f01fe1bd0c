"""What a figure shows, in words: captions with n and units, and texts for who cannot see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import xarray as xr

from popdyn.reporting.phrases import grouping
from popdyn.reporting.provenance import parameters
from popdyn.reporting.wording import band, counted, listed, number, p_value, quantity, unit_text

Results = Mapping[str, xr.Dataset]


def raster(results: Results) -> tuple[str, ...]:
    """Describe the spike rasters.

    Parameters
    ----------
    results
        Results of `raster`, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> raster({})[0]
    'Each row is a trial, each tick a spike; time in s from the event; color is the condition.'
    """
    told = [
        f"{source}: neuron {result.attrs.get('neuron', '?')}, "
        f"{counted(result.sizes.get('spike', 0), 'spike')} in "
        f"{counted(result.sizes.get('trial', 0), 'trial')}{per_condition(result)}."
        for source, result in results.items()
    ]
    return (
        "Each row is a trial, each tick a spike; time in s from the event; color is the condition.",
        *told,
    )


def condition_average(results: Results, neurons: Mapping[str, str]) -> tuple[str, ...]:
    """Describe the averages over the trials of a condition.

    Parameters
    ----------
    results
        Condition averages, keyed by source.
    neurons
        The neuron drawn for each source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> condition_average({}, {})[0][:40]
    'Mean over the trials of each condition; '
    """
    told = [
        f"{source}: neuron {neurons[source]}{unit_words(result)}{per_condition(result)}."
        for source, result in results.items()
    ]
    return (
        "Mean over the trials of each condition; bands are ± 1 standard error of the mean over "
        "trials; faded where fewer than half of the trials remain. The neuron is an example: "
        "the one the spec names, else the one whose conditions differ most; a picture, no test.",
        *told,
    )


def pca(results: Results) -> tuple[str, ...]:
    """Describe the trajectories.

    Parameters
    ----------
    results
        Results of `PCA`, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> pca({})[0][:30]
    'Condition averages projected o'
    """
    told = [
        f"{source}: {counted(result['loading'].sizes['neuron'], 'neuron')}{unit_words(result)}"
        f"{per_condition(result)}."
        for source, result in results.items()
    ]
    return (
        "Condition averages projected on the first two principal components of each source. "
        "Axes belong to their own source: positions and directions cannot be compared between "
        "panels, shapes and order of conditions can.",
        *told,
    )


def explained_variance(results: Results) -> tuple[str, ...]:
    """Describe the variance explained by principal components.

    Parameters
    ----------
    results
        Results of `PCA`, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> explained_variance({})[0][:50]
    'Share of the variance that the first components ho'
    """
    return (
        "Share of the variance that the first components hold together (%): of the condition "
        "averages of the other half of the trials, with 95 % intervals; of the data they were "
        "fitted to (dashed); of a null in which every neuron was shuffled on its own (gray). "
        "Above the gray, components carry over to other trials.",
        *told_by_source(results, _variance),
    )


def relative_distance(results: Results) -> tuple[str, ...]:
    """Describe the distances between conditions.

    Parameters
    ----------
    results
        Results of `relative_distance`, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> relative_distance({})[0][:45]
    'Distance of each condition to the reference, '
    """
    if all("corrected_distance" in result for result in results.values()):
        how = (
            "corrected for noise: the square root of the corrected squared distance, drawn as "
            "zero where that is negative"
        )
    else:
        how = "too large by the noise of the averages where it is not corrected"
    return (
        f"Distance of each condition to the reference, at the same time, {how}. "
        "Bands are 95 % bootstrap intervals over trials. Distances grow with the number of "
        "neurons: compare their course between sources, not their size.",
        *told_by_source(results, _distance),
    )


def decode(results: Results) -> tuple[str, ...]:
    """Describe the decoding over time.

    Parameters
    ----------
    results
        Results of `decode`, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> decode({})[0][:40]
    'Balanced accuracy (dimensionless) of a l'
    """
    return (
        "Balanced accuracy (dimensionless) of a linear decoder in each bin, cross-validated over "
        "trials; colored band: 95 % interval; gray band: 95 % of the accuracies with shuffled "
        "labels. All panels share their vertical axis.",
        *told_by_source(results, _decoding),
    )


def scorecard(results: Results) -> tuple[str, ...]:
    """Describe the picture of the scorecard.

    Parameters
    ----------
    results
        Not looked at: the table says the numbers.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> len(scorecard({}))
    1
    """
    del results
    return (
        "The same numbers: points with 95 % intervals, gray bars for the central 95 % of the null "
        "distribution, one color for each source.",
    )


def told_by_source(results: Results, tell: Callable[[xr.Dataset], list[str]]) -> list[str]:
    """Write what is to be told of each source as a sentence.

    Parameters
    ----------
    results
        Results, keyed by source.
    tell
        Gives the parts of the sentence.

    Returns
    -------
    list of str

    Examples
    --------
    >>> told_by_source({"mouse": xr.Dataset()}, lambda result: ["12 neurons", "p = .01"])
    ['mouse: 12 neurons; p = .01.']
    """
    return [f"{source}: {'; '.join(tell(result))}." for source, result in results.items()]


def n_draws(result: xr.Dataset) -> int | None:
    """Count the draws of the null distribution behind a p.

    Parameters
    ----------
    result
        A result.

    Returns
    -------
    int or None
        None when there is no null distribution.

    Examples
    --------
    >>> n_draws(xr.Dataset(attrs={"parameters": '{"n_draws": 200}'}))
    200
    """
    for name in ("null_draw", "draw"):
        if name in result.sizes:
            return int(result.sizes[name])
    given = parameters(result).get("n_draws")
    return int(given) if given else None


def trials_by_condition(result: xr.Dataset | None) -> list[tuple[str, int]]:
    """List the trials of each condition: the largest number over neurons and bins.

    Parameters
    ----------
    result
        A result with ``n_trials`` by condition, or one row a trial; or None.

    Returns
    -------
    list of tuple
        Label and number of trials, in the order of the result.

    Examples
    --------
    >>> trials_by_condition(xr.Dataset(coords={"condition": ("trial", ["a", "b", "a"])}))
    [('a', 2), ('b', 1)]
    """
    if result is None:
        return []
    if "n_trials" in result and "condition" in result["n_trials"].dims:
        counts = result["n_trials"]
        counts = counts.max([dim for dim in counts.dims if dim != "condition"]).fillna(0)
        labels = [str(label) for label in result["condition"].values]
        return [(label, int(n)) for label, n in zip(labels, counts.values, strict=True)]
    if "condition" in result and result["condition"].dims == ("trial",):
        labels = [str(label) for label in result["condition"].values]
        return [(label, labels.count(label)) for label in dict.fromkeys(labels)]
    return []


def unit_words(result: xr.Dataset) -> str:
    """Name the unit of the activity."""
    unit = unit_text(str(result.attrs.get("units", "")))
    return f", in {unit}" if unit else ", dimensionless" if "units" in result.attrs else ""


def per_condition(result: xr.Dataset) -> str:
    """Write the trials of each condition as the end of a sentence."""
    found = trials_by_condition(result)
    if not found:
        return ""
    by = grouping(result)
    told = listed([f"{n:,} of {label}" for label, n in found])
    return f"; trials: {told}{f' ({by})' if by else ''}"


def _variance(result: xr.Dataset) -> list[str]:
    """Tell the variance held together by the first components, and the dimension."""
    told = []
    if "cumulative_cross_validated_ratio" in result:
        ratio = result["cumulative_cross_validated_ratio"].values
        told.append(
            f"{counted(ratio.size, 'component')} hold {number(ratio[-1])} of the held-out variance"
        )
    if "participation_ratio" in result:
        value, spread = result["participation_ratio"].item(), ""
        if "participation_ratio_bound" in result:
            spread = f" ({band(*result['participation_ratio_bound'].values)})"
        told.append(f"participation ratio {number(value)}{spread}")
    return told


def _distance(result: xr.Dataset) -> list[str]:
    """Tell the reference, and the mean squared distance of every other condition to it."""
    reference = str(result.attrs.get("reference", ""))
    told = [f"reference {reference}"] if reference else []
    if "mean_squared_distance" not in result:
        return told
    mean = result["mean_squared_distance"]
    unit = str(mean.attrs.get("units", ""))
    for label in [str(label) for label in result["condition"].values]:
        if label == reference:
            continue
        one = result.sel(condition=label)
        p = f", {p_value(one['p'].item(), n_draws(result))}" if "p" in one else ""
        value = quantity(one["mean_squared_distance"].item(), unit)
        told.append(f"{label}: mean squared distance {value}{p}")
    return told


def _decoding(result: xr.Dataset) -> list[str]:
    """Tell the accuracy over the window, and chance."""
    told = []
    if "label" in result.attrs:
        told.append(f"label {result.attrs['label']}{per_condition(result)}")
    if "mean_accuracy" in result:
        spread = ""
        if "mean_accuracy_bound" in result:
            spread = f" ({band(*result['mean_accuracy_bound'].values)})"
        p = f", {p_value(result['mean_p'].item(), n_draws(result))}" if "mean_p" in result else ""
        told.append(f"mean accuracy {number(result['mean_accuracy'].item())}{spread}{p}")
    if "chance" in result:
        told.append(f"chance {number(result['chance'].item())}")
    if result.attrs.get("note"):
        told.append(str(result.attrs["note"]))
    return told


DETAILS: dict[str, Callable[[xr.Dataset], list[str]]] = {
    "decode": _decoding,
    "relative_distance": _distance,
    "pca": _variance,
}
