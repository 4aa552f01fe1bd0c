"""Coverage of the bounds of PCA, and how often noise alone exceeds its null.

The committed results are written by
``OPENBLAS_NUM_THREADS=1 python -m tests.analysis.test_statespace_calibration``.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import popdyn as pdn

RESULTS = Path(__file__).parent / "results" / "statespace.csv"
COMMAND = "# OPENBLAS_NUM_THREADS=1 python -m tests.analysis.test_statespace_calibration"
N_NEURONS, N_TIMES, N_SETS = 30, 20, 150
# Trials per condition, noise (signal along the first component has standard deviation 7).
CELLS = {
    "10 trials, noise 2": (10, 2.0),
    "10 trials, noise 6": (10, 6.0),
    "30 trials, noise 6": (30, 6.0),
    "6 trials, noise 6": (6, 6.0),
}
NAMES = ("cross_validated_ratio", "cumulative_cross_validated_ratio", "participation_ratio")


def planted():
    """Signal (neuron, time, condition) of three latents, the same in every data set."""
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(N_NEURONS, 3)))[0] * np.array([10.0, 6.0, 3.6])
    phase = rng.uniform(0, 2 * np.pi, (3, 1, 2))
    cycles = np.arange(1, 4)[:, None, None]
    time = np.arange(N_TIMES)[None, :, None] / N_TIMES
    return np.einsum("nk,ktc->ntc", axes, np.sin(2 * np.pi * cycles * time + phase))


def result_of(signal, n_trials, noise, rng, n_draws=60):
    choice = np.repeat([0, 1], n_trials)
    shape = (N_NEURONS, N_TIMES, 2 * n_trials)
    shared = rng.normal(size=(N_NEURONS, 1, 1)) * rng.normal(size=(1, N_TIMES, 2 * n_trials))
    values = signal[:, :, choice] + noise * (rng.normal(size=shape) + 0.3 * shared)
    x = pdn.make_tensor(values, np.arange(N_TIMES) * 0.02, {"choice": choice}, units="1")
    return pdn.PCA(3, by="choice", n_splits=20, n_draws=n_draws, rng=rng).fit(x).to_dataset()


def coverage(n_trials, noise, n_sets, seed):
    """Coverage of what the estimates are on average (the true participation ratio for that)."""
    signal = planted()
    matrix = signal.reshape(N_NEURONS, -1)
    covariance = np.cov(matrix)
    results = [
        result_of(signal, n_trials, noise, rng) for rng in np.random.default_rng(seed).spawn(n_sets)
    ]
    target = {name: np.mean([one[name].values for one in results], axis=0) for name in NAMES}
    mean_participation = float(target["participation_ratio"])
    target["participation_ratio"] = np.trace(covariance) ** 2 / np.sum(covariance**2)
    shares = []
    for name in NAMES:
        inside = [
            (one[f"{name}_bound"].values[0] <= target[name])
            & (target[name] <= one[f"{name}_bound"].values[1])
            for one in results
        ]
        shares.append(float(np.mean(inside)))
    true = np.array([_true_trajectory(one, signal) for one in results])
    bound = np.array([one.trajectory_bound.transpose("bound", ...).values for one in results])
    shares.append(float(np.mean((bound[:, 0] <= true) & (true <= bound[:, 1]))))
    return [*shares, mean_participation, float(target["participation_ratio"])]


def _true_trajectory(result, signal):
    """The signal without noise along the fitted axes."""
    return np.einsum(
        "nk,ntc->ktc", result.loading.values, signal - result["mean"].values[:, None, None]
    )


def exceeded(n_sets, seed):
    """How often independent noise exceeds the 95 % quantile of its null, per component."""
    silent = np.zeros((N_NEURONS, N_TIMES, 2))
    above = []
    for rng in np.random.default_rng(seed).spawn(n_sets):
        scale = np.linspace(0.5, 2.0, N_NEURONS)[:, None, None]
        choice = np.repeat([0, 1], 10)
        values = silent[:, :, choice] + scale * rng.normal(size=(N_NEURONS, N_TIMES, 20))
        x = pdn.make_tensor(values, np.arange(N_TIMES) * 0.02, {"choice": choice}, units="1")
        one = pdn.PCA(3, by="choice", n_splits=40, n_draws=2, rng=rng).fit(x).to_dataset()
        null = one.null_cumulative_ratio.quantile(0.95, "draw")
        above.append((one.cumulative_cross_validated_ratio > null).values)
    return np.mean(above, axis=0)


def write():
    rows = [
        [label, N_SETS, *(f"{value:.3f}" for value in coverage(*cell, N_SETS, seed))]
        for seed, (label, cell) in enumerate(CELLS.items())
    ]
    above = ", ".join(f"{value:.3f}" for value in exceeded(300, 0))
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="") as file:
        file.write(
            f"{COMMAND}\n# noise alone above the 95 % quantile of its null (3 components): {above}\n"
        )
        writer = csv.writer(file, lineterminator="\n")
        head = ["cell", "n_sets", *(f"coverage_{name}" for name in NAMES), "coverage_trajectory"]
        writer.writerows([[*head, "mean_participation_ratio", "true_participation_ratio"], *rows])


@pytest.mark.slow
def test_bounds_cover():
    ratio, cumulative, participation, trajectory, mean, true = coverage(10, 6.0, 40, seed=9)
    assert min(ratio, cumulative, participation, trajectory) > 0.85
    assert mean == pytest.approx(true, abs=0.1)


@pytest.mark.slow
def test_noise_alone_rarely_exceeds_its_null():
    assert exceeded(100, seed=9).max() < 0.1


if __name__ == "__main__":
    write()
