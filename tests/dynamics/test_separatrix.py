"""Pushes against boundaries known in closed form, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import brentq

import popdyn as pdn

NETWORKS = Path(__file__).parents[2] / "data" / "networks"


class Last:
    """A task by hand: the choice is the sign of the output in the last step."""

    def __init__(self, criterion=0.0):
        self.criterion = criterion

    def response(self, output, _):
        last = output.values[0, -1] - self.criterion
        return xr.Dataset({"choice": ("trial", np.where(last == 0, np.nan, np.sign(last)))})


def silent(net, seconds, n_trials=1):
    """Trials without input."""
    n_steps = round(seconds / net.dt)
    dims = {"inputs": "channel", "target": "output", "mask": "output"}
    return xr.Dataset(
        {
            name: ((dim, "step_time", "trial"), np.zeros((1, n_steps, n_trials)))
            for name, dim in dims.items()
        },
        attrs={"dt": net.dt},
    )


RIVALS = pdn.network.Rate(
    recurrent=[[0.0, -3.0], [-3.0, 0.0]], input=[[1.0], [0.2]], output=[[1.0, -1.0]],
    tau=[0.02, 0.02], dt=0.001,
)  # fmt: skip
START = np.array([-0.5, 0.5])


def states(net, seconds, start):
    """State after some seconds without input, stepped by hand."""
    x = np.array(start, dtype=float)
    for _ in range(round(seconds / net.dt)):
        x = x + net.dt / net.tau * (-x + net.recurrent @ np.tanh(x))
    return x


@pytest.mark.parametrize("direction", [[1.0, 0.0], [1.0, -0.5], 0], ids=["first", "both", "input"])
def test_two_rivals_are_pushed_to_where_they_are_equal(direction):
    """By symmetry the line ``x_1 = x_2`` divides the plane."""
    at = np.array([0.001, 0.010, 0.040, 0.200])
    result = pdn.dynamics.separatrix_bisect(
        RIVALS, silent(RIVALS, 0.5), direction, at, largest=20.0, tolerance=1e-6,
        initial_state=START, task=Last(),
    )  # fmt: skip
    vector = np.array([1.0, 0.2]) if direction == 0 else np.array(direction)
    course = np.array([states(RIVALS, one, START) for one in at])
    true = (course[:, 1] - course[:, 0]) / (vector[0] - vector[1])
    np.testing.assert_allclose(result.threshold, true, atol=2e-5)
    np.testing.assert_allclose(result.separatrix_distance, true * np.linalg.norm(vector), atol=4e-5)
    np.testing.assert_allclose(result.onset, at)
    np.testing.assert_allclose(result.offset, at)
    assert (result.n_turns == 1).all()
    assert result.attrs["choice"] == -1.0


def test_a_bistable_neuron_is_pushed_to_its_unstable_fixed_point():
    """``-x + 3 tanh(x) + 0.2`` has three zeros; the middle one divides the line.

    A slower neuron is moved with it, and does nothing.
    """
    net = pdn.network.Rate(
        recurrent=[[3.0, 0.0], [0.0, 0.0]], input=[[1.0], [0.0]], output=[[1.0, 0.0]],
        bias=[0.2, 0.0], tau=[0.02, 0.08], dt=0.001,
    )  # fmt: skip
    zeros = [
        brentq(lambda x: -x + 3 * np.tanh(x) + 0.2, *ends) for ends in ((-5, -1), (-1, 1), (1, 5))
    ]
    result = pdn.dynamics.separatrix_bisect(
        net, silent(net, 1.0), [2.0, 1.0], [0.4, 0.6], largest=10.0, tolerance=1e-5,
        initial_state=[-1.0, 0.0], task=Last(),
    )  # fmt: skip
    size = (zeros[1] - zeros[0]) / 2
    np.testing.assert_allclose(result.threshold, size, atol=1e-4)
    np.testing.assert_allclose(result.separatrix_distance, size * np.sqrt(5.0), atol=2e-4)


def test_a_threshold_is_in_the_middle_of_the_interval_it_lies_in():
    """Intervals of 1/32 of the largest push: off by half of one at most."""
    at = np.arange(0.001, 0.020, 0.003)
    result = pdn.dynamics.separatrix_bisect(
        RIVALS, silent(RIVALS, 0.5), [1.0, 0.0], at, largest=8.0, tolerance=1 / 32,
        initial_state=START, task=Last(),
    )  # fmt: skip
    course = np.array([states(RIVALS, one, START) for one in at])
    error = result.threshold.values - (course[:, 1] - course[:, 0])
    assert np.abs(error).max() <= 8.0 / 64 + 1e-9
    assert np.unique(error.round(6)).size == len(at)


def test_the_threshold_of_a_pulse_into_an_unstable_neuron():
    """``tau dx/dt = x + A``: the sum of a geometric series, step by step."""
    net = pdn.network.Rate(
        recurrent=[[2.0]], input=[[0.5]], output=[[1.0]], nonlinearity="linear", tau=0.1, dt=0.005
    )
    at, duration = np.array([0.0, 0.1, 0.2]), 0.15
    result = pdn.dynamics.separatrix_bisect(
        net, silent(net, 0.5), 0, at, largest=20.0, duration=duration, tolerance=1e-7,
        initial_state=[-0.3], task=Last(),
    )  # fmt: skip
    growth = 1 + 0.05
    during = growth ** round(duration / net.dt)
    course = -0.3 * growth ** np.rint((at + duration) / net.dt)
    np.testing.assert_allclose(result.threshold, -course / (0.5 * (during - 1)), rtol=1e-5)
    np.testing.assert_allclose(result.separatrix_distance, -course, rtol=1e-5)
    np.testing.assert_allclose(result.offset, at + duration)


def test_a_push_that_turns_nothing_has_no_threshold_and_says_so():
    result = pdn.dynamics.separatrix_bisect(
        RIVALS, silent(RIVALS, 0.5), [1.0, 0.0], [0.002, 0.200], largest=2.0,
        initial_state=START, task=Last(),
    )  # fmt: skip
    assert np.isnan(result.separatrix_distance.values[1]) and np.isnan(result.threshold.values[1])
    assert result.reason.values.tolist() == ["", "no push up to 2 turns the choice"]
    assert result.n_turns.values.tolist() == [1, 0]


def test_a_boundary_crossed_back_is_counted():
    """Two neurons that begin to fire at 1 and at 2, and the output between."""
    net = pdn.network.Rate(
        recurrent=np.zeros((2, 2)), input=np.ones((2, 1)), output=[[1.0, -1.0]],
        gain=[100.0, 100.0], nonlinearity="sigmoid", tau=1.0, dt=0.001,
    )  # fmt: skip
    for largest in (4.0, 20.0):  # of 16 sizes, several or one turn the choice
        result = pdn.dynamics.separatrix_bisect(
            net, silent(net, 0.02), [1.0, 1.0], [0.015], largest=largest,
            initial_state=[-1.0, -2.0], task=Last(0.5),
        )  # fmt: skip
        assert result.n_turns.values.tolist() == [2]
        np.testing.assert_allclose(result.threshold, 1.0, atol=0.05)


@pytest.fixture(scope="module")
def detector():
    net = pdn.load(NETWORKS / "detection_1.nc")
    task = pdn.tasks.Detection(
        onset=(0.3, 1.3), stimulus_duration=0.3, delay_duration=0.5, report_duration=0.3,
        inter_trial=0.3, stimulus_noise=0.0,
    )  # fmt: skip
    trials = task.sample(40, rng=0, dt=net.dt)
    return net, trials, trials.isel(trial=np.flatnonzero(trials.stimulus == 0)[:1])


def test_a_trained_network_says_yes_just_above_its_threshold(detector):
    """Stimuli of the task itself, scaled to a little fainter and stronger."""
    net, trials, trial = detector
    task, shown = pdn.tasks.task_of(trials), trials.isel(trial=trials.stimulus.values > 0)
    onset = (shown.stimulus_on_time - shown.start_time).values
    result = pdn.dynamics.separatrix_bisect(
        net, trial, "stimulus", onset, largest=2.0, duration=0.3
    )
    np.testing.assert_allclose(result.offset - result.onset, 0.3)
    for change, said in ((-0.002, -1.0), (0.002, 1.0)):
        inputs = shown.inputs.copy()
        inputs[1] *= ((result.threshold.values + change) / shown.stimulus.values)[None]
        sim = pdn.simulate(net, shown.assign(inputs=inputs), task=task)
        assert sim.choice.values.tolist() == [said] * shown.sizes["trial"]


@pytest.mark.parametrize("what", ["noise in its inputs", "a stimulus of its own"])
def test_a_trial_that_is_not_silent_is_doubted(what):
    trial = silent(RIVALS, 0.5).assign_coords(stimulus=("trial", [0.0]))
    if what.startswith("noise"):
        trial["inputs"] += 1e-6 * np.random.default_rng(0).normal(size=trial["inputs"].shape)
    else:
        trial = trial.assign_coords(stimulus=("trial", [0.2]))
    with pytest.warns(pdn.PopdynWarning, match=f"the trial has {what}"):
        pdn.dynamics.separatrix_bisect(
            RIVALS, trial, 0, [0.1], largest=1.0, initial_state=START, task=Last()
        )


def changed(**options):
    return {"direction": [1.0, 0.0], "at": [0.1], "largest": 1.0, "task": Last()} | options


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"direction": "stimulus"}, "direction must be an input channel, none with a name"),
        ({"direction": 1}, "direction is input channel 1, the network has 1"),
        ({"direction": [1.0]}, r"a vector of 2 finite numbers.*found shape \(1,\)"),
        ({"direction": [0.0, 0.0]}, "not all 0"),
        ({"at": [100.0]}, "within the trial of 0.5 s.*found at=.100.0."),
        ({"at": 0.0}, "a step of 0.001 s after its start at the earliest"),
        ({"at": []}, "one or more finite times"),
        ({"at": [0.4], "duration": 0.1}, "begin and be over within the trial"),
        ({"duration": -0.1}, "duration must be zero or a positive number"),
        ({"largest": 0.0}, "largest must be a positive number"),
        ({"tolerance": "fine"}, "tolerance must be a positive number"),
        ({"task": None}, "nothing says which choice"),
        ({"initial_state": [0.0, 0.0]}, "ends in no choice without a push"),
    ],
    ids=["name", "number", "shape", "zero", "ms", "start", "none", "end", "negative", "largest",
         "tolerance", "task", "undecided"],
)  # fmt: skip
def test_bad_requests_are_refused_in_plain_words(options, words):
    given = {"initial_state": START} | changed(**options)
    with pytest.raises(pdn.TensorError, match=words):
        pdn.dynamics.separatrix_bisect(RIVALS, silent(RIVALS, 0.5), **given)


def test_several_trials_and_spiking_networks_are_refused():
    with pytest.raises(pdn.TensorError, match="expected one trial.*found 3"):
        pdn.dynamics.separatrix_bisect(RIVALS, silent(RIVALS, 0.5, 3), **changed())
    spiking = pdn.network.Spiking.random(20, rng=0)
    with pytest.raises(pdn.TensorError, match="pushes the state of a rate network.*found Spiking"):
        pdn.dynamics.separatrix_bisect(spiking, silent(RIVALS, 0.5), **changed())
