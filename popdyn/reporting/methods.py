"""The sentence for a methods section, written from the parameters a result was made with."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import xarray as xr

from popdyn.reporting.agreement_chapter import agreement_methods
from popdyn.reporting.circuit_methods import SENTENCES as CIRCUIT_SENTENCES
from popdyn.reporting.low_rank_chapter import fit_methods
from popdyn.reporting.overlap_chapter import overlap_methods
from popdyn.reporting.perceived_methods import SENTENCES as PERCEIVED_SENTENCES
from popdyn.reporting.perceived_methods import method_of
from popdyn.reporting.phrases import draws, grouping, prepared, setting, short
from popdyn.reporting.pooled_chapter import pooled_methods
from popdyn.reporting.provenance import parameters
from popdyn.reporting.selectivity_methods import SENTENCES as SELECTIVITY_SENTENCES
from popdyn.reporting.state_methods import STATE_SENTENCES
from popdyn.reporting.tdr_chapter import tdr_methods
from popdyn.reporting.wording import listed


def sentence(result: xr.Dataset) -> str:
    """Say how a result was obtained, with the true values.

    Parameters
    ----------
    result
        A result of popdyn; ``attrs["method"]`` picks the sentence.

    Returns
    -------
    str
        One or a few sentences; empty for a method that has none.

    Examples
    --------
    >>> attrs = {"method": "decode", "label": "side", "seed": "0",
    ...          "parameters": '{"n_folds": 5, "n_draws": 200, "regularization": 1.0}'}
    >>> sentence(xr.Dataset(attrs=attrs)).split(" by ")[0]
    'The trial variable side was decoded from the population activity in each bin'
    """
    writer = _SENTENCES.get(method_of(result))
    if writer is None:
        return ""
    return " ".join(part for part in writer(result) if part).replace(" %", "\u00a0%")


def shared(results: Mapping[str, xr.Dataset]) -> list[tuple[str, str]]:
    """Write the sentence of every source, once where sources share it.

    Parameters
    ----------
    results
        Results of one analysis, keyed by the id of the source.

    Returns
    -------
    list of tuple
        The sources in words (empty when all share the sentence), and the sentence.

    Examples
    --------
    >>> shared({"human": xr.Dataset()})
    []
    """
    groups: dict[str, list[str]] = {}
    for source, result in results.items():
        written = sentence(result)
        if written:
            groups.setdefault(written, []).append(source)
    told = []
    for written, sources in groups.items():
        seeds = _seeds({source: results[source] for source in sources})
        told.append((listed(sources) if len(groups) > 1 else "", f"{written}{seeds}"))
    return told


def _seeds(results: Mapping[str, xr.Dataset]) -> str:
    """Name the seed of every source, in a sentence of its own; each has its own random draws."""
    found = {source: str(result.attrs.get("seed", "")) for source, result in results.items()}
    known = {source: seed for source, seed in found.items() if seed not in ("", "None")}
    if len(set(known.values())) == 1 and len(known) == len(results):
        return f" Random seed: {next(iter(known.values()))}."
    told = listed([f"{seed} ({source})" for source, seed in known.items()])
    return f" Random seeds: {told}." if told else ""


def _raster(result: xr.Dataset) -> list[str]:
    by = grouping(result)
    rows = f", sorted by {by} and then by time in the session" if by else ""
    return [f"Spike times were taken {setting(result)}, one row a trial{rows}."]


def _condition_average(result: xr.Dataset) -> list[str]:
    values, by = parameters(result), grouping(result)
    counts = str(result.attrs.get("variable")) == "spike_count"
    what, verb = ("Spike counts", "were") if counts else ("Activity", "was")
    fewest = int(values.get("min_trials", 1))
    least = f" Bins with fewer than {fewest} trials were left out." if fewest > 1 else ""
    return [
        prepared(result),
        f"{what} {setting(result)} {verb} averaged over the trials of each condition"
        f"{f' ({by})' if by else ''}; uncertainty is the standard error of the mean over "
        f"trials. Bins in which a neuron was not observed were left out of the average.{least}",
    ]


def _pca(result: xr.Dataset) -> list[str]:
    values = parameters(result)
    components = values.get("n_components", result.sizes.get("component", "?"))
    parts = [
        prepared(result),
        f"Principal components ({components}) of the condition averages {setting(result)} "
        "were found after the mean of each neuron was subtracted.",
    ]
    if "cross_validated_ratio" in result:
        parts.append(
            "Explained variance was cross-validated: components fitted on the condition averages "
            "of one random half of the trials, variance measured on the other half "
            f"({values.get('n_splits', '?')} splits)."
        )
    if "null_cumulative_ratio" in result:
        parts.append(
            f"The null distribution ({draws(result, 'draw')} draws) is the same with every "
            "neuron's samples shuffled on their own before components were fitted."
        )
    if "participation_ratio_bound" in result:
        parts.append(
            "The participation ratio is from products of covariances between quarters of the "
            "trials; intervals (95 %) are Student intervals from leaving out a tenth of the trials "
            "in turn."
        )
    return parts


def _relative_distance(result: xr.Dataset) -> list[str]:
    values, attrs = parameters(result), result.attrs
    reference = attrs.get("reference", values.get("reference"))
    method = {"euclidean": "Euclidean"}.get(str(values.get("method", "euclidean")), "Relative")
    smooth = values.get("smooth")
    extra = f" after smoothing by {short(float(smooth) * 1000)}\u00a0ms" if smooth else ""
    extra += _components(result)
    parts = [
        prepared(result),
        f"{method} distance between the average of each condition and that of condition "
        f"{reference} at the same time{extra}, {setting(result)}.",
    ]
    if "squared_distance" in result:
        parts.append(
            "Squared distances were corrected for noise by subtracting the squared standard "
            "errors of both averages, so that their expectation is zero without a difference."
        )
        if values.get("n_components"):
            parts.append(
                "So that components do not point along the noise of the trials they are used on, "
                "each half of the trials (split at random within conditions) was measured in the "
                "principal components of the other half, and both were averaged."
            )
    if "squared_distance_bound" in result:
        parts.append(
            f"Intervals (95 %) are from {values.get('n_draws', '?')} bootstrap draws of the trials "
            "within conditions."
        )
    if "null_mean_squared_distance" in result:
        parts.append(
            f"p is from {draws(result, 'null_draw')} draws in which trials were shuffled between "
            f"the condition and the reference{_STUDENTIZED if 'null_draw' in result.dims else ''}."
        )
    return parts


_STUDENTIZED = (
    ", and compares the mean squared distance over its estimated error with that of the shuffles, "
    "so that conditions with unequal noise and unequal numbers of trials do not differ for that "
    "alone"
)


def _components(result: xr.Dataset) -> str:
    """Say in how many components distances were taken, and how that number was chosen."""
    asked, used = parameters(result).get("n_components"), result.attrs.get("n_components")
    if not asked:
        return ""
    if not isinstance(asked, str):
        return f" in the space of the first {asked} principal components"
    share = f"that hold {asked.strip().removesuffix('%')}\u00a0% of the variance of the averages"
    found = f" ({used} in the averages of all trials)" if used else ""
    return f" in the space of the first principal components {share}{found}"


def _decode(result: xr.Dataset) -> list[str]:
    values = parameters(result)
    label = result.attrs.get("label", values.get("label", "the label"))
    penalty = values.get("regularization")
    ridge = f" of {short(float(penalty))}" if penalty is not None else ""
    window = setting(result)
    parts = [
        prepared(result),
        f"The trial variable {label} was decoded from the population activity in each bin"
        f"{' ' + window if window else ''} by linear discriminant analysis with a ridge{ridge} "
        "on neurons scaled to unit variance in the training trials, with "
        f"{values.get('n_folds', '?')}-fold cross-validation over trials, stratified by class; "
        "accuracy is balanced over classes.",
    ]
    if "accuracy_bound" in result:
        parts.append(
            "Intervals (95 %) are from a bootstrap of held-out trials within classes, half a right "
            "and half a wrong trial added to each class, and are widened where shuffled labels "
            "show that trials sharing their decoders spread more than independent ones."
        )
    if "null_accuracy" in result:
        parts.append(
            f"The null distribution is from {draws(result, 'draw')} draws in which the labels "
            f"were shuffled over trials within folds; p values "
            "corrected over time compare with the largest accuracy of each draw."
        )
    return parts


def _scorecard(result: xr.Dataset) -> list[str]:
    percent = short(100 * float(parameters(result).get("level", 0.95)))
    studentized = (
        "The p of a distance is that of the distance over its estimated error; its null band is "
        "that of the distance itself."
    )
    return [
        f"Values are given with {percent}\u00a0% intervals; the null band holds the central "
        f"{percent}\u00a0% of the null distribution. Each p belongs to one measure of one source "
        "and is not corrected over measures or sources.",
        studentized if "relative_distance" in parameters(result).get("analyses", []) else "",
    ]


_SENTENCES: dict[str, Callable[[xr.Dataset], list[str]]] = {
    "raster": _raster,
    "condition_average": _condition_average,
    "pca": _pca,
    "relative_distance": _relative_distance,
    "decode": _decode,
    "scorecard": _scorecard,
    **STATE_SENTENCES,
    **PERCEIVED_SENTENCES,
    **CIRCUIT_SENTENCES,
    **SELECTIVITY_SENTENCES,
    "tdr": tdr_methods,
    "fit_lowrank": fit_methods,
    "subspace_overlap": overlap_methods,
    "pool_decoding": pooled_methods,
    "selectivity_agreement": agreement_methods,
}
