"""Whether a fit foretells what inactivations do in its source: two tasks, five networks each.

The committed results are written, and continued where they stopped, by
``OPENBLAS_NUM_THREADS=1 python -m tests.dynamics.test_inactivate_foretold``.
"""

from __future__ import annotations

import csv
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import popdyn as pdn

RESULTS = Path(__file__).parent / "results" / "inactivate_foretold.csv"
PAGE = Path(__file__).parents[2] / "docs" / "methods" / "inactivate.rst"
COMMAND = "# OPENBLAS_NUM_THREADS=1 python -m tests.dynamics.test_inactivate_foretold"
NUMBERS = ["n", "r2", "accuracy", "foretold_accuracy", "change", "error", "correlation"]
NUMBERS += ["same_choice"]
KEY = ["task", "seed", "source", "inactivated"]
SEEDS = range(5)
# What foretells: the network itself with other noise, fits to all neurons, to a random half.
SOURCES = ("itself", "all neurons", "half of them")
# Task: itself, rank, memory at the start, noise, trials learned, what changes are averaged by.
TASKS = {
    "context": (
        pdn.tasks.ContextDecision(context_strength=0.5),
        1,
        0.0,
        0.05,
        6400,
        ["context", "target_choice"],
    ),
    "working memory": (
        pdn.tasks.ParametricWorkingMemory(), 2, 1.0, 0.005, 4480, ["target_choice"],
    ),
}  # fmt: skip


def trained(task, seed):
    task, rank, memory, noise, n_trials, _ = TASKS[task]
    n_inputs = task.sample(4).sizes["channel"]
    net = pdn.network.LowRank.random(512, n_ranks=rank, n_inputs=n_inputs, rng=seed)
    net = replace(net, n=net.n + memory * net.m)
    net, _ = pdn.train.backprop(net, task, n_trials=n_trials, noise_step=noise, rng=seed)
    return net.canonical()


def fitted(net, task, neurons, seed):
    """A network fitted to single trials of some neurons, and how well it fits these.

    Activity has no readout: weights of the output are those of the source.
    """
    task, rank, _, noise, *_ = TASKS[task]
    shown = task.sample(72, 1 + 100 * seed, dt=net.dt)
    sim = pdn.simulate(net, shown, rng=seed, noise_step=noise, bin_width=net.dt)
    fit = pdn.dynamics.fit_lowrank(
        sim["rate"].isel(neuron=neurons),
        shown,
        rank,
        tau=float(net.tau),
        ceiling=False,
        n_folds=2,
        n_iterations=150,
        n_draws=50,
        rng=seed,
    )
    found = pdn.network.LowRank.from_dataset(fit)
    return replace(found, output=net.output[:, neurons]), float(fit["start_r2"].max())


def groups_of(net, task, rate):
    """Populations of the context task, thirds by two scores, latents."""
    thirds = {}
    for name, score in {
        "output": np.abs(net.output[0]),
        "modulation": np.nanstd(rate.values, axis=(1, 2)),
    }.items():
        found = pdn.dynamics.percentile_groups(score, 3)
        thirds |= {f"{name}, {part}": member for part, member in found.items()}
    kinds = {"thirds": thirds, "latents": "latents"}
    if task == "context":
        label = pdn.dynamics.populations(net, 2, n_starts=10, rng=0)["label"].values
        kinds["populations"] = {str(name): label == name for name in np.unique(label)}
    return kinds


def compared(predicted, observed):
    """Numbers of a row: mean change of the share correct, error and agreement."""
    change = observed["accuracy_change"].values
    error = np.abs(predicted["accuracy_change"].values - change)
    same = predicted["choice"].values == observed["choice"].values
    correlation = np.nan
    if change.size > 2:
        agreement = pdn.dynamics.inactivation_agreement(predicted, observed, n_draws=10)
        correlation = float(agreement["correlation"].sel(measure="accuracy_change"))
    return [
        change.size,
        float(observed["control_accuracy"]),
        float(predicted["control_accuracy"]),
        change.mean(),
        error.mean(),
        correlation,
        same.mean(),
    ]


def measure(name, seed):
    """Rows of one network."""
    task, _, _, noise, _, by = TASKS[name]
    net = trained(name, seed)
    trials = task.sample(144, 1000 + seed, dt=net.dt)
    rate = pdn.simulate(net, trials, rng=seed, noise_step=noise)["rate"]
    half = np.sort(np.random.default_rng(seed).permutation(512)[:256])
    every = np.arange(512)
    foretelling = {
        "itself": (net, 1.0, every),
        "all neurons": (*fitted(net, name, every, seed), every),
        "half of them": (*fitted(net, name, half, seed), half),
    }
    run = {"by": by, "noise_step": noise, "n_draws": 10}
    rows = []
    for kind, groups in groups_of(net, name, rate).items():
        observed = pdn.dynamics.inactivate(net, groups, trials, rng=seed, **run)
        for source, (other, r2, neurons) in foretelling.items():
            own = groups if kind == "latents" else {k: g[neurons] for k, g in groups.items()}
            predicted = pdn.dynamics.inactivate(other, own, trials, rng=100 + seed, **run)
            n, *rest = compared(predicted, observed)
            rows.append([name, seed, source, kind, n, r2, *rest])
    return rows


def table(path=RESULTS):
    if not path.exists():
        return []
    with path.open() as file:
        next(file)
        return list(csv.DictReader(file))


def main():
    done = {(row["task"], int(row["seed"])) for row in table()}
    RESULTS.parent.mkdir(exist_ok=True)
    if not done:
        RESULTS.write_text("\n".join([COMMAND, ",".join([*KEY, *NUMBERS, "cpu_seconds"]), ""]))
    for seed in SEEDS:
        for name in TASKS:
            if (name, seed) in done:
                continue
            start = time.process_time()
            rows = measure(name, seed)
            spent = time.process_time() - start
            lines = [[*map(str, row[:5]), *(f"{v:.4g}" for v in [*row[5:], spent])] for row in rows]
            with RESULTS.open("a") as file:
                file.write("".join(",".join(line) + "\n" for line in lines))


def column(name, **where):
    found = [row for row in table() if all(row[key] == value for key, value in where.items())]
    return np.array([float(row[name]) for row in found])


def summary():
    """Means over networks, as the page has them."""
    lines = []
    for task in TASKS:
        for kind in ("populations", "thirds", "latents"):
            for source in SOURCES:
                where = {"task": task, "inactivated": kind, "source": source}
                if not column("n", **where).size:
                    continue
                names = ("change", "error", "same_choice", "correlation")
                means = [f"{column(name, **where).mean():.2f}" for name in names]
                lines.append(", ".join([task, kind, source, *means]).replace(" nan", ""))
    return lines


def test_every_cell_is_in_the_results_once():
    cells = [tuple(row[key] for key in KEY) for row in table()]
    assert len(set(cells)) == len(cells)
    # Context has populations besides.
    assert len(cells) == len(SEEDS) * len(SOURCES) * (3 + 2)


@pytest.mark.parametrize("task", TASKS)
def test_networks_and_fits_to_all_of_their_neurons_do_the_task(task):
    assert column("accuracy", task=task).min() >= 0.95
    assert column("foretold_accuracy", task=task, source="all neurons").min() >= 0.95


@pytest.mark.parametrize("source", ["all neurons", "half of them"])
def test_what_populations_are_for_is_foretold(source):
    where = {"task": "context", "inactivated": "populations", "source": source}
    assert column("change", **where).max() < -0.25
    assert column("error", **where).max() < 0.1
    assert column("same_choice", **where).min() > 0.9


def test_a_single_latent_of_two_is_not_foretold_as_well_as_it_is_repeated():
    where = {"task": "working memory", "inactivated": "latents"}
    fits = [column("error", source=source, **where) for source in SOURCES[1:]]
    assert column("error", source="itself", **where).max() < 0.05
    assert np.mean(fits) > 0.1


def test_the_page_shows_the_results():
    page = PAGE.read_text()
    assert summary()
    for line in summary():
        assert line in page


if __name__ == "__main__":
    main()
