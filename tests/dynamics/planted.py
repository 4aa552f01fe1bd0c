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


def teacher(n_neurons, n_ranks, n_inputs, seed):
    """A network whose latents integrate: each with an overlap of 1.2 and an input of its own."""
    net = LowRank.random(n_neurons, n_ranks=n_ranks, n_inputs=n_inputs, rng=seed)
    m = net.m
    heard = net.input[:, np.arange(n_ranks) % n_inputs]
    return replace(net, n=net.n + 1.2 * m + heard, output=net.m[:, :1].T)


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
