"""Captions of encoding, demixing, decoded numbers, decoders across time and timescales."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from popdyn.plot.encoding import significant_bins
from popdyn.reporting.captions import Results, n_draws, per_condition, told_by_source
from popdyn.reporting.phrases import regularizations
from popdyn.reporting.wording import band, counted, listed, number, open_band, p_value, quantity

_LEVEL = 0.05


def encoding(results: Results) -> tuple[str, ...]:
    """Describe how many neurons encode each term.

    Parameters
    ----------
    results
        Results of `encoding`, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> encoding({})[0][:31]
    'Share of the neurons that encod'
    """
    clusters = all("cluster_p" in result for result in results.values())
    how = (
        "clusters of bins with p < .05, corrected over the bins of a neuron: of neurons that "
        "encode nothing, 5 % have such a cluster anywhere"
        if clusters
        else "false-discovery q < .05 over neurons and bins"
    )
    return (
        f"Share of the neurons that encode each term in a bin ({how}); dashed: 5 %. Neurons of one "
        "session share noise, so their number is no measure of certainty.",
        *told_by_source(results, _encoded),
    )


def dpca(results: Results) -> tuple[str, ...]:
    """Describe demixed components.

    Parameters
    ----------
    results
        Results of `DPCA`, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> dpca({})[0][:36]
    'Left, from above: variance explained'
    """
    return (
        "Left, from above: variance explained by the first components (gray: as many principal "
        "components, the most that is possible); variance of each component by marginalization; "
        "shares of the marginalizations; products of the encoders (stars: not orthogonal) and "
        "correlations of the components. Right: condition averages along the decoders, with the "
        "share of variance above; thick bars: held-out trials are classified better than shuffled "
        "ones (p < .05, corrected over bins). Axes belong to their own source.",
        *told_by_source(results, _demixed),
    )


def decode_quantity(results: Results) -> tuple[str, ...]:
    """Describe how well a number is decoded.

    Parameters
    ----------
    results
        Results of `decode_quantity`, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> decode_quantity({})[0][:31]
    'R² (dimensionless) of held-out '
    """
    return (
        "R² (dimensionless) of held-out trials in each bin: 1 less the squared error over that of "
        "predicting the mean of the training trials (dashed). Colored band: 95 % interval over "
        "trials; gray band: 95 % of shuffled labels; bar on top: clusters of bins with p < .05.",
        *told_by_source(results, _quantity),
    )


def temporal_generalization(results: Results) -> tuple[str, ...]:
    """Describe decoders across time.

    Parameters
    ----------
    results
        Results of `temporal_generalization`, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> temporal_generalization({})[0][:42]
    'Balanced accuracy of decoders trained in o'
    """
    return (
        "Balanced accuracy of decoders trained in one bin and tested in another, on held-out "
        "trials; white is chance, colors are the same for all sources, black lines enclose "
        "clusters with p < .05. A code that holds still fills a square, one that changes stays on "
        "the diagonal.",
        *told_by_source(results, _generalized),
    )


def timescale(results: Results) -> tuple[str, ...]:
    """Describe timescales.

    Parameters
    ----------
    results
        Results of `timescale`, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> timescale({})[0][:31]
    'Autocorrelation of the populati'
    """
    return (
        "Autocorrelation of the population within trials, over the variance of its signal. Points: "
        "measured; line: what trials of this length are expected to show; dashed: the process "
        "itself; dotted: the usual exponential fit, which comes out short because each trial's "
        "mean is taken off, and is shown to be compared with the literature.",
        *told_by_source(results, _remembered),
    )


def _encoded(result: xr.Dataset) -> list[str]:
    """Tell, for each term, how many neurons encode it, when most do, and what it predicts."""
    significant, told = significant_bins(result), []
    for term in [str(term) for term in result["term"].values]:
        own = significant.sel(term=term)
        tested = int(own.notnull().any("time").sum())
        found = int((own == 1).any("time").sum())
        words = f"{term}: {found} of {counted(tested, 'neuron')}"
        share = own.mean("neuron")
        if found:
            at = int(share.argmax("time"))
            when = quantity(float(result["time"][at]), "s")
            words += f", most at once {number(float(share[at]))} at {when}"
        if "unique_explained_variance" in result:
            unique = float(result["unique_explained_variance"].sel(term=term).mean())
            words += f", mean unique share of held-out variance {number(unique)}"
        told.append(words)
    trials = result["n_trials"].values
    fewest, most = int(np.nanmin(trials)), int(np.nanmax(trials))
    return [*told, counted(most, "trial") if fewest == most else f"{fewest} to {most} trials"]


def _demixed(result: xr.Dataset) -> list[str]:
    """Tell the shares of the marginalizations, and what their first components tell apart."""
    n_neurons, n_components = result.sizes["neuron"], result.sizes["component"]
    told = [
        f"{counted(n_components, 'component')} of {counted(n_neurons, 'neuron')}, "
        f"λ = {regularizations(result)}"
    ]
    which = "signal_ratio" if "signal_ratio" in result else "marginal_ratio"
    shares = []
    for name in [str(name) for name in result["marginalization"].values]:
        own = result.sel(marginalization=name)
        spread = f" ({band(*own[f'{which}_bound'].values)})" if f"{which}_bound" in own else ""
        shares.append(f"{number(float(own[which]))}{spread} {name}")
    what = "signal variance" if which == "signal_ratio" else "variance, noise included"
    told.append(f"shares of the {what}: {listed(shares)}")
    return told + [_tested(result, row) for row in range(result.sizes.get("tested", 0))]


def _tested(result: xr.Dataset, row: int) -> str:
    """Tell the accuracy of one component, chance, and when it is above."""
    own = result.isel(tested=row)
    name, rank = str(own["tested_marginalization"].item()), int(own["tested_component"])
    accuracy, chance = number(float(own["accuracy"].mean())), number(float(own["chance"]))
    p = p_value(float(own["p_corrected"].min()), n_draws(result))
    bins = int((own["p_corrected"] < _LEVEL).sum())
    return (
        f"{name}, component {rank}: mean accuracy {accuracy} (chance {chance}), smallest corrected "
        f"{p}, significant in {bins} of {counted(result.sizes['time'], 'bin')}"
    )


def _quantity(result: xr.Dataset) -> list[str]:
    """Tell R2 over the window, and the error of a guess."""
    value, spread = result["mean_r2"].item(), band(*result["mean_r2_bound"].values)
    unit = str(result.attrs.get("label_units", "1"))
    return [
        f"{result.attrs.get('label', 'label')} of {counted(result.sizes['trial'], 'trial')}",
        f"mean R² {number(value)} ({spread}), {p_value(result['mean_p'].item(), n_draws(result))}",
        f"smallest root-mean-square error {quantity(float(result['rmse'].min()), unit)}, that of "
        f"the training mean {quantity(result['chance_rmse'].item(), unit)}",
    ]


def _generalized(result: xr.Dataset) -> list[str]:
    """Tell the accuracy over all pairs of bins, chance, and how still the code holds."""
    p = p_value(result["mean_p"].item(), n_draws(result))
    told = [
        f"label {result.attrs.get('label', 'label')}{per_condition(result)}",
        f"mean accuracy over all pairs of bins {number(result['mean_accuracy'].item())}, {p}",
        f"chance {number(result['chance'].item())}",
    ]
    clusters = result["cluster_p"].values < _LEVEL
    told.append(f"{number(100 * float(clusters.mean()))} % of the pairs in clusters")
    stability = float(result["stability"])
    if np.isfinite(stability):
        told.append(f"stability {number(stability)} (1: the code holds still)")
    return told


def _remembered(result: xr.Dataset) -> list[str]:
    """Tell the timescale of the population, the biased fit, and how many neurons have one."""
    value = float(result["population_timescale"])
    if np.isfinite(value):
        spread = open_band(*result["population_timescale_bound"].values)
        told = [f"population {quantity(value, 's')} ({spread})"]
    else:
        told = [f"population: no estimate ({result['population_reason'].item()})"]
    direct = float(result["population_direct_fit"])
    if np.isfinite(direct):
        told.append(f"direct exponential fit {quantity(direct, 's')} (biased)")
    own = result["timescale"].values
    known = np.isfinite(own)
    words = f"estimated in {int(known.sum())} of {counted(own.size, 'neuron')}"
    median = f", median {quantity(float(np.median(own[known])), 's')}" if known.any() else ""
    return [*told, words + median, counted(int(result.attrs.get("n_trials", 0)), "trial")]


DETAILS: dict[str, Callable[[xr.Dataset], list[str]]] = {
    "encoding": _encoded,
    "dpca": _demixed,
    "decode_quantity": _quantity,
    "temporal_generalization": _generalized,
    "timescale": _remembered,
}
