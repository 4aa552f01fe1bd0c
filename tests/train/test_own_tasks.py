"""Tasks of one's own that do not keep what training needs are refused before anything is learned."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.errors import TensorError

NET = pdn.network.Rate.random(20, g=0.9, tau=0.01, dt=0.01, rng=0)
SINE = pdn.tasks.Oscillation(sines=[(5, 1.0)], oscillation_duration=0.2)
RULES = [pdn.train.reservoir, pdn.train.force, pdn.train.full_force]
FEW = {"n_trials": 4, "n_validation": 2}


class Own:
    """A task around one of popdyn's, whose trials and answers may be spoiled."""

    def __init__(self, spoil=None, answer=None):
        self.spoil, self.answer = spoil, answer

    def sample(self, n_trials, rng=0, dt=None):
        trials = SINE.sample(n_trials, rng, dt=dt)
        return self.spoil(trials) if self.spoil else trials

    def response(self, output, trials):  # noqa: ARG002
        answer = xr.Dataset({"correct": ("trial", np.ones(output.sizes["trial"]))})
        return self.answer(answer) if self.answer else answer


SPOILED = {
    "nothing": (lambda _: None, "Own.sample must return .* found a NoneType"),
    "array": (lambda trials: trials["inputs"], "Own.sample must return .* found a DataArray"),
    "no target": (lambda trials: trials.drop_vars("target"), r"with target \(output, step_time"),
    "flat": (
        lambda trials: trials.assign(target=trials["target"].isel(output=0)),
        "target of the trials of Own must have the dims output, step_time, trial",
    ),
    "NaN": (
        lambda trials: trials.assign(target=trials["target"] * np.nan),
        "target of the trials of Own holds .* NaN or infinite",
    ),
    "no mask": (lambda trials: trials.assign(mask=trials["mask"] * 0), "mask .* is 0 everywhere"),
}
ANSWERS = {
    "nothing": (lambda _: None, "response must return .* found a NoneType"),
    "other": (lambda answer: answer.rename(correct="right"), "found a Dataset with right"),
    "one": (lambda answer: answer.mean(), "must be numbers .trial., 1 right, 0 wrong"),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", SPOILED)
def test_trials_that_nothing_can_be_learned_from_are_refused(rule, kind):
    spoil, words = SPOILED[kind]
    with pytest.raises(TensorError, match=words):
        rule(NET, Own(spoil), **FEW)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", ANSWERS)
def test_answers_that_say_nothing_are_refused_before_learning(rule, kind):
    answer, words = ANSWERS[kind]
    with pytest.raises(TensorError, match=words):
        rule(NET, Own(answer=answer), **FEW)


def test_a_task_without_answers_is_refused():
    class Mute:
        sample = Own.sample
        spoil = None

    with pytest.raises(TensorError, match=r"Mute needs a method response\(output, trials\)"):
        pdn.train.force(NET, Mute(), **FEW)


def test_a_task_of_ones_own_is_learned():
    _, history = pdn.train.reservoir(NET, Own(), **FEW)
    assert float(history["final_accuracy"]) == 1.0
