"""Ready, set, go: two priors, their cue, and gains."""

from __future__ import annotations

import json

import numpy as np
import pytest

from popdyn.errors import TensorError
from popdyn.tasks import ReadySetGo, task_of


def test_the_published_priors_are_what_the_docs_say():
    trials = ReadySetGo().sample(100, rng=0)
    for name, mean in (("short", 0.64), ("long", 1.0)):
        intervals = trials["stimulus"].values[trials["context"].values == name]
        assert len(intervals) == 50
        assert intervals.mean() == pytest.approx(mean)
        assert len(set(intervals)) == 5
    # The shared interval comes from both.
    assert ((trials["stimulus"] == 0.8).values & (trials["context"] == "short").values).sum() == 10
    assert ((trials["stimulus"] == 0.8).values & (trials["context"] == "long").values).sum() == 10


def test_the_cue_tells_the_prior_during_the_whole_trial():
    trials = ReadySetGo(prior_levels=(-0.3, 0.7)).sample(10, rng=0)
    alive = (
        trials["step_time"].values[:, None]
        < (trials["stop_time"] - trials["start_time"]).values - 1e-9
    )
    level = np.where(trials["context"] == "short", -0.3, 0.7)
    assert np.allclose(trials["inputs"].values[2], alive * level)
    assert trials.sizes["channel"] == 3
    usual = ReadySetGo().sample(10, rng=0)["inputs"].values[2, 0]
    assert set(usual) == {0.5, 1.0}


@pytest.mark.parametrize("dt", [0.001, 0.007, 0.02])
def test_ready_and_set_have_a_channel_each(dt):
    trials = ReadySetGo(weber=0.1).sample(20, rng=0, dt=dt)
    for channel, event in enumerate(("ready_time", "set_time")):
        inputs = trials["inputs"].values[channel]
        assert np.allclose(inputs.sum(axis=0) * dt, 0.05)
        at = np.rint((trials[event] - trials["start_time"]).values / dt).astype(int)
        assert (inputs.argmax(axis=0) == at).all()


def test_gains_multiply_the_interval_to_produce_and_have_a_cue():
    task = ReadySetGo(gains=(1.0, 1.5), gain_levels=(0.0, 0.2))
    trials = task.sample(40, rng=0)
    assert np.allclose(trials["target_interval"], trials["gain"] * trials["stimulus"])
    assert (trials["gain"] == 1.5).sum() == 20
    assert trials.sizes["channel"] == 4
    assert np.allclose(trials["inputs"].values[3, 0], np.where(trials["gain"] == 1.5, 0.2, 0.0))
    behavior = task.response(trials["target"], trials)
    assert np.allclose(behavior["produced_interval"], trials["target_interval"])
    assert len(json.loads(trials.attrs["n_trials_by_condition"])) == 20


def test_the_interval_is_produced_from_the_set_pulse_on():
    task = ReadySetGo()
    trials = task.sample(10, rng=0, dt=0.001)
    elapsed = (
        trials["step_time"].values[:, None]
        + 0.001
        - (trials["set_time"] - trials["start_time"]).values
    )
    interval = trials["stimulus"].values
    on = (elapsed > 1e-9) & (elapsed <= 1.35 * interval + 1e-9)
    assert np.allclose(trials["target"].values[0], np.where(on, elapsed / interval, 0))
    assert np.allclose(trials["set_time"] - trials["ready_time"], trials["measured_stimulus"])


def test_own_priors_are_named_by_their_place_and_come_equally_often():
    task = ReadySetGo(priors=([0.3, (0.4, 3)], "long"))
    trials = task.sample(80, rng=0)
    assert task.priors == ((0.3, (0.4, 3)), "long")
    assert task_of(trials) == task
    counts = json.loads(trials.attrs["n_trials_by_condition"])
    assert (counts["prior 0, 1, 0.3"], counts["prior 0, 1, 0.4"]) == (10, 30)
    assert counts["long, 1, 0.8"] == 8
    single = ReadySetGo(priors=("short",)).sample(5, rng=0)
    assert (single["context"] == "short").all()


def test_a_continuous_prior_is_uniform_between_its_ends_and_mixes_with_others():
    task = ReadySetGo(priors=(("uniform", 0.2, 2.2), "short"), gains=(1.0, 1.5))
    trials = task.sample(2000, rng=0, dt=0.02)
    assert task_of(trials) == task
    drawn = trials["stimulus"].values[trials["context"].values == "prior 0"]
    assert len(drawn) == 1000
    assert (drawn.min() > 0.2, drawn.max() < 2.2) == (True, True)
    assert drawn.mean() == pytest.approx(1.2, abs=4 * 2 / np.sqrt(12 * 1000))
    assert drawn.std() == pytest.approx(2 / np.sqrt(12), rel=0.05)
    # Drawn between steps, shown in whole ones.
    shown = trials["measured_stimulus"].values
    assert np.allclose(shown, np.round(trials["stimulus"].values / 0.02) * 0.02, atol=0.0101)
    counts = json.loads(trials.attrs["n_trials_by_condition"])
    assert counts == {f"{name}, {g}": 500 for name in ("prior 0", "short") for g in (1, 1.5)}
    behavior = task.response(trials["target"], trials)
    assert np.allclose(behavior["produced_interval"], trials["target_interval"])


@pytest.mark.parametrize("shape", ["ramp", "bump"])
def test_the_prior_of_the_full_force_demonstration_can_be_asked_for(shape):
    # There: pulse of 0.05 s, pause of 0.1 to 2.1 s, pulse, and as long again to the answer.
    task = ReadySetGo(priors=(("uniform", 0.15, 2.15),), target_shape=shape)
    trials = task.sample(300, rng=0)
    pause = (trials["set_time"] - trials["ready_time"]).values - task.pulse_duration
    assert pause.min() >= 0.095
    assert pause.max() <= 2.105
    correct = task.response(trials["target"], trials)["correct"]
    assert (correct == 1).all()


def test_the_senses_err_by_a_share_of_the_interval_and_the_target_does_not():
    trials = ReadySetGo(priors=((1.0,),), weber=0.1).sample(2000, rng=0, dt=0.02)
    assert trials["measured_stimulus"].std() == pytest.approx(0.1, rel=0.07)
    assert (trials["target_interval"] == 1.0).all()


def test_independent_conditions_come_as_often_as_chance_says():
    context = ReadySetGo(balanced=False).sample(2000, rng=0, dt=0.02)["context"]
    share = float((context == "long").mean())
    assert abs(share - 0.5) < 4 * np.sqrt(0.25 / 2000)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"priors": "short"}, r"priors must be a list such as \('short', 'long'\), found 'short'"),
        ({"priors": ()}, "priors must be a list"),
        ({"priors": ("shrot",)}, "'short' or 'long', or a list of your own.*did you mean 'short'"),
        ({"priors": ("short", "short")}, "each of priors must be there once"),
        ({"gains": ()}, "gains must be a list of positive and finite numbers"),
        ({"gains": (1.0, 1.0)}, "each of gains must be there once"),
        ({"gains": (0.0,)}, "gains must be a list of positive and finite numbers"),
        ({"gains": 1.5}, "gains must be a list"),
        (
            {"prior_levels": (1.0,)},
            r"prior_levels must be 2 finite numbers, one each, found \(1.0,",
        ),
        ({"gain_levels": ("a",)}, "gain_levels must be 1 finite numbers"),
        ({"gains": (0.2,)}, r"interval to produce \(0.096 s\) must be longer than earliest"),
        ({"pulse_duration": 0.5}, "pulse_duration"),
        ({"priors": (("uniform", 1.0),)}, r"a uniform prior is \('uniform', shortest, longest\)"),
        ({"priors": (("uniform", 1.0, 0.5),)}, "a uniform prior must rise"),
        ({"priors": (("uniform", 0, 0.5),)}, "priors must be positive, found 0"),
    ],
)
def test_impossible_tasks_are_refused(arguments, words):
    with pytest.raises(TensorError, match=words):
        ReadySetGo(**arguments)
