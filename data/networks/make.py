"""Make the trained networks of this folder: ``python data/networks/make.py SET... -o FOLDER``.

Each set is trained over five seeds.  What was interrupted goes on with the same command.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import popdyn as pdn

DT = 0.001
SEEDS = range(5)
N_NEURONS = 400

_PRODUCTION = {"dt": DT, "inter_trial": 0.2}
_DISCRIMINATION = {"dt": DT, "inter_trial": 0.2}

# Task, and trials to learn.  Jitter is the error of the senses that reaches the learner alone.
SETS: dict[str, tuple[Any, int]] = {
    "interval_production_jitter": (pdn.tasks.IntervalProduction(**_PRODUCTION, weber=0.1), 1000),
    "interval_production_exact": (pdn.tasks.IntervalProduction(**_PRODUCTION), 500),
    "interval_diagonal_jitter": (
        pdn.tasks.IntervalDiscrimination(**_DISCRIMINATION, weber=(0.15, 0.03)),
        1200,
    ),
    "interval_diagonal_exact": (pdn.tasks.IntervalDiscrimination(**_DISCRIMINATION), 1000),
    "interval_horizontal_jitter": (
        pdn.tasks.IntervalDiscrimination("horizontal", **_DISCRIMINATION, weber=(0.15, 0.03)),
        1200,
    ),
    "interval_horizontal_exact": (
        pdn.tasks.IntervalDiscrimination("horizontal", **_DISCRIMINATION),
        1000,
    ),
    "frequency_jitter": (
        pdn.tasks.FrequencyDiscrimination(**_DISCRIMINATION, sensory_noise=(5.0, 1.0)),
        1000,
    ),
    "frequency_exact": (pdn.tasks.FrequencyDiscrimination(**_DISCRIMINATION), 600),
    "ready_set_go_jitter": (pdn.tasks.ReadySetGo(**_PRODUCTION, weber=0.1), 1200),
    "ready_set_go_exact": (pdn.tasks.ReadySetGo(**_PRODUCTION), 600),
}


def learner() -> pdn.network.Spiking:
    """Return a network before it learns: all neurons inhibit all, and nothing else."""
    return pdn.network.Spiking(
        np.full((N_NEURONS, N_NEURONS), -60.0 / N_NEURONS),
        tau_membrane=0.010,
        tau_fast=0.005,
        tau_slow=0.100,
        threshold=0.0,
        reset=-10.0,
        refractory=0.0,
        dt=DT,
    )


def trainings(names: list[str]) -> dict[str, dict[str, Any]]:
    """Return the arguments of each training, seed by seed."""
    return {
        f"{name}_{seed}": {
            "net": learner(),
            "task": SETS[name][0],
            "n_trials": SETS[name][1],
            "target": pdn.train.target_network(SETS[name][0], N_NEURONS, dt=DT, rng=seed),
            "rng": seed,
        }
        for seed in SEEDS
        for name in names
    }


def main() -> None:
    """Train what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", help=f"of {', '.join(SETS)}; all by default")
    parser.add_argument("-o", "--folder", default="networks")
    parser.add_argument("-j", "--jobs", type=int, default=2)
    told = parser.parse_args()
    names = told.sets or list(SETS)
    table = pdn.train.many(
        pdn.train.full_force, trainings(names), told.folder, n_jobs=told.jobs, validate_every=100
    )
    columns = ["name", "n_trials", "final_accuracy", "lower", "upper", "seconds", "error"]
    print(table[columns].to_string(index=False))  # noqa: T201


if __name__ == "__main__":
    main()
