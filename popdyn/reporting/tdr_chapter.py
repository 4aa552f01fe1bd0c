"""The chapter on axes of task variables: pictures, captions and sentences for a methods section."""

from __future__ import annotations

import xarray as xr
from matplotlib.axes import Axes

from popdyn import plot
from popdyn.reporting.captions import Results, n_draws, told_by_source
from popdyn.reporting.phrases import draws, prepared, setting
from popdyn.reporting.picture import Chapter, Picture
from popdyn.reporting.provenance import parameters
from popdyn.reporting.wording import counted, listed, number, p_value, quantity

_DRAWN = (
    "axes", "raw_axes", "window", "n_components", "explained_variance_ratio", "half_split_cosine",
    "projection", "projection_bound", "n_trials",
)  # fmt: skip
_OVER_TIME = ("strength", "p", "p_any", "norm", "cosine", "cross_cosine", "cosine_p")
_LEVEL = 0.05


def tdr_projections(results: Results) -> tuple[str, ...]:
    """Describe condition averages along axes.

    Parameters
    ----------
    results
        Results of `TDR`, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> tdr_projections({})[0][:36]
    'Condition averages of standardized a'
    """
    return (
        "Condition averages of standardized activity along the axes of task variables, made "
        "orthogonal in their order; a single axis is drawn over time. Dot: start, triangle: end, "
        "cross and bands: 95 % interval over trials with the axes as they are. Axes belong to "
        "their own source.",
        *told_by_source(results, _axes),
    )


def tdr_strength(results: Results) -> tuple[str, ...]:
    """Describe how strongly the population encodes each variable.

    Parameters
    ----------
    results
        Results of `TDR`, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> tdr_strength({})[0][:36]
    'Variance that a variable explains be'
    """
    return (
        "Variance that a variable explains beyond the others, summed over neurons, over its mean "
        "when what is left of the variable is permuted over trials (dashed: 1); bars: p < .05, "
        "corrected over bins.",
        *told_by_source(results, tdr_details),
    )


def tdr_details(result: xr.Dataset) -> list[str]:
    """Tell, for each term, the largest strength, when it is, and its p.

    Parameters
    ----------
    result
        Of `TDR`.

    Returns
    -------
    list of str
    """
    told = []
    for term in [str(term) for term in result["term"].values]:
        own = result.sel(term=term)
        at = int(own["strength"].argmax("time"))
        when = quantity(float(result["time"][at]), "s")
        bins = int((own["p"] < _LEVEL).sum())
        told.append(
            f"{term}: largest strength {number(float(own['strength'][at]))} at {when}, "
            f"{p_value(float(own['p_any']), n_draws(result))}, significant in {bins} of "
            f"{counted(result.sizes['time'], 'bin')}"
        )
    return [*told, counted(result.sizes["neuron"], "neuron")]


def _axes(result: xr.Dataset) -> list[str]:
    """Tell how each axis was made, how far it repeats, and what it holds of the averages."""
    told = []
    for name in [str(name) for name in result["regressor"].values]:
        own = result.sel(regressor=name)
        start, stop = own["window"].values
        within = int(own["n_components"])
        space = f"in {counted(within, 'component')}" if within else "not denoised"
        told.append(
            f"{name}: {number(float(start))} to {quantity(float(stop), 's')}, {space}, cosine "
            f"between halves of the trials {number(float(own['half_split_cosine']))}, share of the "
            f"variance of the averages {number(float(own['explained_variance_ratio']))}"
        )
    return told


def tdr_methods(result: xr.Dataset) -> list[str]:
    """Write the sentences of a methods section.

    Parameters
    ----------
    result
        Of `TDR`.

    Returns
    -------
    list of str
    """
    values = parameters(result)
    asked = values.get("regressors", [])
    terms = f"the formula {asked}" if isinstance(asked, str) else listed([str(n) for n in asked])
    wanted = values.get("n_components")
    how = {
        "cv": "in as many of them for each variable, or none, as brought its axis closest to the "
        "coefficients of held-out halves of the trials",
        "None": "in none of them",
    }.get(str(wanted), f"in {wanted} of them")
    at = values.get("at", "max_norm")
    when = "at their largest norm" if at == "max_norm" else "in the windows given"
    return [
        prepared(result),
        "Targeted dimensionality reduction (Mante et al. 2013): activity of each neuron in each "
        f"bin {setting(result)}, standardized over bins and trials, was regressed on {terms}, each "
        "divided by its largest absolute value; coefficients were denoised in principal components "
        f"of the condition averages ({how}), taken {when} as axes and made orthogonal in the order "
        f"{listed([str(name) for name in result['regressor'].values])}.",
        "Strength is the sum over neurons of the squares a variable explains beyond the others; "
        f"what the others leave of it was permuted over trials ({draws(result, 'draw')} times, for "
        "all neurons alike; Winkler et al. 2014), corrected over bins by the largest.",
    ]


def _draw_projections(result: xr.Dataset, color: str, ax: Axes) -> None:
    del color
    plot.tdr(result, ax=ax)


def _draw_strength(result: xr.Dataset, color: str, ax: Axes) -> None:
    del color
    plot.tdr_strength(result, ax=ax)


TASK_AXES = Chapter(
    "Axes of task variables",
    "Along which directions does the population encode each variable of a trial, and when?",
    (
        Picture(
            "tdr",
            "task-axes",
            "Axes of task variables.",
            _draw_projections,
            tdr_projections,
            part=lambda result: result[list(_DRAWN)],
        ),
        Picture(
            "tdr",
            "task-axes-strength",
            "Strength over time.",
            _draw_strength,
            tdr_strength,
            same_axis=True,
            part=lambda result: result[list(_OVER_TIME)],
        ),
    ),
)
