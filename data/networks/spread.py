"""What sets how much networks contract: ``python data/networks/spread.py FOLDER``.

Trains networks of the shipped sets with one constant changed at a time, three seeds each, and puts
the slope of each beside that of a Bayesian observer in ``spread.csv``.  What was interrupted goes
on with the same command.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from make import DT, N_NEURONS, SETS, learner
from ship import probe, run

import popdyn as pdn

SEEDS = range(3)
_FREQUENCY = SETS["frequency_jitter"][0]
_INTERVAL = SETS["interval_diagonal_jitter"][0]
_PRODUCTION = SETS["interval_production_jitter"][0]
HERE = Path(__file__).parent

# The shipped networks that they are changed from, measured by ``ship.py``.
SHIPPED = {
    "frequency": ("frequency_jitter", _FREQUENCY),
    "interval": ("interval_diagonal_jitter", _INTERVAL),
    "production": ("interval_production_jitter", _PRODUCTION),
}

# Task, trials to learn, and factors of the hints.
ARMS: dict[str, tuple[Any, int, dict[str, float] | None]] = {
    "frequency_noise_small": (replace(_FREQUENCY, sensory_noise=(2.5, 1.0)), 1000, None),
    "frequency_noise_large": (replace(_FREQUENCY, sensory_noise=(7.5, 1.0)), 1000, None),
    "frequency_memory_half": (_FREQUENCY, 1000, {"memory": 0.5}),
    "frequency_memory_double": (_FREQUENCY, 1000, {"memory": 2.0}),
    "frequency_delay_short": (replace(_FREQUENCY, delay_duration=(0.5, 1.0)), 1000, None),
    "frequency_delay_long": (replace(_FREQUENCY, delay_duration=(3.0, 4.0)), 1000, None),
    "interval_noise_small": (replace(_INTERVAL, weber=(0.075, 0.03)), 1200, None),
    "interval_noise_large": (replace(_INTERVAL, weber=(0.225, 0.03)), 1200, None),
}


def trainings() -> dict[str, dict[str, Any]]:
    """Return the arguments of each training, seed by seed."""
    return {
        f"{arm}_{seed}": {
            "net": learner(),
            "task": task,
            "n_trials": n_trials,
            "target": pdn.train.target_network(task, N_NEURONS, dt=DT, rng=seed),
            "rng": seed,
            **({"hints": hints} if hints else {}),
        }
        for seed in SEEDS
        for arm, (task, n_trials, hints) in ARMS.items()
    }


def observer_slope(task: Any) -> float:
    """Return the slope, on the first stimulus, of what a Bayesian observer takes it for.

    The mean of the posterior, averaged over measurements, under the prior of the task's own pairs.
    """
    first = task.sample(4200, 0, dt=0.01)["stimulus"].to_numpy()
    value, share = np.unique(first, return_counts=True)
    spread = np.sqrt(np.atleast_1d(task.sensory_noise)[0] ** 2 + (_weber(task) * value) ** 2)
    measured = np.linspace(value[0] - 6 * spread[0], value[-1] + 6 * spread[-1], 20001)
    density = np.exp(-(((measured[:, None] - value) / spread) ** 2) / 2) / spread
    posterior = density * share
    posterior = posterior[kept := posterior.sum(axis=1) > 0]
    estimate = posterior @ value / posterior.sum(axis=1)
    mean = estimate @ density[kept] / density[kept].sum(axis=0)
    return float(np.polyfit(value, mean, 1)[0])


def _weber(task: Any) -> float:
    return float(np.atleast_1d(task.weber)[0])


def row(arm: str, seed: int, folder: Path) -> dict[str, Any]:
    """Say what a network does, as ``ship.py`` measures it."""
    task = ARMS[arm][0]
    net = pdn.load(folder / f"{arm}_{seed}.nc")
    sim = run(net, task, seed, 1)
    behavior = pdn.behavior_by_class(run(net, probe(task), seed, 2), n_draws=1000, rng=0)
    lower, upper = behavior["slope_bound"].to_numpy().tolist()
    return {
        "arm": arm,
        "seed": seed,
        "accuracy": round(float(sim["correct"].mean()), 4),
        "slope": round(float(behavior["slope"]), 4),
        "slope_lower": round(lower, 4),
        "slope_upper": round(upper, 4),
        "observer_slope": round(observer_slope(task), 4),
    }


def shipped_rows() -> pd.DataFrame:
    """Return what is known of the shipped networks."""
    known = pd.read_csv(HERE / "networks.csv", keep_default_na=False)
    known["arm"], known["seed"] = known["network"].str.rpartition("_")[[0, 2]].to_numpy().T
    columns = ["arm", "seed", "accuracy", "slope", "slope_lower", "slope_upper"]
    parts = []
    for arm, (name, task) in SHIPPED.items():
        rows = known.loc[known["arm"] == name, columns]
        parts.append(rows.assign(arm=arm, observer_slope=round(observer_slope(task), 4)))
    return pd.concat(parts)


def main() -> None:
    """Train what is missing, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-j", "--jobs", type=int, default=2)
    told = parser.parse_args()
    all_of_them = trainings()
    pdn.train.many(
        pdn.train.full_force, all_of_them, told.folder, n_jobs=told.jobs, validate_every=200
    )
    parts = [name.rpartition("_") for name in all_of_them]
    rows = joblib.Parallel(n_jobs=told.jobs)(
        joblib.delayed(row)(arm, int(seed), told.folder) for arm, _, seed in parts
    )
    table = pd.concat([pd.DataFrame(rows), shipped_rows()])
    table = table.astype({"seed": int}).sort_values(["arm", "seed"])
    table.to_csv(HERE / "spread.csv", index=False)
    print(table.to_string(index=False))  # noqa: T201


if __name__ == "__main__":
    main()
