"""Sentences of a methods section on selectivity, random or clustered, pure or mixed."""

from __future__ import annotations

import xarray as xr

from popdyn.analysis.selectivity_variants import VARIANTS
from popdyn.reporting.phrases import prepared, setting, short
from popdyn.reporting.provenance import parameters
from popdyn.reporting.wording import counted, listed


def selectivity_methods(result: xr.Dataset) -> list[str]:
    """Write the sentences of a methods section.

    Parameters
    ----------
    result
        Of `selectivity_test`.

    Returns
    -------
    list of str
    """
    test, variant = str(result.attrs["test"]), str(result.attrs["variant"])
    named = "" if variant == "default" else f", variant {variant}"
    n_draws = result.sizes.get("draw", 0)
    if test in VARIANTS:
        told = _of_angles(result, f"{_NAMES[test]}{named}")
    elif test == "cluster":
        told = (
            "Vectors were made round by the scatter of their directions (Tyler 1987), with lengths "
            "no more spread than those of a Gaussian cloud; "
            f"mixtures of {result.attrs.get('n_tested', '?')} Gaussians were compared with one by "
            f"the likelihood ratio, beside {n_draws} clouds without groups{_errors(result)}; the "
            "number of groups is the smallest that predicts held-out neurons (five folds) as well "
            "as the best, within one standard error."
        )
    else:
        beside = f"{n_draws} isotropic clouds" if n_draws else "the chi squared limit"
        tested = _DIRECTIONS.get(variant, "Directions")
        told = f"{tested} were tested for uniformity (Bingham 1974{named}) beside {beside}."
    return [prepared(result), _of_coefficients(result), told]


_DIRECTIONS = {
    "covariance": "Directions of vectors made round by their covariance, as those of the null,",
    "dubreuil2022_aligned": "Directions of the vectors that were not among half as many drawn "
    "ones, along the axes of these at unit variance,",
}
_NAMES = {
    "epairs": "ePAIRS (Hirokawa et al. 2019, Dubreuil et al. 2022",
    "pairs": "PAIRS (Raposo, Kaufman and Churchland 2014",
}
_PREPARED = {
    "robustly_whitened": "centered and made round by the scatter of their directions (Tyler 1987)",
    "covariance_whitened": "centered and made round by their covariance",
    "centered": "centered",
    "as_given": "taken as they are",
}
_NULLS = {
    "own": "prepared alike",
    "isotropic": "alike in all directions",
    "covariance": "of the covariance of the data",
    "diagonal": "of the variances of the data",
}
_P = {
    "monte_carlo": "the median over neurons was compared with those of the draws (p two-sided)",
    "share": "the median over neurons was compared with those of the draws (p two-sided)",
    "normal": "the median over neurons was compared with those of the draws, taken as normal",
    "rank_sum": "p is that of a rank-sum test of neurons, which takes their angles for independent "
    "and is too small",
}


def _of_angles(result: xr.Dataset, name: str) -> str:
    """Say how angles between neighbors were tested."""
    test = VARIANTS[str(result.attrs["test"])][str(result.attrs["variant"])]
    k = int(result.attrs["n_neighbors"])
    average = "mean angle" if test.average.__name__ == "mean_angle" else "angle of the mean cosine"
    return (
        f"Whether neurons fall into groups was tested by {name}): vectors were "
        f"{_PREPARED[test.prepare.__name__]}, and the {average} of each to its nearest "
        f"{counted(k, 'neighbor')} was set beside that of as many Gaussian vectors, "
        f"{_NULLS[test.null]}{_errors(result)} ({result.sizes['draw']} draws); {_P[test.p]}."
    )


def _errors(result: xr.Dataset) -> str:
    if not parameters(result).get("standard_error"):
        return ""
    return ", each with an error of the size of its neuron's standard errors"


def _of_coefficients(result: xr.Dataset) -> str:
    """Say what the vectors of neurons are."""
    terms = dict.fromkeys(str(term) for term in result["regressor_term"].values)
    return (
        f"Rates of each neuron, averaged in each trial {setting(result)}, were regressed on "
        f"{listed([*terms])} and an intercept by least squares; its coefficients without "
        "the intercept are its vector."
    )


def mixed_methods(result: xr.Dataset) -> list[str]:
    """Write the sentences of a methods section.

    Parameters
    ----------
    result
        Of `mixed_selectivity`.

    Returns
    -------
    list of str
    """
    values = parameters(result)
    factors = listed([str(name) for name in values.get("factors", [])])
    return [
        prepared(result),
        f"Rates of each neuron, averaged in each trial {setting(result)}, were fitted by a mean "
        f"for each combination of {factors}. Nested F tests asked whether each variable matters "
        "beside the others and whether there is an interaction, with a false discovery rate of "
        f"{short(float(values.get('alpha', 0.05)))} over neurons (Benjamini and Hochberg 1995): "
        "pure, one variable and no interaction; linear mixed, several and none; nonlinear mixed, "
        "an interaction (Rigotti et al. 2013).",
    ]


SENTENCES = {"selectivity_test": selectivity_methods, "mixed_selectivity": mixed_methods}
