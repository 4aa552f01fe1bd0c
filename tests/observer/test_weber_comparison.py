"""Comparisons by Weber's law beside a plain Monte Carlo that shares no code with the package."""

import numpy as np
import pandas as pd
import pytest

import popdyn as pdn

FIRST = np.linspace(0.4, 0.8, 5)
PAIRS = np.array([(first, first + step) for first in FIRST for step in (-0.1, 0.1)])
TABLE = pd.DataFrame(PAIRS, columns=["stimulus", "stimulus_2"])
SECOND = np.unique(PAIRS[:, 1].round(6))
N = 40_000
# Five standard errors of a share of N draws.
CLOSE = 2.5 / np.sqrt(N)


def _density(measured, shown, sigma, weber):
    deviation = np.hypot(sigma, weber * shown)
    return np.exp(-0.5 * ((measured[:, None] - shown) / deviation) ** 2) / deviation


def _posterior_mean(measured, shown, sigma, weber):
    density = _density(measured, shown, sigma, weber) + 1e-300
    return density @ shown / density.sum(axis=1)


def _larger(compare, measured, measured_2, noise):
    if compare == "first":
        return measured_2 > _posterior_mean(measured, FIRST, *noise)
    if compare == "both":
        second = _posterior_mean(measured_2, SECOND, *noise)
        return second > _posterior_mean(measured, FIRST, *noise)
    joint = _density(measured, PAIRS[:, 0], *noise) * _density(measured_2, PAIRS[:, 1], *noise)
    up = PAIRS[:, 1] > PAIRS[:, 0]
    return joint[:, up].sum(axis=1) > joint[:, ~up].sum(axis=1)


def _observer(compare, sigma, weber):
    return pdn.observer.Discrimination(
        sigma=sigma,
        weber=weber,
        sigma_2=sigma,
        weber_2=weber,
        compare=compare,
        prior=FIRST,
        prior_2=SECOND if compare == "both" else None,
        pairs=PAIRS.tolist() if compare == "joint" else None,
    )


@pytest.mark.parametrize("compare", ["first", "both", "joint"])
@pytest.mark.parametrize("noise", [(0.0, 0.1), (0.0, 0.2), (0.05, 0.1), (0.0, 0.4)], ids=str)
def test_shares_and_draws_by_weber_noise_are_those_of_plain_draws(compare, noise):
    rng = np.random.default_rng(0)
    observer = _observer(compare, *noise)
    wanted = []
    for first, second in PAIRS:
        measured = first + np.hypot(noise[0], noise[1] * first) * rng.standard_normal(N)
        measured_2 = second + np.hypot(noise[0], noise[1] * second) * rng.standard_normal(N)
        wanted.append(_larger(compare, measured, measured_2, noise).mean())
    assert np.allclose(observer.predict(TABLE), wanted, atol=CLOSE)
    drawn = observer.simulate(pd.concat([TABLE] * 2000, ignore_index=True))["choice"].to_numpy()
    shares = (drawn.reshape(2000, -1) > 0).mean(axis=0)
    assert np.allclose(shares, wanted, atol=2.5 / np.sqrt(2000))
