"""The test from trials on: planted codes in Poisson counts, distances as they come, their draws."""

from __future__ import annotations

import numpy as np
import pytest

import popdyn as pdn

FIRST = 0.5 + 0.05 * np.arange(11)
SECOND = FIRST + 0.25
PRIOR = {"a": (0.5, 1.0), "b": (0.75, 1.25)}


def perceived(name, weber=0.10):
    observer = pdn.observer.Production(weber=weber, prior=("uniform", *PRIOR[name]))
    return observer.estimates({"a": FIRST, "b": SECOND}[name])


def counts(code, n_trials, rng, n_neurons=60, gain=80.0, cue=None):
    """Rates around 20 Hz: a course in time, and the code along a direction of its own.

    With a ``cue``, its size in s and its direction, of two sets, the second of which it moves.
    """
    axes = np.linalg.qr(rng.normal(size=(n_neurons, 4)))[0].T
    shown = FIRST if cue is None else np.concatenate([FIRST, SECOND])
    second = np.repeat(np.arange(shown.size) >= 11, n_trials)
    time = 0.02 * np.arange(40)
    course = np.array([np.cos(np.pi * time / 0.8), np.sin(np.pi * time / 0.8)])
    rate = 20.0 + 2.0 * np.sqrt(n_neurons) * np.einsum("kn,kt->nt", axes[1:3], course)[:, :, None]
    rate = rate + gain * axes[0][:, None, None] * (np.repeat(code, n_trials) - 0.75)
    if cue is not None:
        size, where = cue
        random = rng.normal(size=n_neurons)
        aside = {"orthogonal": axes[3], "random": random / np.linalg.norm(random), "axis": axes[0]}
        rate = rate + gain * size * aside[where][:, None, None] * second
    found = rng.poisson(np.clip(rate, 0.0, None) * 0.02).astype(np.float64)
    table = {"stimulus": np.repeat(shown, n_trials), "set": np.where(second, "b", "a")}
    return pdn.make_tensor(found, time, table, name="spike_count")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::popdyn.PopdynWarning")
@pytest.mark.parametrize("n_trials", [10, 20, 50])
@pytest.mark.parametrize("truth", ["true", "estimate"])
def test_with_default_distances_the_truth_is_rejected_as_often_as_the_page_says(truth, n_trials):
    estimate, found = perceived("a"), []
    code = FIRST if truth == "true" else estimate.estimate.values
    for rng in np.random.default_rng(5).spawn(20):
        distance = pdn.relative_distance(
            counts(code, n_trials, rng), "stimulus", n_splits=0, n_draws=200, rng=rng
        )
        result = pdn.estimation_test(
            distance, estimate=estimate, n_draws=500, n_repeats=20, rng=rng
        )
        found.append([
            result[f"p_{truth}"] < 0.05, result[f"lack_of_fit_p_{truth}"] < 0.05,
            result.attrs["verdict"] == "compatible with the estimate",
        ])  # fmt: skip
    rejected, lacks_fit, called = np.mean(found, axis=0)
    # Of 20; the page has 40 or more.
    assert rejected <= 0.2
    assert lacks_fit <= 0.2
    assert called <= 0.10 if truth == "true" else called >= {10: 0.0, 20: 0.0, 50: 0.5}[n_trials]


CUES = [(0.0, "random"), (0.5, "orthogonal"), (0.3, "random"), (0.06, "axis")]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::popdyn.PopdynWarning")
@pytest.mark.parametrize("cue", CUES, ids=["none", "orthogonal", "random", "axis"])
@pytest.mark.parametrize("truth", ["true", "estimate"])
def test_a_cue_between_the_sets_is_no_shift_and_hides_none(truth, cue):
    estimate, met = {name: perceived(name) for name in PRIOR}, []
    code = np.concatenate([FIRST, SECOND])
    if truth == "estimate":
        code = np.concatenate([own.estimate.values for own in estimate.values()])
    for rng in np.random.default_rng(6).spawn(12):
        distance = pdn.relative_distance(
            counts(code, 30, rng, cue=cue), ["stimulus", "set"], n_splits=0, n_draws=200, rng=rng
        )
        result = pdn.estimation_test(
            distance, estimate=estimate, n_draws=500, n_repeats=20, rng=rng
        )
        met.append(float(result.condition_met.sel(requirement="shift")) == 1)
    if truth == "true":
        assert np.mean(met) <= 0.17
    elif cue[1] == "orthogonal" or not cue[0]:
        assert np.mean(met) >= 0.2
