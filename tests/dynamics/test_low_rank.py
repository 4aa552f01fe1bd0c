"""Reduced low-rank networks: known fixed points, gains that contexts gate, the network itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.errors import TensorError
from popdyn.network import LowRank


def exact_rank_one(overlap, n_neurons=400, **changes):
    """A network whose loadings have exactly these overlaps: m of mean 0 and variance 1."""
    m = np.random.default_rng(0).standard_normal((n_neurons, 1))
    m = (m - m.mean()) / m.std()
    return LowRank(m, overlap * m, np.zeros((n_neurons, 1)), m.T, **changes)


def drawn_rank_one(overlap, n_neurons, seed):
    rng = np.random.default_rng(seed)
    m = rng.standard_normal((n_neurons, 1))
    n = overlap * m + 2 * rng.standard_normal((n_neurons, 1))
    return LowRank(m, n, np.zeros((n_neurons, 1)), m.T)


def settled(net, start, inputs=None, steps=600):
    """The latents where the network ends."""
    values = np.zeros(net.n_inputs) if inputs is None else np.asarray(inputs, float)
    drive = np.tile(values[:, None, None], (1, steps, 1))
    trials = xr.Dataset(
        {"inputs": (("channel", "step_time", "trial"), drive)}, attrs={"dt": net.dt}
    )
    sim = pdn.simulate(net, trials, record=("latent",), initial_state=net.m @ np.asarray(start))
    return sim["latent"].to_numpy()[:, -1, 0]


@pytest.mark.parametrize(
    ("overlap", "latent", "growth"),
    [(1.2, 0.4863, -0.291), (1.5, 0.8434, -0.526), (2.0, 1.3371, -0.717), (3.0, 2.2223, -0.866)],
)
def test_the_fixed_points_of_rank_one_are_the_known_ones(overlap, latent, growth):
    """B23; at 3 its table says 2.2222 and -.867, by too few nodes."""
    points = pdn.dynamics.mean_field(exact_rank_one(overlap))
    np.testing.assert_allclose(points["latent"][:, 0], [-latent, 0, latent], atol=1e-4)
    expected = [10 * growth, 10 * (overlap - 1), 10 * growth]
    np.testing.assert_allclose(points["growth_rate"][:, 0], expected, atol=0.011)
    assert points["stable"].to_numpy().tolist() == [True, False, True]
    assert points["growth_rate"].units == "1/s"


def test_below_the_bifurcation_silence_is_the_only_fixed_point():
    points = pdn.dynamics.mean_field(exact_rank_one(0.9))
    np.testing.assert_allclose(points["latent"], [[0]], atol=1e-9)
    assert points["stable"].all()
    np.testing.assert_allclose(points["growth_rate"], [[-1.0]], atol=1e-6)


@pytest.mark.parametrize("overlap", [0.8, 1.2, 2.0, 3.0])
def test_large_networks_settle_where_mean_field_says(overlap):
    errors = {}
    exact = pdn.dynamics.mean_field(exact_rank_one(overlap))["latent"].to_numpy().max()
    for n_neurons in (500, 8000):
        nets = [drawn_rank_one(overlap, n_neurons, seed) for seed in range(4)]
        found = np.array([settled(net, [1.5])[0] for net in nets])
        own = np.array([pdn.dynamics.mean_field(net)["latent"].to_numpy().max() for net in nets])
        # That of the network's own overlaps is nearer than that of those they were drawn from.
        errors[n_neurons] = np.abs(found - own).mean(), np.abs(found - exact).mean()
    assert errors[8000][0] < 0.02
    assert errors[8000][1] < 0.06
    assert errors[8000][1] <= errors[500][1] + 0.01


def gating_networks():
    """The network of METHODS 8.2, drawn as there: after twelve others from the same generator."""
    rng = np.random.default_rng(0)
    for n_neurons in (1000, 4000):
        for _ in range(6):
            rng.standard_normal(n_neurons)
            rng.standard_normal(n_neurons)
    n_neurons = 8000
    first = np.arange(n_neurons) < n_neurons // 2
    context = np.where(first, 0.3, 4.0) * rng.standard_normal(n_neurons)
    m, into = rng.standard_normal(n_neurons), rng.standard_normal(n_neurons)
    n = np.where(first, 0.9 * m + 0.8 * into, 0.1 * m - 1.1 * into)
    n = n + 0.3 * rng.standard_normal(n_neurons)
    inputs = np.column_stack([into, context])
    names = np.where(first, "one", "two")
    return LowRank(m[:, None], n[:, None], inputs, m[None], population=names)


def test_a_context_that_saturates_a_population_turns_the_response_round():
    net = gating_networks()
    cases = [((0.2, 0), -0.0578, -0.0579), ((0.2, 1), 0.0718, 0.0686), ((1.0, 1), 0.1601, 0.1640)]
    for inputs, simulated, theory in cases:
        found = settled(net, [0.0], inputs)[0]
        points = pdn.dynamics.mean_field(net, inputs)
        assert points["latent"].shape == (1, 1)
        assert found == pytest.approx(simulated, abs=0.001)
        assert points["latent"].item() == pytest.approx(theory, abs=0.01)
        assert points["latent"].item() == pytest.approx(found, abs=0.01)


def test_effective_couplings_say_how_the_context_gates():
    net = gating_networks()
    circuit = pdn.dynamics.effective_couplings(net, {"off": [0, 0], "on": [0, 1]})
    gain = circuit["gain"].sel(condition="on")
    assert gain.sel(population="one") > 0.9
    assert gain.sel(population="two") < 0.25
    coupling = circuit["coupling"].sel(latent="latent 1", source="input 1").to_numpy()
    # Half the neurons each: (.8 - 1.1)/2 without, .8 <f'>/2 - 1.1 <f'>/2 with the context.
    by_hand = 0.5 * (0.8 * 0.92072 - 1.1 * 0.19833)
    np.testing.assert_allclose(coupling, [-0.15, by_hand], atol=0.03)
    # They make the velocity: the equation of the docstring.
    points = pdn.dynamics.mean_field(net, [0.2, 1])
    at = points["latent"][0].to_numpy()
    here = pdn.dynamics.effective_couplings(net, [0.2, 1], at)
    total = here["coupling"][0, 0].to_numpy() @ [at[0], 0.2, 1, 1] + float(here["offset"][0, 0])
    assert total == pytest.approx(at[0], abs=1e-9)


def two_latents(seed=0, n_neurons=6000, turn=0.0, **changes):
    """Rank 2, loadings with means, inputs that overlap with n."""
    rng = np.random.default_rng(seed)
    m = rng.standard_normal((n_neurons, 2)) + [0.3, -0.2]
    into = rng.standard_normal((n_neurons, 1)) + 0.1
    mixing = np.array([[1.6, turn], [-turn, 1.4]])
    n = (m - [0.3, -0.2]) @ mixing.T + 0.5 * into + 0.2 * rng.standard_normal((n_neurons, 2)) + 0.15
    fields = {"bias": 0.3 * rng.standard_normal(n_neurons)} | changes
    return LowRank(m, n, into, rng.standard_normal((1, n_neurons)), **fields)


def exact_velocity(net, latent, inputs):
    """tau dk/dt of the network itself, from its neurons."""
    gain = np.ones(net.n_neurons) if net.gain is None else net.gain
    x = net.m @ latent + net.input @ inputs + net.bias
    return net.n.T @ np.tanh(gain * x) / net.n_neurons - latent


@pytest.mark.parametrize("turn", [0.0, 0.8])
def test_two_latents_with_means_have_the_fixed_points_of_the_network(turn):
    net = two_latents(turn=turn)
    points = pdn.dynamics.mean_field(net, [0.5])
    assert points.sizes["fixed_point"] >= 1
    for i in range(points.sizes["fixed_point"]):
        latent = points["latent"][i].to_numpy()
        assert np.abs(exact_velocity(net, latent, [0.5])).max() < 0.03
        # Growth rates are eigenvalues of the network's own Jacobian, by finite differences.
        step = 1e-5
        slopes = np.column_stack([
            (exact_velocity(net, latent + step * e, [0.5])
             - exact_velocity(net, latent - step * e, [0.5])) / (2 * step)
            for e in np.eye(2)
        ])  # fmt: skip
        modes = np.linalg.eigvals(slopes) / net.tau
        modes = modes[np.argsort(-modes.real)]
        np.testing.assert_allclose(points["growth_rate"][i], modes.real, atol=0.5)
        np.testing.assert_allclose(
            points["frequency"][i], np.abs(modes.imag) / (2 * np.pi), atol=0.1
        )
        if points["stable"][i]:
            np.testing.assert_allclose(settled(net, latent, [0.5]), latent, atol=0.05)
    assert bool(points["frequency"].max() > 0.1) == bool(turn)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    nonlinearity=st.sampled_from(["tanh", "sigmoid", "softplus", "erf", "relu", "linear"]),
)
def test_slopes_are_those_of_the_velocity(seed, nonlinearity):
    from popdyn.dynamics.reduced_form import mixture_of

    rng = np.random.default_rng(seed)
    net = two_latents(seed, 60, nonlinearity=nonlinearity, population=["a", "b", "b"] * 20)
    mixture = mixture_of(pdn.dynamics.reduce(net))
    at, step = rng.normal(size=4), 1e-5
    numeric = np.column_stack(
        [
            (mixture.read(at + step * e) - mixture.read(at - step * e)) / (2 * step)
            for e in np.eye(4)
        ]
    )
    np.testing.assert_allclose(mixture.slopes(at), numeric, atol=1e-6)


def test_overlaps_are_means_of_products_within_populations():
    net = two_latents(n_neurons=30, population=["a", "b", "b"] * 10, gain=np.linspace(0.5, 1, 30))
    reduced = pdn.dynamics.reduce(net)
    assert reduced["loading"].to_numpy().tolist() == [
        "m 1", "m 2", "input 1", "bias", "n 1", "n 2", "output 1",
    ]  # fmt: skip
    np.testing.assert_allclose(reduced["share"], [1 / 3, 2 / 3])
    m, n = net.m[:, 1] * net.gain, net.n[:, 0]
    assert float(reduced["overlap"].sel(loading="n 1", loading_2="m 2")) == pytest.approx(
        np.mean(m * n)
    )
    part = net.population == "b"
    covariance = reduced["covariance"].sel(population="b", loading="n 1", loading_2="m 2")
    assert float(covariance) == pytest.approx(np.cov(m[part], n[part], bias=True)[0, 1])
    assert float(reduced["mean"].sel(population="b", loading="m 2")) == pytest.approx(
        m[part].mean()
    )
    given = pdn.dynamics.reduce(net, populations=np.arange(30) % 3 > 0)
    np.testing.assert_allclose(given["covariance"], reduced["covariance"])


def test_a_saved_reduction_gives_the_same_fixed_points(tmp_path):
    net = two_latents(n_neurons=500)
    reduced = pdn.load(pdn.save(pdn.dynamics.reduce(net), tmp_path / "reduced.nc"))
    one, other = pdn.dynamics.mean_field(reduced, [0.5]), pdn.dynamics.mean_field(net, [0.5])
    assert one["latent"].equals(other["latent"])


def test_the_flow_is_zero_at_fixed_points_and_near_that_of_the_network():
    net = two_latents()
    found = pdn.dynamics.flow(net, [0.5], n_points=21)
    assert found["velocity"].dims == ("component", "second", "first")
    size = np.sqrt((found["velocity"] ** 2).mean())
    assert np.sqrt(((found["velocity"] - found["network_velocity"]) ** 2).mean()) < 0.02 * size
    latent = np.array([found["first"][5], found["second"][15]])
    expected = exact_velocity(net, latent, [0.5]) / net.tau
    np.testing.assert_allclose(found["network_velocity"][:, 15, 5], expected, atol=1e-9)
    for point in found["fixed_latent"].to_numpy():
        first, second = np.abs(found["first"].to_numpy() - point[:, None]).argmin(axis=1)
        near = found["velocity"][:, second, first]
        assert np.abs(near).max() < 0.25 * np.abs(found["velocity"]).max()


def test_the_flow_of_one_latent_is_a_line_and_that_of_three_a_plane():
    line = pdn.dynamics.flow(exact_rank_one(2.0), n_points=101, extent=2.0)
    assert line["velocity"].dims == ("component", "first")
    velocity = line["velocity"][0].to_numpy()
    crossing = line["first"].to_numpy()[1:][np.diff(np.sign(velocity)) != 0]
    assert np.abs(np.abs(crossing).max() - 1.3371) < 0.05
    net = LowRank.random(100, n_ranks=3)
    plane = pdn.dynamics.flow(net, latents=(2, 0), at=[0, 0.5, 0], n_points=5, extent=1)
    assert plane["component"].to_numpy().tolist() == ["latent 3", "latent 1"]
    latent = np.array([plane["second"][3], 0.5, plane["first"][1]])
    expected = exact_velocity(net, latent, [0])[[2, 0]] / net.tau
    np.testing.assert_allclose(plane["network_velocity"][:, 3, 1], expected, atol=1e-9)
    assert "network_velocity" not in pdn.dynamics.flow(pdn.dynamics.reduce(net), n_points=3)


def test_the_reduction_runs_beside_the_network():
    net = two_latents(initial=np.linspace(-1, 1, 6000), gain=np.tile([0.8, 1.2], 3000),
                      output_bias=[0.3])  # fmt: skip
    trials = pdn.tasks.PerceptualDecision().sample(12, rng=0, dt=net.dt)
    both = pdn.dynamics.simulate_reduced(net, trials)
    sim = pdn.simulate(net, trials, record=("latent",))
    np.testing.assert_array_equal(both["network_latent"], sim["latent"])
    np.testing.assert_array_equal(both["network_output"], sim["output"])
    assert both["latent_distance"].max() < 0.03
    own, other = both["network_latent"].to_numpy(), both["reduced_latent"].to_numpy()
    by_hand = np.sqrt(np.mean((own - other) ** 2, (1, 2)) / np.mean(own**2, (1, 2)))
    np.testing.assert_allclose(both["latent_distance"], by_hand)
    assert both["choice_agreement"] > 0.9
    assert np.array_equal(both["choice"], sim["choice"])


def test_a_latent_that_shares_its_direction_with_an_input_is_read_alike_from_both():
    rng = np.random.default_rng(0)
    m = rng.standard_normal((4000, 1))
    net = LowRank(m, 1.5 * m + rng.standard_normal((4000, 1)), m.copy(), m.T)
    trials = pdn.tasks.PerceptualDecision().sample(6, rng=0, dt=net.dt)
    both = pdn.dynamics.simulate_reduced(net, trials)
    assert float(both["latent_distance"][0]) < 0.02
    assert float(both["output_distance"][0]) < 0.02


def test_one_population_does_not_do_for_a_network_of_two():
    net = gating_networks()
    inputs = np.zeros((2, 60, 1))
    inputs[0, 10:], inputs[1] = 0.5, 1.0
    trials = xr.Dataset({"inputs": (("channel", "step_time", "trial"), inputs)}, attrs={"dt": 0.02})
    two = pdn.dynamics.simulate_reduced(net, trials)
    one = pdn.dynamics.simulate_reduced(net, trials, populations=["all"] * 8000)
    assert float(two["latent_distance"][0]) < 0.1
    assert float(one["latent_distance"][0]) > 0.5


def test_the_reduction_knows_the_variance_of_the_noise():
    net = dataclasses.replace(two_latents(), bias=np.zeros(6000))
    trials = pdn.tasks.PerceptualDecision().sample(6, rng=0, dt=net.dt)
    noisy = pdn.dynamics.simulate_reduced(net, trials, noise_density=3.0)
    quiet = pdn.dynamics.simulate_reduced(net, trials)
    without = np.sqrt(np.mean((noisy["network_latent"] - quiet["reduced_latent"]) ** 2))
    with_it = np.sqrt(np.mean((noisy["network_latent"] - noisy["reduced_latent"]) ** 2))
    assert with_it < 0.4 * without


def test_after_the_end_of_a_trial_nothing_is_known():
    task = pdn.tasks.IntervalDiscrimination()
    net = LowRank.random(300, n_inputs=1)
    trials = task.sample(5, rng=0, dt=net.dt)
    both = pdn.dynamics.simulate_reduced(net, trials)
    missing = np.isnan(both["network_latent"]).to_numpy()
    assert missing.any()
    assert np.array_equal(np.isnan(both["reduced_latent"]), missing)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: pdn.dynamics.reduce("net"), "expected a pdn.network.LowRank, found str.*from_rate"),
        (
            lambda: pdn.dynamics.reduce(exact_rank_one(1, 4, tau=[0.1, 0.1, 0.2, 0.1])),
            "share one time constant; found tau from 0.1 to 0.2",
        ),
        (
            lambda: pdn.dynamics.reduce(exact_rank_one(1, 4), ["a", "b"]),
            r"populations must be one name .* 4 neurons, found shape \(2,\)",
        ),
        (lambda: pdn.dynamics.mean_field(xr.Dataset()), "found a Dataset of method 'unknown'"),
        (lambda: pdn.dynamics.mean_field(exact_rank_one(1), [1, 2]), r"1 finite numbers.*\(2,\)"),
        (lambda: pdn.dynamics.mean_field(exact_rank_one(1), {}), "at least one condition"),
        (lambda: pdn.dynamics.mean_field(exact_rank_one(1), n_starts=0), "n_starts must be a whole"),
        (
            lambda: pdn.dynamics.effective_couplings(exact_rank_one(1), latents=[1, 2]),
            r"latents must have shape \(1,\) or \(1, 1\).*found \(2,\)",
        ),
        (lambda: pdn.dynamics.flow(two_latents(n_neurons=9), latents=(0, 2)), "two different ones"),
        (
            lambda: pdn.dynamics.flow(exact_rank_one(1), latents=(0, 3)),
            r"has one latent, number 0: leave latents out; found \(0, 3\)",
        ),
        (lambda: pdn.dynamics.flow(exact_rank_one(1), extent=-1), "extent must be a positive number"),
        (lambda: pdn.dynamics.flow(exact_rank_one(1), at=[1, 2]), "at must be 1 finite numbers"),
        (lambda: pdn.dynamics.simulate_reduced(pdn.network.Rate.random(4), None), "found Rate"),
    ],
    ids=[
        "text", "tau", "populations", "dataset", "channels", "conditions", "starts", "latents", "axes",
        "line", "extent", "at", "rate",
    ],
)  # fmt: skip
def test_what_cannot_be_reduced_is_refused(call, words):
    with pytest.raises(TensorError, match=words):
        call()
