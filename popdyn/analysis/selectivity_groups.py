"""Groups of selectivity in a frame that sources share: mixtures of Gaussians, and how they agree.

Clouds are made round so that features keep their names: each is divided by its scatter, and what
they share is taken out by the symmetric root (Kessy, Lewin and Strimmer 2018, American
Statistician 72:309).  The scatter is Huber's, which is the covariance but for far vectors: that of
directions alone, which tests of angles take, leaves out how far groups are from the center.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from popdyn.analysis.gaussian_mixture import GaussianMixture, adjusted_rand, fit_mixture
from popdyn.analysis.selectivity_angles import covariance_whitened
from popdyn.analysis.selectivity_clusters import tamed_lengths
from popdyn.errors import FitError, TensorError

Array = NDArray[np.float64]
Labels = NDArray[np.intp]

# Of a Gaussian cloud, the share of vectors that Huber's scatter weighs in full.
_NEAR = 0.9
# Small clouds, all of whose vectors count, need some hundred.
_MOST_STEPS = 10_000
_SETTLED = 1e-7
_FOR_EVER = 1e10


class Groups(NamedTuple):
    """Groups of one source.

    Attributes
    ----------
    cloud : ndarray, shape (neuron, feature)
        Its neurons, made round.
    mixture : GaussianMixture
        Fitted to them, the largest group first.
    single : GaussianMixture
        One Gaussian, fitted to them.
    label : ndarray, shape (neuron,)
        Position of the group of each.
    """

    cloud: Array
    mixture: GaussianMixture
    single: GaussianMixture
    label: Labels

    def seen_in(self, cloud: Array) -> tuple[Labels, float]:
        """Group of each neuron of any cloud, and how well the groups predict it.

        Parameters
        ----------
        cloud : ndarray, shape (neuron, feature)
            Any cloud.

        Returns
        -------
        label : ndarray, shape (neuron,)
            Positions of groups.
        gain : float
            Log density beyond that of one Gaussian, in nats per neuron.  The one Gaussian keeps
            half of the weight: neurons between narrow groups would decide alone.
        """
        joint = self.mixture.joint_density(cloud)
        several = np.logaddexp.reduce(joint, axis=1)
        one = self.single.joint_density(cloud)[:, 0]
        return joint.argmax(axis=1), float(np.logaddexp(several - one, 0.0).mean() - np.log(2.0))


def rounded(values: Array) -> Array:
    """Center a cloud and make it round, each new axis as near to its feature as can be.

    Parameters
    ----------
    values : ndarray, shape (neuron, feature)
        The cloud.

    Returns
    -------
    ndarray, shape (neuron, feature)
        Lengths no more spread than those of a Gaussian cloud.  Units of features make no
        difference.

    Raises
    ------
    TensorError
        If features follow from others.
    FitError
        If it has no scatter.

    Examples
    --------
    >>> cloud = np.random.default_rng(0).standard_normal((50, 2))
    >>> bool(np.allclose(rounded(cloud), rounded(3.0 + cloud * [0.01, 100.0])))
    True
    """
    # scipy.linalg is slow to import, and only wanted here.
    from scipy.linalg import polar

    turned = _whitened(values)
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    axes = np.linalg.lstsq(scaled, turned - turned.mean(axis=0), rcond=None)[0]
    scatter = np.sqrt(np.diag(np.linalg.inv(axes @ axes.T)))
    turn = polar(scatter[:, None] * axes, side="left")[0]
    return tamed_lengths(turned @ turn.T)


def _whitened(values: Array) -> Array:
    """Center a cloud and make it round by Huber's location and scatter, along any axes."""
    cloud = covariance_whitened(values)
    n_neurons, n_features = cloud.shape
    if n_features < values.shape[1]:
        message = (
            f"{values.shape[1]} features fill only {n_features} dimensions: leave out those that "
            "follow from others or are the same for all neurons, of all sources"
        )
        raise TensorError(message)
    far = 2.0 * gammaincinv(n_features / 2, _NEAR)
    for _ in range(_MOST_STEPS):
        weight = np.minimum(1.0, far / np.maximum((cloud**2).sum(axis=1), far))
        mean = weight @ cloud / weight.sum()
        cloud = cloud - mean
        scatter = (cloud.T * weight) @ cloud / n_neurons
        if max(np.abs(mean).max(), np.abs(scatter - np.eye(n_features)).max()) < _SETTLED:
            return np.asarray(cloud)
        size, axes = np.linalg.eigh(scatter)
        # Where no scatter exists, some direction is stretched for ever.
        if np.abs(cloud).max() > _FOR_EVER:
            break
        cloud = cloud @ (axes / np.sqrt(size))
    message = (
        "these vectors cannot be made round: too many of them are equal, or lie on one line or "
        "plane. Leave features out"
    )
    raise FitError(message)


def groups_of(
    cloud: Array, n_clusters: int, shape: str, rng: np.random.Generator, n_starts: int = 10
) -> Groups:
    """Fit groups to a cloud that is round.

    Parameters
    ----------
    cloud : ndarray, shape (neuron, feature)
        The cloud.
    n_clusters : int
        How many groups.
    shape : str
        Of their covariances, see `fit_mixture`.
    rng : Generator
        Where fits start.
    n_starts : int
        Fits, of which the most likely is kept.

    Returns
    -------
    Groups
    """
    mixture = fit_mixture(cloud, n_clusters, rng, n_starts, shape)
    label = mixture.joint_density(cloud).argmax(axis=1)
    order = np.argsort(-np.bincount(label, minlength=n_clusters), kind="stable")
    mixture = GaussianMixture(*(part[order] for part in mixture))
    single = fit_mixture(cloud, 1, rng, 1)
    return Groups(cloud, mixture, single, np.argsort(order)[label])


def shared_neurons(first: Labels, second: Labels, n_clusters: int) -> NDArray[np.intp]:
    """Count the neurons with each pair of labels ``(group, group)``."""
    pairs = np.bincount(first * n_clusters + second, minlength=n_clusters**2)
    return pairs.reshape(n_clusters, n_clusters)


def compare(one: Groups, two: Groups, turn: Array | None = None) -> tuple[float, float, float]:
    """Put the neurons of each source into the groups of the other one.

    Parameters
    ----------
    one, two : Groups
        Of two sources.
    turn : ndarray, shape (feature, feature), optional
        By which the second cloud is turned before, with its groups.

    Returns
    -------
    agreement : float
        Adjusted Rand index of neurons by both mixtures, over those of each source, averaged.
    gain, gain_back : float
        By how much groups of the first predict neurons of the second, and the other way round.
    """
    turn = np.eye(one.cloud.shape[1]) if turn is None else turn
    of_two, gain = one.seen_in(two.cloud @ turn)
    of_one, gain_back = two.seen_in(one.cloud @ turn.T)
    both = adjusted_rand(of_two, two.label) + adjusted_rand(of_one, one.label)
    return both / 2, gain, gain_back


def random_turn(n_features: int, rng: np.random.Generator) -> Array:
    """Draw a rotation or reflection, all alike (Haar)."""
    axes, upper = np.linalg.qr(rng.standard_normal((n_features, n_features)))
    return np.asarray(axes * np.sign(np.diag(upper)))


def partners(one: Groups, two: Groups) -> tuple[Labels, Array, Array]:
    """Pair the groups of two sources so that the most neurons of both are in a pair.

    Parameters
    ----------
    one, two : Groups
        Of two sources.

    Returns
    -------
    partner : ndarray, shape (group,)
        Group of the second for each of the first.
    cosine : ndarray, shape (group,)
        Of the angle between their centers.
    overlap : ndarray, shape (group,)
        Of the neurons in either, the share that is in both.
    """
    from scipy.optimize import linear_sum_assignment  # type: ignore[attr-defined]

    n_clusters = len(one.mixture.weight)
    shared = shared_neurons(one.label, two.seen_in(one.cloud)[0], n_clusters)
    shared = shared + shared_neurons(one.seen_in(two.cloud)[0], two.label, n_clusters)
    partner = linear_sum_assignment(-shared)[1]
    both = shared[np.arange(n_clusters), partner]
    either = shared.sum(axis=1) + shared.sum(axis=0)[partner] - both
    centers, others = one.mixture.mean, two.mixture.mean[partner]
    lengths = np.linalg.norm(centers, axis=1) * np.linalg.norm(others, axis=1)
    return partner, (centers * others).sum(axis=1) / lengths, both / np.maximum(either, 1)
