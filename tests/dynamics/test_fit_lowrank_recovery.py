"""What low-rank fits find of planted networks: how well, which rank, from how few neurons.

The committed table is written by
``OPENBLAS_NUM_THREADS=1 python -m tests.dynamics.test_fit_lowrank_recovery``,
which goes on where it stopped.
"""

from __future__ import annotations

import csv
import time
from pathlib import Path

import numpy as np
import pytest

import popdyn as pdn
from tests.dynamics.planted import TASKS, cosines, recorded

RESULTS = Path(__file__).parent / "results" / "fit_lowrank.csv"
COMMAND = "# OPENBLAS_NUM_THREADS=1 python -m tests.dynamics.test_fit_lowrank_recovery"
N_NEURONS, N_TRIALS, N_SEEDS = 100, 40, 10
TOLD = {"n_folds": 4, "n_starts": 2, "n_iterations": 100, "n_draws": 100, "ceiling": False}
KEY = ["task", "true_rank", "observed", "data", "seed"]
# Truth: rates without noise, which the fit never saw, of held-out trials.
FOUND = ["r2_of_truth", "r2", "chosen_rank", "least_cosine", "raw", "effective", "cpu_seconds"]
HEAD = [*KEY, *FOUND]


def observed(rate, part, data, seed):
    """What is recorded: rates with a noise of .1, or counts about 10 Hz in bins of 20 ms."""
    rng = np.random.default_rng([seed, 7])
    seen = rng.permutation(rate.sizes["neuron"])[: round(part * rate.sizes["neuron"])]
    kept = rate.isel(neuron=np.sort(seen))
    if data == "rates":
        return kept.copy(data=kept.values + 0.1 * rng.standard_normal(kept.shape)), kept.values
    hertz = 10.0 + 10.0 * kept.values
    drawn = rng.poisson(0.02 * np.nan_to_num(hertz)).astype(np.float32)
    # Trials end at different times.
    counts = kept.copy(data=np.where(np.isfinite(hertz), drawn, np.nan))
    return counts.rename("spike_count"), hertz


def measure(task, true_rank, part, data, seed):
    """Fit ranks 1 to 3 to what is observed of one network."""
    net, trials, rate = recorded(N_NEURONS, true_rank, N_TRIALS, seed, task)
    tensor, truth = observed(rate, float(part), data, seed)
    started = time.process_time()
    fit = pdn.dynamics.fit_lowrank(tensor, trials, [1, 2, 3], rng=seed, **TOLD)
    seconds = time.process_time() - started
    found = fit["held_out"].values / (0.02 if data == "counts" else 1.0)
    known = np.isfinite(truth)
    about = np.nanmean(truth, axis=(1, 2), keepdims=True)
    left = ((found - truth)[known] ** 2).sum() / ((truth - about)[known] ** 2).sum()
    names = tensor["neuron"].values
    rank = int(fit["chosen_rank"])
    least = cosines(fit["m"].values, net.m[names])[: min(rank, true_rank)].min()
    numbers = [1 - left, float(fit["r2"].sel(n_ranks=rank))]
    pairs = [float(fit[f"{name}_correlation"]) for name in ("raw", "effective")]
    return [
        *(f"{value:.4f}" for value in numbers), rank,
        *(f"{value:.4f}" for value in (least, *pairs)), f"{seconds:.1f}",
    ]  # fmt: skip


def cells():
    """Every cell of the table: rates of a part of the neurons, counts of all."""
    every = [
        (task, rank, part, data)
        for task in TASKS
        for rank in (1, 2)
        for data, parts in (("rates", ("0.1", "0.5", "1.0")), ("counts", ("1.0",)))
        for part in parts
    ]
    return [(*cell, seed) for seed in range(N_SEEDS) for cell in every]


def table():
    with RESULTS.open(newline="") as file:
        return list(csv.DictReader(file.readlines()[1:]))


def write(n_most=None):
    RESULTS.parent.mkdir(exist_ok=True)
    if not RESULTS.exists():
        RESULTS.write_text(f"{COMMAND}\n{','.join(HEAD)}\n")
    done = {tuple(row[name] for name in KEY) for row in table()}
    left = [cell for cell in cells() if tuple(map(str, cell)) not in done]
    for cell in left[:n_most]:
        row = [*cell, *measure(*cell)]
        with RESULTS.open("a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(row)


@pytest.fixture(scope="module")
def rows():
    """The committed table."""
    if not RESULTS.exists():
        pytest.skip("the table is not written yet")
    return table()


def test_the_table_holds_cells_once(rows):
    found = [tuple(row[name] for name in KEY) for row in rows]
    assert len(set(found)) == len(found)
    assert set(found) <= {tuple(map(str, cell)) for cell in cells()}


def test_truth_is_predicted_where_rates_were_recorded(rows):
    found = [float(row["r2_of_truth"]) for row in rows if row["data"] == "rates"]
    assert np.median(found) > 0.97


def test_what_weights_do_to_the_activity_repeats_better_than_the_weights(rows):
    raw, effective = (np.array([float(row[name]) for row in rows]) for name in ("raw", "effective"))
    assert np.median(effective) > np.median(raw)


if __name__ == "__main__":
    write()
