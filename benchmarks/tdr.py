"""Targeted dimensionality reduction of 200 neurons x 50 bins x 800 trials on four regressors.

The peer is the recipe of Mante et al. (2013) in plain NumPy, neuron by neuron and bin by bin as
its text says: regress, average, denoise in twelve principal components, take the bin of the
largest norm, make orthogonal.  popdyn does the same in ``bare`` and, by default, also tests every
regressor, splits trials in halves and bounds the projections.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import numpy as np
import xarray as xr

import popdyn as pdn
from benchmarks.measure import Contestant, race
from benchmarks.memory import peak_over_data
from benchmarks.subject import Bar, Outcome

NAMES = ["choice", "motion", "color", "context"]
N_COMPONENTS = 12
N_SPLITS, N_DRAWS = 10, 500


def problem(n_neurons: int = 200, n_bins: int = 50, n_trials: int = 800) -> xr.DataArray:
    """Four planted axes and Gaussian noise; choices follow the relevant stimulus with errors."""
    rng = np.random.default_rng(2013)
    motion, color = (rng.choice([-1.0, -0.5, 0.5, 1.0], n_trials) for _ in range(2))
    context = rng.choice([-1.0, 1.0], n_trials)
    relevant = np.where(context > 0, motion, color)
    choice = np.where(rng.random(n_trials) < 0.15, -1.0, 1.0) * np.sign(relevant)
    columns = dict(zip(NAMES, (choice, motion, color, context), strict=True))
    axes = np.linalg.qr(rng.normal(size=(n_neurons, 4)))[0] * np.sqrt(n_neurons)
    when = np.linspace(0.0, 1.0, n_bins)
    course = np.exp(-(((when - np.array([[0.8], [0.3], [0.4], [0.5]])) / 0.2) ** 2))
    values = rng.normal(scale=2.0, size=(n_neurons, n_bins, n_trials))
    values += np.einsum("nr,rt,rk->ntk", axes, course, np.stack(list(columns.values())))
    return pdn.make_tensor(20.0 + values, 0.02 * np.arange(n_bins), trials=columns)


def plain(tensor: xr.DataArray) -> np.ndarray:
    """Orthonormal axes (regressor, neuron) by loops over neurons and bins."""
    values = tensor.values.astype(np.float64)
    mean = values.mean(axis=(1, 2), keepdims=True)
    values = (values - mean) / values.std(axis=(1, 2), keepdims=True)
    n_neurons, n_bins, n_trials = values.shape
    design = np.column_stack([*(tensor[name].values for name in NAMES), np.ones(n_trials)])
    design = design / np.abs(design).max(axis=0)
    coefficient = np.empty((len(NAMES), n_neurons, n_bins))
    for neuron in range(n_neurons):
        for at in range(n_bins):
            solved = np.linalg.lstsq(design, values[neuron, at], rcond=None)[0]
            coefficient[:, neuron, at] = solved[:-1]
    conditions = np.unique(design[:, :-1], axis=0, return_inverse=True)[1].ravel()
    averages = [values[:, :, conditions == one].mean(axis=2) for one in np.unique(conditions)]
    samples = np.concatenate(averages, axis=1)
    samples -= samples.mean(axis=1, keepdims=True)
    components = np.linalg.svd(samples, full_matrices=False)[0][:, :N_COMPONENTS]
    inside = np.einsum("nk,mk,rmt->rnt", components, components, coefficient, optimize=True)
    largest = (inside**2).sum(axis=1).argmax(axis=1)
    axes = np.stack([own[:, at] for own, at in zip(inside, largest, strict=True)])
    basis, triangle = np.linalg.qr(axes.T)
    return (basis * np.sign(np.diag(triangle))).T


def bare(tensor: xr.DataArray) -> Callable[[], np.ndarray]:
    """The same axes by ``popdyn.TDR``, with as little besides as it can be asked for."""
    model = pdn.TDR(NAMES, n_components=N_COMPONENTS, smooth=0.0, n_splits=1, n_draws=1)
    return lambda: model.fit(tensor).axes_.values


def measure(n_calls: int = 3) -> Outcome:
    """Race, check that both find the same axes, let neurons and trials grow, measure memory."""
    outcome = Outcome("TDR: 200 neurons x 50 bins x 800 trials, four regressors")
    tensor = problem()
    worst = float(np.abs(bare(tensor)() - plain(tensor)).max())
    if worst > 1e-9:
        message = f"popdyn and the plain loop differ by {worst:.2g}"
        raise RuntimeError(message)
    outcome.remarks.append(f"largest difference of the axes from the plain loop: {worst:.1e}")
    sizes = {
        "200 neurons": tensor,
        "400 neurons": problem(400),
        "1600 trials": problem(200, 50, 1600),
    }
    entrants = [
        Contestant("plain NumPy loop", lambda: plain(tensor)),
        *(Contestant(f"popdyn TDR, axes only, {name}", bare(x)) for name, x in sizes.items()),
        Contestant(
            "popdyn TDR, tests, halves and bounds",
            lambda: pdn.TDR(NAMES, n_splits=N_SPLITS, n_draws=N_DRAWS).fit(tensor),
        ),
    ]
    timings = race(entrants, n_calls)
    outcome.rows.extend(timing.row() for timing in timings)
    loop, ours, neurons, trials, whole = (median(timing.cpu) for timing in timings)
    # Each pair of halves is one more pass of the loop, each permutation another.
    passes = 1 + N_SPLITS + N_DRAWS
    outcome.bars += [
        Bar("axes alone: CPU over that of the plain loop", round(ours / loop, 2), 1.5),
        Bar(
            f"with halves, test and bounds: times faster than {passes} loops",
            round(passes * loop / whole, 1),
            25.0,
            at_most=False,
        ),
        Bar("growth with twice the neurons (linear: 2)", round(neurons / ours, 2), 3.0),
        Bar("growth with twice the trials (linear: 2)", round(trials / ours, 2), 3.0),
    ]
    outcome.remarks.append(
        "axes alone come with standard errors, a pair of halves and projections; the loop has none"
    )
    peak = peak_over_data("TDR", (200, 250, 1000), "rate")
    text = "peak memory beside the data over the data (200 x 250 x 1000, single precision)"
    outcome.bars.append(Bar(text, round(peak, 2), 1.5))
    return outcome
