"""The noise of distances and estimates together, drawn from their joint covariance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import FitError, TensorError, warn

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class JointNoise:
    """Covariance of distances and estimates.

    Attributes
    ----------
    covariance : ndarray, shape (2 condition, 2 condition)
        Of distances, then of estimates.  Singular: the reference has the distance 0, and
        estimates move together.
    freedom : float
        Degrees of freedom of the covariance: draws less one; infinite if it was given.
    """

    covariance: Array
    freedom: float

    @property
    def n_conditions(self) -> int:
        """Number of conditions."""
        return len(self.covariance) // 2

    @property
    def of_distance(self) -> Array:
        """Covariance of distances (condition, condition)."""
        return self.covariance[: self.n_conditions, : self.n_conditions]

    def of_residual(self, slope: float) -> Array:
        """Covariance of distances less ``slope`` times estimates."""
        n = self.n_conditions
        mix = np.hstack([np.eye(n), -slope * np.eye(n)])
        return np.asarray(mix @ self.covariance @ mix.T)

    def sample(self, n_draws: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw errors of distances and of estimates, each (draw, condition).

        By eigen-decomposition, which a singular covariance has and a Cholesky factor has not.
        """
        value, vector = np.linalg.eigh(self.covariance)
        factor = vector * np.sqrt(np.clip(value, 0.0, None))
        drawn = rng.standard_normal((n_draws, len(value))) @ factor.T
        return drawn[:, : self.n_conditions], drawn[:, self.n_conditions :]


def noise_of_draws(distance: Array, estimate: Array | None, n_trials: float = np.inf) -> JointNoise:
    """Covariance from bootstrap draws (draw, condition), those of one number belonging together.

    Drawing ``n`` trials of a condition again gives ``(n - 1) / n`` of the variance of their mean,
    and that from ``n - 1`` degrees of freedom.  A sum of squares over the variances of conditions
    each known so well is on average as large as over a covariance of all conditions that has
    ``(n - 1) / 2`` times one less than their number.

    Parameters
    ----------
    distance, estimate : ndarray, shape (draw, condition)
    n_trials : float
        Trials of a condition, where these were drawn.

    Raises
    ------
    TensorError
        If there are not as many draws of one as of the other.
    FitError
        If there are too few draws for a covariance.
    """
    n = distance.shape[1]
    if estimate is not None and len(estimate) != len(distance):
        message = (
            f"{len(distance)} draws of distances and {len(estimate)} of estimates do not belong "
            "together: give one plan, pdn.bootstrap(...), to both as resample="
        )
        raise TensorError(message)
    both = np.hstack([distance, np.zeros_like(distance) if estimate is None else estimate])
    known = np.isfinite(both).all(axis=1)
    if known.sum() < 3 * n:
        message = (
            f"{int(known.sum())} usable draws for {n} conditions: a covariance takes at least "
            f"{3 * n}; ask for more with n_draws= or a longer plan"
        )
        raise FitError(message)
    covariance = np.cov(both[known].T)
    freedom = float(known.sum() - 1)
    if np.isfinite(n_trials):
        covariance = covariance * n_trials / (n_trials - 1.0)
        freedom = 1.0 / (1.0 / freedom + 2.0 / ((n_trials - 1.0) * (n - 1.0)))
    _warn_of_few(covariance[:n, :n])
    return JointNoise(covariance, freedom)


def _warn_of_few(covariance: Array) -> None:
    """Say that draws leave out directions, as those of a few networks do."""
    rank, n = int(np.linalg.matrix_rank(covariance, hermitian=True)), len(covariance)
    if rank < n - 2:
        warn(
            f"the draws scatter in {rank} directions only, of {n} conditions, as draws of a few "
            "networks do, and leave out noise: p values are too small; test each network, and "
            "pool the tests with pdn.pool_estimation_tests"
        )


def noise_of_covariance(
    covariance: Array, known: NDArray[np.bool_], estimate: Array | None
) -> JointNoise:
    """Covariance as it was given, of known conditions; that of estimates from their draws."""
    given, n = np.asarray(covariance, dtype=np.float64), known.size
    if given.shape == (n, n) and not np.isfinite(given[np.ix_(known, known)]).all():
        message = "covariance is not finite: leave out the conditions whose noise is not known"
        raise TensorError(message)
    if given.shape != (n, n) or not np.allclose(given, given.T, equal_nan=True):
        message = (
            f"covariance must be symmetric of shape ({n}, {n}), one row per condition, found "
            + (f"shape {given.shape}" if given.shape != (n, n) else "one that is not symmetric")
        )
        raise TensorError(message)
    given = given[np.ix_(known, known)]
    if np.linalg.eigvalsh(given).min() < -1e-8 * max(np.trace(given), 1e-300):
        message = "covariance has negative eigenvalues: it is none"
        raise TensorError(message)
    if not np.any(given):
        message = "covariance is zero: without noise nothing can be tested; give that of the data"
        raise TensorError(message)
    n = int(known.sum())
    full = np.zeros((2 * n, 2 * n))
    full[:n, :n] = given
    if estimate is not None:
        full[n:, n:] = np.cov(estimate.T)
    return JointNoise(full, np.inf)
