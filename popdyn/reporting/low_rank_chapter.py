"""The chapter on low-rank networks fitted to sources: pictures, captions, methods sentences."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn import plot
from popdyn.reporting.captions import Results, told_by_source
from popdyn.reporting.phrases import grouping, prepared, setting, short
from popdyn.reporting.picture import Chapter, Picture
from popdyn.reporting.provenance import parameters
from popdyn.reporting.wording import band, counted, listed, number

_BY_RANK = (
    "r2", "r2_bound", "pca_r2", "pca_r2_bound", "average_r2", "average_r2_bound", "shuffled_r2",
    "shuffled_r2_bound", "ceiling_r2", "ceiling_r2_bound", "chosen_rank", "n_visited",
    "raw_correlation", "effective_correlation", "loading_cosine", "m", "n", "input", "neuron_r2",
)  # fmt: skip
_EXTRAS = {
    "bias": "a constant input to each neuron",
    "initial": "the first state",
    "scale": "a scale",
    "offset": "an offset from rate to activity",
}


def fitted_ranks(results: Results) -> tuple[str, ...]:
    """Describe how much of held-out conditions each rank predicts.

    Parameters
    ----------
    results
        Results of `fit_lowrank`, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> fitted_ranks({})[0][:38]
    'Part of the variance of held-out condi'
    """
    return (
        "Part of the variance of held-out conditions (R², over all neurons, bins and conditions) "
        "that low-rank networks predict from their inputs alone (blue; bars: 95 % interval over "
        "neurons and conditions; filled: the rank that is chosen), beside as many principal "
        "components of the other conditions, which are shown the activity itself (orange). Lines: "
        "networks with full recurrent weights (dashed), the average of the other conditions (gray) "
        "and inputs exchanged between conditions (dotted). That neurons differ in their mean rates "
        "counts as explained, for the gray line as well: what inputs add is what lies above it.",
        *told_by_source(results, fit_details),
        *_known(results),
    )


def fit_details(result: xr.Dataset) -> list[str]:
    """Tell the rank, what it predicts and beside what, and how many neurons and conditions.

    Parameters
    ----------
    result
        Of `fit_lowrank`.

    Returns
    -------
    list of str
    """
    rank = int(result["chosen_rank"])
    own = result.sel(n_ranks=rank)
    low, high = own["r2_bound"].values
    told = [
        f"rank {rank}, R² {number(float(own['r2']), spread=high - low)} ({band(low, high)})",
    ]
    if "shuffled_r2" in result:
        told.append(f"inputs exchanged {number(float(result['shuffled_r2']))}")
    if "ceiling_r2" in result:
        told.append(f"full rank {number(float(result['ceiling_r2']))}")
    n_items = result.sizes[str(result["observed"].dims[2])]
    return [*told, f"{counted(result.sizes['neuron'], 'neuron')}, {counted(n_items, 'condition')}"]


def _known(results: Results) -> list[str]:
    """Say what of the weights is known, where several starts tell it."""
    told = {}
    for source, result in results.items():
        if result.sizes["start"] > 1:
            raw, effective = (
                number(float(result[f"{name}_correlation"]), spread=0.1)
                for name in ("raw", "effective")
            )
            n_visited = counted(int(result["n_visited"]), "dimension")
            told[source] = f"{raw}, along the {n_visited} that rates visit {effective}"
    if not told:
        return []
    each = "; ".join(f"{source}: {words}" for source, words in told.items())
    return [
        "Recurrent weights are not determined by activity, what they do to the activity that is "
        f"visited may be. Correlation of the weights of fits from other starts: {each}."
    ]


def fitted_neurons(results: Results) -> tuple[str, ...]:
    """Describe predictions of held-out conditions of a few neurons.

    Parameters
    ----------
    results
        Results of `fit_lowrank`, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> fitted_neurons({})[0][:39]
    'Four neurons, from the one predicted be'
    """
    return (
        "Four neurons, from the one predicted best (top) to the one predicted worst, in three "
        "conditions: averages over trials (pale) and what the network of the chosen rank, which "
        "did not see the condition, predicts (dark). In parentheses the part of a neuron's own "
        "variance that is predicted. Scales belong to their own source.",
        *told_by_source(results, _of_neurons),
    )


def _of_neurons(result: xr.Dataset) -> list[str]:
    quality = result["neuron_r2"].sel(n_ranks=int(result["chosen_rank"])).values
    low, middle, high = np.nanpercentile(quality, [25, 50, 75])
    return [f"predicted part of a neuron: median {number(middle)}, quartiles {band(low, high)}"]


def fit_methods(result: xr.Dataset) -> list[str]:
    """Write the sentences of a methods section.

    Parameters
    ----------
    result
        Of `fit_lowrank`.

    Returns
    -------
    list of str
    """
    values, attrs = parameters(result), result.attrs
    by = grouping(result)
    learned = [_EXTRAS[name] for name in values.get("learned", [])]
    heard = str(attrs.get("inputs", "")).split(", ")
    when = f" ({attrs['input_columns']})" if attrs.get("input_columns") else " of its task"
    lag = float(values.get("lag", 0.0))
    delay = f", {short(lag)}\u00a0s before their effect" if lag else ""
    ranks = listed([str(rank) for rank in values.get("ranks", [])])
    compared = "; networks with full recurrent weights were fitted alike" if values.get(
        "ceiling"
    ) else ""  # fmt: skip
    return [
        prepared(result),
        f"Networks τ dx/dt = −x + m nᵀ f(x)/N + B u with f = {attrs.get('nonlinearity', 'tanh')}, "
        f"τ = {short(float(values.get('tau', 0.1)))}\u00a0s and recurrent weights of rank {ranks} "
        f"were fitted to the averages over the trials{f' by {by}' if by else ''} "
        f"{setting(result)} (LINT; Valente, Pillow & Ostojic 2022). Their inputs u were "
        f"{listed(heard)}{when}{delay}; m, n"
        f"{', ' + ', '.join(learned) if learned else ''} and B were found by L-BFGS "
        f"({values.get('n_starts', '?')} random starts, at most {values.get('n_iterations', '?')} "
        "iterations).",
        f"Each rank was fitted with one of {values.get('n_folds', '?')} folds of the conditions "
        "held out after the other, and predicted them; the smallest rank was chosen whose error "
        "there exceeds that of the best by no more than twice the standard error of the difference "
        f"over conditions, or .001 of what the best explains{compared}. Intervals (95 %) are from "
        f"{values.get('n_draws', '?')} bootstrap draws of neurons and conditions.",
    ]


def _draw_ranks(result: xr.Dataset, color: str, ax: Axes) -> None:
    del color
    plot.fit_lowrank(result, ax=ax)


def _draw_neurons(result: xr.Dataset, color: str, ax: Axes) -> None:
    del color
    plot.fit_lowrank_neurons(result, ax=ax)


def _by_rank(result: xr.Dataset) -> xr.Dataset:
    """Leave out activity, which the netCDF file holds."""
    kept = result[[name for name in _BY_RANK if name in result]]
    return kept.drop_vars(["observed", "held_out"], errors="ignore")


FITTED = Chapter(
    "Low-rank networks fitted to activity",
    "How much of the activity follows from its inputs by the dynamics of a few latents, and of how "
    "many?",
    (
        Picture(
            "fit_lowrank",
            "fitted-ranks",
            "Predicted by each rank.",
            _draw_ranks,
            fitted_ranks,
            same_axis=True,
            part=_by_rank,
        ),
        Picture(
            "fit_lowrank",
            "fitted-neurons",
            "Predicted neurons.",
            _draw_neurons,
            fitted_neurons,
            numbers=False,
        ),
    ),
)
