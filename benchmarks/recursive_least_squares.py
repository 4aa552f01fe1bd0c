"""Recursive least squares of rate networks: 1000 regressors, one target or 1000 that share P.

Double precision, one thread.  All contestants learn from the same rows of regressors, one after
the other, with the outputs before each update, as a network that runs in a closed loop must.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg.blas import dger

from benchmarks.measure import Contestant, race
from benchmarks.subject import Bar, Outcome
from popdyn.train.kernels import least_squares

Array = np.ndarray

N_REGRESSORS = 1000
# Rows: four flushes of the lazy form.
N_STEPS = 128
_READS = (
    "a bar of one target: with as many targets as regressors the weights are as large as P, and "
    "every output before an update needs all of them. Reading them, and half of P, takes most of "
    "the time"
)


def rows(n_targets: int) -> tuple[Array, Array]:
    """Regressors between -1 and 1, as the rates of a network, and targets."""
    rng = np.random.default_rng(2026)
    regressors = np.tanh(rng.standard_normal((N_STEPS, N_REGRESSORS)))
    return regressors, rng.standard_normal((N_STEPS, n_targets))


def naive(p: Array, w: Array, r: Array, f: Array) -> tuple[Array, Array]:
    """Write every update as it stands."""
    k = p @ r / (1.0 + r @ (p @ r))
    return p - np.outer(k, p @ r), w - np.outer(w @ r - f, k)


def in_place(p: Array, w: Array, r: Array, f: Array) -> tuple[Array, Array]:
    """Update both matrices in place; the outer products are arrays of their own."""
    q = p @ r
    k = q / (1.0 + r @ q)
    error = w @ r - f
    p -= np.outer(q, k)
    w -= np.outer(error, k)
    return p, w


def blas(p: Array, w: Array, r: Array, f: Array) -> tuple[Array, Array]:
    """Use rank-one updates of BLAS, which read and write each matrix once."""
    q = p @ r
    k = q / (1.0 + r @ q)
    error = w @ r - f
    dger(-1.0, k, q, a=p.T, overwrite_a=True)
    dger(-1.0, k, error, a=w.T, overwrite_a=True)
    return p, w


def sequence(
    update: Callable[[Array, Array, Array, Array], tuple[Array, Array]], n_targets: int
) -> Callable[[], tuple[Array, Array]]:
    """Return all updates by one of the forms above; a next call goes on from there."""
    regressors, targets = rows(n_targets)
    p, w = np.eye(N_REGRESSORS), np.zeros((n_targets, N_REGRESSORS))

    def run() -> tuple[Array, Array]:
        nonlocal p, w
        for r, f in zip(regressors, targets, strict=True):
            p, w = update(p, w, r, f)
        return p, w

    return run


def popdyn_lazy(n_targets: int) -> Callable[[], tuple[Array, Array]]:
    """``popdyn.train.kernels.least_squares``; a next call goes on from there."""
    regressors, targets = rows(n_targets)
    p, w = np.eye(N_REGRESSORS), np.zeros((n_targets, N_REGRESSORS))

    def run() -> tuple[Array, Array]:
        least_squares(p, w, regressors, targets, np.empty_like(targets))
        return p, w

    return run


def measure(n_targets: int, n_calls: int = 5) -> Outcome:
    """Race, after a check that all compute the same."""
    what = "one target" if n_targets == 1 else f"{n_targets} targets sharing P"
    outcome = Outcome(f"recursive least squares: {N_REGRESSORS} regressors, {what}")
    entrants = [
        Contestant("popdyn lazy", popdyn_lazy(n_targets)),
        Contestant("NumPy naive", sequence(naive, n_targets)),
        Contestant("NumPy in place", sequence(in_place, n_targets)),
        Contestant("BLAS gemv + ger", sequence(blas, n_targets)),
    ]
    expected = entrants[1].run()  # the first of each, from the same start
    worst = 0.0
    for entrant in (entrants[0], *entrants[2:]):
        found = entrant.run()
        for one, other in zip(found, expected, strict=True):
            worst = max(worst, float(np.abs(one - other).max() / np.abs(other).max()))
    seconds = {}
    for timing in race(entrants, n_calls):
        row = timing.row()
        seconds[timing.name] = float(row["cpu_s"])
        outcome.rows.append({**row, "us_per_update": round(1e6 * row["cpu_s"] / N_STEPS, 1)})
    ours = seconds["popdyn lazy"]
    for name, limit in (("NumPy in place", 7.0), ("BLAS gemv + ger", 1.0)):
        text = f"times faster than {name}"
        why = "" if n_targets == 1 or limit == 1.0 else _READS
        outcome.bars.append(Bar(text, round(seconds[name] / ours, 2), limit, False, why))
    outcome.bars.append(Bar("largest relative difference from naive", worst, 1e-12))
    return outcome


SUBJECTS = {
    "recursive_least_squares": lambda: measure(1),
    "recursive_least_squares_shared": lambda: measure(N_REGRESSORS),
}
