"""Low-rank fits: what a step of the fit costs, and a whole fit with its held-out conditions."""

from __future__ import annotations

import time

import numpy as np
import xarray as xr

import popdyn as pdn
from benchmarks.subject import Bar, Outcome

# A recording of the size that issue 8 names: 500 neurons, 36 conditions of 150 bins of 20 ms.
_SIZE = {"neuron": 500, "condition": 36, "time": 150}
_RANKS = (1, 2, 3, 4, 5)


def recording() -> tuple[xr.DataArray, xr.DataArray]:
    """Averages of a planted network of rank 2, with noise, and its inputs."""
    rng = np.random.default_rng(0)
    n, n_conditions, n_bins = _SIZE["neuron"], _SIZE["condition"], _SIZE["time"]
    net = pdn.network.LowRank.random(n, n_ranks=2, n_inputs=2, rng=0)
    loading = net.n + 1.2 * net.m + net.input
    shown = np.zeros((2, n_bins, n_conditions))
    strength = np.linspace(-0.6, 0.6, 6)
    shown[0, 10:60] = np.repeat(strength, 6)
    shown[1, 60:110] = np.tile(strength, 6)
    x, rates = np.zeros((n, n_conditions)), np.empty((n, n_bins, n_conditions))
    for t in range(n_bins):
        drive = net.m @ (loading.T @ np.tanh(x)) / n + net.input @ shown[:, t]
        x += 0.2 * (drive - x)
        rates[:, t] = np.tanh(x)
    rates += 0.1 * rng.standard_normal(rates.shape)
    times = 0.02 * (np.arange(n_bins) + 0.5)
    tensor = xr.DataArray(rates, dims=("neuron", "time", "condition"), coords={"time": times})
    inputs = xr.DataArray(shown, dims=("channel", "time", "condition"), coords={"time": times})
    return tensor, inputs


def measure_fit() -> Outcome:
    """Minutes of a fit at five ranks with five folds, one start each."""
    outcome = Outcome(f"low-rank fit of {_SIZE}, ranks {_RANKS}, 5 folds, one core")
    tensor, inputs = recording()
    told = {"n_starts": 1, "n_draws": 200}
    pdn.dynamics.fit_lowrank(tensor[:20], inputs, 1, n_iterations=2, n_folds=2, **told)
    started, cpu = time.perf_counter(), time.process_time()
    fit = pdn.dynamics.fit_lowrank(tensor, inputs, _RANKS, ceiling=False, **told)
    minutes, wall = (time.process_time() - cpu) / 60, (time.perf_counter() - started) / 60
    rank = int(fit["chosen_rank"])
    outcome.rows.append(
        {
            "contestant": "popdyn",
            "cpu_minutes": round(minutes, 2),
            "minutes": round(wall, 2),
            "rank_planted": 2,
            "rank_chosen": rank,
            "r2_held_out": round(float(fit["r2"].sel(n_ranks=rank)), 4),
        }
    )
    outcome.bars.append(Bar("CPU minutes of a fit at five ranks", minutes, 10))
    return outcome


SUBJECTS = {"fit_lowrank": measure_fit}
