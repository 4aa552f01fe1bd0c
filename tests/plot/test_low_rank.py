"""Pictures of low-rank networks show what the results say."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn


@pytest.fixture(scope="module")
def net():
    rng = np.random.default_rng(0)
    m = rng.standard_normal((300, 2))
    n = m @ np.diag([2.0, 1.5]) + 0.1 * rng.standard_normal((300, 2))
    into = rng.standard_normal((300, 2))
    return pdn.network.LowRank(m, n, into, m.T[:1], population=["a", "b"] * 150)


def test_the_flow_shows_fixed_points_filled_if_stable_and_trajectories(net):
    result = pdn.dynamics.flow(net, n_points=9)
    sim = pdn.simulate(net, duration=0.4, record=("latent",))
    ax = pdn.show(result, trajectories=sim["latent"])
    path, *points = ax.lines
    np.testing.assert_array_equal(path.get_xydata().T, sim["latent"].isel(trial=0))
    drawn = np.concatenate([point.get_xydata() for point in points])
    np.testing.assert_array_equal(drawn, result["fixed_latent"])
    filled = [point.get_markerfacecolor() == "#000000" for point in points]
    assert filled == result["stable"].to_numpy().tolist()
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "latent 1 (dimensionless)", "latent 2 (dimensionless)",
    )  # fmt: skip
    assert len(ax.collections) > 0


def test_the_flow_of_a_line_is_its_velocity_beside_that_of_the_network():
    result = pdn.dynamics.flow(pdn.network.LowRank.random(100), n_points=9)
    ax = pdn.show(result)
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), result["velocity"][0])
    np.testing.assert_array_equal(ax.lines[2].get_ydata(), result["network_velocity"][0])
    assert ax.get_ylabel() == "velocity (1/s)"


def test_trajectories_that_are_no_latents_are_refused(net):
    result = pdn.dynamics.flow(net, n_points=5)
    with pytest.raises(pdn.TensorError, match="trajectories must be latents.*found dims"):
        pdn.plot.flow(result, xr.DataArray(np.ones((2, 3)), dims=("latent", "time")))


def test_the_circuit_says_every_strong_coupling(net):
    result = pdn.dynamics.effective_couplings(net, {"off": [0, 0], "on": [3, 0]})
    texts = [text.get_text() for text in pdn.show(result).texts]
    assert {"off", "on", "gain: a 1.00, b 1.00", "κ1", "κ2", "u1", "u2"} <= set(texts)
    own = result["coupling"].sel(latent="latent 1", source="latent 1").to_numpy()
    assert {f"{value:.2f}" for value in own} <= set(texts)
    assert own[1] < own[0]


def test_loadings_are_colored_by_population(net):
    ax = pdn.plot.loadings(net, "input 2", "n 1")
    assert len(ax.collections) == 2
    part = net.population == "a"
    expected = np.column_stack([net.input[part, 1], net.n[part, 0]])
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), expected)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    of_outputs = pdn.plot.loadings(net, "output 1", "bias", populations=np.zeros(300, int))
    np.testing.assert_array_equal(of_outputs.collections[0].get_offsets()[:, 0], net.output[0])
    assert of_outputs.get_legend() is None


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda net: pdn.plot.loadings(net, "m 3"), "the network has the loadings m 1, m 2, n 1"),
        (lambda net: pdn.plot.loadings(net, populations=[1]), r"each of the 300 neurons.*\(1,\)"),
        (lambda _: pdn.plot.loadings(xr.Dataset()), "draws m and n and input and output"),
        (lambda _: pdn.plot.effective_couplings(xr.Dataset()), "draws coupling and gain"),
        (lambda _: pdn.plot.flow(xr.Dataset()), "draws velocity"),
        (lambda _: pdn.plot.simulate_reduced(xr.Dataset()), "draws network_latent"),
    ],
    ids=["name", "populations", "loadings", "couplings", "flow", "reduced"],
)
def test_what_cannot_be_drawn_is_refused(net, call, words):
    with pytest.raises(pdn.TensorError, match=words):
        call(net)


def test_what_is_drawn_through_another_result_says_through_which(net):
    reduced = pdn.dynamics.reduce(net)
    words = r"reduce has no picture of its own: plot\.flow\(.*plot\.effective_coup.*plot\.loadings"
    with pytest.raises(pdn.PopdynError, match=words):
        pdn.show(reduced)
    with pytest.raises(pdn.PopdynError, match=r"mean_field has no picture .* plot\.flow\("):
        pdn.show(xr.Dataset(attrs={"method": "mean_field"}))
    # What the message says can be done.
    assert pdn.plot.flow(pdn.dynamics.flow(reduced, n_points=5)).get_xlabel()
    assert pdn.plot.effective_couplings(pdn.dynamics.effective_couplings(reduced))


def test_the_reduction_is_dashed_beside_the_network(net):
    task = pdn.tasks.PerceptualDecision()
    one_input = pdn.network.LowRank(net.m, net.n, net.input[:, :1], net.output)
    result = pdn.dynamics.simulate_reduced(one_input, task.sample(4, rng=0, dt=net.dt))
    ax = pdn.plot.simulate_reduced(result, latent=1, n_trials=2)
    assert [line.get_linestyle() for line in ax.lines] == ["-", "--", "-", "--"]
    np.testing.assert_array_equal(
        ax.lines[3].get_ydata(), result["reduced_latent"].isel(latent=1, trial=1)
    )
    assert ax.get_ylabel() == "latent 2 (dimensionless)"
    with pytest.raises(pdn.TensorError, match="there are 2 latents, counted from 0; found 2"):
        pdn.plot.simulate_reduced(result, latent=2)
