"""Regression of 500 neurons x 150 bins (75,000 regressions) on 5 regressors, 1000 trials.

With standard errors, t and p.  statsmodels runs one regression at a time; it is timed on 300 of
them, and its seconds are scaled up.  What scikit-learn and NumPy give is less: coefficients.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import xarray as xr

import popdyn as pdn
from benchmarks.measure import Contestant, peak_memory, race
from benchmarks.subject import Bar, Outcome

N_NEURONS, N_BINS, N_TRIALS, N_REGRESSORS = 500, 150, 1000, 5
N_LOOPED = 300
NAMES = [f"regressor_{i}" for i in range(N_REGRESSORS)]


def made_tensor(
    n_neurons: int = N_NEURONS, n_bins: int = N_BINS, n_trials: int = N_TRIALS
) -> xr.DataArray:
    """Noise of 3 Hz around 15 Hz with a weak effect of every regressor, single precision."""
    rng = np.random.default_rng(2026)
    trials = {name: rng.normal(size=n_trials) for name in NAMES}
    effect = sum(0.1 * column for column in trials.values())
    values = rng.standard_normal((n_neurons, n_bins, n_trials), dtype=np.float32)
    values *= 3.0
    values += (15.0 + effect).astype(np.float32)
    np.maximum(values, 0.0, out=values)
    return pdn.make_tensor(values, 0.01 * np.arange(n_bins), trials=trials)


def design_of(tensor: xr.DataArray) -> np.ndarray:
    """Regressors and the intercept, (trial, regressor)."""
    ones = np.ones(tensor.sizes["trial"])
    return np.column_stack([*(tensor[name].values for name in NAMES), ones])


def popdyn_encoding(tensor: xr.DataArray, n_folds: int) -> Callable[[], xr.Dataset]:
    """``popdyn.encoding``, with or without cross-validation."""
    return lambda: pdn.encoding(tensor, NAMES, n_folds=n_folds)


def plain_numpy(tensor: xr.DataArray) -> Callable[[], np.ndarray]:
    """One ``lstsq`` for everything: coefficients (regressor, series)."""
    design = design_of(tensor)
    rows = tensor.values.reshape(-1, tensor.sizes["trial"])
    return lambda: np.linalg.lstsq(design, rows.T, rcond=None)[0]


def scikit_learn(tensor: xr.DataArray) -> Callable[[], np.ndarray]:
    """``LinearRegression`` with many outputs: coefficients (series, regressor)."""
    from sklearn.linear_model import LinearRegression

    design = design_of(tensor)[:, :-1]
    rows = tensor.values.reshape(-1, tensor.sizes["trial"])
    return lambda: LinearRegression().fit(design, rows.T).coef_


def statsmodels_loop(tensor: xr.DataArray) -> Callable[[], np.ndarray]:
    """``statsmodels.OLS`` on the first regressions: coefficient, error and p of each."""
    import statsmodels.api as sm

    design = design_of(tensor)
    rows = tensor.values.reshape(-1, tensor.sizes["trial"])[:N_LOOPED].astype(np.float64)

    def run() -> np.ndarray:
        fits = [sm.OLS(row, design).fit() for row in rows]
        return np.array([[fit.params, fit.bse, fit.pvalues] for fit in fits])

    return run


def agree(tensor: xr.DataArray, outcome: Outcome) -> None:
    """Refuse a race in which not everybody computes the same."""
    result = popdyn_encoding(tensor, 0)()
    found = np.stack([result[n].values for n in ("coefficient", "standard_error", "p")])
    found = found.reshape(3, N_REGRESSORS + 1, -1).transpose(2, 0, 1)
    expected = statsmodels_loop(tensor)()
    worst = float(np.abs(found[:N_LOOPED] - expected).max())
    if worst > 1e-10:
        message = f"popdyn and statsmodels differ by {worst:.2g}"
        raise RuntimeError(message)
    outcome.remarks.append(f"largest difference from statsmodels in {N_LOOPED}: {worst:.1e}")


def measure(n_calls: int = 3) -> Outcome:
    """Race, check that statsmodels agrees to 1e-10, measure memory."""
    outcome = Outcome("regression: 75,000 series x 5 regressors, 1000 trials")
    tensor = made_tensor()
    agree(tensor, outcome)
    entrants = [
        Contestant("popdyn encoding", popdyn_encoding(tensor, 0)),
        Contestant("popdyn encoding, 5 folds, unique variance", popdyn_encoding(tensor, 5)),
        Contestant("NumPy lstsq (coefficients)", plain_numpy(tensor)),
        Contestant("scikit-learn LinearRegression (coefficients)", scikit_learn(tensor)),
        Contestant(f"statsmodels OLS, {N_LOOPED} series", statsmodels_loop(tensor)),
    ]
    timings = {timing.name: timing.row() for timing in race(entrants, n_calls)}
    outcome.rows.extend(timings.values())
    ours = float(timings["popdyn encoding"]["cpu_s"])
    folds = float(timings["popdyn encoding, 5 folds, unique variance"]["cpu_s"])
    loop = float(timings[f"statsmodels OLS, {N_LOOPED} series"]["cpu_s"]) / N_LOOPED
    series = N_NEURONS * N_BINS
    outcome.bars.append(Bar("CPU seconds with se, t, p, q", ours, 1.5))
    outcome.bars.append(Bar("CPU seconds with cross-validation besides", folds, 1.5))
    faster = round(loop * series / ours, 1)
    outcome.bars.append(Bar("times faster than the statsmodels loop", faster, 25.0, at_most=False))
    outcome.remarks.append(f"statsmodels for all {series:,}: {loop * series:.0f} s CPU")
    for n_folds in (0, 5):
        peak = memory_in_a_process_of_its_own(n_folds)
        text = f"peak memory beside the data over the data, {n_folds} folds (1000 neurons)"
        outcome.bars.append(Bar(text, round(peak, 3), 1.0))
    return outcome


def measure_growth(n_calls: int = 5) -> Outcome:
    """More neurons and more bins: time must not grow faster than their product."""
    outcome = Outcome("regression: growth with neurons x bins (5 regressors, 500 trials)")
    sizes = [(100, 100), (200, 100), (200, 200)]
    entrants = [
        Contestant(
            f"popdyn encoding, {n_neurons} x {n_bins}",
            popdyn_encoding(made_tensor(n_neurons, n_bins, 500), 5),
        )
        for n_neurons, n_bins in sizes
    ]
    seconds = []
    for timing in race(entrants, n_calls):
        outcome.rows.append(timing.row())
        seconds.append(min(timing.cpu))
    growth = (seconds[2] - seconds[1]) / max(seconds[1] - seconds[0], 1e-9)
    text = "growth from 2x to 4x over growth from 1x to 2x (linear: 2)"
    outcome.bars.append(Bar(text, round(growth, 2), 3.0))
    return outcome


def memory_in_a_process_of_its_own(n_folds: int) -> float:
    """Peak memory of a call beside the tensor, over the size of the tensor."""
    command = [sys.executable, "-m", "benchmarks.encoding", str(n_folds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return max(float(word) for word in done.stdout.split())


def _print_memory(n_folds: int) -> None:
    """Entry of the process that measures memory: 1000 neurons x 100 bins x 1000 trials."""
    tensor = made_tensor(1000, 100, 1000)
    popdyn_encoding(tensor[:2], n_folds)()
    peak = peak_memory(popdyn_encoding(tensor, n_folds))
    print(peak["allocated"] / tensor.nbytes, peak["resident"] / tensor.nbytes)


if __name__ == "__main__":
    _print_memory(int(sys.argv[1]))
