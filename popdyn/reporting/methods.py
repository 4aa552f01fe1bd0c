"""The sentence for a methods section, written from the parameters a result was made with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr

from popdyn.reporting.provenance import history, parameters
from popdyn.reporting.wording import listed

_PREPARATION = {
    "smooth": "smoothed with a Gaussian{sigma}{causal}",
    "rate": "converted to rates",
    "soft_normalize": "soft-normalized (each neuron divided by the range over {averages}"
    "{constant})",
    "average_bins": "averaged over the steps of each bin",
    "pseudopopulation": "pooled as a pseudo-population",
}
_ALL_TRIALS = "time of its average over all trials"
_EACH_CONDITION = "time and conditions of its condition averages"


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
    writer = _SENTENCES.get(str(result.attrs.get("method", "")))
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


def grouping(result: xr.Dataset) -> str:
    """Name the columns that define the conditions of a result.

    Parameters
    ----------
    result
        A result whose attrs or parameters hold ``by``.

    Returns
    -------
    str
        Column names in words, empty when unknown.

    Examples
    --------
    >>> grouping(xr.Dataset(attrs={"by": '["choice", "context"]'}))
    'choice and context'
    """
    by = result.attrs.get("by", parameters(result).get("by"))
    if isinstance(by, str) and by.startswith("["):
        by = json.loads(by)
    if isinstance(by, (list, tuple)):
        return listed([str(name) for name in by])
    return str(by) if by else ""


def setting(result: xr.Dataset) -> str:
    r"""Say what the time axis of a result is: window, event and bin width.

    Parameters
    ----------
    result
        A result with the coord ``time`` (s).

    Returns
    -------
    str
        A phrase without a full stop, empty when there is no time axis.

    Examples
    --------
    >>> result = xr.Dataset(coords={"time": [0.05, 0.15]}, attrs={"align": "cue_time"})
    >>> setting(result).replace("\xa0", " ")
    'from 0 to 0.2 s around cue_time in bins of 100 ms'
    """
    window = _window(result)
    if window is None:
        return ""
    align = str(result.attrs.get("align", ""))
    named = f"“{align}”" if " " in align else align
    around = f" around {named}" if align else ""
    start, stop, width = window
    bins = f" in bins of {_short(width * 1000)}\u00a0ms" if width else ""
    return f"from {_short(start)} to {_short(stop)}\u00a0s{around}{bins}"


def _window(result: xr.Dataset) -> tuple[float, float, float] | None:
    """Find start, stop and bin width (s) of a result."""
    attrs = result.attrs
    if "window_start" in attrs:
        return float(attrs["window_start"]), float(attrs["window_stop"]), 0.0
    if "time" not in result.coords or result.sizes["time"] < 2:
        return None
    time = result["time"].values
    width = float(attrs.get("bin_width", np.mean(np.diff(time))))
    return float(time[0]) - width / 2, float(time[-1]) + width / 2, width


def _short(value: float) -> str:
    """Write a parameter as short as it was given."""
    return f"{round(value, 9):g}".replace("-", "−")


def _prepared(result: xr.Dataset) -> str:
    """Say what was done to the array before the analysis."""
    done = []
    for step, values in history(result):
        if step in _PREPARATION:
            sigma, offset, by = values.get("sigma"), values.get("offset"), values.get("by")
            words = {
                "sigma": f" of {_short(float(sigma) * 1000)}\u00a0ms" if sigma else "",
                "causal": " (causal)" if values.get("causal") else "",
                "averages": _ALL_TRIALS if "by" in values and not by else _EACH_CONDITION,
                "constant": f" plus {_offset(float(offset), result)}" if offset else "",
            }
            done.append(_PREPARATION[step].format(**words))
    return f"Activity was first {listed(done)}." if done else ""


def _offset(offset: float, result: xr.Dataset) -> str:
    """Write the constant of a soft normalization; in Hz where the range was one of rates in Hz."""
    steps = [step for step, _ in history(result)]
    counted_in_hz = "rate" in steps[: steps.index("soft_normalize")]
    return f"{offset:.3g}\u00a0Hz" if counted_in_hz else f"{offset:.3g}"


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
        _prepared(result),
        f"{what} {setting(result)} {verb} averaged over the trials of each condition"
        f"{f' ({by})' if by else ''}; uncertainty is the standard error of the mean over "
        f"trials. Bins in which a neuron was not observed were left out of the average.{least}",
    ]


def _pca(result: xr.Dataset) -> list[str]:
    values = parameters(result)
    components = values.get("n_components", result.sizes.get("component", "?"))
    parts = [
        _prepared(result),
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
            f"The null distribution ({_draws(result, 'draw')} draws) is the same with every "
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
    extra = f" after smoothing by {_short(float(smooth) * 1000)}\u00a0ms" if smooth else ""
    extra += _components(result)
    parts = [
        _prepared(result),
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
            f"p is from {_draws(result, 'null_draw')} draws in which trials were shuffled between "
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
    ridge = f" of {_short(float(penalty))}" if penalty is not None else ""
    window = setting(result)
    parts = [
        _prepared(result),
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
            f"The null distribution is from {_draws(result, 'draw')} draws in which the labels "
            f"were shuffled over trials within folds; p values "
            "corrected over time compare with the largest accuracy of each draw."
        )
    return parts


def _draws(result: xr.Dataset, name: str) -> str:
    """Count draws: the length of the dim of that name, else of ``draw``, else the parameter."""
    given = result.sizes.get("draw", parameters(result).get("n_draws", "?"))
    return str(result.sizes.get(name, given))


def _scorecard(result: xr.Dataset) -> list[str]:
    percent = _short(100 * float(parameters(result).get("level", 0.95)))
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
}
