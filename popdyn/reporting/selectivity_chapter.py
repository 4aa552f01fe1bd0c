"""The chapter on selectivity, random or clustered, pure or mixed: pictures and captions."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn import plot
from popdyn.analysis.selectivity_variants import VARIANTS
from popdyn.comparison.selectivity_step import index_band
from popdyn.reporting.captions import Results, told_by_source
from popdyn.reporting.picture import Chapter, Picture
from popdyn.reporting.provenance import parameters
from popdyn.reporting.wording import band, counted, listed, number, p_value

_LEVEL = 0.05
_UNSEEN = (
    "A p that is not small excludes neither groups about one center that differ in shape only, nor "
    "groups of few neurons."
)
_SHOWN = {
    "angles": "Angles (degrees) from the vector of coefficients of each neuron to those of its "
    "nearest neighbors (blue), and of neurons without groups (gray); lines: their medians. Blue to "
    "the left of gray: neurons fall into groups of like selectivity; to the right: directions are "
    "spread out. Index: by what share the median is smaller than by chance. " + _UNSEEN,
    "cluster": "How much better mixtures of several groups predict the coefficients of held-out "
    "neurons than one group does, with the standard error of what is lacking to the best (dashed); "
    "circle: the number that is chosen, the smallest whose error reaches the best. A small p with "
    "one group: not one Gaussian cloud, but no more groups predict other neurons better beyond "
    "that error. Agreement is that of the groups of two subsamples. " + _UNSEEN,
    "bingham": "Share of the directions of the vectors of coefficients along each main axis; "
    "dashed: alike along all. A cloud that is longer along one axis is rejected too: this test "
    "says nothing about groups.",
}


def selectivity(results: Results) -> tuple[str, ...]:
    """Describe a test of selectivity.

    Parameters
    ----------
    results
        Results of `selectivity_test`, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> selectivity({})[0][:42]
    'Angles (degrees) from the vector of coeffi'
    """
    tests = [str(result.attrs["test"]) for result in results.values()]
    shown = _SHOWN.get(tests[0] if tests else "", _SHOWN["angles"])
    return (shown, *told_by_source(results, selectivity_details))


def selectivity_details(result: xr.Dataset) -> list[str]:
    """Tell what was found beside chance, its p, and of how many neurons and features.

    Parameters
    ----------
    result
        Of `selectivity_test`.

    Returns
    -------
    list of str
    """
    p = p_value(float(result["p"]), _draws_of_p(result))
    if "index" in result:
        told = [_index(result) + f", {p}", _direction(result)]
        chance = float(result["null_median_angle"].mean())
        angles = np.degrees([float(result["median_angle"]), chance])
        told.append("median angle {}°, by chance {}°".format(*map(number, angles)))
    elif "n_clusters" in result:
        told = [f"several groups against one: {p}", counted(int(result["n_clusters"]), "group")]
        if int(result["n_clusters"]) > 1:
            by_chance = number(float(result["null_stability"].mean()))
            agreement = number(float(result["stability"]))
            told.append(f"agreement of subsamples {agreement}, by chance {by_chance}")
    else:
        told = [f"statistic {number(float(result['statistic']))}, {p}"]
    counts = {"left out": "n_left_out", "with the vector of another one": "n_duplicates"}
    found = [f"{n:,} {words}" for words, key in counts.items() if (n := int(result.attrs[key]))]
    n_neurons = counted(int(result.attrs["n_neurons"]), "neuron")
    return [*told, n_neurons + (f" ({listed(found)})" if found else ""), _features(result)]


def _index(result: xr.Dataset) -> str:
    """Write the index with what it is by chance."""
    low, high = index_band(result)
    known = np.isfinite(high - low)
    index = number(float(result["index"]), spread=high - low if known else 0.1)
    return f"index {index}" + (f" (by chance {band(low, high)})" if known else "")


def _direction(result: xr.Dataset) -> str:
    """Name the direction where there is one."""
    if float(result["p"]) >= _LEVEL:
        return "not told apart from neurons without groups"
    return str(result["direction"].item())


def _features(result: xr.Dataset) -> str:
    """List the features."""
    names = [str(name) for name in result["feature"].values]
    return f"{counted(int(result.attrs['n_features']), 'feature')} ({', '.join(names)})"


def _draws_of_p(result: xr.Dataset) -> int | None:
    """Count the draws that bound p from below; None where p is not from draws."""
    test, variant = str(result.attrs["test"]), str(result.attrs["variant"])
    if test in VARIANTS and VARIANTS[test][variant].p not in ("monte_carlo", "share"):
        return None
    return result.sizes.get("draw")


def mixed_selectivity(results: Results) -> tuple[str, ...]:
    """Describe the shares of pure and mixed selectivity.

    Parameters
    ----------
    results
        Results of `mixed_selectivity`, keyed by source.

    Returns
    -------
    tuple of str
        Sentences.

    Examples
    --------
    >>> mixed_selectivity({})[0][:41]
    'Share of the neurons whose activity follo'
    """
    return (
        "Share of the neurons whose activity follows no variable, one of them (pure), several that "
        "add up (linear mixed), or variables that count together (nonlinear mixed: an "
        "interaction); lines: 95 % interval over neurons (Wilson). Neurons of few or noisy trials "
        "are called none or pure for want of power: shares of mixed neurons are lower bounds, and "
        "to be compared at equal numbers of trials and equal noise.",
        *told_by_source(results, mixed_details),
    )


def mixed_details(result: xr.Dataset) -> list[str]:
    """Tell the share of each kind, how many neurons follow each effect, and of how many trials.

    Parameters
    ----------
    result
        Of `mixed_selectivity`.

    Returns
    -------
    list of str
    """
    one = result.isel(time=0)
    tested = int((one["selectivity"] != "").sum())
    told = []
    for kind in [str(kind) for kind in one["selectivity_kind"].values]:
        own = one.sel(selectivity_kind=kind)
        low, high = own["share_bound"].values
        told.append(f"{kind} {number(float(own['share']), spread=high - low)} ({band(low, high)})")
    level = float(parameters(result).get("alpha", _LEVEL))
    effects = [
        f"{name} in {int((one['q'].sel(effect=name) <= level).sum()):,}"
        for name in one["effect"].values
    ]
    n_trials = counted(int(one["n_trials"].max()), "trial")
    return [*told, f"{counted(tested, 'neuron')} tested ({', '.join(effects)}), {n_trials}"]


def _draw_test(result: xr.Dataset, color: str, ax: Axes) -> None:
    del color
    plot.selectivity_test(result, ax=ax)


def _draw_mixed(result: xr.Dataset, color: str, ax: Axes) -> None:
    del color
    plot.mixed_selectivity(result, ax=ax)


SELECTIVITY = Chapter(
    "Selectivity of neurons",
    "Do neurons fall into groups of like selectivity, or is it mixed at random? How many follow "
    "several variables at once?",
    (
        Picture(
            "selectivity_test",
            "selectivity",
            "Random or clustered selectivity.",
            _draw_test,
            selectivity,
            same_axis=True,
        ),
        Picture(
            "mixed_selectivity",
            "mixed-selectivity",
            "Pure and mixed selectivity.",
            _draw_mixed,
            mixed_selectivity,
            same_axis=True,
        ),
    ),
)
DETAILS = {"selectivity_test": selectivity_details, "mixed_selectivity": mixed_details}
