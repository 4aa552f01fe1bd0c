"""Demixed components with regularization by cross-validation: 200 neurons, 6 x 2 x 100, 10 trials.

CPU seconds on one thread, the least of several runs.  The peer, dPCA 1.0.5 of Python
(``regularizer="auto"``), is raced where it is installed; it takes a minute and a half.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.subject import Bar, Outcome

LEVELS, N_TIMES, N_TRIALS = (6, 2), 100, 10

SIZES = (
    (50, 100, 10), (100, 100, 10), (200, 100, 10), (200, 100, 40), (400, 100, 10), (800, 100, 10),
    (200, 200, 10), (200, 400, 10),
)  # fmt: skip
_DENSE = "eigenvectors of dense matrices of neurons by neurons, one for each of 26 regularizations"
# What grows, from, to (neurons, bins), and the exponent of time that is linear.
GROWTH = (
    ("neurons, 50 to 100", (50, 100), (100, 100), 1.2, _DENSE),
    ("neurons, 100 to 200", (100, 100), (200, 100), 1.2, _DENSE),
    ("neurons, 200 to 400", (200, 100), (400, 100), 1.2, _DENSE),
    ("neurons, 400 to 800", (400, 100), (800, 100), 1.2, _DENSE),
    ("bins, 100 to 400", (200, 100), (200, 400), 1.2, ""),
)


def problem(n_neurons: int, n_trials: int = N_TRIALS, n_times: int = N_TIMES) -> Any:
    """A tensor with planted stimulus, decision and time, and Gaussian noise."""
    import popdyn as pdn

    rng = np.random.default_rng(0)
    axes = rng.standard_normal((3, n_neurons)) / np.sqrt(n_neurons)
    s, q = (np.repeat(grid.ravel(), n_trials) for grid in np.indices(LEVELS))
    when = np.linspace(0, 1, n_times)
    values = rng.standard_normal((n_neurons, n_times, len(s)))
    values += 3 * np.einsum("n,t,k->ntk", axes[0], np.exp(-(((when - 0.3) / 0.15) ** 2)), s - 2.5)
    values += 4 * np.einsum("n,t,k->ntk", axes[1], when > 0.6, q - 0.5)
    values += 2 * np.einsum("n,t->nt", axes[2], np.sin(2 * np.pi * when))[:, :, None]
    return pdn.make_tensor(values, when, {"stimulus": s, "decision": q}, units="1")


def seconds(run: Callable[[], object], n_runs: int = 3) -> float:
    """CPU seconds, the least of several runs; a single one is not warmed up."""
    if n_runs > 1:
        run()
    taken = []
    for _ in range(n_runs):
        start = time.process_time()
        run()
        taken.append(time.process_time() - start)
    return min(taken)


def peer(tensor: Any) -> float | None:
    """CPU seconds of dPCA 1.0.5, if it is installed."""
    if importlib.util.find_spec("dPCA") is None:
        return None
    from dPCA import dPCA

    n = tensor.sizes["neuron"]
    trials = np.moveaxis(tensor.values.reshape(n, N_TIMES, *LEVELS, -1), (1, 4), (4, 0))
    join = {"s": ["s", "st"], "d": ["d", "dt"], "sd": ["sd", "sdt"]}
    start = time.process_time()
    model = dPCA.dPCA("sdt", join=join, regularizer="auto", n_components=3)
    model.fit(trials.mean(axis=0), trials)
    return time.process_time() - start


def measure() -> Outcome:
    """Race at 200 neurons, then let neurons and trials grow."""
    import popdyn as pdn

    outcome = Outcome("dPCA, regularization by cross-validation")

    def fit(tensor: Any) -> Callable[[], object]:
        return lambda: pdn.DPCA(regularization="cv").fit(tensor)

    least: dict[tuple[int, int], float] = {}
    for n_neurons, n_times, n_trials in SIZES:
        tensor = problem(n_neurons, n_trials, n_times)
        taken = seconds(fit(tensor), 3 if n_neurons < 400 else 1)
        row: dict[str, object] = {
            "neurons": n_neurons, "bins": n_times, "trials": n_trials, "popdyn_s": taken,
        }  # fmt: skip
        if (n_neurons, n_times, n_trials) == (200, 100, 10):
            theirs = peer(tensor)
            row["dPCA_1.0.5_s"] = "not installed" if theirs is None else theirs
            outcome.bars.append(Bar("200 neurons, 6 x 2 x 100, 10 trials (s)", taken, 3.0))
        if n_trials == N_TRIALS:
            least[n_neurons, n_times] = taken
        outcome.rows.append(row)
    for what, small, large, limit, why in GROWTH:
        ratio = np.prod(large) / np.prod(small)
        exponent = float(np.log(least[large] / least[small]) / np.log(ratio))
        outcome.bars.append(Bar(f"exponent of {what}", round(exponent, 2), limit, why=why))
    outcome.remarks.append(
        "every regularization takes the leading eigenvectors of one matrix per marginalization, "
        "whose side is the neurons or its contrasts (100 to 500 here), whichever are fewer; trials "
        "are only averaged"
    )
    return outcome


SUBJECTS = {"dpca": measure}

if __name__ == "__main__":
    from benchmarks.__main__ import table

    print(table(measure()))
