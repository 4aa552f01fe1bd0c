"""Lapses, equal pairs and fading traces against what follows from their definitions."""

import numpy as np
import pandas as pd
import pytest

import popdyn as pdn
from popdyn.behavior.history import trace
from popdyn.observer.prior import make_prior
from popdyn.observer.response import Response

PAIRS = [(10.0, 18.0), (18.0, 10.0), (14.0, 22.0), (22.0, 14.0)]
TABLE = pd.DataFrame(PAIRS, columns=["stimulus", "stimulus_2"])


def test_likelihoods_of_both_choices_add_to_one_where_guesses_lean():
    observer = pdn.observer.Discrimination(
        sigma=4.0, sigma_2=2.0, lapse=0.3, guess=0.9, prior=[10.0, 22.0]
    )
    shares = [np.exp(observer.log_likelihood(TABLE.assign(choice=side))) for side in (1.0, -1.0)]
    assert np.allclose(shares[0] + shares[1], 1, atol=1e-9)


def test_lapses_spread_responses_as_a_uniform_distribution_does():
    model = Response(make_prior([0.8, 1.2]), "none", (0.5, 2.5))
    values = {"sigma": 0.1, "weber": 0.0, "motor_sigma": 0.1, "motor_weber": 0.0}
    values |= {"bias": 0.0, "lapse": 0.4, "contraction": 1.0}
    mean, deviation = model.moments(values, np.array([1.0]))
    # A mixture: 0.6 of N(1, 0.02) and 0.4 of a uniform with mean 1.5 and variance 2² / 12.
    variance = 0.6 * (0.02 + 0.2**2) + 0.4 * (4 / 12 + 0.3**2)
    assert mean[0] == pytest.approx(1.2, abs=1e-9)
    assert deviation[0] == pytest.approx(np.sqrt(variance), abs=1e-9)


def test_pairs_of_equal_stimuli_do_not_change_what_is_expected_of_others():
    keys = {"sigma": 4.0, "sigma_2": 4.0, "compare": "joint", "prior": [10.0, 14.0, 18.0, 22.0]}
    alone = pdn.observer.Discrimination(pairs=PAIRS, **keys)
    beside = pdn.observer.Discrimination(pairs=[*PAIRS, (10.0, 10.0)], **keys)
    assert np.allclose(alone.predict(TABLE), beside.predict(TABLE), atol=1e-12)


def test_a_trace_fades_to_one_over_e_in_its_decay():
    table = pd.DataFrame({"stimulus": [1.0, 0.0, 0.0, 0.0]})
    weight = np.exp(-np.arange(3) / 2.0)
    assert trace(table, "stimulus", 2.0)[3] == pytest.approx(weight[2] / weight.sum())
