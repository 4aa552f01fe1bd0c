"""ePAIRS of 512 neurons x 6 features: 3 neighbors, 500 draws of the null.

The published loop (Dubreuil et al. 2022) asks scikit-learn for the neighbors of one neuron at a
time; it is timed on one draw, and its seconds are scaled up.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import numpy as np
import xarray as xr

import popdyn as pdn
from benchmarks.measure import Contestant, peak_memory, race, timed
from benchmarks.subject import Bar, Outcome

N_NEURONS, N_FEATURES, N_NEIGHBORS, N_DRAWS = 512, 6, 3, 500


def made_vectors(n_neurons: int = N_NEURONS) -> np.ndarray:
    """Random vectors (neuron, feature)."""
    return np.random.default_rng(2026).normal(size=(n_neurons, N_FEATURES))


def popdyn_test(
    vectors: np.ndarray, variant: str = "default", n_jobs: int = 1
) -> Callable[[], xr.Dataset]:
    """``popdyn.selectivity_test``, with another seed at each call: no null is kept."""
    seeds = count(1000 * n_jobs)
    return lambda: pdn.selectivity_test(
        vectors, variant=variant, n_draws=N_DRAWS, n_jobs=n_jobs, rng=next(seeds)
    )


def matrix_product() -> Callable[[], np.ndarray]:
    """All pairs of each draw, and a partition: angles of the null (draw, neuron)."""

    def run() -> np.ndarray:
        rng = np.random.default_rng(0)
        angles = np.empty((N_DRAWS, N_NEURONS))
        for own in angles:
            vectors = rng.normal(size=(N_NEURONS, N_FEATURES))
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            cosines = vectors @ vectors.T
            np.fill_diagonal(cosines, -2.0)
            nearest = np.partition(cosines, -N_NEIGHBORS, axis=1)[:, -N_NEIGHBORS:]
            own[:] = np.arccos(nearest).mean(axis=1)
        return angles

    return run


def published_loop() -> Callable[[], np.ndarray]:
    """One draw as the published code goes about it: cosines of each neuron's neighbors."""
    from sklearn.neighbors import NearestNeighbors

    vectors = made_vectors()

    def run() -> np.ndarray:
        found = NearestNeighbors(n_neighbors=N_NEIGHBORS + 1, algorithm="brute", metric="cosine")
        found.fit(vectors)
        mean = np.empty(N_NEURONS)
        for i, own in enumerate(vectors):
            (order,) = found.kneighbors(own.reshape(1, -1), return_distance=False)
            others = vectors[order[1:]]
            lengths = np.linalg.norm(others, axis=1) * np.linalg.norm(own)
            mean[i] = (others @ own / lengths).mean()
        return mean

    return run


def measure(n_calls: int = 3) -> Outcome:
    """Race, time the published loop, measure memory."""
    outcome = Outcome(
        f"selectivity test: {N_NEURONS} neurons x {N_FEATURES} features, {N_DRAWS} draws"
    )
    vectors = made_vectors()
    entrants = [
        Contestant("popdyn selectivity_test", popdyn_test(vectors)),
        Contestant("popdyn selectivity_test, 2 threads", popdyn_test(vectors, n_jobs=2)),
        Contestant("popdyn, variant dubreuil2022", popdyn_test(vectors, "dubreuil2022")),
        Contestant("NumPy, all pairs (null only)", matrix_product()),
    ]
    timings = {timing.name: timing.row() for timing in race(entrants, n_calls)}
    outcome.rows.extend(timings.values())
    ours = float(timings["popdyn selectivity_test"]["cpu_s"])
    loop = timed(published_loop())[0] * N_DRAWS
    outcome.bars.append(Bar("CPU seconds", round(ours, 3), 4.0))
    faster = round(loop / ours, 1)
    outcome.bars.append(Bar("times faster than the published loop", faster, 25.0, at_most=False))
    outcome.remarks.append(f"published loop, {N_DRAWS} draws: {loop:.0f} s CPU")
    many = made_vectors(10_000)
    peak = peak_memory(lambda: pdn.selectivity_test(many, n_draws=5))["allocated"] / 1e6
    outcome.bars.append(Bar("peak memory of 10,000 neurons, 5 draws (MB)", round(peak, 1), 50.0))
    return outcome
