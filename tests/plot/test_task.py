"""The picture of a task shows what was drawn, not something computed."""

from __future__ import annotations

import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import TensorError
from popdyn.tasks import PerceptualDecision


@pytest.fixture(scope="module")
def trials():
    return PerceptualDecision(decision_duration=0.2).sample(6, rng=0)


def line(ax, label):
    return next(patch for patch in ax.patches if patch.get_label() == label).get_data().values


def test_inputs_and_target_of_the_trial_are_drawn(trials):
    ax = pdn.plot.task(trials, trial=3)
    assert np.array_equal(line(ax, "input 0"), trials["inputs"].values[0, :, 3])
    target, mask = line(ax, "target 0"), trials["mask"].values[:, 3]
    assert np.array_equal(np.isfinite(target), mask)
    assert (target[mask] == np.sign(trials["stimulus"].values[3])).all()
    assert ax.get_title() == f"trial 3, stimulus {trials['stimulus'].values[3]:g}"


def test_axes_have_units_and_events_their_names(trials):
    ax = pdn.plot.task(trials)
    assert ax.get_xlabel() == "time from start_time (s)"
    assert ax.get_ylabel() == "input and target (dimensionless)"
    texts = {text.get_text(): text.xy[0] for text in ax.texts}
    assert texts == pytest.approx({"stimulus on": 0.1, "stimulus off": 0.9, "decision": 1.0})
    shaded = ax.collections[0].get_paths()[0].get_extents()
    assert (shaded.x0, shaded.x1) == pytest.approx((1.0, 1.2))


def test_show_knows_trials_of_a_task(trials):
    assert pdn.show(trials).get_title().startswith("trial 0, stimulus")


def test_the_given_axes_are_used(trials):
    ax = pdn.plot.task(trials)
    assert pdn.plot.task(trials, ax=ax) is ax


def test_what_is_no_trial_is_refused(trials):
    with pytest.raises(TensorError, match="there is no trial with id 'x'. There are 6: 0 ..."):
        pdn.plot.task(trials, trial="x")
    with pytest.raises(TensorError, match="with inputs, target, mask; target not found"):
        pdn.plot.task(trials.drop_vars("target"))


def test_the_title_tells_the_columns_that_have_a_role():
    pairs = pdn.tasks.DelayedMatch(pairs=(("A", "B"),), delay_duration=0.1)
    assert pdn.plot.task(pairs.sample(1)).get_title() == "trial 0, sample A, test B"
    catch = pdn.tasks.DelayedMatch(catch_fraction=0.9, delay_duration=0.1).sample(1)
    assert pdn.plot.task(catch).get_title() == "trial 0, catch trial"
    assert pdn.plot.task(pdn.tasks.Oscillation().sample(1)).get_title() == "trial 0"
