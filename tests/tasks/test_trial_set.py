"""What every task shares refuses trials that make no sense."""

from __future__ import annotations

import numpy as np
import pytest

from popdyn.errors import TensorError
from popdyn.tasks.trial_set import make_trials


def parts(**changes):
    mask = np.zeros((5, 2), dtype=bool)
    mask[3:] = True
    values = {
        "inputs": np.zeros((1, 5, 2)),
        "target": np.zeros((1, 5, 2)),
        "mask": mask,
        "dt": 0.1,
        "events": {"go_time": np.array([2, 2]), "stop_time": np.array([5, 5])},
        "inter_trial": 0.5,
        "table": {},
        "attrs": {},
    }
    return values | changes


def test_trials_follow_each_other_on_one_clock():
    trials = make_trials(**parts())
    assert np.allclose(trials["start_time"], [0.0, 1.0])
    assert np.allclose(trials["go_time"], [0.2, 1.2])


def test_a_trial_that_counts_nowhere_is_refused():
    mask = np.zeros((5, 2), dtype=bool)
    mask[3:, 0] = True
    with pytest.raises(TensorError, match=r"1 of 2 trials have no step.*first: trial 1"):
        make_trials(**parts(mask=mask))


def test_events_out_of_order_are_refused():
    events = {"go_time": np.array([2, 5]), "stop_time": np.array([5, 5])}
    with pytest.raises(TensorError, match="strictly increasing in every trial: go_time, stop_time"):
        make_trials(**parts(events=events))


def test_events_that_some_trials_lack_are_nan_and_passed_over():
    events = {
        "cue_time": np.array([1, 1]),
        "go_time": np.array([np.nan, 2]),
        "stop_time": np.array([4, 5]),
    }
    trials = make_trials(**parts(events=events))
    np.testing.assert_allclose(trials["go_time"], [np.nan, 1.1])
    np.testing.assert_allclose(trials["stop_time"], [0.4, 1.4])
    for late in ({"cue_time": np.array([4, 1])}, {"stop_time": np.array([np.nan, 5])}):
        with pytest.raises(TensorError, match="events must be strictly increasing"):
            make_trials(**parts(events=events | late))


def test_the_time_between_trials_may_differ():
    trials = make_trials(**parts(inter_trial=np.array([0.26, 9.0])))
    np.testing.assert_allclose(trials["start_time"], [0.0, 0.8])
