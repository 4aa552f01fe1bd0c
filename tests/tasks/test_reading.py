"""A task judges the outputs of its own trials, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import TensorError
from popdyn.tasks.registry import TASKS


@pytest.mark.parametrize("name", sorted(TASKS))
def test_outputs_of_other_trials_are_refused(name):
    task = getattr(pdn.tasks, name)()
    trials, others = task.sample(6, rng=0, dt=0.01), task.sample(6, rng=0, dt=0.02)
    output = trials["target"]
    assert task.response(output, trials).sizes["trial"] == 6
    for given in (
        others["target"], output.isel(trial=slice(0, 3)), output.isel(output=[0, 0]), None,
        output.to_numpy(), "z", 1.0,
    ):  # fmt: skip
        with pytest.raises(TensorError, match=r"expected output as a DataArray \(output: "):
            task.response(given, trials)
    with pytest.raises(TensorError, match="other ids of trials"):
        task.response(output.assign_coords(trial=np.arange(6) + 100), trials)
    with pytest.raises(TensorError, match=f"from {name}.*sample; found None"):
        task.response(output, None)


def test_trials_of_another_task_are_refused():
    trials = pdn.tasks.PerceptualDecision().sample(6, rng=0, dt=0.01)
    words = "Detection cannot judge trials that PerceptualDecision made"
    with pytest.raises(TensorError, match=words):
        pdn.tasks.Detection().response(trials["target"], trials)
    net = pdn.network.Rate.random(10, dt=0.01)
    with pytest.raises(TensorError, match=words):
        pdn.simulate(net, trials, task=pdn.tasks.Detection())
    with pytest.raises(TensorError, match="expected a task such as"):
        pdn.simulate(net, trials, task="Detection")


@pytest.mark.parametrize("make", [pdn.network.Rate.random, pdn.network.Spiking.random])
def test_a_network_with_another_number_of_outputs_is_refused(make):
    net = make(20, n_inputs=3, n_outputs=1)
    trials = pdn.tasks.FlipFlop().sample(2, rng=0, dt=net.dt)
    with pytest.raises(
        TensorError, match="3 target outputs, the network gives 1: make it with n_o"
    ):
        pdn.simulate(net, trials)


def test_a_corner_that_no_output_points_to_is_no_choice():
    task = pdn.tasks.FlipFlop()
    trials = task.sample(4, rng=0)
    perfect = task.response(trials["target"], trials)
    np.testing.assert_array_equal(perfect["choice"], trials["target_choice"])
    for silent in (0.0, np.nan):
        assert np.isnan(task.response(silent * trials["target"], trials)["choice"]).all()
