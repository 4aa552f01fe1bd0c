"""Which tasks are learned at which rank: three seeds each, accuracy on fresh trials.

The committed results are written by
``OPENBLAS_NUM_THREADS=1 python -m tests.train.test_backprop_tasks``.
"""

from __future__ import annotations

import csv
import time
from pathlib import Path

import pytest

import popdyn as pdn

RESULTS = Path(__file__).parent / "results" / "backprop_tasks.csv"
PAGE = Path(__file__).parents[2] / "docs" / "methods" / "backprop.rst"
COMMAND = "# OPENBLAS_NUM_THREADS=1 python -m tests.train.test_backprop_tasks"
HEADER = ["task", "rank", "seed", "accuracy", "cpu_seconds"]
MATCH = pdn.tasks.DelayedMatch
backprop = pdn.train.backprop


def from_random(task, n_trials, seed):
    """Rank 1, from random loadings."""
    n_inputs = task.sample(2).sizes["channel"]
    net = pdn.network.LowRank.random(512, n_inputs=n_inputs, rng=seed)
    _, history = backprop(net, task, n_trials=n_trials, rng=seed)
    yield 1, history


def memory(seed):
    """Ranks 2 and 1, from the largest singular values of a network of full rank."""
    task = pdn.tasks.ParametricWorkingMemory()
    full = pdn.network.Rate.random(256, g=0.5, dt=0.02, rng=seed)
    full, _ = backprop(full, task, n_trials=3200, rng=seed)
    for rank in (2, 1):
        net = pdn.network.LowRank.from_rate(full, rank)
        yield rank, backprop(net, task, n_trials=3200, rng=seed)[1]


def match(seed):
    """Rank 2, from full rank, over longer and longer delays."""
    short, middle = (MATCH(delay_duration=d, decision_duration=0.3) for d in (0.1, (0.1, 1.0)))
    full = pdn.network.Rate.random(256, g=0.8, n_inputs=2, dt=0.02, rng=seed)
    full, _ = backprop(full, short, n_trials=1920, n_validation=100, rng=seed)
    net = pdn.network.LowRank.from_rate(full, 2)
    for task, n_trials in ((short, 1920), (middle, 1920)):
        net, _ = backprop(net, task, n_trials=n_trials, n_validation=100, rng=seed)
    yield 2, backprop(net, MATCH(), n_trials=3200, rng=seed)[1]


def main():
    from_random(pdn.tasks.PerceptualDecision(), 32, 0).__next__()  # compiled before the clock
    rows = []
    for seed in range(3):
        studies = {
            "PerceptualDecision": from_random(pdn.tasks.PerceptualDecision(), 6400, seed),
            "ContextDecision": from_random(pdn.tasks.ContextDecision(), 25600, seed),
            "ParametricWorkingMemory": memory(seed),
            "DelayedMatch": match(seed),
        }
        for task, study in studies.items():
            start = time.process_time()
            for rank, history in study:
                seconds = time.process_time() - start
                accuracy = float(history["final_accuracy"])
                rows.append([task, rank, seed, f"{accuracy:.3f}", f"{seconds:.1f}"])
                start = time.process_time()
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="") as file:
        file.write(COMMAND + "\n")
        csv.writer(file, lineterminator="\n").writerows([HEADER, *rows])


def rows():
    with RESULTS.open(newline="") as file:
        next(file)
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("task", "rank"),
    [
        ("PerceptualDecision", "1"),
        ("ContextDecision", "1"),
        ("ParametricWorkingMemory", "2"),
        ("DelayedMatch", "2"),
    ],
)
def test_tasks_are_learned_at_the_rank_they_need(task, rank):
    found = [float(row["accuracy"]) for row in rows() if (row["task"], row["rank"]) == (task, rank)]
    assert len(found) == 3
    assert min(found) >= 0.95


def test_accuracies_of_the_page_are_those_of_the_results():
    page = PAGE.read_text()
    keys = dict.fromkeys((row["task"], row["rank"]) for row in rows())
    for task, rank in keys:
        own = [row["accuracy"] for row in rows() if (row["task"], row["rank"]) == (task, rank)]
        assert ", ".join(own) in page, (task, rank)


if __name__ == "__main__":
    main()
