"""Are directions alike along all axes?  The test of Bingham (1974)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from popdyn.analysis.selectivity_angles import as_given, centered, covariance_whitened
from popdyn.analysis.selectivity_null import draw_rows
from popdyn.resample import Seed, as_generator, upper_p_value

Array = NDArray[np.float64]


def bingham_test(
    values: Array, variant: str, n_draws: int, rng: Seed, n_jobs: int | None
) -> tuple[dict[str, Any], dict[str, int]]:
    """Test whether some axes hold more directions than others.

    Parameters
    ----------
    values : ndarray, shape (neuron, feature)
        The data.
    variant : {"default", "covariance", "dubreuil2022", "dubreuil2022_aligned"}
        p by draws of isotropic vectors, as they are or made round by their covariance like the
        data; or by the chi squared limit for many neurons, of vectors as they are or of half of
        them along the main axes of the other half.
    n_draws, rng, n_jobs
        As for `popdyn.selectivity_test`.

    Returns
    -------
    variables : dict
        Of the result.
    said : dict
        What there is to say of it.
    """
    if variant == "dubreuil2022_aligned":
        tested = aligned(values, as_generator(rng)[0])
    else:
        tested = _PREPARED[variant](values)
    share = _shares(tested)
    statistic = _statistic(share, len(tested))
    variables: dict[str, Any] = {
        "statistic": ((), statistic),
        "axis_share": ("axis", share),
    }
    said = {"n_directions": len(tested), "n_features": share.size}
    if variant.startswith("dubreuil2022"):
        freedom = (share.size - 1) * (share.size + 2) / 2
        return variables | {"p": ((), float(chdtrc(freedom, statistic)))}, said

    def draw(own: np.random.Generator) -> Array:
        cloud = _PREPARED[variant](own.standard_normal(tested.shape))
        return np.array([_statistic(_shares(cloud), len(cloud))])

    null = draw_rows(draw, n_draws, rng, n_jobs)[:, 0]
    p = float(upper_p_value(statistic, null))
    return variables | {"p": ((), p), "null_statistic": ("draw", null)}, said


def aligned(values: Array, rng: np.random.Generator) -> Array:
    """Vectors that were not drawn, along the main axes of those that were, at unit variance.

    Parameters
    ----------
    values : ndarray, shape (neuron, feature)
        The data.
    rng : Generator
        Draws half as many vectors as there are, some of them twice.

    Returns
    -------
    ndarray, shape (neuron, feature)
        About 0.6 of the vectors.
    """
    moved = centered(values)
    drawn = rng.choice(len(moved), size=len(moved) // 2)
    axes = np.linalg.eigh(moved[drawn].T @ moved[drawn])[1]
    scaled = moved @ axes
    scaled /= scaled.std(axis=0)
    return np.delete(scaled, drawn, axis=0)


_PREPARED = {
    "default": as_given,
    "covariance": covariance_whitened,
    "dubreuil2022": as_given,
}


def _shares(values: Array) -> Array:
    """Share of the directions along each of their main axes, falling, 1 in all."""
    # Squares of very small numbers would be 0.
    directions = values / np.abs(values).max(axis=1, keepdims=True)
    directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    return np.asarray(np.linalg.eigvalsh(directions.T @ directions)[::-1] / len(values))


def _statistic(share: Array, n_neurons: int) -> float:
    """Scale the excess of the squared shares so that it is chi squared for many neurons."""
    n_features = share.size
    excess = float((share**2).sum()) - 1.0 / n_features
    return n_neurons * n_features * (n_features + 2) / 2 * excess
