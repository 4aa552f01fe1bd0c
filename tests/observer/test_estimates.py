"""What observers estimate: published and hand-derived answers, plain integrals, limits."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

import popdyn as pdn
from popdyn.errors import FitError, PopdynError
from popdyn.observer.measurement import mean_estimate
from popdyn.observer.noise import Noise
from popdyn.observer.posterior import Observed
from popdyn.observer.prior import make_prior

PAIRS = [(a, a + 8.0) for a in (10, 14, 18, 22, 26)] + [(a, a - 8.0) for a in (34, 30, 26, 22, 18)]
FIRST = np.array([pair[0] for pair in PAIRS], dtype=float)


def test_mean_estimates_of_the_frequency_set_are_the_known_ones():
    observer = pdn.observer.Discrimination(sigma=5.0, prior=FIRST)
    known = [14.232, 16.541, 19.201, 22.0, 24.799, 27.459, 29.768]
    assert np.allclose(observer.estimate(np.unique(FIRST)), known, atol=0.005)
    at = [13.697, 16.285, 19.162, 22, 24.838, 27.715, 30.303]
    assert np.allclose(observer.estimate(np.unique(FIRST), at="stimulus"), at, atol=0.005)


@pytest.mark.parametrize(
    ("weber", "known", "slope"),
    [
        (0.05, (0.5246, 0.7538, 0.9580), 0.920),
        (0.10, (0.5543, 0.7601, 0.9212), 0.783),
        (0.15, (0.5909, 0.7580, 0.8884), 0.625),
    ],
)
def test_mean_estimates_of_a_uniform_prior_are_the_known_ones(weber, known, slope):
    observer = pdn.observer.Production(weber=weber, prior=("uniform", 0.5, 1.0))
    shown = np.arange(0.5, 1.01, 0.05)
    estimate = observer.estimate(shown)
    assert np.allclose(estimate[[0, 5, 10]], known, atol=0.0005)
    assert np.polyfit(shown, estimate, 1)[0] == pytest.approx(slope, abs=0.002)


@pytest.mark.parametrize("sigma", [1.0, 3.0, 12.0])
@pytest.mark.parametrize("estimator", ["mean", "mode", "median"])
def test_a_gaussian_prior_contracts_by_its_share_of_the_variance(sigma, estimator):
    observed = Observed(make_prior(("gaussian", 20.0, 6.0)), Noise(sigma=sigma), estimator)
    share = 36 / (36 + sigma**2)
    stimulus = np.array([11.0, 20.0, 33.0])
    mean, _ = mean_estimate(observed, stimulus)
    assert np.allclose(mean, 20 + share * (stimulus - 20), atol=1e-6)


def _plain(prior, noise, estimator, stimulus):
    """The same mean by adaptive quadrature over a posterior on a fine grid, nothing shared."""
    if prior[0] == "uniform":
        grid = np.linspace(prior[1], prior[2], 4001)
        weight = np.full(grid.size, 1.0)
        weight[[0, -1]] = 0.5
    else:
        grid = np.linspace(0.02, 3.0, 12001)
        weight = norm.pdf(np.log(grid / prior[1]) / prior[2]) / grid
    deviation = np.hypot(noise.sigma, noise.weber * grid)

    def estimate(measured):
        posterior = weight * norm.pdf(measured, grid, deviation)
        if estimator == "mean":
            return (posterior * grid).sum() / posterior.sum()
        below = np.cumsum(posterior) / posterior.sum()
        return np.interp(0.5, below, grid)

    own = np.hypot(noise.sigma, noise.weber * stimulus)
    ends = stimulus - 6 * own, stimulus + 6 * own
    return quad(lambda m: estimate(m) * norm.pdf(m, stimulus, own), *ends, limit=200)[0]


@pytest.mark.parametrize("estimator", ["mean", "median"])
@pytest.mark.parametrize("noise", [Noise(0.05), Noise(0.0, 0.1), Noise(0.03, 0.08)], ids=str)
@pytest.mark.parametrize("prior", [("uniform", 0.5, 1.0), ("lognormal", 0.7, 0.25)], ids=str)
def test_means_agree_with_plain_integrals(prior, noise, estimator):
    observed = Observed(make_prior(prior), noise, estimator)
    mean, error = mean_estimate(observed, np.array([0.6]))
    # The plain median reads its grid, 2.5e-4 wide.
    assert mean[0] == pytest.approx(_plain(prior, noise, estimator, 0.6), abs=3e-4)
    if estimator == "mean":
        assert mean[0] == pytest.approx(_plain(prior, noise, estimator, 0.6), abs=2e-7)
    assert error < 1e-8


@pytest.mark.parametrize("estimator", ["mean", "mode", "median"])
@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.0, 8.0])
def test_the_error_of_a_mean_is_within_its_bound(estimator, sigma):
    """Against the same sum with eight times the nodes where the estimate is smooth or jumps."""
    prior = make_prior([10.0, 14.0, 14.0, 22.0, 34.0])
    observed = Observed(prior, Noise(sigma), estimator)
    stimulus = np.array([10.0, 12.1, 18.0, 28.0])
    mean, error = mean_estimate(observed, stimulus)
    measured = np.linspace(-80, 120, 200_001)
    estimate = np.concatenate([observed.estimate(part) for part in np.split(measured[:-1], 100)])
    step = 200 / 200_000
    plain = [(estimate * norm.pdf(measured[:-1], s, sigma)).sum() * step for s in stimulus]
    slack = 1e-10 if estimator == "mean" else 24 * step / sigma
    assert np.abs(mean - plain).max() <= error + slack


@pytest.mark.parametrize("estimator", ["mean", "mode", "median"])
def test_far_measurements_lead_to_finite_estimates_inside_the_prior(estimator):
    for prior in ([10.0, 22.0, 34.0], ("uniform", 10.0, 34.0)):
        observed = Observed(make_prior(prior), Noise(0.5), estimator)
        estimate = observed.estimate(np.array([-1e4, -300.0, 300.0, 1e4]))
        assert np.isfinite(estimate).all()
        assert (estimate >= 10 - 1e-9).all()
        assert (estimate <= 34 + 1e-9).all()


def test_without_noise_the_estimate_is_the_measurement_and_with_much_the_prior_mean():
    sharp = Observed(make_prior(("uniform", 0.0, 10.0)), Noise(0.01))
    assert sharp.estimate(np.array([3.0])) == pytest.approx([3.0], abs=1e-6)
    blunt = Observed(make_prior(FIRST), Noise(1e5))
    assert blunt.estimate(np.array([10.0, 30.0])) == pytest.approx([22.0, 22.0], abs=1e-3)


def test_a_known_share_of_choices_for_the_frequency_set():
    observer = pdn.observer.Discrimination(sigma=5.0, sigma_2=3.0, prior=FIRST)
    table = {"stimulus": FIRST, "stimulus_2": [pair[1] for pair in PAIRS]}
    known = np.array([0.8282, 0.8892, 0.9294, 0.9578, 0.9803])
    assert np.allclose(observer.predict(table), np.concatenate([known, 1 - known]), atol=5e-4)


@pytest.mark.parametrize("compare", ["first", "both", "joint"])
@pytest.mark.parametrize("noise", [{"sigma": 5.0, "sigma_2": 3.0}, {"weber": 0.2, "weber_2": 0.1}])
def test_predictions_are_the_shares_of_simulated_choices(compare, noise):
    second = np.array([pair[1] for pair in PAIRS])
    observer = pdn.observer.Discrimination(
        **noise, prior=FIRST, prior_2=second, pairs=PAIRS, compare=compare, lapse=0.1, guess=0.3,
        bias=1.0,
    )  # fmt: skip
    n = 5_000
    table = {"stimulus": np.repeat(FIRST, n), "stimulus_2": np.repeat(second, n)}
    share = (observer.simulate(table, rng=1)["choice"].to_numpy() > 0).reshape(10, n).mean(axis=1)
    predicted = observer.predict({"stimulus": FIRST, "stimulus_2": second}).values
    assert np.abs(share - predicted).max() < 4.5 * np.sqrt(0.25 / n)


def test_the_density_of_responses_is_that_of_simulated_ones():
    observer = pdn.observer.Production(
        weber=0.1, motor_weber=0.06, prior=("uniform", 0.5, 1.0), bias=0.01
    )
    grid = np.linspace(0.2, 1.8, 3201)
    table = {"stimulus": np.full(grid.size, 0.7), "response": grid}
    density = np.exp(observer.log_likelihood(table).values)
    step = grid[1] - grid[0]
    assert density.sum() * step == pytest.approx(1.0, abs=1e-6)
    drawn = observer.simulate({"stimulus": np.full(50_000, 0.7)}, rng=0)["response"]
    for share in (0.1, 0.5, 0.9):
        below = (density[grid <= np.quantile(drawn, share)]).sum() * step
        assert below == pytest.approx(share, abs=0.008)
    assert (density * grid).sum() * step == pytest.approx(
        float(observer.predict({"stimulus": [0.7]})[0]), abs=1e-6
    )


def test_likelihoods_far_out_are_finite():
    observer = pdn.observer.Production(weber=0.02, motor_weber=0.01, prior=("uniform", 0.5, 1.0))
    far = observer.log_likelihood({"stimulus": [0.5, 0.5], "response": [5.0, 9.0]}).values
    assert np.isfinite(far).all()
    assert far[1] < far[0] < -1e3


def test_an_observer_without_prior_or_noise_says_what_it_needs():
    with pytest.raises(FitError, match="has no prior: give it"):
        pdn.observer.Production(weber=0.1).estimate([0.5])
    with pytest.raises(FitError, match="give sigma= or weber="):
        pdn.observer.Production(prior=[0.5, 1.0]).estimate([0.5])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"prior": ("uniform", 2, 1)}, "describe no distribution"),
        ({"prior": ("beta", 2, 1)}, "a prior by name is"),
        ({"prior": ([1, 2], [1])}, "as many weights as values"),
        ({"estimator": "best"}, "estimator must be one of"),
        ({"weber": -0.1}, "at least 0"),
        ({"weber": 1e-9, "prior": ("uniform", 1, 2)}, "narrow the prior|too small"),
    ],
    ids=["ends", "name", "weights", "estimator", "negative", "sharp"],
)
def test_arguments_without_sense_are_refused(arguments, words):
    with pytest.raises(PopdynError, match=words):
        pdn.observer.Production(**{"weber": 0.1, "prior": [0.5, 1.0], **arguments}).estimate([0.7])
    with pytest.raises(PopdynError, match="at must be"):
        pdn.observer.Production(weber=0.1, prior=[0.5, 1.0]).estimate([0.7], at="mode")
