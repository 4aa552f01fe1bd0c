"""KiNeT of 11 conditions x 300 bins of 500 neurons, with 1,000 bootstraps of trials.

Trials are projected on components first; with components found anew in each draw, fewer draws are
measured and counted up.  One thread: two cores take half of the draws each.
"""

from __future__ import annotations

import warnings

import numpy as np
import xarray as xr

import popdyn as pdn
from benchmarks.measure import Contestant, race
from benchmarks.subject import Bar, Outcome

N_CONDITIONS, N_NEURONS, N_BINS, N_TRIALS = 11, 500, 300, 20
N_DRAWS, N_REFIT = 1000, 20


def problem() -> xr.DataArray:
    """Orbits on a cylinder in noise, 20 trials of each condition, single precision."""
    rng = np.random.default_rng(2018)
    stimulus = np.linspace(0.5, 1.0, N_CONDITIONS)
    time = 0.01 * np.arange(N_BINS)
    phase = 0.4 * np.pi * time[:, None] * (0.75 / stimulus)
    height = np.broadcast_to(4.0 * (stimulus - 0.75), phase.shape)
    axes = np.linalg.qr(rng.normal(size=(N_NEURONS, 3)))[0] * np.sqrt(N_NEURONS)
    mean = 5.0 * np.einsum("nk,ktc->ntc", axes, np.stack([np.cos(phase), np.sin(phase), height]))
    values = np.repeat(mean, N_TRIALS, axis=2).astype(np.float32)
    values += 3.0 * rng.standard_normal(values.shape, dtype=np.float32)
    trials = {"stimulus": np.repeat(stimulus, N_TRIALS)}
    return pdn.make_tensor(values, time, trials=trials, units="1")


def measure(n_calls: int = 3) -> Outcome:
    """Time no draws, 1,000 draws, and draws with components of their own."""
    outcome = Outcome("KiNeT: 11 conditions x 300 bins x 500 neurons, 220 trials")
    x = problem()

    def run(n_draws: int, draw_components: str = "fixed", n_splits: int = 0) -> xr.Dataset:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pdn.PopdynWarning)
            return pdn.relative_distance(
                x, "stimulus", n_components=3, n_draws=n_draws, n_splits=n_splits,
                draw_components=draw_components,
            )  # fmt: skip

    entrants = [
        Contestant("smoothing, averages, one alignment", lambda: run(0)),
        Contestant(f"with {N_DRAWS} bootstraps, projected first", lambda: run(N_DRAWS)),
        Contestant(f"with {N_REFIT} bootstraps, own components", lambda: run(N_REFIT, "refit")),
        Contestant("with 5 splits in thirds, no bootstrap", lambda: run(0, n_splits=5)),
    ]
    timings = race(entrants, n_calls)
    outcome.rows.extend(timing.row() for timing in timings)
    bare, fixed, refit, _ = (float(np.median(timing.cpu)) for timing in timings)
    one = (refit - bare) / N_REFIT
    outcome.bars.append(
        Bar(f"{N_DRAWS} bootstraps, projected first: CPU s on one core", round(fixed, 1), 40.0)
    )
    outcome.remarks += [
        "40 s on one core are the 20 s on two that are asked for",
        f"with components found anew in each draw: {one:.2f} s a draw, so "
        f"{bare + one * N_DRAWS:.0f} s for {N_DRAWS} on one core",
    ]
    return outcome
