"""Slow plain formulas for targeted dimensionality reduction; no trial is missing a regressor."""

import numpy as np


def standardize(values):
    """Mean 0 and standard deviation 1 over bins and trials, neuron by neuron."""
    mean = np.array([np.nanmean(one) for one in values])
    scale = np.array([np.nanstd(one) for one in values])
    return np.array([(one - m) / s for one, m, s in zip(values, mean, scale, strict=True)])


def coefficients(scores, x):
    """Regress each neuron and bin on x (trial, regressor) over the trials it has."""
    n_neurons, n_times, _ = scores.shape
    found = np.empty((x.shape[1], n_neurons, n_times))
    for i in range(n_neurons):
        for t in range(n_times):
            known = np.isfinite(scores[i, t])
            found[:, i, t] = np.linalg.lstsq(x[known], scores[i, t, known], rcond=None)[0]
    return found


def averages(scores, condition):
    """Averages (neuron, time x condition) over the trials each neuron has."""
    levels = sorted(set(condition))
    return np.hstack([np.nanmean(scores[:, :, condition == one], axis=2) for one in levels])


def denoise(coefficient, samples, n_components):
    """Project coefficients on the first principal components of the samples."""
    centered = samples - samples.mean(axis=1, keepdims=True)
    axes = np.linalg.svd(centered, full_matrices=False)[0][:, :n_components]
    return np.array([axes @ axes.T @ one for one in coefficient])


def axes_of(coefficient):
    """Coefficients where their norm is largest, and the same by Gram and Schmidt."""
    raw, orthonormal = [], []
    for one in coefficient:
        at = np.argmax([np.linalg.norm(one[:, t]) for t in range(one.shape[1])])
        raw.append(one[:, at] / np.linalg.norm(one[:, at]))
        rest = raw[-1].copy()
        for other in orthonormal:
            rest = rest - (rest @ other) * other
        orthonormal.append(rest / np.linalg.norm(rest))
    return np.array(raw), np.array(orthonormal)


def explained(scores, x, columns, order):
    """Sum of squares per bin that permuted columns explain beyond the others.

    What the others leave of the columns is permuted by ``order``.
    """
    others = np.delete(x, columns, axis=1)
    left = x[:, columns] - others @ np.linalg.lstsq(others, x[:, columns], rcond=None)[0]
    total = np.zeros(scores.shape[1])
    for neuron in scores:
        for t, y in enumerate(neuron):
            known = np.isfinite(y)
            less = others[known]
            more = np.hstack([less, left[order][known]])
            errors = [
                ((y[known] - one @ np.linalg.lstsq(one, y[known], rcond=None)[0]) ** 2).sum()
                for one in (less, more)
            ]
            total[t] += errors[0] - errors[1]
    return total
