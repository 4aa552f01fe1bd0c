"""What observers cannot be, and stimuli nowhere near what they expect."""

import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import PopdynError, TensorError

TABLE = {"stimulus": [0.6, 0.8], "stimulus_2": [0.7, 0.7]}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"lapse": -0.1}, "lapse must be a number from 0 to 1, found -0.1"),
        ({"lapse": 1.5}, "lapse must be a number from 0 to 1, found 1.5"),
        ({"contraction": 2}, "contraction must be a number from 0 to 1.5, found 2"),
        ({"history": -2}, "history must be a number from -1 to 1, found -2"),
        ({"history_decay": -1}, "history_decay must be a number of trials of at least 0"),
        ({"history_decay": "two"}, "history_decay must be a number of trials, found 'two'"),
        ({"bias": None}, "bias must be a number, found None"),
        ({"weber": "0.1"}, "noise weber must be a number, found '0.1'"),
        ({"weber": -0.1}, "noises are numbers of at least 0, found weber -0.1"),
        ({"weber": np.nan}, "noise weber must be a number, found nan"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("kind", [pdn.observer.Production, pdn.observer.Discrimination])
def test_parameters_out_of_range_are_refused_wherever_they_are_used(kind, keys, words):
    observer = kind(**{"weber": 0.1, "prior": [0.5, 1.0], **keys})
    trials = {**TABLE, "response": [0.6, 0.8], "choice": [1, -1]}
    many = {name: np.tile(values, 20) for name, values in trials.items()}
    for use in (
        lambda: observer.estimate([0.5, 1.0]),
        lambda: observer.estimates([0.5, 1.0]),
        lambda: observer.predict(TABLE),
        lambda: observer.simulate(TABLE),
        lambda: observer.score(trials),
        lambda: observer.fit(many),
    ):
        with pytest.raises(TensorError, match=words):
            use()


def test_a_guess_is_a_share():
    observer = pdn.observer.Discrimination(sigma=0.1, prior=[0.5, 1.0], guess=1.2)
    with pytest.raises(TensorError, match="guess must be a number from 0 to 1, found 1.2"):
        observer.predict(TABLE)


@pytest.mark.parametrize("free", ["weber", [], 3], ids=str)
def test_free_is_a_list_of_names(free):
    shown = np.tile([0.5, 0.7, 0.9], 20)
    with pytest.raises(PopdynError, match="free is a list of names of parameters, found"):
        pdn.observer.Production(free=free).fit({"stimulus": shown, "response": shown})


@pytest.mark.parametrize("kind", [pdn.observer.Production, pdn.observer.Discrimination])
def test_stimuli_nowhere_near_the_prior_are_refused_without_a_fit(kind):
    observer = kind(weber=0.1, prior=("uniform", 0.5, 1.0))
    table = {"stimulus": [500.0, 750.0], "stimulus_2": [600.0, 700.0]}
    words = "stimuli, 500 to 750, are nowhere near the prior, 0.5 to 1: one of them is in ms"
    for use in (
        lambda: observer.estimate([500.0, 750.0]),
        lambda: observer.estimates([500.0, 750.0]),
        lambda: observer.predict(table),
        lambda: observer.simulate(table),
    ):
        with pytest.raises(TensorError, match=words):
            use()
    # Beyond the prior, but in its unit: what is expected decides.
    far = observer.estimate([2.0])
    assert 0.9 < float(far[0]) < 1.0


@pytest.mark.parametrize("given", [["a"], [np.nan], [[0.5, 1.0]], None], ids=str)
def test_stimuli_are_numbers_along_one_dim(given):
    observer = pdn.observer.Production(weber=0.1, prior=[0.5, 1.0])
    with pytest.raises(PopdynError, match="numbers along one dim"):
        observer.estimate(given)


def test_the_range_of_lapses_goes_up():
    observer = pdn.observer.Production(weber=0.1, prior=[0.5, 1.0], lapse_range=(2.0, 1.0))
    with pytest.raises(TensorError, match="from a lower to a higher end"):
        observer.simulate(TABLE)
