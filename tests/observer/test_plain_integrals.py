"""Densities of responses and means of modes, by plain integrals that share nothing with ours."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.stats import chi2, norm

import popdyn as pdn

CLASSES = np.linspace(0.5, 1.0, 6)
VALUES = {"weber": 0.12, "motor_weber": 0.07, "bias": 0.02, "lapse": 0.05}


def _mean_of_posterior(measured, prior, sigma):
    """The posterior's mean, by two integrals or two sums."""

    def weight(s):
        return norm.pdf(measured, s, np.hypot(sigma, VALUES["weber"] * s))

    if isinstance(prior, tuple):
        return quad(lambda s: s * weight(s), 0.5, 1.0)[0] / quad(weight, 0.5, 1.0)[0]
    return (prior * weight(prior)).sum() / weight(prior).sum()


def _density(response, stimulus, prior, sigma):
    def each(measured):
        estimate = _mean_of_posterior(measured, prior, sigma)
        motor = norm.pdf(response, estimate + VALUES["bias"], VALUES["motor_weber"] * estimate)
        return motor * norm.pdf(measured, stimulus, spread)

    spread = np.hypot(sigma, VALUES["weber"] * stimulus)
    ends = stimulus - 5.5 * spread, stimulus + 7 * spread
    inner = quad(each, *ends, epsabs=1e-9, limit=200)[0]
    return (1 - VALUES["lapse"]) * inner + VALUES["lapse"] / 2.5


@pytest.mark.parametrize("prior", [("uniform", 0.5, 1.0), CLASSES], ids=["uniform", "classes"])
@pytest.mark.parametrize("sigma", [0.0, 0.05])
def test_the_likelihood_of_responses_is_a_plain_integral(prior, sigma):
    observer = pdn.observer.Production(**VALUES, sigma=sigma, prior=prior, lapse_range=(0.0, 2.5))
    shown, done = np.array([0.5, 0.7, 1.0, 0.9]), np.array([0.56, 0.85, 0.8, 1.4])
    found = np.exp(observer.log_likelihood({"stimulus": shown, "response": done}))
    known = [_density(r, s, prior, sigma) for s, r in zip(shown, done, strict=True)]
    assert np.allclose(found, known, rtol=2e-6)


def test_the_likelihood_a_fit_reports_is_that_of_single_trials():
    """A fit puts trials into cells; scipy goes through them one by one."""
    rng = np.random.default_rng(0)
    truth = pdn.observer.Production(weber=0.12, motor_weber=0.07, prior=CLASSES)
    done = truth.simulate({"stimulus": rng.choice(CLASSES, 60)}, rng)
    fitted = pdn.observer.Production(prior=CLASSES, free=["weber", "motor_weber"]).fit(done)
    values = fitted.parameters_
    weber, motor = (float(values.sel(parameter=name)) for name in ("weber", "motor_weber"))

    def log_density(stimulus, response):
        measured = np.linspace(stimulus * (1 - 8 * weber), stimulus * (1 + 8 * weber), 4001)
        weight = norm.pdf(measured[:, None], CLASSES, weber * CLASSES)
        estimate = (weight * CLASSES).sum(axis=1) / weight.sum(axis=1)
        each = norm.pdf(response, estimate, motor * estimate)
        each = each * norm.pdf(measured, stimulus, weber * stimulus)
        return np.log(np.trapezoid(each, measured))

    plain = sum(map(log_density, done["stimulus"], done["response"]))
    assert float(fitted.to_dataset()["log_likelihood"]) == pytest.approx(plain, abs=1e-4)


@pytest.mark.parametrize("noise", [{"sigma": 0.08}, {"weber": 0.1}, {"weber": 0.3}], ids=str)
def test_modes_of_a_uniform_prior_are_the_known_ones(noise):
    """The most likely stimulus has a formula; where it is no stimulus expected, an end is."""
    observer = pdn.observer.Production(**noise, prior=("uniform", 0.5, 1.0), estimator="mode")
    w = noise.get("weber", 0.0)

    def mode(measured):
        if w:
            # The derivative of the likelihood is 0 where w² s² + m s - m² = 0.
            root = np.sign(measured) * np.sqrt(1 + 4 * w**2)
            measured = measured * (root - 1) / (2 * w**2)
        return np.clip(measured, 0.5, 1.0)

    shown = np.array([0.5, 0.62, 1.0])
    found = observer.estimate(shown)
    for s, estimate in zip(shown, found.values, strict=True):
        spread = noise.get("sigma", w * s)
        measured = np.linspace(s - 8.5 * spread, s + 8.5 * spread, 2_000_001)
        plain = (mode(measured) * norm.pdf(measured, s, spread)).sum() * np.diff(measured[:2])[0]
        assert estimate == pytest.approx(plain, abs=1e-7)
    assert found.attrs["quadrature_error"] < 1e-8
    assert np.allclose(observer.estimate(shown, at="stimulus"), mode(shown), atol=1e-7)


@pytest.mark.parametrize("prior", [("uniform", 0.5, 1.0), CLASSES], ids=["uniform", "classes"])
def test_observers_that_take_the_mode_can_be_fitted(prior):
    keys = {"prior": prior, "estimator": "mode"}
    truth = pdn.observer.Production(weber=0.12, motor_weber=0.06, **keys)
    done = truth.simulate({"stimulus": np.random.default_rng(0).choice(CLASSES, 1500)}, rng=1)
    result = (
        pdn.observer.Production(**keys)
        .fit(done)
        .to_dataset()
        .sel(parameter=["weber", "motor_weber"])
    )
    away = (result["value"].values - [0.12, 0.06]) / result["standard_error"].values
    assert np.abs(away).max() < 3.5


def test_profiles_of_choices_end_where_a_plain_likelihood_has_fallen_by_half_of_chi_square():
    """Maximized by scipy over the other parameters, from shares that are sums over a grid."""
    pairs = np.array([(a, a + d) for a in range(10, 31, 4) for d in (-6, -2, 2, 6)], dtype=float)
    first, rng = np.unique(pairs[:, 0]), np.random.default_rng(3)
    table = pairs[rng.integers(len(pairs), size=2000)]
    table = {"stimulus": table[:, 0], "stimulus_2": table[:, 1]}
    truth = pdn.observer.Discrimination(sigma=5.0, sigma_2=2.5, prior=first)
    done = truth.simulate(table, rng)
    fitted = pdn.observer.Discrimination(
        sigma=3.0, sigma_2=3.0, prior=first, free=["sigma", "sigma_2"]
    ).fit(done)
    counts = done.groupby(["stimulus", "stimulus_2"])["choice"].agg([lambda c: (c > 0).sum(), len])
    larger, n = counts.to_numpy(dtype=float).T
    shown = np.array(counts.index.to_list())

    def loss(sigma, sigma_2):
        measured = np.linspace(-40, 80, 1201)
        weight = norm.pdf(measured[:, None], first, sigma)
        # Far out all weights are 0; nothing is ever measured there.
        estimate = (weight @ first) / np.maximum(weight.sum(axis=1), 1e-290)
        seen = norm.pdf(measured, shown[:, :1], sigma) * (measured[1] - measured[0])
        share = (seen * norm.cdf((shown[:, 1:] - estimate) / sigma_2)).sum(axis=1)
        return -(larger * np.log(share) + (n - larger) * np.log(1 - share)).sum()

    def best(sigma_2):
        return minimize_scalar(lambda s: loss(s, sigma_2), bounds=(2.0, 9.0), method="bounded").fun

    result = fitted.to_dataset().sel(parameter="sigma_2")
    top = minimize_scalar(best, bounds=(1.0, 5.0), method="bounded").fun
    for bound in result["profile_bound"].values:
        assert best(bound) - top == pytest.approx(chi2.ppf(0.95, 1) / 2, rel=0.05)
