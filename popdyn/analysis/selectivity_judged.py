"""What neighbor angles say beside those of a null: index, effect size and p."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from popdyn.analysis.selectivity_null import QUANTILE, Null
from popdyn.analysis.selectivity_variants import Variant
from popdyn.resample import upper_p_value

Array = NDArray[np.float64]

_RADIANS = {"units": "rad"}


def judged(test: Variant, angle: Array, null: Null, pooled: Array | None) -> dict[str, Any]:
    """Compare angles with those of the null.

    Parameters
    ----------
    test : Variant
        The test.
    angle : ndarray, shape (neuron,)
        Of the data.
    null : Null
        What is kept of the null.
    pooled : ndarray, shape (draw, neuron), optional
        Its angles, where ranks are needed.

    Returns
    -------
    dict
        Variables of the result.
    """
    median = float(np.median(angle))
    found = float(angle.mean()) if test.center == "mean" else median
    chance = {
        "mean_of_medians": float(null.median.mean()),
        "median": float(np.interp(0.5, QUANTILE, null.angle)),
        "mean": null.mean,
    }[test.center]
    clustered = float(upper_p_value(-median, -null.median))
    dispersed = float(upper_p_value(median, null.median))
    scatter = float(null.median.std(ddof=1)) if len(null.median) > 1 else np.nan
    return {
        "median_angle": ((), median, _RADIANS),
        "index": ((), (chance - found) / chance),
        "effect_size": ((), (chance - found) / null.spread),
        "z": ((), (float(null.median.mean()) - median) / scatter),
        "p": ((), _two_sided(test, angle, null, pooled)),
        "p_clustered": ((), clustered),
        "p_dispersed": ((), dispersed),
        "direction": ((), np.str_("clustered" if found < chance else "over-dispersed")),
        "null_median_angle": ("draw", null.median.copy(), _RADIANS),
        "null_angle": ("quantile", null.angle.copy(), _RADIANS),
    }


def _two_sided(test: Variant, angle: Array, null: Null, pooled: Array | None) -> float:
    """Two-sided p as the variant has it."""
    median = float(np.median(angle))
    if pooled is not None and test.p == "rank_sum":
        # scipy.stats is slow to import, and only wanted here.
        from scipy.stats import ranksums

        return float(ranksums(pooled.ravel(), angle).pvalue)
    if test.p == "share":
        smaller = float((null.median <= median).mean())
        return 2.0 * min(smaller, 1.0 - smaller)
    if test.p == "normal":
        z = (float(null.median.mean()) - median) / float(null.median.std(ddof=1))
        return min(1.0, 2.0 * float(ndtr(-z)))
    one_sided = upper_p_value(-median, -null.median), upper_p_value(median, null.median)
    return min(1.0, 2.0 * float(np.minimum(*one_sided)))
