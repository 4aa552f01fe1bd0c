"""What the shipped networks code: the learners that had errors of the senses, and their control.

The committed table is written by
``OPENBLAS_NUM_THREADS=1 python -m tests.analysis.test_estimation_networks``,
which goes on where it stopped.
"""

from __future__ import annotations

import csv
import warnings
from pathlib import Path

import numpy as np
import pytest

import popdyn as pdn

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).parent / "results" / "estimation_networks.csv"
COMMAND = "# OPENBLAS_NUM_THREADS=1 python -m tests.analysis.test_estimation_networks"
WEBER = {"jitter": 0.1, "exact": 0.0}
# Seconds around the end of the interval, trials, and how distances are measured.
CELLS = {
    "interval_production": ((0.1, 0.6), 330, {"n_components": 3}),
    "ready_set_go": ((0.0, 0.4), 400, {}),
}
NUMBERS = ("rmse_true", "rmse_estimate", "nrmse_true", "nrmse_estimate", "p_true", "p_estimate")
NUMBERS += ("shift_ratio", "shift_p_none", "shift_p_amount")
HEAD = ["task", "kind", "seed", "slope", "weber", *NUMBERS, "shift_low", "shift_high", "verdict"]


def counts_of(task, kind, seed, window=None):
    """Spike counts after the interval, of trials that were answered."""
    window, n_trials = window or CELLS[task][0], CELLS[task][1]
    given = {"dt": 0.001, "inter_trial": 0.2, "weber": WEBER[kind]}
    own = pdn.tasks.IntervalProduction if task == "interval_production" else pdn.tasks.ReadySetGo
    net = pdn.load(ROOT / "data" / "networks" / f"{task}_{kind}_{seed}.nc")
    trials = own(**given).sample(n_trials, rng=1)
    session = pdn.simulate(
        net, trials, task=own(**given), continuous=True, record=("spikes",), rng=2
    )
    session = session.isel(trial=np.isfinite(session["produced_interval"].values))
    return pdn.align(session, "set_time", window=window, bin_width=0.02)


def estimates_of(counts, kind):
    """Estimates of an observer fitted to behavior; of the control, that of one with 10 %."""
    shown = np.unique(counts["stimulus"])
    observer = pdn.observer.Production(weber=0.1, prior=("uniform", shown[0], shown[-1]))
    if kind == "jitter":
        plan = pdn.bootstrap(counts, by="stimulus", n_draws=200, rng=3)
        observer.set_params(weber=None, free=["weber", "motor_weber"])
        observer.fit(counts, resample=plan)
        return observer.estimates(shown), float(observer.parameters_.sel(parameter="weber"))
    return observer.estimates(shown), np.nan


def measure(task, kind, seed):
    """One network: its behavior, and the test."""
    counts = counts_of(task, kind, seed)
    sets = "context" in counts.coords
    by = ["stimulus", "context"] if sets else "stimulus"
    plan = pdn.bootstrap(counts, by=by, n_draws=200, rng=3)
    distance = pdn.relative_distance(
        counts, by, alignment="time", n_splits=0, resample=plan, **CELLS[task][2]
    )
    if sets:
        parts = {name: counts["context"].values == name for name in ("short", "long")}
        found = {name: estimates_of(counts.isel(trial=own), kind) for name, own in parts.items()}
        estimate = {name: own for name, (own, _) in found.items()}
        weber = np.mean([own for _, own in found.values()])
    else:
        estimate, weber = estimates_of(counts, kind)
    behavior = pdn.contraction(counts, n_draws=200)
    result = pdn.estimation_test(distance, estimate=estimate, behavior=behavior)
    numbers = [float(result[name]) if name in result else np.nan for name in NUMBERS]
    bounds = result["shift_ratio_bound"].values if sets else np.full(2, np.nan)
    return [float(behavior.slope), weber, *numbers, *bounds, result.attrs["verdict"]]


def table():
    with RESULTS.open(newline="") as file:
        return list(csv.DictReader(file.readlines()[1:]))


def write():
    if not RESULTS.exists():
        RESULTS.write_text(f"{COMMAND}\n{','.join(HEAD)}\n")
    done = {(row["task"], row["kind"], row["seed"]) for row in table()}
    warnings.simplefilter("ignore", pdn.PopdynWarning)
    for seed in range(5):
        for task in CELLS:
            for kind in WEBER:
                if (task, kind, str(seed)) in done:
                    continue
                *numbers, verdict = measure(task, kind, seed)
                row = [task, kind, seed, *(f"{value:.5g}" for value in numbers), verdict]
                with RESULTS.open("a", newline="") as file:
                    csv.writer(file, lineterminator="\n").writerow(row)


def column(task, kind, name):
    rows = [row for row in table() if (row["task"], row["kind"]) == (task, kind)]
    return np.array([float(row[name]) for row in rows])


def test_the_table_holds_every_network_once():
    assert len({(row["task"], row["kind"], row["seed"]) for row in table()}) == len(table()) == 20


def test_the_control_prefers_the_estimate_too_where_there_is_one_set():
    """So what learners prefer is no perception yet."""
    for kind, fewest in (("jitter", 5), ("exact", 3)):
        less = [
            column("interval_production", kind, f"rmse_{name}") for name in ("estimate", "true")
        ]
        assert (less[0] < less[1]).sum() >= fewest


def test_learners_shift_between_priors_and_the_control_does_not():
    learners = column("ready_set_go", "jitter", "shift_ratio")
    control = column("ready_set_go", "exact", "shift_ratio")
    assert learners.min() > 0.4
    assert np.abs(control).max() < 0.25


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::popdyn.PopdynWarning")
def test_a_network_can_be_measured_again():
    found = measure("interval_production", "jitter", 1)
    wanted = ("interval_production", "jitter", "1")
    (row,) = [own for own in table() if (own["task"], own["kind"], own["seed"]) == wanted]
    assert found[0] == pytest.approx(float(row["slope"]), rel=1e-3)
    assert found[-1] == row["verdict"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::popdyn.PopdynWarning")
@pytest.mark.parametrize("n_components", ["90%", 6, None])
def test_the_control_does_not_shift_along_the_axis_whatever_the_components(n_components):
    """Seconds by which 0.8 s moves between the sets; its chords hold the cue."""
    counts = counts_of("ready_set_go", "exact", 0, window=(0.0, 0.94))
    result = pdn.relative_distance(
        counts, ["stimulus", "context"], mean_over=(0.1, 0.44), n_components=n_components,
        n_draws=0, n_splits=0,
    )  # fmt: skip
    shown, long = result.stimulus.values, result.context.values == "long"
    for name, low, high in (("mean_axis_distance", -0.03, 0.03), ("mean_distance", 0.05, 0.25)):
        found = result[name].values
        slopes = [np.polyfit(shown[own], found[own], 1)[0] for own in (long, ~long)]
        shift = found[(shown == 0.8) & long] - found[(shown == 0.8) & ~long]
        assert low < shift.item() / np.mean(slopes) < high


if __name__ == "__main__":
    write()
