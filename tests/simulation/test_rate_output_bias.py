"""The constant part of the outputs reaches all that comes of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import TensorError

TASK = pdn.tasks.PerceptualDecision(fixation_duration=0.1, stimulus_duration=0.2)


@pytest.fixture(scope="module")
def net():
    return pdn.network.Rate.random(20, g=0.9, n_outputs=1, rng=0)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("continuous", [False, True])
def test_outputs_are_higher_by_the_bias_and_choices_follow(net, dtype, continuous):
    trials = TASK.sample(6, rng=1, dt=net.dt)
    how = {"rng": 2, "dtype": dtype, "continuous": continuous}
    plain = pdn.simulate(net, trials, **how)
    biased = pdn.simulate(replace(net, output_bias=[3.0]), trials, **how)
    tolerance = 1e-12 if dtype == "float64" else 1e-6
    np.testing.assert_allclose(biased["output"], plain["output"] + 3.0, atol=tolerance)
    np.testing.assert_array_equal(biased["rate"], plain["rate"])
    assert set(plain["choice"].values) == {-1.0, 1.0}
    assert set(biased["choice"].values) == {1.0}


@pytest.mark.parametrize("method", ["euler", "exponential"])
def test_a_bias_that_is_fed_back_is_a_bias_of_the_neurons(net, method):
    feedback = np.linspace(-1, 1, 20)[:, None]
    fed = replace(net, feedback=feedback, output_bias=[0.7])
    same = replace(net, feedback=feedback, bias=net.bias + 0.7 * feedback[:, 0])
    trials = TASK.sample(3, rng=1, dt=net.dt)
    found, expected = (pdn.simulate(n, trials, rng=2, method=method)["rate"] for n in (fed, same))
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_a_file_keeps_the_bias_and_the_reservoir_takes_it_away(net, tmp_path):
    biased = replace(net, output_bias=[0.25])
    pdn.save(biased, tmp_path / "net.nc")
    assert pdn.load(tmp_path / "net.nc").output_bias.tolist() == [0.25]
    trained, _ = pdn.train.reservoir(biased, TASK, n_trials=20, n_validation=10, rng=0)
    assert trained.output_bias is None


def test_a_bias_of_another_number_of_outputs_is_refused(net):
    with pytest.raises(TensorError, match=r"output_bias must have shape \(1,\).* and 1 outputs"):
        replace(net, output_bias=[0.1, 0.2])
