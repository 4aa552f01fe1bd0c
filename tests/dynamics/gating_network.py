"""A network that decides by context with two populations, written down and not trained."""

from __future__ import annotations

import numpy as np

import popdyn as pdn


def gating_network(n_neurons=1000, seed=0, saturation=16.0):
    """Each population integrates one stimulus, and is saturated by the cue of the other.

    The second half of the neurons hears color: in the context of motion its gain is small.
    """
    rng = np.random.default_rng(seed)
    first = np.arange(n_neurons) < n_neurons // 2
    m, motion, color = rng.standard_normal((3, n_neurons))
    cue_of_motion = np.where(first, 0.0, saturation) * rng.standard_normal(n_neurons)
    cue_of_color = np.where(first, saturation, 0.0) * rng.standard_normal(n_neurons)
    n = 1.6 * m + 3.0 * np.where(first, motion, color)
    return pdn.network.LowRank(
        m[:, None],
        n[:, None],
        np.column_stack([motion, color, cue_of_motion, cue_of_color]),
        4 * m[None],
        population=np.where(first, "motion", "color"),
    )


TASK = pdn.tasks.ContextDecision(context_strength=0.5)
