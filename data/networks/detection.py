"""Make the networks that detect: ``python data/networks/detection.py -o FOLDER``.

Rate networks trained by FORCE, five seeds, and for each the noise of the stimulus with which it
answers as often as wanted.  What was interrupted goes on with the same command.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import popdyn as pdn
from popdyn.train.validate import wilson_interval

HERE = Path(__file__).parent
DT = 0.010
SEEDS = range(5)
N_NEURONS = 300
# Trials without reset, of the table and of the search for the noise.
N_TRIALS = 3600
N_SEARCHED = 2400
# Shares of "yes" that are asked for: false alarms, and the middle of the nine amplitudes.
WANTED = {0.0: 0.1, 0.3162: 0.5}
BETWEEN = (0.2, 1.5)

TASK = pdn.tasks.Detection(
    onset=(0.3, 1.3),
    stimulus_duration=0.3,
    delay_duration=0.5,
    report_duration=0.3,
    inter_trial=0.3,
    stimulus_noise=0.6,
    dt=DT,
)


def learner(seed: int) -> pdn.network.Rate:
    """Return a network before it learns."""
    return pdn.network.Rate.random(
        N_NEURONS, g=0.8, n_inputs=2, feedback=1.0, tau=0.1, dt=DT, rng=seed
    )


def rounded(net: pdn.network.Rate) -> pdn.network.Rate:
    """Return a network whose weights are those of single precision, so that its file is small."""
    names = ("recurrent", "input", "output", "feedback")
    kept = {name: np.float64(np.float32(getattr(net, name))) for name in names}
    return dataclasses.replace(net, **kept)


def ship(seed: int, source: Path) -> list[dict[str, Any]]:
    """Put one network here; return how often it says yes, a row for each amplitude."""
    net = rounded(pdn.load(source / f"detection_{seed}.nc"))
    path = pdn.save(net, HERE / f"detection_{seed}.nc")
    net = pdn.load(path)
    calibrated, _ = pdn.calibrate_noise(
        net, TASK, WANTED, n_trials=N_SEARCHED, between=BETWEEN, rng=100 + seed
    )
    noise = round(calibrated.stimulus_noise, 3)
    task = dataclasses.replace(TASK, stimulus_noise=noise)
    trials = task.sample(N_TRIALS + 1, 200 + seed, dt=DT)
    sim = pdn.simulate(net, trials, rng=0, record=(), task=task, continuous=True)
    done = sim.isel(trial=slice(1, None))
    said_yes = pd.Series(done["choice"].to_numpy() > 0).groupby(done["stimulus"].to_numpy())
    rows = []
    for amplitude, n, n_yes in zip(said_yes.groups, said_yes.size(), said_yes.sum(), strict=True):
        lower, upper = wilson_interval(float(n_yes), int(n))
        rows.append(
            {
                "network": f"detection_{seed}",
                "stimulus_noise": noise,
                "stimulus": round(float(amplitude), 4),
                "n_trials": int(n),
                "share_yes": round(n_yes / n, 4),
                "lower": round(lower, 4),
                "upper": round(upper, 4),
            }
        )
    return rows


def main() -> None:
    """Train, calibrate, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--folder", type=Path, default=Path("networks"))
    parser.add_argument("-j", "--jobs", type=int, default=2)
    told = parser.parse_args()
    trainings = {
        f"detection_{seed}": {"net": learner(seed), "task": TASK, "rng": seed} for seed in SEEDS
    }
    settings = {"n_trials": 3000, "n_validation": 500, "validate_every": 250, "learn_on": "mask"}
    table = pdn.train.many(pdn.train.force, trainings, told.folder, n_jobs=told.jobs, **settings)
    print(table[["name", "final_accuracy", "lower", "upper"]].to_string(index=False))  # noqa: T201
    rows = [row for seed in SEEDS for row in ship(seed, told.folder)]
    shares = pd.DataFrame(rows)
    shares.to_csv(HERE / "detection.csv", index=False)
    print(shares.pivot_table(index="stimulus", columns="network", values="share_yes"))  # noqa: T201


if __name__ == "__main__":
    main()
