"""Neighbor angles from all pairs, and maximum likelihood by a general optimizer."""

import numpy as np
from scipy.optimize import minimize
from scipy.stats import multivariate_normal


def all_pairs_angles(vectors, n_neighbors):
    """Angles to the nearest neighbors, rising, by cosines of all pairs."""
    angles = np.empty((len(vectors), n_neighbors))
    for i, own in enumerate(vectors):
        cosines = [
            own @ other / np.sqrt((own @ own) * (other @ other))
            for j, other in enumerate(vectors)
            if j != i
        ]
        angles[i] = np.sort(np.arccos(np.clip(cosines, -1, 1)))[:n_neighbors]
    return angles


def most_likely_covariance(values, error):
    """Covariance of a Gaussian cloud seen with known errors, by its likelihood."""
    d = values.shape[1]
    lower = np.tril_indices(d)

    def unpack(x):
        root = np.zeros((d, d))
        root[lower] = x[d:]
        return x[:d], root @ root.T

    def loss(x):
        mean, covariance = unpack(x)
        return -sum(
            multivariate_normal.logpdf(own, mean, covariance + np.diag(e**2))
            for own, e in zip(values, error, strict=True)
        )

    start = np.concatenate([values.mean(axis=0), np.eye(d)[lower]])
    return unpack(minimize(loss, start, method="BFGS").x)[1]
