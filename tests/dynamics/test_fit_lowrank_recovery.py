"""What low-rank fits find of planted networks: how well, which rank, from how few neurons.

The committed table is written by
``OPENBLAS_NUM_THREADS=1 python -m tests.dynamics.test_fit_lowrank_recovery``,
which goes on where it stopped, and in the end writes the medians over seeds.
"""

from __future__ import annotations

import csv
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

import popdyn as pdn
from tests.dynamics.planted import TASKS, cosines, recorded

RESULTS = Path(__file__).parent / "results" / "fit_lowrank.csv"
SUMMARY = RESULTS.with_name("fit_lowrank_summary.csv")
COMMAND = "# OPENBLAS_NUM_THREADS=1 python -m tests.dynamics.test_fit_lowrank_recovery"
N_NEURONS, N_TRIALS, N_SEEDS = 100, 40, 10
TOLD = {"n_iterations": 200, "n_draws": 200, "ceiling": False}
# Counts need the trials, and have a prior that starts agree by.
PARTS = {"rates": {"n_folds": 2, "n_starts": 2}, "counts": {"n_folds": 3, "n_starts": 1}}
RANKS = [1, 2, 3]
# Rates of some neurons, and a network that has no others.
ALONE = "rates, no others"
KEY = ["task", "true_rank", "observed", "data", "seed"]
# Truth: rates without noise, which the fit never saw, of held-out trials; of recurrent weights those
# of the network that was recorded, among the neurons that were.
FOUND = ["r2_of_truth", "r2", "chosen_rank", "least_cosine", "raw", "effective", "cpu_seconds"]
HEAD = [*KEY, *FOUND]
SUMMARY_HEAD = [
    "task", "rank", "recorded", "networks", "R² of truth", "ranks chosen", "cosine", "all weights",
    "weights visited",
]  # fmt: skip


def observed(rate, part, data, seed):
    """What is recorded: rates with a noise of .1, or counts of 10 Hz on average in 20 ms."""
    rng = np.random.default_rng([seed, 7])
    seen = rng.permutation(rate.sizes["neuron"])[: round(part * rate.sizes["neuron"])]
    kept = rate.isel(neuron=np.sort(seen))
    if data != "counts":
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
    n_neurons = tensor.sizes["neuron"] if data == ALONE else N_NEURONS
    told = TOLD | PARTS["counts" if data == "counts" else "rates"]
    fit = pdn.dynamics.fit_lowrank(tensor, trials, RANKS, n_neurons=n_neurons, rng=seed, **told)
    seconds = time.process_time() - started
    recorded_ones = fit.isel(neuron=fit["recorded"].values)
    found = recorded_ones["held_out"].values / (0.02 if data == "counts" else 1.0)
    known = np.isfinite(truth)
    about = np.nanmean(truth, axis=(1, 2), keepdims=True)
    left = ((found - truth)[known] ** 2).sum() / ((truth - about)[known] ** 2).sum()
    names = tensor["neuron"].values
    rank = int(fit["chosen_rank"])
    least = cosines(recorded_ones["m"].values, net.m[names])[: min(rank, true_rank)].min()
    numbers = [1 - left, float(fit["r2"].sel(n_ranks=rank))]
    pairs = correlations(recorded_ones, net, rate.sel(neuron=names).values)
    return [
        *(f"{value:.4f}" for value in numbers), rank,
        *(f"{value:.4f}" for value in (least, *pairs)), f"{seconds:.1f}",
    ]  # fmt: skip


def correlations(fit, net, rate):
    """Of recurrent weights with the true ones, and along what the true rates visit."""
    m, n = fit["m"].values, fit["n"].values
    true_m, true_n = (part[fit["neuron"].values] for part in (net.m, net.n))
    samples = rate.reshape(len(m), -1)
    axes, size, _ = np.linalg.svd(samples[:, np.isfinite(samples).all(axis=0)], full_matrices=False)
    axes = axes[:, : 1 + np.searchsorted(np.cumsum(size**2) / (size**2).sum(), 0.99)]
    seen = axes @ axes.T
    return [
        np.corrcoef((m @ n.T @ part).ravel(), (true_m @ true_n.T @ part).ravel())[0, 1]
        for part in (np.eye(len(m)), seen)
    ]


def kinds():
    """What is fitted: rates of a part of the neurons, counts of all."""
    data = [
        ("1.0", "rates"),
        ("0.5", "rates"),
        ("0.1", "rates"),
        ("0.1", ALONE),
        ("1.0", "counts"),
    ]
    return [(task, rank, *kind) for task in TASKS for rank in (1, 2) for kind in data]


def cells():
    """Every cell of the table; halves of the neurons come last."""
    every = [(*kind, seed) for seed in range(N_SEEDS) for kind in kinds()]
    return sorted(every, key=lambda cell: cell[2] == "0.5")


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


def summary(rows):
    """Medians over seeds with their 95 % intervals, and how often each rank is chosen."""
    lines = [",".join(SUMMARY_HEAD)]
    for task, rank, part, data in kinds():
        here = [r for r in rows if [r[name] for name in KEY[:4]] == [task, str(rank), part, data]]
        if len(here) < 2:
            continue
        medians = [
            _interval(np.array([float(row[name]) for row in here]))
            for name in ("r2_of_truth", "least_cosine", "raw", "effective")
        ]
        ranks = Counter(row["chosen_rank"] for row in here)
        chosen = ", ".join(f"{number} × {ranks[number]}" for number in sorted(ranks))
        what = f"{float(part):.0%}: {data}"
        row = [task, rank, what, len(here), medians[0], chosen, *medians[1:]]
        lines.append(",".join(f'"{value}"' for value in row))
    return "\n".join(lines) + "\n"


def _interval(values):
    """The median and its 95 % interval in words: the values that it lies between."""
    # As many values below as above, of coins that are tossed; all of them if they are few.
    out = max(int(binom.ppf(0.025, values.size, 0.5)) - 1, 0)
    inside = np.sort(values)[out : values.size - out]
    return f"{np.median(values):.3f} ({inside[0]:.3f} to {inside[-1]:.3f})"


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


def test_the_medians_are_of_the_table(rows):
    assert SUMMARY.read_text() == summary(rows)


if __name__ == "__main__":
    write()
    SUMMARY.write_text(summary(table()))
