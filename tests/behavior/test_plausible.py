"""Answers that cannot be what their roles say: in words, and only where it is no chance."""

import numpy as np
import pandas as pd
import pytest

import popdyn as pdn
from popdyn.errors import FitError, PopdynWarning, TensorError

RNG = np.random.default_rng(0)
FIRST = RNG.choice([10.0, 14.0, 18.0, 22.0, 26.0, 30.0, 34.0], 400)
SECOND = FIRST + RNG.choice([-8.0, -4.0, 4.0, 8.0], 400)
LARGER = SECOND + 4 * RNG.normal(size=400) > 22 + 0.7 * (FIRST - 22)
PAIRS = pd.DataFrame(
    {"stimulus": FIRST, "stimulus_2": SECOND, "choice": np.where(LARGER, 1.0, -1.0)}
)
SHOWN = RNG.choice(np.linspace(0.5, 1.0, 6), 300)
MADE = 0.2 + 0.7 * SHOWN + 0.05 * RNG.normal(size=300)


def measures():
    few = {"n_draws": 5}
    return {
        "contraction": lambda table, roles=None: pdn.contraction(table, roles, **few),
        "serial_dependence": lambda table, roles=None: pdn.serial_dependence(table, roles, **few),
        "Discrimination": lambda table, roles=None: pdn.observer.Discrimination().fit(table, roles),
    }


@pytest.mark.parametrize("name", list(measures()))
def test_comparisons_against_the_stimuli_are_refused_in_words(name):
    measure = measures()[name]
    measure(PAIRS)
    swapped = {"stimulus": "stimulus_2", "stimulus_2": "stimulus"}
    words = "choices are 1 where the second .* exchanged, or the choice is turned round"
    with pytest.raises(TensorError, match=words):
        measure(PAIRS, swapped)
    with pytest.raises(TensorError, match=words):
        measure(PAIRS.assign(choice=-PAIRS["choice"]))
    with pytest.raises(TensorError, match="are 1e.03 times the first .* is in ms"):
        measure(PAIRS.assign(stimulus_2=1000 * PAIRS["stimulus_2"]))


@pytest.mark.filterwarnings("ignore:the answer")
def test_answers_by_chance_are_not_refused_and_leave_the_noise_open():
    rng, n_negative = np.random.default_rng(1), 0
    for _ in range(40):
        found = pdn.contraction(PAIRS.assign(choice=rng.choice([-1.0, 1.0], 400)), n_draws=2)
        n_negative += np.isnan(found["noise"].item())
        assert not found["noise"] < 0
    assert 8 < n_negative < 32
    with pytest.warns(PopdynWarning, match="does not become more frequent with the second"):
        for _ in range(10):
            pdn.contraction(PAIRS.assign(choice=rng.choice([-1.0, 1.0], 400)), n_draws=2)


@pytest.mark.filterwarnings("ignore:these trials hardly tell")
def test_observers_say_that_contexts_are_taken_together():
    made = pd.DataFrame({"stimulus": SHOWN, "response": MADE})
    for table, kind in ((PAIRS, pdn.observer.Discrimination), (made, pdn.observer.Production)):
        two = table.assign(context=np.resize(["short", "long"], len(table)))
        observer = kind(estimator="none")
        with pytest.warns(PopdynWarning, match=r"one observer of all contexts .*\(short, long\)"):
            observer.fit(two)
        with pytest.warns(PopdynWarning, match="one comparison of all contexts together"):
            pdn.observer.compare_observers(two, observers={"none": observer}, n_folds=4)
        observer.fit(two[two["context"] == "short"])


@pytest.mark.parametrize("order", [np.arange(300), np.argsort(SHOWN, kind="stable")],
                         ids=["in time", "by stimulus"])  # fmt: skip
@pytest.mark.parametrize("pace", [0.2, 3.0, 3000.0], ids=["short", "long", "in ms"])
def test_times_of_a_clock_are_said_in_any_order(order, pace):
    clock = pace * np.arange(1, 301) + MADE
    table = pd.DataFrame({"stimulus": SHOWN, "response": clock}).iloc[order]
    with pytest.raises(TensorError, match="times of a clock"):
        pdn.contraction(table, n_draws=2)


def test_productions_in_another_unit_are_no_times_of_a_clock():
    with pytest.raises(TensorError, match="one of them is in ms, the other in s"):
        pdn.contraction({"stimulus": SHOWN, "response": 1000 * MADE}, n_draws=2)


@pytest.mark.parametrize("curve", [lambda s: 1.35 * s, lambda s: 0.3 + s**2], ids=["line", "bent"])
def test_responses_without_scatter_are_none(curve):
    with pytest.raises(FitError, match="without scatter .* when a stimulus or a trial ended"):
        pdn.observer.Production().fit({"stimulus": SHOWN, "response": curve(SHOWN)})


def test_roles_are_a_mapping():
    table = pd.DataFrame({"coh": SHOWN, "choice": np.sign(SHOWN - 0.7)})
    observer = pdn.observer.Production()
    for measure in (pdn.psychometric, pdn.detection, pdn.contraction, pdn.serial_dependence,
                    observer.fit, pdn.observer.compare_observers):  # fmt: skip
        with pytest.raises(TensorError, match="roles of trials are a mapping .* found 'coh'"):
            measure(table, "coh")


@pytest.mark.parametrize("curve", ["normal", "logistic", "weibull"])
def test_answers_that_fall_with_the_stimulus_have_no_curve(curve):
    rng = np.random.default_rng(0)
    contrast = rng.choice([1.0, 2.0, 3.0, 4.0], 400)
    choice = np.where(contrast + rng.normal(size=400) > 2.5, 1, -1)
    pdn.psychometric(choice, contrast, curve=curve, n_draws=2)
    words = r"condition 'all': answers 1 fall .* share of 0\.[6-9]\d* .* to 0\.[0-3]\d* .*Exchange"
    with pytest.raises(TensorError, match=words):
        pdn.psychometric(-choice, contrast, curve=curve, n_draws=2)
    condition = np.where(contrast == 2, "b", "a")
    with pytest.raises(FitError, match="condition 'b': a curve needs two stimuli"):
        pdn.psychometric(choice, contrast, by=condition, n_draws=2)


def test_onsets_in_ms_or_on_a_clock_are_said():
    table = pd.DataFrame({"stimulus": np.repeat([0.0, 1.0], 200)})
    table["choice"] = np.where(table["stimulus"] + RNG.normal(size=400) > 0.5, 1, -1)
    onset = np.where(table["stimulus"] > 0, RNG.uniform(0.3, 1.3, 400), np.nan)
    table["seconds"], table["late"], table["clock"] = onset, 1000 * onset, 500 + onset
    few = {"bins": 3, "n_draws": 5}
    assert 0.3 < float(pdn.detection(table, onset="seconds", **few)["onset"][0]) < 0.6
    for name in ("late", "clock"):
        with pytest.raises(TensorError, match="onset is in s from the start .* be in ms .*clock"):
            pdn.detection(table, onset=name, **few)
    with pytest.raises(TensorError, match="onset is in s"):
        pdn.detection(table, onset="late", n_draws=5, bins=[300.0, 800.0, 1300.0])
