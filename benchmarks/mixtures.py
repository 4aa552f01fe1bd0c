"""Mixtures of four Gaussians: 150 points x 4 features, and the test of groups that fits them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import count

import numpy as np
import xarray as xr

import popdyn as pdn
from benchmarks.measure import Contestant, race
from benchmarks.subject import Bar, Outcome
from popdyn.analysis.gaussian_mixture import fit_mixture

N_POINTS, N_FEATURES, N_GROUPS, N_CLOUDS = 150, 4, 4, 30
CLOUDS = np.random.default_rng(2026).normal(size=(N_CLOUDS, N_POINTS, N_FEATURES))


def popdyn_fits() -> list[float]:
    """Mean log likelihood of each cloud."""
    rng = np.random.default_rng(0)
    return [fit_mixture(own, N_GROUPS, rng).log_density(own).mean() for own in CLOUDS]


def scikit_learn_fits() -> list[float]:
    """The same, best of two starts."""
    from sklearn.mixture import GaussianMixture

    warnings.simplefilter("ignore")
    models = [GaussianMixture(N_GROUPS, n_init=2, reg_covar=1e-3, random_state=0) for _ in CLOUDS]
    return [model.fit(own).score(own) for model, own in zip(models, CLOUDS, strict=True)]


def cluster_test(n_neurons: int, n_features: int) -> Callable[[], xr.Dataset]:
    """The test of groups, 1,000 draws, with another seed at each call: no null is kept."""
    vectors = np.random.default_rng(0).normal(size=(n_neurons, n_features))
    seeds = count()
    return lambda: pdn.selectivity_test(vectors, "cluster", rng=next(seeds))


def measure(n_calls: int = 3) -> Outcome:
    """Race, and compare likelihoods."""
    outcome = Outcome(
        f"mixtures: {N_CLOUDS} x {N_GROUPS} groups of {N_POINTS} points x {N_FEATURES} features"
    )
    entrants = [
        Contestant("popdyn, best of 4 starts", popdyn_fits),
        Contestant("scikit-learn, best of 2 starts", scikit_learn_fits),
        Contestant("test of groups, 150 x 4, 1,000 draws", cluster_test(150, 4)),
        Contestant("test of groups, 1,000 x 6, 1,000 draws", cluster_test(1000, 6)),
    ]
    timings = {timing.name: timing.row() for timing in race(entrants, n_calls)}
    outcome.rows.extend(timings.values())
    ours, theirs, small, large = (float(row["cpu_s"]) for row in timings.values())
    faster = round(theirs / ours, 1)
    outcome.bars.append(Bar("times faster than scikit-learn", faster, 10.0, at_most=False))
    gain = round(float(np.mean(popdyn_fits()) - np.mean(scikit_learn_fits())), 4)
    outcome.bars.append(Bar("log likelihood beyond scikit-learn's (nat)", gain, 0.0, at_most=False))
    outcome.bars.append(Bar("test of 150 x 4: CPU seconds", round(small, 2), 10.0))
    outcome.bars.append(Bar("test of 1,000 x 6: CPU seconds", round(large, 2), 120.0))
    return outcome
