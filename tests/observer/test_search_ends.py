"""Fits that end where their search does: wide enough for what happens, and said beyond that."""

import warnings

import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import PopdynWarning

PRIOR = ("uniform", 0.5, 1.0)
SHOWN = np.random.default_rng(1).choice(np.linspace(0.5, 1.0, 11), 600)


def done(**keys):
    truth = pdn.observer.Production(weber=0.1, motor_weber=0.06, prior=PRIOR, **keys)
    return truth.simulate({"stimulus": SHOWN}, rng=1)["response"].to_numpy()


def test_a_delay_of_most_of_the_stimuli_is_found_as_bias():
    fitted = pdn.observer.Production(prior=PRIOR).fit({"stimulus": SHOWN, "response": done() + 0.4})
    found = fitted.to_dataset()
    away = found["value"].values - np.array([0.1, 0.06, 0.0, 0.4])
    assert np.abs(away[[0, 1, 3]] / found["standard_error"].values[[0, 1, 3]]).max() < 3.5


def test_many_lapses_are_found():
    trials = {"stimulus": SHOWN, "response": done(lapse=0.4)}
    found = pdn.observer.Production(prior=PRIOR).fit(trials).to_dataset().sel(parameter="lapse")
    assert abs(float(found["value"]) - 0.4) < 3.5 * float(found["standard_error"])


@pytest.mark.filterwarnings("ignore:these trials hardly tell")
def test_a_parameter_at_the_end_of_its_search_is_named():
    trials = {"stimulus": SHOWN, "response": done(lapse=0.85)}
    with pytest.warns(PopdynWarning, match=r"fit ended where its search does \(lapse at 0.6\)"):
        found = pdn.observer.Production(prior=PRIOR).fit(trials).to_dataset()
    low, high = found["profile_bound"].values
    assert (low >= 0.005 - 1e-9)[:2].all()
    assert (high <= 0.6 + 1e-9)[:2].all()
    observers = {"alone": pdn.observer.Production(prior=PRIOR)}
    with pytest.warns(PopdynWarning, match=r"fit of 'alone' to some .*lapse at 0.6"):
        pdn.observer.compare_observers(trials, observers=observers, n_folds=2)


def test_no_lapses_are_no_end():
    """A parameter that can be no smaller has not been stopped by the search."""
    trials = {"stimulus": SHOWN, "response": done()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = pdn.observer.Production(prior=PRIOR).fit(trials)
    assert float(found.parameters_.sel(parameter="lapse")) < 0.01


@pytest.mark.filterwarnings("ignore:the fit ended where")
def test_productions_are_not_told_to_show_several_differences():
    trials = {"stimulus": SHOWN, "response": done(lapse=0.85)}
    with pytest.warns(PopdynWarning, match="hardly tell weber") as caught:
        pdn.observer.Production(prior=PRIOR).fit(trials)
    assert not any("several differences" in str(each.message) for each in caught)
