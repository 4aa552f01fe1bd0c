"""Squared distance between two averages by its definition, one number at a time."""

from __future__ import annotations

from itertools import permutations


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


def null_variance(first, second):
    """Variance of the corrected squared distance where there is no difference.

    Trials are independent, so only squared products of different trials count: each pair of a
    group with its own average taken off, and each pair across groups.
    """

    def centered(group):
        means = [sum(column) / len(group) for column in zip(*group, strict=True)]
        return [[x - m for x, m in zip(trial, means, strict=True)] for trial in group]

    def dot(a, b):
        return sum(x * y for x, y in zip(a, b, strict=True))

    total = 0.0
    for group in (centered(first), centered(second)):
        n = len(group)
        pairs = [dot(a, b) for i, a in enumerate(group) for j, b in enumerate(group) if i != j]
        average = sum(pairs) / len(pairs)
        total += 2.0 * sum((pair - average) ** 2 for pair in pairs) / (n * (n - 1)) ** 2
    mutual = [dot(a, b) ** 2 for a in centered(first) for b in centered(second)]
    return total + 4.0 * sum(mutual) / (len(first) * len(second)) ** 2


def studentizing_variance(first, second):
    """The same without any average of a group: products of trials that are all different.

    Never below a quarter of the plain squares of products around the average of all trials.
    """
    every = [*first, *second]
    means = [sum(column) / len(every) for column in zip(*every, strict=True)]
    first, second = (
        [[x - m for x, m in zip(trial, means, strict=True)] for trial in group]
        for group in (first, second)
    )

    def dot(a, b):
        return sum(x * y for x, y in zip(a, b, strict=True))

    def mean(values):
        values = list(values)
        return sum(values) / len(values)

    total = plain = 0.0
    for group in (first, second):
        n = len(group)
        product = [[dot(a, b) for b in group] for a in group]
        square = mean(product[i][j] ** 2 for i, j in permutations(range(n), 2))
        plain += 2.0 * square / (n * (n - 1))
        if n > 3:
            three = permutations(range(n), 3)
            four = permutations(range(n), 4)
            square -= 2.0 * mean(product[i][j] * product[j][k] for i, j, k in three)
            square += mean(product[i][j] * product[k][m] for i, j, k, m in four)
        total += 2.0 * square / (n * (n - 1))
    pairs = [list(permutations(range(len(group)), 2)) for group in (first, second)]
    product = [[dot(a, b) for b in second] for a in first]
    square = mean(value**2 for row in product for value in row)
    plain += 4.0 * square / (len(first) * len(second))
    square -= mean(row[j] * row[k] for row in product for j, k in pairs[1])
    columns = list(zip(*product, strict=True))
    square -= mean(column[i] * column[k] for column in columns for i, k in pairs[0])
    square += mean(product[i][j] * product[k][m] for i, k in pairs[0] for j, m in pairs[1])
    total += 4.0 * square / (len(first) * len(second))
    return max(total, plain / 4.0)
