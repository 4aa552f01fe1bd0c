"""Networks that hold a sample and a distractor on axes at a known angle, in the dual task."""

from __future__ import annotations

import numpy as np

import popdyn as pdn

# Aligned to the sample: shown 0 to 0.4 s, delay to 1 s, distractor to 1.4 s.
TASK = pdn.tasks.DualTask(
    fixation_duration=0.2, sample_duration=0.4, delay_duration=0.6, distractor_duration=0.4,
    distractor_decision_duration=0.2, delay_2_duration=0.4, test_duration=0.2,
    decision_duration=0.2,
)  # fmt: skip
AXES = {"memory": ("sample", (0.6, 1.0)), "distractor": ("distractor", (1.2, 1.4))}


def network(cosine, n_neurons=60, seed=0):
    """Rate network with two line attractors, whose axes have this cosine."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(n_neurons, 4)))[0]
    memory = basis[:, 0]
    distractor = cosine * memory + np.sqrt(1 - cosine**2) * basis[:, 1]
    plane = np.linalg.qr(np.column_stack([memory, distractor]))[0] if abs(cosine) < 1 else memory
    plane = plane.reshape(n_neurons, -1)
    drive = {"A": memory, "B": -memory, "C": basis[:, 2], "D": basis[:, 3]}
    drive |= {"go": distractor, "nogo": -distractor}
    weights = np.column_stack([0.4 * drive[name] for name in TASK.stimuli])
    return pdn.network.Rate(
        0.97 * plane @ plane.T, weights, np.ones((1, n_neurons)) / n_neurons,
        np.zeros(n_neurons), tau=0.1, dt=0.02,
    )  # fmt: skip


def session(cosine, n_trials=80, noise=0.3, seed=0):
    """Tensor of the network's rates in the task, with noise in the network."""
    trials = TASK.sample(n_trials, rng=seed, dt=0.02)
    run = pdn.simulate(
        network(cosine, seed=seed), trials, rng=seed, bin_width=0.1, noise_density=noise
    )
    return pdn.align(run["rate"], "sample_on_time", window=(0.0, 1.8))
