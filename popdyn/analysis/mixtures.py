"""Which group each row of a cloud of points belongs to: mixtures of Gaussians about zero."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import FitError

Array = NDArray[np.float64]

# Pseudo-observations of a mean at zero: none of it is left to the points.
_MEAN_PRECISION = 1e5
_MOST_STEPS = 300
# Directions whose share of the largest variance is less are empty.
_FILLED = 1e-10


@dataclass(frozen=True, eq=False)
class Mixture:
    """A mixture of Gaussians about zero, the groups in order of size, the largest first.

    Attributes
    ----------
    label : ndarray of int, shape (point,)
        The most probable group of each point.
    probability : ndarray, shape (point, group)
        Of each group, given the point.
    weight : ndarray, shape (group,)
        Share of the points that the mixture gives to each group.
    covariance : ndarray, shape (group, column, column)
        Of each group, about zero.
    evidence : float
        Lower bound of the log evidence of the points, up to a constant.
    converged : bool
        Whether the best fit had come to rest.
    """

    label: NDArray[np.intp]
    probability: Array
    weight: Array
    covariance: Array
    evidence: float
    converged: bool


def zero_mean_mixture(
    points: Array, n_groups: int, rng: np.random.Generator, *, n_starts: int = 50
) -> Mixture:
    """Fit a mixture of Gaussians with zero means and any covariances, by variational Bayes.

    Groups in which no point is at home are left out, so that there may be fewer than `n_groups`.

    Parameters
    ----------
    points : ndarray, shape (point, column)
        Loadings or coefficients.  Neither units of columns nor rotations make a difference, and
        columns may depend on each other.
    n_groups : int
        Largest number of groups.
    rng : Generator
        Where fits start.
    n_starts : int
        Fits from random memberships, of which the one with the most evidence is kept.

    Returns
    -------
    Mixture

    Raises
    ------
    FitError
        If there are too few points.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> points = rng.standard_normal((300, 2)) * np.repeat([[4.0, 0.1], [0.1, 4.0]], 150, axis=0)
    >>> mixture = zero_mean_mixture(points, 2, rng, n_starts=5)
    >>> bool(abs(mixture.label[:150].mean() - mixture.label[150:].mean()) > 0.9)
    True
    """
    # scikit-learn is wanted only here.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import BayesianGaussianMixture

    whitening, back = _whitening(points, n_groups)
    model: Any = BayesianGaussianMixture(  # type: ignore[no-untyped-call]
        n_components=n_groups,
        n_init=n_starts,
        init_params="random",
        max_iter=_MOST_STEPS,
        mean_precision_prior=_MEAN_PRECISION,
        mean_prior=np.zeros(whitening.shape[1]),
        random_state=int(rng.integers(2**31)),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(points @ whitening)
    probability = model.predict_proba(points @ whitening)
    count = np.bincount(probability.argmax(axis=1), minlength=n_groups)
    order = np.argsort(-count, kind="stable")[: np.count_nonzero(count)]
    return Mixture(
        label=probability[:, order].argmax(axis=1),
        probability=probability[:, order],
        weight=model.weights_[order],
        covariance=back.T @ model.covariances_[order] @ back,
        evidence=float(model.lower_bound_),
        converged=bool(model.converged_),
    )


def _whitening(points: Array, n_groups: int) -> tuple[Array, Array]:
    """Return what makes second moments 1 in the directions that points fill, and the way back.

    Raises
    ------
    FitError
        If there are too few points.
    """
    n_points, n_columns = points.shape
    scale = np.sqrt((points**2).mean(axis=0))
    scale[scale == 0] = 1.0
    size, axes = np.linalg.eigh((points / scale).T @ (points / scale) / n_points)
    filled = size > _FILLED * size.max()
    size, axes = np.sqrt(size[filled]), axes[:, filled]
    if n_points < n_groups * (size.size + 1):
        message = (
            f"a mixture of {n_groups} Gaussians in {size.size} dimensions needs at least "
            f"{n_groups * (size.size + 1)} points, found {n_points}: ask for fewer groups"
        )
        raise FitError(message)
    return axes / size / scale[:, None], (size * axes).T * scale
