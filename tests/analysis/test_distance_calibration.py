"""Size, power and coverage of relative_distance on Poisson counts, and on unequal noise.

The committed results are written by
``OPENBLAS_NUM_THREADS=1 python -m tests.analysis.test_distance_calibration``.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import popdyn as pdn
from popdyn.analysis.distance_euclidean import euclidean_distance

RESULTS = Path(__file__).parent / "results" / "distance.csv"
COMMAND = "# OPENBLAS_NUM_THREADS=1 python -m tests.analysis.test_distance_calibration"
N_NEURONS, N_TIMES, BIN_WIDTH = 15, 10, 0.05
# Label: numbers of trials per condition, difference of each neuron (Hz), components, standard
# deviations of Gaussian noise (None: Poisson counts), data sets.
CELLS = {
    "size, 20 and 20 trials": ((20, 20), 0.0, None, None, 1000),
    "size, 10 and 30 trials": ((10, 30), 0.0, None, None, 1000),
    "size, 5 and 5 trials": ((5, 5), 0.0, None, None, 1000),
    "size, 20 and 20 trials, 3 components": ((20, 20), 0.0, 3, None, 1000),
    "power, 20 and 20 trials, 4 Hz": ((20, 20), 4.0, None, None, 400),
    "power, 20 and 20 trials, 1 Hz": ((20, 20), 1.0, None, None, 400),
    "power, 20 and 20 trials, 2 Hz": ((20, 20), 2.0, None, None, 400),
    "power, 10 and 30 trials, 1 Hz": ((10, 30), 1.0, None, None, 400),
    "power, 5 and 5 trials, 2 Hz": ((5, 5), 2.0, None, None, 400),
    "size, 10 and 30 trials, noise 3 and 1": ((10, 30), 0.0, None, (3.0, 1.0), 1000),
    "size, 10 and 30 trials, noise 1 and 3": ((10, 30), 0.0, None, (1.0, 3.0), 1000),
    "size, 20 and 20 trials, noise 3 and 1": ((20, 20), 0.0, None, (3.0, 1.0), 1000),
    "size, 5 and 20 trials, noise 3 and 1": ((5, 20), 0.0, None, (3.0, 1.0), 1000),
}


def data(n_trials, difference, rng):
    """Poisson counts around rates of 5 to 20 Hz, with a gain all neurons share per trial."""
    rate = np.linspace(5.0, 20.0, N_NEURONS)[:, None, None]
    rate = rate * (1 + 0.3 * np.sin(np.arange(N_TIMES))[:, None])
    gain = rng.normal(1.0, 0.1, sum(n_trials))
    rate = rate * gain
    sign = np.where(np.arange(N_NEURONS) % 2, 1.0, -1.0)[:, None, None]
    rate[:, :, n_trials[0] :] += difference * sign
    counts = rng.poisson(np.clip(rate, 0.0, None) * BIN_WIDTH).astype(np.float64)
    choice = np.repeat(["a", "b"], n_trials)
    time = BIN_WIDTH * np.arange(N_TIMES)
    return pdn.make_tensor(counts, time, {"choice": choice}, name="spike_count")


def noise(n_trials, deviations, rng):
    """Gaussian noise alone, of another size in each condition."""
    values = rng.normal(size=(N_NEURONS, N_TIMES, sum(n_trials))) * np.repeat(deviations, n_trials)
    choice = np.repeat(["a", "b"], n_trials)
    return pdn.make_tensor(values, BIN_WIDTH * np.arange(N_TIMES), {"choice": choice}, units="1")


def measure(n_trials, difference, n_components, deviations, n_sets, seed):
    """Share rejected at .05, coverage of the bounds, and bias over its standard error."""
    true = N_NEURONS * difference**2
    rejected, of_mean, of_time, found = [], [], [], []
    for rng in np.random.default_rng(seed).spawn(n_sets):
        x = noise(n_trials, deviations, rng) if deviations else data(n_trials, difference, rng)
        result = euclidean_distance(
            x, "choice", reference="a", n_components=n_components, n_draws=199, rng=rng
        ).sel(condition="b")
        rejected.append(float(result.p) <= 0.05)
        low, high = result.mean_squared_distance_bound.values
        of_mean.append(low <= true <= high)
        low, high = result.squared_distance_bound.values
        of_time.append(np.mean((low <= true) & (true <= high)))
        found.append(float(result.mean_squared_distance))
    z = (np.mean(found) - true) / (np.std(found) / np.sqrt(n_sets))
    return [np.mean(rejected), np.mean(of_mean), np.mean(of_time), z]


def write():
    rows = [
        [label, n_sets, *(f"{value:.3f}" for value in measure(*cell, n_sets, seed))]
        for seed, (label, (*cell, n_sets)) in enumerate(CELLS.items())
    ]
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="") as file:
        file.write(COMMAND + "\n")
        writer = csv.writer(file, lineterminator="\n")
        head = ["cell", "n_sets", "rejected_at_05", "coverage_of_window", "coverage_of_bin"]
        writer.writerows([[*head, "bias_over_standard_error"], *rows])


@pytest.mark.slow
@pytest.mark.parametrize("label", [label for label in CELLS if label.startswith("size")])
def test_the_permutation_test_rejects_as_often_as_it_says(label):
    *cell, n_sets = CELLS[label]
    rejected, of_mean, _, bias = measure(*cell, n_sets, seed=99)
    assert (0.0 if cell[2] else 0.03) < rejected < (0.09 if "5 and 20" in label else 0.07)
    assert of_mean > 0.90
    assert abs(bias) < 4


@pytest.mark.slow
def test_a_difference_is_found_and_its_bounds_hold_it():
    rejected, of_mean, of_time, bias = measure((20, 20), 4.0, None, None, 300, seed=99)
    assert rejected > 0.95
    assert of_mean > 0.90 and of_time > 0.90
    assert abs(bias) < 4


if __name__ == "__main__":
    write()
