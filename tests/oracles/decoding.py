"""Slow plain decoding: one trial, one labeling, one time bin after the other."""

from __future__ import annotations

import numpy as np


def held_out_correct(values, label, fold, regularization):
    """Linear discriminant with a ridge on the within-class covariance, written out.

    values (trial, neuron), label (trial,), fold (trial,); returns (trial,) of bool.
    """
    correct = np.zeros(len(label), dtype=bool)
    classes = np.unique(label)
    for number in np.unique(fold):
        train = np.flatnonzero(fold != number)
        mean, scale = values[train].mean(axis=0), values[train].std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        z = (values - mean) / scale
        means = {k: z[[i for i in train if label[i] == k]].mean(axis=0) for k in classes}
        within = np.zeros((values.shape[1], values.shape[1]))
        for i in train:
            deviation = z[i] - means[label[i]]
            within += np.outer(deviation, deviation) / len(train)
        metric = np.linalg.inv(within + regularization * np.eye(len(within)))
        for i in np.flatnonzero(fold == number):
            distance = [(z[i] - means[k]) @ metric @ (z[i] - means[k]) for k in classes]
            correct[i] = classes[int(np.argmin(distance))] == label[i]
    return correct


def balanced_accuracy(correct, label):
    """Mean over classes of the share of right trials."""
    return np.mean([correct[label == k].mean() for k in np.unique(label)])
