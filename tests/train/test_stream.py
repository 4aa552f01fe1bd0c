"""Trials laid end to end: where they lie, what is between them, filters that go on."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.errors import TensorError
from popdyn.train.stream import Filters, LowPass, stream_of

DT = 0.001


def no_filters():
    return Filters.of(0.0, 0.0, DT)


def by_hand(start, stop, n_steps, dt=DT):
    """Trials whose inputs tell trial and step, and whose target is their negative."""
    n_trials = len(start)
    values = 100.0 * np.arange(1, n_trials + 1) + np.arange(n_steps)[:, None]
    dims = ("step_time", "trial")
    return xr.Dataset(
        {
            "inputs": (("channel", *dims), values[None]),
            "target": (("output", *dims), -values[None]),
            "mask": (dims, np.ones((n_steps, n_trials))),
        },
        coords={"start_time": ("trial", start), "stop_time": ("trial", stop)},
        attrs={"dt": dt},
    )


class ByHand:
    """A task of one's own, without hints."""


def test_trials_lie_where_their_clock_says_with_zeros_between():
    # Of 3, 2 and 1 steps; pauses of 2 and 1, then one as long as the first.
    trials = by_hand([0.010, 0.015, 0.018], [0.013, 0.017, 0.019], 4)
    stream = stream_of(ByHand(), trials, no_filters())
    expected = [100, 101, 102, 0, 0, 200, 201, 0, 300, 0, 0]
    assert stream.inputs[:, 0].tolist() == expected
    assert stream.shown[:, 0].tolist() == expected
    assert stream.target[:, 0].tolist() == [-value for value in expected]
    assert stream.counts.tolist() == [value > 0 for value in expected]
    assert stream.hint.shape == (11, 0)
    assert stream.n_steps == 11


def test_one_trial_has_no_pause():
    assert stream_of(ByHand(), by_hand([0.5], [0.502], 5), no_filters()).n_steps == 2


def test_trials_that_overlap_are_refused():
    trials = by_hand([0.0, 0.003, 0.004], [0.003, 0.005, 0.006], 3)
    with pytest.raises(TensorError, match="trial 2 starts before the one before has stopped"):
        stream_of(ByHand(), trials, no_filters())


def test_what_the_target_network_is_shown_has_no_error_of_the_senses():
    task = pdn.tasks.FrequencyDiscrimination(sensory_noise=(5.0, 1.0), stimulus_noise=0.1)
    trials = task.sample(5, 0, dt=0.01)
    stream = stream_of(task, trials, no_filters())
    exact = pdn.tasks.FrequencyDiscrimination().teach(trials)
    shown = exact["inputs"].transpose("trial", "step_time", "channel").values
    assert not np.array_equal(stream.inputs, stream.shown)
    n_first = round(float(trials["stop_time"][0] - trials["start_time"][0]) / 0.01)
    assert np.array_equal(stream.shown[:n_first], shown[0, :n_first])
    heard = trials["inputs"].transpose("trial", "step_time", "channel").values
    assert np.array_equal(stream.inputs[:n_first], heard[0, :n_first])


def test_targets_and_hints_are_filtered_over_the_whole_stream():
    task = pdn.tasks.IntervalProduction()
    trials = task.sample(3, 0, dt=DT)
    plain = stream_of(task, trials, no_filters())
    filtered = stream_of(task, trials, Filters.of(0.010, 0.040, DT))
    for name, tau in (("target", 0.010), ("hint", 0.040)):
        keep, level = np.exp(-DT / tau), 0.0
        expected = np.zeros_like(getattr(plain, name))
        for step, value in enumerate(getattr(plain, name)):
            level = expected[step] = keep * level + (1 - keep) * value
        np.testing.assert_allclose(getattr(filtered, name), expected, rtol=0, atol=1e-12)
    assert np.array_equal(filtered.inputs, plain.inputs)


def test_a_filter_goes_on_from_part_to_part_and_from_what_was_stored():
    values = np.random.default_rng(0).standard_normal((50, 3))
    whole = LowPass(0.02, DT)(values)
    first = Filters.of(0.02, 0.0, DT)
    start = first.target(values[:17])
    stored = {name: array.copy() for name, array in first.arrays().items()}
    assert set(stored) == {"target_filter"}
    second = Filters.of(0.02, 0.0, DT)
    second.restore(stored)
    assert np.array_equal(np.concatenate([start, second.target(values[17:])]), whole)
    second.restore({})
    assert not np.array_equal(second.target(values[17:]), whole[17:])


def test_no_filter_is_no_filter():
    values = np.arange(6.0).reshape(3, 2)
    assert LowPass(0.0, DT)(values) is values
    assert Filters.of(0.0, 0.0, DT).arrays() == {}


def test_a_task_without_targets_is_refused_by_name():
    trials = by_hand([0.0], [0.003], 3).drop_vars("target")
    with pytest.raises(TensorError, match="ByHand.*target"):
        stream_of(ByHand(), trials, no_filters())
