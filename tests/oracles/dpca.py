"""Demixed components the slow way: every marginalization at full size, every sum spelled out."""

from __future__ import annotations

from itertools import combinations

import numpy as np


def terms(averages):
    """Parts of averages (neuron, level, ..., time) by the axes they vary along.

    A part is the mean over all other axes less all parts along fewer axes.
    """
    n_axes = averages.ndim - 1
    centered = averages - averages.mean(axis=tuple(range(1, n_axes + 1)), keepdims=True)
    parts = {}
    for size in range(1, n_axes + 1):
        for axes in combinations(range(n_axes), size):
            others = tuple(axis + 1 for axis in range(n_axes) if axis not in axes)
            part = centered.mean(axis=others, keepdims=True) + np.zeros_like(averages)
            for fewer in range(1, size):
                for inner in combinations(axes, fewer):
                    part = part - parts[inner]
            parts[axes] = part
    return parts


def joined(averages):
    """Time, and every combination of factors with its product with time."""
    parts = terms(averages)
    time = averages.ndim - 2
    found = [parts[(time,)]]
    for axes in parts:
        if time not in axes:
            found.append(parts[axes] + parts[(*axes, time)])
    return found


def components(averages, part, regularization, n_components, noise=0.0):
    """Encoder (neuron, component) and decoder (component, neuron) of one part."""
    x = averages.reshape(len(averages), -1)
    x = x - x.mean(axis=1, keepdims=True)
    ridge = (regularization * (x**2).sum()) ** 2
    within = x @ x.T + noise + ridge * np.eye(len(x))
    whole = part.reshape(len(x), -1) @ x.T @ np.linalg.inv(within)
    encoder = np.linalg.svd(whole @ x)[0][:, :n_components]
    return encoder, encoder.T @ whole


def explained(averages, encoder, decoder):
    """Share of the variance that the reconstruction explains."""
    x = averages.reshape(len(averages), -1)
    x = x - x.mean(axis=1, keepdims=True)
    return 1 - ((x - encoder @ decoder @ x) ** 2).sum() / (x**2).sum()


def held_out_error(train, test, regularizations, n_components, noise):
    """Error of rebuilding training averages from held-out trials, over their variance."""
    held = test.reshape(len(test), -1)
    held = held - held.mean(axis=1, keepdims=True)
    parts = joined(train)
    errors = []
    for regularization in regularizations:
        error = 0.0
        for part in parts:
            encoder, decoder = components(train, part, regularization, n_components, noise)
            error += ((part.reshape(len(train), -1) - encoder @ decoder @ held) ** 2).sum()
        errors.append(error / sum((part**2).sum() for part in parts))
    return np.array(errors)
