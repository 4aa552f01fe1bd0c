"""Noise of a stimulus: calibrated against the closed form of an observer with a threshold."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import norm

import popdyn as pdn
from popdyn.errors import PopdynWarning, TensorError

CRITERION = 0.5
# Short epochs: the closed form does not care how long they are.
SHORT = {
    "cue_duration": 0.05,
    "onset": (0.1, 0.3),
    "stimulus_duration": 0.3,
    "delay_duration": 0.2,
    "report_duration": 0.1,
}


def integrator(dt=0.01, criterion=CRITERION):
    """Return a network whose output is the integral of its second input, minus a criterion.

    The first neuron keeps what it has (its recurrent weight is 1) and has a time constant of 1 s,
    the second goes to 1 in a step.
    """
    return pdn.network.Rate(
        recurrent=[[1.0, 0.0], [0.0, 0.0]],
        input=[[0.0, 1.0], [0.0, 0.0]],
        output=[[1.0, -criterion]],
        bias=[0.0, 1.0],
        tau=np.array([1.0, dt]),
        dt=dt,
        nonlinearity="linear",
    )


def noise_of_the_report(task, dt):
    """Return the standard deviation of the mean output of the report, for an input noise of 1.

    Noise of a step stays in the integral; the mean over the report has less of what comes late.
    """
    before = round((0.3 + 0.3 + 0.2) / dt)
    report = round(task.report_duration / dt)
    weight = np.append(np.ones(before), np.arange(report, 0, -1) / report)
    per_step = np.sqrt(0.02 / dt) * dt
    return per_step * np.sqrt((weight**2).sum())


@pytest.mark.parametrize("dt", [0.01, 0.02])
def test_false_alarms_of_an_integrator_have_the_noise_of_the_normal_distribution(dt):
    task, n_trials = pdn.tasks.Detection(**SHORT), 4000
    calibrated, curve = pdn.calibrate_noise(
        integrator(dt), task, {0: 0.1}, n_trials=n_trials, rng=0
    )
    spread = CRITERION / -norm.ppf(0.1)
    expected = spread / noise_of_the_report(task, dt)
    # Half of the trials have no stimulus; an error of the share is one of the noise.
    z = -norm.ppf(0.1)
    error = np.sqrt(0.1 * 0.9 / (n_trials / 2)) / (norm.pdf(z) * z)
    assert calibrated.stimulus_noise == pytest.approx(expected, rel=4 * error)
    found = curve.sel(noise=calibrated.stimulus_noise)
    assert float(found["share"].sel(stimulus=0)) == pytest.approx(0.1, abs=2e-3)
    # The whole psychometric curve follows, amplitude by amplitude.
    shares = norm.cdf((0.3 * curve["stimulus"].values - CRITERION) / spread)
    miss = 4 * np.sqrt(shares * (1 - shares) / curve["n_trials"].values) + 0.005
    assert (np.abs(found["share"].values - shares) < miss).all()


def test_a_psychometric_curve_is_met_as_a_whole():
    task = pdn.tasks.Detection(**SHORT)
    spread = 0.2
    wanted = {a: norm.cdf((0.3 * a - 0.15) / spread) for a in (0.0, 0.1, 0.3162, 1.0)}
    calibrated, curve = pdn.calibrate_noise(
        integrator(criterion=0.15), task, wanted, n_trials=4000, rng=1
    )
    assert calibrated.stimulus_noise == pytest.approx(
        spread / noise_of_the_report(task, 0.01), rel=0.1
    )
    assert float(curve["error"].min()) < 0.03
    assert np.isfinite(curve["target_share"]).sum() == 4
    assert curve["noise"].to_index().is_monotonic_increasing
    assert (curve["error"].min() == curve["error"].sel(noise=calibrated.stimulus_noise)).all()


def test_half_of_the_middle_amplitude_is_seen_where_the_criterion_lies_there():
    # Yes to the fifth amplitude in half of the trials says where the criterion is, not the noise.
    middle = 0.3162
    task, curve = pdn.calibrate_noise(
        integrator(criterion=0.3 * middle),
        pdn.tasks.Detection(**SHORT),
        {middle: 0.5, 0: 0.2},
        n_trials=3000,
    )
    found = curve["share"].sel(noise=task.stimulus_noise)
    assert float(found.sel(stimulus=0)) == pytest.approx(0.2, abs=0.03)
    assert float(found.sel(stimulus=middle)) == pytest.approx(0.5, abs=0.15)


def test_the_same_seed_finds_the_same_noise_and_nothing_else_changes():
    task = pdn.tasks.Detection(**SHORT)
    first, curve = pdn.calibrate_noise(integrator(), task, {0: 0.2}, n_trials=200, rng=3)
    again, same = pdn.calibrate_noise(integrator(), task, {0: 0.2}, n_trials=200, rng=3)
    _, other = pdn.calibrate_noise(integrator(), task, {0: 0.2}, n_trials=200, rng=4)
    assert first == again
    assert curve.identical(same)
    assert not curve.equals(other)
    assert task.stimulus_noise == 0.1
    assert pdn.tasks.Detection(**SHORT, stimulus_noise=first.stimulus_noise) == first
    assert json.loads(curve.attrs["parameters"])["target"] == {"0": 0.2}
    assert (curve.attrs["method"], curve.attrs["seed"]) == ("calibrate_noise", "3")


def test_noise_of_the_network_and_catch_trials_are_taken_along():
    net = pdn.network.Rate([[0.0]], [[1.0]], [[1.0]], [0.0], nonlinearity="linear")
    task = pdn.tasks.PerceptualDecision(catch_fraction=0.2, delay_duration=0.01)
    quiet, curve = pdn.calibrate_noise(net, task, {0.4: 0.8}, n_trials=800)
    noisy, _ = pdn.calibrate_noise(net, task, {0.4: 0.8}, n_trials=800, noise_density=1.5)
    assert noisy.stimulus_noise < 0.8 * quiet.stimulus_noise
    assert int(curve["n_trials"].sum()) == 640
    assert np.isfinite(curve["stimulus"]).all()


def test_a_spiking_network_is_calibrated_too():
    net = pdn.network.Spiking.random(20, n_inputs=2, n_outputs=1, rng=0)
    task = pdn.tasks.Detection(**SHORT)
    with pytest.warns(PopdynWarning, match="no noise between 0.1 and 1 makes"):
        _, curve = pdn.calibrate_noise(
            net, task, {0: 0.0, 1.0: 1.0}, n_trials=20, between=(0.1, 1.0)
        )
    assert curve["share"].dims == ("noise", "stimulus")


def test_what_no_noise_can_do_is_said():
    with pytest.warns(PopdynWarning, match=r"by stimulus, 0: 0\.[0-4].* instead of 0\.90"):
        pdn.calibrate_noise(integrator(), pdn.tasks.Detection(**SHORT), {0: 0.9}, n_trials=200)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"target": {}}, "target must say for some stimuli how often"),
        ({"target": {0: 1.5}}, "shares between 0 and 1; found {0: 1.5}"),
        ({"target": {0: "often"}}, "target must say"),
        ({"target": 0.5}, "target must say .* found 0.5"),
        (
            {"target": {0.7: 0.5}},
            "the stimulus 0.7, which is in none of 20 trials: they have 0, 0.1",
        ),
        ({"between": (1.0, 0.1)}, r"between must be \(least, most\) noise, .* found \(1.0, 0.1\)"),
        ({"between": 1.0}, "between must be"),
        ({"task": pdn.tasks.DelayedMatch()}, "DelayedMatch has none such: use Detection"),
        ({"task": pdn.tasks.IntervalDiscrimination()}, "IntervalDiscrimination has none such"),
        ({"task": pdn.tasks.FlipFlop(n_bits=2)}, "FlipFlop has none such"),
        ({"task": pdn.tasks.IntervalProduction()}, "IntervalProduction has no choice to count"),
        ({"task": "detection"}, "expected a task with stimulus_noise, .* found 'detection'"),
        ({"n_trials": 0}, "n_trials must be a whole number of at least 1"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, words):
    usual = {"task": pdn.tasks.Detection(**SHORT), "target": {0: 0.1}, "n_trials": 20}
    given = usual | arguments
    net = integrator()
    if given["task"] in (pdn.tasks.DelayedMatch(), pdn.tasks.IntervalDiscrimination()):
        net = pdn.network.Rate.random(3, n_inputs=2, rng=0)
    with pytest.raises(TensorError, match=words):
        pdn.calibrate_noise(net, **given)
