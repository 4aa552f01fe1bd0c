"""Networks whose rank and loadings are known, and what is recorded of them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

import popdyn as pdn
from popdyn.network import LowRank

TASKS = {
    "perceptual": pdn.tasks.PerceptualDecision(),
    "context": pdn.tasks.ContextDecision(),
    "memory": pdn.tasks.ParametricWorkingMemory(),
}


# Overlaps of one latent with itself, and of two that also turn into each other: with one input
# two that do the same would be one.
OVERLAPS = {1: np.array([[1.2]]), 2: np.array([[1.1, 0.6], [-0.6, 1.1]])}


def teacher(n_neurons, n_ranks, n_inputs, seed):
    """A network whose latents integrate; each but the first hears an input only if it has one."""
    net = LowRank.random(n_neurons, n_ranks=n_ranks, n_inputs=n_inputs, rng=seed)
    heard = np.zeros_like(net.m)
    heard[:, :n_inputs] = net.input[:, :n_ranks]
    return replace(net, n=net.n + net.m @ OVERLAPS[n_ranks] + heard)


@cache
def recorded(n_neurons=40, n_ranks=1, n_trials=24, seed=0, task="perceptual"):
    """The teacher, trials, and its rates on them."""
    trials = TASKS[task].sample(n_trials, seed, dt=0.02)
    net = teacher(n_neurons, n_ranks, trials.sizes["channel"], seed)
    return net, trials, pdn.simulate(net, trials, bin_width=0.02)["rate"]


def cosines(one, other):
    """Cosines of the angles between the spans of two sets of loadings, the largest first."""
    between = np.linalg.qr(one)[0].T @ np.linalg.qr(other)[0]
    return np.linalg.svd(between)[1]
