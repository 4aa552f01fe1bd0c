"""Are directions alike along all axes?  The test of Bingham (1974)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from popdyn.analysis.selectivity_null import draw_rows
from popdyn.resample import Seed, upper_p_value

Array = NDArray[np.float64]


def bingham_test(
    values: Array, variant: str, n_draws: int, rng: Seed, n_jobs: int | None
) -> tuple[dict[str, Any], dict[str, int]]:
    """Test whether some axes hold more directions than others.

    Parameters
    ----------
    values : ndarray, shape (neuron, feature)
        The data.
    variant : {"default", "dubreuil2022"}
        p by draws of isotropic vectors, or by the chi squared limit for many neurons.
    n_draws, rng, n_jobs
        As for `popdyn.selectivity_test`.

    Returns
    -------
    variables : dict
        Of the result.
    said : dict
        What there is to say of it.
    """
    n_neurons, n_features = values.shape
    share = _shares(values)
    statistic = _statistic(share, n_neurons)
    variables: dict[str, Any] = {
        "statistic": ((), statistic),
        "axis_share": ("axis", share),
    }
    if variant != "default":
        freedom = (n_features - 1) * (n_features + 2) / 2
        return variables | {"p": ((), float(chdtrc(freedom, statistic)))}, {}

    def draw(own: np.random.Generator) -> Array:
        return np.array([_statistic(_shares(own.standard_normal(values.shape)), n_neurons)])

    null = draw_rows(draw, n_draws, rng, n_jobs)[:, 0]
    p = float(upper_p_value(statistic, null))
    return variables | {"p": ((), p), "null_statistic": ("draw", null)}, {}


def _shares(values: Array) -> Array:
    """Share of the directions along each of their main axes, falling, 1 in all."""
    directions = values / np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(np.linalg.eigvalsh(directions.T @ directions)[::-1] / len(values))


def _statistic(share: Array, n_neurons: int) -> float:
    """Scale the excess of the squared shares so that it is chi squared for many neurons."""
    n_features = share.size
    excess = float((share**2).sum()) - 1.0 / n_features
    return n_neurons * n_features * (n_features + 2) / 2 * excess
