"""The test from trials on: a straight code in Poisson counts, its distances, and their draws."""

from __future__ import annotations

import numpy as np
import pytest

import popdyn as pdn

STIMULUS = 0.5 + 0.05 * np.arange(11)
CHORD = {"alignment": "time", "n_components": 2}
AXIS = {**CHORD, "method": "coding_axis"}


def counts(n_trials, rng, n_neurons=40):
    """Rates straight in the stimulus, 60 Hz per second along one direction."""
    shown = np.repeat(STIMULUS, n_trials)
    direction = rng.normal(size=n_neurons)
    direction /= np.linalg.norm(direction)
    course = 1.0 + 0.3 * np.sin(np.arange(10) / 3.0)
    rate = rng.uniform(10.0, 25.0, n_neurons)[:, None, None] * course[:, None]
    rate = rate + 60.0 * direction[:, None, None] * (shown - 0.75)
    found = rng.poisson(np.clip(rate, 0.0, None) * 0.05).astype(np.float64)
    return pdn.make_tensor(found, 0.05 * np.arange(10), {"stimulus": shown}, name="spike_count")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::popdyn.PopdynWarning")
@pytest.mark.parametrize(
    ("n_trials", "settings", "low", "high"),
    [(8, CHORD, 0.08, 0.32), (8, AXIS, 0, 0.12), (30, CHORD, 0.02, 0.22), (30, AXIS, 0, 0.19)],
    ids=["8, chord", "8, axis", "30, chord", "30, axis"],
)
def test_a_straight_code_is_rejected_as_often_as_the_page_says(n_trials, settings, low, high):
    observer = pdn.observer.Production(weber=0.10, prior=("uniform", 0.5, 1.0))
    estimate, found = observer.estimate(STIMULUS), []
    for rng in np.random.default_rng(5).spawn(60):
        distance = pdn.relative_distance(
            counts(n_trials, rng), "stimulus", n_splits=0, n_draws=200, rng=rng, **settings
        )
        result = pdn.estimation_test(
            distance, estimate=estimate, n_draws=500, n_repeats=20, rng=rng
        )
        false = result.attrs["verdict"] in ("estimate", "compatible with the estimate")
        found.append([result.p_true < 0.05, result.lack_of_fit_p_true < 0.05, false])
    rejected, lacks_fit, called = np.mean(found, axis=0)
    assert low <= rejected <= high
    assert lacks_fit <= 0.15
    assert called <= 0.10
