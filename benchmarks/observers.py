"""Fitting Bayesian observers: 10,000 trials at once, and 40,000 trials of 11 people with draws."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import joblib
import numpy as np
import pandas as pd

import popdyn as pdn
from benchmarks.subject import Bar, Outcome

N_PEOPLE, N_EACH, N_DRAWS = 11, 3636, 200
INTERVALS = np.arange(0.5, 1.01, 0.05)
FIRST = np.arange(10.0, 35.0, 4.0)


def responses(n_trials: int, rng: int) -> pd.DataFrame:
    """Produced intervals of an observer with lapses."""
    shown = np.random.default_rng(rng).choice(INTERVALS, n_trials)
    truth = pdn.observer.Production(
        weber=0.1, motor_weber=0.06, lapse=0.01, bias=0.01, prior=INTERVALS
    )
    return truth.simulate({"stimulus": shown}, rng)


def choices(n_trials: int, rng: int) -> pd.DataFrame:
    """Comparisons of frequencies with several differences."""
    generator = np.random.default_rng(rng)
    first = generator.choice(FIRST, n_trials)
    second = first + generator.choice([-8.0, -4.0, -2.0, 2.0, 4.0, 8.0], n_trials)
    truth = pdn.observer.Discrimination(sigma=5.0, sigma_2=2.0, lapse=0.02, prior=FIRST)
    return truth.simulate({"stimulus": first, "stimulus_2": second}, rng)


def _fit_person(kind: str, person: int) -> float:
    """Fit one of the people, with draws; return the CPU seconds of it."""
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pdn.PopdynWarning)
        if kind == "production":
            table = responses(N_EACH, person)
            plan = pdn.bootstrap(table, "stimulus", N_DRAWS)
            pdn.observer.Production().fit(table, resample=plan)
        else:
            table = choices(N_EACH, person)
            plan = pdn.bootstrap(table, ["stimulus", "stimulus_2"], N_DRAWS)
            pdn.observer.Discrimination(sigma=3.0, sigma_2=3.0).fit(table, resample=plan)
    return time.process_time() - start


def _cpu(function: Callable[[], object], n_calls: int = 3) -> float:
    """Median CPU seconds of some calls after a first one."""
    function()
    took = []
    for _ in range(n_calls):
        start = time.process_time()
        function()
        took.append(time.process_time() - start)
    return float(np.median(took))


def measure() -> Outcome:
    """Time single fits, and people with draws in two processes."""
    outcome = Outcome("Bayesian observers: fits by maximum likelihood, with profile intervals")
    produced, compared = responses(10_000, 0), choices(10_000, 0)
    single = {
        "production": lambda: pdn.observer.Production().fit(produced),
        "discrimination": lambda: pdn.observer.Discrimination(sigma=3.0, sigma_2=3.0).fit(compared),
    }
    for kind, fit in single.items():
        seconds = _cpu(fit)
        outcome.rows.append({"what": f"{kind}, 10,000 trials", "cpu_s": seconds})
        outcome.bars.append(Bar(f"{kind}, 10,000 trials: CPU seconds", round(seconds, 2), 1.0))
    for kind in single:
        work = (joblib.delayed(_fit_person)(kind, person) for person in range(N_PEOPLE))
        # Halves of the work on two cores; seconds on the clock are those of the machine's load.
        seconds = sum(joblib.Parallel(n_jobs=2)(work)) / 2
        what = f"{kind}, {N_PEOPLE} people, {N_PEOPLE * N_EACH} trials, {N_DRAWS} draws"
        outcome.rows.append({"what": f"{what}, each of two cores", "cpu_s": seconds})
        outcome.bars.append(Bar(f"{what}: CPU seconds on each of two cores", round(seconds), 60.0))
    return outcome


SUBJECTS = {"observers": measure}
