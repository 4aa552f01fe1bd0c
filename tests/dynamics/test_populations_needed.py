"""Which tasks need populations: networks of rank 1 or 2, five tasks, seed by seed.

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
COMMAND = "# OPENBLAS_NUM_THREADS=1 python -m tests.dynamics.test_populations_needed"
HEADER = ["task", "seed", "network", "one", "one_of_2048", "two", "three", "four", "needed"]
HEADER += ["cpu_training", "cpu_test"]
SEEDS = range(10)
LARGEST = 4
CONTEXT = pdn.tasks.ContextDecision()
MATCH = pdn.tasks.DelayedMatch()
MEMORY = pdn.tasks.ParametricWorkingMemory()
# Task: rank, noise, memory at the start, lessons of (task, trials, largest gradient).
LESSONS = {
    "perceptual": (1, 0.05, 0.0, [(pdn.tasks.PerceptualDecision(), 3200, 1.0)]),
    "working memory": (2, 0.005, 1.0, [(MEMORY, 4480, 1.0)]),
    "multisensory": (1, 0.05, 0.0, [(pdn.tasks.MultisensoryDecision(), 3200, 1.0)]),
    "context": (1, 0.05, 0.0, [(CONTEXT, 32000, 0.1)]),
    "delayed match": (
        2,
        0.05,
        1.0,
        [
            (replace(MATCH, delay_duration=(0.1, 0.3)), 16000, 0.1),
            (replace(MATCH, delay_duration=(0.5, 1.0)), 3200, 0.1),
            (MATCH, 3200, 0.1),
        ],
    ),
}
SIMPLE = ("perceptual", "working memory", "multisensory")
COMPLEX = ("context", "delayed match")


def trained(task, seed):
    """A network of 512 neurons that learned a task, and the noise it learned with.

    Memories are hardly found from random loadings: there ``n`` starts with ``m`` in it, so that
    latents are kept from the first trial on.
    """
    rank, noise, memory, lessons = LESSONS[task]
    n_inputs = lessons[-1][0].sample(4).sizes["channel"]
    net = pdn.network.LowRank.random(512, n_ranks=rank, n_inputs=n_inputs, rng=seed)
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
    found = pdn.dynamics.populations(net, largest=LARGEST, **test)
    large = pdn.dynamics.populations(net, 1, n_neurons=2048, n_resamples=3, **test)
    accuracy = np.full(LARGEST, np.nan)
    accuracy[found["tried"].values - 1] = found["mean_accuracy"].values
    return [
        float(found["network_accuracy"]),
        accuracy[0],
        float(large["mean_accuracy"][0]),
        *accuracy[1:],
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
    for seed in SEEDS:
        for task in LESSONS:
            if (task, seed) in done:
                continue
            values = measure(task, seed)
            with RESULTS.open("a") as file:
                file.write(",".join([task, str(seed), *(f"{v:.4g}" for v in values)]) + "\n")


def column(task, name):
    values = [float(row[name]) for key, row in rows().items() if key[0] == task]
    if not values:
        pytest.skip(f"no network of {task} in the results yet")
    return np.array(values)


@pytest.mark.parametrize("task", LESSONS)
def test_every_network_of_the_results_does_its_task(task):
    assert column(task, "network").min() >= 0.95


@pytest.mark.parametrize("task", SIMPLE)
def test_one_population_is_enough_for_tasks_without_context(task):
    # Of 512 neurons overlaps scatter, and a memory drawn from good ones may leak.
    assert column(task, "one").min() >= 0.9
    assert column(task, "one_of_2048").min() >= 0.95


@pytest.mark.parametrize("task", COMPLEX)
def test_one_population_is_never_enough_for_context_and_match(task):
    assert column(task, "one").max() < 0.95
    assert column(task, "one_of_2048").max() < 0.95


if __name__ == "__main__":
    main()
