"""Squared distance between two averages by its definition, one number at a time."""

from __future__ import annotations


def corrected_squared_distance(first, second):
    """Sum over neurons of squared differences minus squared standard errors.

    ``first`` and ``second`` are lists of trials, each a list over neurons (None: not observed).
    """
    total = 0.0
    for neuron in range(len(first[0])):
        means, errors = [], []
        for group in (first, second):
            known = [trial[neuron] for trial in group if trial[neuron] is not None]
            mean = sum(known) / len(known)
            variance = sum((value - mean) ** 2 for value in known) / (len(known) - 1)
            means.append(mean)
            errors.append(variance / len(known))
        total += (means[0] - means[1]) ** 2 - sum(errors)
    return total


def cross_products(first, second):
    """The same for complete trials without any variance: products of different trials."""

    def dot(a, b):
        return sum(x * y for x, y in zip(a, b, strict=True))

    def own(group):
        n = len(group)
        pairs = [dot(a, b) for i, a in enumerate(group) for j, b in enumerate(group) if i != j]
        return sum(pairs) / (n * (n - 1))

    between = [dot(a, b) for a in first for b in second]
    return own(first) + own(second) - 2.0 * sum(between) / len(between)
