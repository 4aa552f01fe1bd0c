"""Put trained networks here, small, with what they do: ``python data/networks/ship.py FOLDER``.

FOLDER is where ``make.py`` put them.  Every number is measured on the networks as they are loaded
again, whose weights were rounded.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import xarray as xr
from make import DT, N_NEURONS, SEEDS, SETS
from scipy.stats import t

import popdyn as pdn
from popdyn.resample import spawn

HERE = Path(__file__).parent
# Runs of a network, and trials of each after one in which it gets going.
N_SESSIONS, N_TRIALS = 10, 100
# First stimuli and differences of the pairs from which points of equality are found.
PROBES = {
    "IntervalDiscrimination": (np.arange(0.3, 0.91, 0.1), (0.05, 0.10, 0.15, 0.20)),
    "FrequencyDiscrimination": (np.arange(10.0, 35.0, 4.0), (2.0, 4.0, 6.0, 8.0)),
}
# What target networks do is kept from this event on.
WINDOWS = {
    "IntervalProduction": ("set_time", (0.0, 0.5)),
    "IntervalDiscrimination": ("stimulus_off_time", (0.0, 1.0)),
    "FrequencyDiscrimination": ("stimulus_off_time", (0.0, 1.0)),
    "ReadySetGo": ("set_time", (0.0, 0.44)),
}
# Neurons, and bins in seconds, of the activity of target networks.
N_KEPT = 100
BIN = 0.020


def probe(task: Any) -> Any:
    """Return the task with pairs close to equality; tasks of one stimulus as they are."""
    if type(task).__name__ not in PROBES:
        return task
    first, difference = PROBES[type(task).__name__]
    pairs = [
        (round(float(one), 3), round(float(one + sign * by), 3))
        for one in first
        for by in difference
        for sign in (-1, 1)
    ]
    return dataclasses.replace(task, stimuli=tuple(pairs))


def run(net: Any, task: Any, seed: int, which: int) -> xr.Dataset:
    """Run a network through sessions of trials, without reset within one.

    Trials belong to the network of a seed and to one purpose (`which`): if all networks shared
    them, their mean would share the error of these trials, and seem better known than it is.
    """
    sessions = []
    for session, rng in enumerate(spawn(1000 * which + seed, N_SESSIONS)):
        trials = task.sample(N_TRIALS + 1, rng, dt=DT)
        sim = pdn.simulate(net, trials, rng=rng, record=(), task=task, continuous=True)
        done = sim.drop_dims("time").isel(trial=slice(1, None))
        sessions.append(done.assign_coords(trial=done["trial"] + 1000 * session))
    return xr.concat(sessions, "trial", combine_attrs="override")


def put(thing: Any, path: Path) -> Path:
    """Save something, unless the file holds the same: bytes may differ with versions of HDF5."""
    if path.exists() and _plain(pdn.load(path)).identical(_plain(thing)):
        return path
    return pdn.save(thing, path)


def _plain(thing: Any) -> Any:
    return thing.to_dataset() if hasattr(thing, "dt") else thing


def ship(name: str, source: Path) -> list[dict[str, Any]]:
    """Put one network here; return what it does, a row for each context."""
    path = put(pdn.network.Compact(pdn.load(source / f"{name}.nc")), HERE / f"{name}.nc")
    net, task = pdn.load(path), SETS[name.rpartition("_")[0]][0]
    history = pdn.load(source / f"{name}_history.nc")
    seed = int(name.rpartition("_")[2])
    sim = run(net, task, seed, 1)
    close = pdn.behavior_by_class(run(net, probe(task), seed, 2), n_draws=1000, rng=0)
    contexts = close["slope_context"].to_numpy() if "slope_context" in close.dims else [""]
    slope = np.atleast_1d(close["slope"].to_numpy())
    bound = close["slope_bound"].transpose("bound", ...).to_numpy().reshape(2, -1)
    about = {
        "network": name,
        "n_trials": int(history["n_trials"][int(history["best"])]),
        "accuracy": round(float(sim["correct"].mean()), 4),
        "answered": round(float(np.isfinite(sim["response"]).mean()), 4),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    return [
        {
            **about,
            "context": str(context),
            "slope": round(float(slope[k]), 4),
            "slope_lower": round(float(bound[0, k]), 4),
            "slope_upper": round(float(bound[1, k]), 4),
        }
        for k, context in enumerate(contexts)
    ]


def target_activity(task: Any) -> xr.Dataset:
    """Return what every fourth neuron of the target network of seed 0 does after an event."""
    net = pdn.train.target_network(task, N_NEURONS, dt=DT, rng=0)
    exact = dataclasses.replace(task, **{"weber": 0.0, "sensory_noise": 0.0})
    trials = exact.sample(120, 0, dt=DT)
    told = pdn.train.target_trials(exact, trials)
    sim = pdn.simulate(net, told, method="exponential", bin_width=BIN, task=exact)
    event, window = WINDOWS[type(task).__name__]
    by = ["context", "stimulus"] if "context" in trials.coords else "stimulus"
    kept = sim["rate"].isel(neuron=slice(None, None, N_NEURONS // N_KEPT)).astype(np.float32)
    average = pdn.condition_average(pdn.align(kept, event, window), by)
    average = average.astype(np.float32)
    for variable in average.variables.values():
        if variable.ndim > 1:
            variable.encoding = {"zlib": True, "complevel": 9}
    return average


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each set and context; networks are the unit."""
    named = table.assign(set=table["network"].str.rpartition("_")[0])
    rows = []
    for (name, context), group in named.groupby(["set", "context"], sort=False):
        slope, accuracy = group["slope"], group["accuracy"]
        half = t.ppf(0.975, len(slope) - 1) * slope.std() / np.sqrt(len(slope))
        rows.append(
            {
                "set": name,
                "context": context,
                "accuracy": f"{accuracy.min():.2f}-{accuracy.max():.2f}",
                "slope by seed": f"{slope.min():.2f}-{slope.max():.2f}",
                "mean and 95 %": f"{slope.mean():.2f} ± {half:.2f}",
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    """Ship what was trained so far."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    source = parser.parse_args().folder
    names = [f"{name}_{seed}" for name in SETS for seed in SEEDS]
    names = [name for name in names if (source / f"{name}_history.nc").exists()]
    rows = joblib.Parallel(n_jobs=2)(joblib.delayed(ship)(name, source) for name in names)
    table = pd.DataFrame([row for some in rows for row in some])
    table.to_csv(HERE / "networks.csv", index=False)
    summary(table).to_csv(HERE / "summary.csv", index=False)
    histories = {name: pdn.load(source / f"{name}_history.nc") for name in names}
    put(xr.DataTree.from_dict(histories), HERE / "histories.nc")
    for name in SETS:
        if name.endswith("_exact"):
            activity = target_activity(SETS[name][0])
            put(activity, HERE / f"{name.removesuffix('_exact')}_target_activity.nc")
    print(summary(table).to_string(index=False))  # noqa: T201


if __name__ == "__main__":
    main()
