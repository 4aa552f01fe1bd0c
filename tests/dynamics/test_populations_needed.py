"""Which tasks need populations: networks of rank 1 or 2, five tasks, seed by seed.

Networks that did not learn their task are kept in the results, and count for nothing.

The committed results are written, and continued where they stopped, by
``OPENBLAS_NUM_THREADS=1 python -m tests.dynamics.test_populations_needed``.
"""

from __future__ import annotations

import csv
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import popdyn as pdn

RESULTS = Path(__file__).parent / "results" / "populations_needed.csv"
SUMMARY = RESULTS.with_name("populations_needed_summary.csv")
COMMAND = "# OPENBLAS_NUM_THREADS=1 python -m tests.dynamics.test_populations_needed"
HEADER = [
    "task",
    "seed",
    "network",
    "one_of_own_size",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
]
HEADER += ["needed", "cpu_training", "cpu_test"]
N_NETWORKS = 10
LARGEST = 6
# Overlaps of few neurons scatter: networks are drawn large, so that what fails is the structure.
DRAWN = 4096
CONTEXT = pdn.tasks.ContextDecision(context_strength=0.5)
MATCH = pdn.tasks.DelayedMatch()
MEMORY = pdn.tasks.ParametricWorkingMemory()
MATCH_LESSONS = [
    (replace(MATCH, delay_duration=(0.1, 0.3)), 16000, 0.1),
    (replace(MATCH, delay_duration=(0.5, 1.0)), 3200, 0.1),
    (MATCH, 3200, 0.1),
]
# Task: neurons, rank, noise, memory at the start, lessons of (task, trials, largest gradient).
LESSONS = {
    "perceptual": (512, 1, 0.05, 0.0, [(pdn.tasks.PerceptualDecision(), 3200, 1.0)]),
    "working memory": (512, 2, 0.005, 1.0, [(MEMORY, 4480, 1.0)]),
    "multisensory": (512, 1, 0.05, 0.0, [(pdn.tasks.MultisensoryDecision(), 3200, 1.0)]),
    "context": (512, 1, 0.05, 0.0, [(CONTEXT, 16000, 0.1)]),
    "delayed match": (1024, 2, 0.1, 1.0, MATCH_LESSONS),
}
SIMPLE = ("perceptual", "working memory", "multisensory")
COMPLEX = ("context", "delayed match")


def trained(task, seed):
    """A network that learned a task, and the noise it learned with.

    Memories are hardly found from random loadings: there ``n`` starts with ``m`` in it, so that
    latents are kept from the first trial on.
    """
    size, rank, noise, memory, lessons = LESSONS[task]
    n_inputs = lessons[-1][0].sample(4).sizes["channel"]
    net = pdn.network.LowRank.random(size, n_ranks=rank, n_inputs=n_inputs, rng=seed)
    net = replace(net, n=net.n + memory * net.m)
    for lesson, n_trials, clip in lessons:
        net, _ = pdn.train.backprop(
            net, lesson, n_trials=n_trials, clip=clip, noise_step=noise, rng=seed
        )
    return net, noise


def measure(task, seed):
    start = time.process_time()
    net, noise = trained(task, seed)
    learned = time.process_time()
    test = {"task": LESSONS[task][-1][-1][0], "noise_step": noise, "rng": seed}
    own = pdn.dynamics.populations(net, 1, **test)
    found = pdn.dynamics.populations(net, largest=LARGEST, n_neurons=DRAWN, n_trials=128, **test)
    accuracy = np.full(LARGEST, np.nan)
    accuracy[found["tried"].values - 1] = found["mean_accuracy"].values
    return [
        float(found["network_accuracy"]),
        float(own["mean_accuracy"][0]),
        *accuracy,
        float(found["n_populations"]),
        learned - start,
        time.process_time() - learned,
    ]


def rows(path=RESULTS):
    if not path.exists():
        return {}
    with path.open() as file:
        next(file)
        return {(row["task"], int(row["seed"])): row for row in csv.DictReader(file)}


def main():
    done = rows()
    RESULTS.parent.mkdir(exist_ok=True)
    if not done:
        RESULTS.write_text("\n".join([COMMAND, ",".join(HEADER), ""]))
    for seed in range(2 * N_NETWORKS):
        for task in LESSONS:
            known = [row for key, row in done.items() if key[0] == task]
            able = sum(float(row["network"]) >= 0.95 for row in known)
            if (task, seed) in done or able >= N_NETWORKS:
                continue
            values = [f"{value:.4g}" for value in measure(task, seed)]
            with RESULTS.open("a") as file:
                file.write(",".join([task, str(seed), *values]) + "\n")
            done = rows()
            SUMMARY.write_text(summary())


def summary():
    """The table of the page: mean and range of accuracies, and how many networks are enough."""
    head = ["task", "networks", "trained", "one of own size", "one", "two"]
    numbers = range(1, LARGEST + 1)
    lines = [[*head, *(f"enough: {number}" for number in numbers)]]
    for task in LESSONS:
        if not len(column(task, "network")):
            continue
        line = [task, len(column(task, "network"))]
        for name in ("network", "one_of_own_size", "one", "two"):
            found = column(task, name)
            found = found[np.isfinite(found)]
            line.append(spread(found) if found.size else "")
        needed = column(task, "needed")
        lines.append([*line, *(int((needed <= number).sum()) for number in numbers)])
    return "".join(",".join(map(str, line)) + "\n" for line in lines)


def spread(found):
    return f"{found.mean():.2f} ({found.min():.2f} to {found.max():.2f})"


def column(task, name):
    """What was found of the networks that do the task."""
    able = [row for key, row in rows().items() if key[0] == task and float(row["network"]) >= 0.95]
    return np.array([float(row[name]) for row in able])


def test_the_table_of_the_page_is_that_of_the_results():
    assert SUMMARY.read_text() == summary()


@pytest.mark.parametrize("task", LESSONS)
def test_there_are_ten_networks_of_a_task(task):
    assert len(column(task, "network")) >= N_NETWORKS


@pytest.mark.parametrize("task", SIMPLE)
def test_one_population_is_enough_for_tasks_without_context(task):
    assert column(task, "one").min() >= 0.95


@pytest.mark.parametrize("task", COMPLEX)
def test_one_population_is_never_enough_for_context_and_match(task):
    assert column(task, "one").max() < 0.95
    assert column(task, "one_of_own_size").max() < 0.95


if __name__ == "__main__":
    main()
