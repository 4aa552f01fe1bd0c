"""Trials and roles for every function of behavior, and words for what none can use."""

import numpy as np
import pandas as pd
import pytest

import popdyn as pdn
from popdyn.errors import FitError, PopdynError, PopdynWarning, TensorError

RNG = np.random.default_rng(0)
SHOWN = RNG.choice([-2.0, -1.0, 0.0, 1.0, 2.0], 400)
CHOICE = np.where(SHOWN + RNG.normal(size=400) > 0.3, 1, -1)
TABLE = pd.DataFrame({"stimulus": SHOWN, "choice": CHOICE, "day": RNG.choice(["a", "b"], 400)})


def same(one, other):
    # What is drawn and fitted; attributes name the arguments.
    return all(np.array_equal(one[name], other[name], equal_nan=True) for name in one.data_vars)


def test_curves_of_trials_are_those_of_their_columns():
    known = pdn.psychometric(CHOICE, SHOWN, n_draws=20)
    assert same(known, pdn.psychometric(TABLE, n_draws=20))
    assert same(known, pdn.psychometric(dict(TABLE), n_draws=20))
    named = TABLE.rename(columns={"stimulus": "x", "choice": "side"}).assign(
        side=np.where(CHOICE > 0, "right", "left")
    )
    roles = {"stimulus": "x", "choice": {"column": "side", "values": {"left": -1, "right": 1}}}
    assert same(known, pdn.psychometric(named, roles, n_draws=20))
    days = pdn.psychometric(TABLE, by="day", n_draws=20)
    assert days["condition"].values.tolist() == ["a", "b"]
    assert same(days, pdn.psychometric(CHOICE, SHOWN, by=TABLE["day"], n_draws=20))


def test_detection_reads_the_trials_of_its_task():
    task = pdn.tasks.Detection(stimuli=(0.1, 0.3, 0.5, 0.7, 0.9))
    trials = task.sample(900, rng=0)
    amplitude = trials["stimulus"].to_numpy()
    yes = amplitude + 0.25 * np.random.default_rng(1).normal(size=900) > 0.5
    done = trials.assign_coords(choice=("trial", np.where(yes, 1, -1)))
    onset = (trials["stimulus_on_time"] - trials["start_time"]).to_numpy()
    keys = {"bins": 3, "n_draws": 20}
    plain = pdn.detection(amplitude > 0, yes, onset=onset, amplitude=amplitude, **keys)
    assert 0.5 < float(plain["d_prime"]) < 3
    found = pdn.detection(done, onset="stimulus_on_time", amplitude="stimulus", **keys)
    assert same(plain, found)
    assert 1.5 < float(found["onset"][0]) < 3.5
    table = pd.DataFrame({"size": amplitude, "choice": yes.astype(int)})
    assert same(pdn.detection(amplitude > 0, yes, n_draws=20),
                pdn.detection(table, {"stimulus": "size"}, n_draws=20))  # fmt: skip


def test_trials_with_an_unknown_stimulus_are_no_trials_without_one():
    table = {"stimulus": [1.0, 0.0, np.nan, 1.0], "choice": [1, -1, 1, 1]}
    found = pdn.detection(table, n_draws=2)
    assert (int(found["n_present"]), int(found["n_absent"])) == (2, 1)


def test_both_spellings_of_choices_lead_to_the_same():
    rng = np.random.default_rng(1)
    first = rng.choice([10.0, 14.0, 18.0, 22.0], 400)
    second = first + rng.choice([-4.0, -2.0, 2.0, 4.0], 400)
    choice = np.where(second - first + 3 * rng.normal(size=400) > 0, 1, -1)
    signs = pd.DataFrame({"stimulus": first, "stimulus_2": second, "choice": choice})
    bits = signs.assign(choice=(choice > 0).astype(int))
    for measure in (pdn.contraction, pdn.serial_dependence):
        assert same(measure(signs, n_draws=5), measure(bits, n_draws=5))
    fits = [
        pdn.observer.Discrimination(sigma=3.0, lapse=0.0, free=["sigma"]).fit(table)
        for table in (signs, bits)
    ]
    assert np.array_equal(*(fit.parameters_ for fit in fits))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"guess": 2}, "guess must be a number from 0 to 0.99, found 2"),
        ({"lapse": -0.1}, "lapse must be a number from 0 to 0.99, found -0.1"),
        ({"guess": "fre"}, "guess must be a number or 'free', found 'fre'"),
        ({"guess": 0.6, "lapse": 0.6}, "guess and lapse add up to 1.2"),
        ({"lapse": 0.5}, "guess and lapse add up to 1"),
        ({"n_draws": 0}, "n_draws must be a whole number of at least 2, found 0"),
        ({"by": "night"}, "by='night' is no column of the trials; columns are stimulus"),
        ({"by": [1, 2]}, "by has a value per trial, found 2 for 400"),
    ],
    ids=["guess", "lapse", "word", "both", "shared", "draws", "by", "length"],
)
def test_arguments_of_curves_without_sense_are_refused(keys, words):
    with pytest.raises(TensorError, match=words):
        pdn.psychometric(TABLE, **keys)


def test_a_high_guess_leaves_room_for_the_curve():
    # Lapses of up to 0.4 beside a guess of 0.8 would turn the curve round.
    shown = np.repeat([1.0, 2.0, 3.0], 100)
    choice = np.random.default_rng(0).random(300) < np.repeat([0.9, 0.85, 0.8], 100)
    with pytest.warns(PopdynWarning, match="open"):
        found = pdn.psychometric(choice, shown, guess=0.8, n_draws=2)
    assert float(found["lapse"][0]) + 0.8 < 1


@pytest.mark.parametrize(
    ("measure", "words"),
    [
        (lambda: pdn.psychometric(["l", "r"], [1, 2]), "the role 'choice' needs numbers"),
        (lambda: pdn.psychometric([], []), "none of 0 trials has both"),
        (lambda: pdn.psychometric([np.nan] * 3, [1, 2, 3]), "none of 3 trials has both"),
        (lambda: pdn.psychometric(CHOICE), "takes choices and stimuli, or trials and their roles"),
        (lambda: pdn.psychometric(CHOICE, {"stimulus": "x"}), "found ndarray and dict"),
        (lambda: pdn.psychometric({"choice": CHOICE}), "the trials have no stimulus"),
        (lambda: pdn.detection([1, 0], ["yes", "no"]), "the role 'choice' needs numbers"),
        (lambda: pdn.detection([1, 0]), "takes whether there was a stimulus and choices"),
        (lambda: pdn.detection([1, 0], [1, 0], onset=["a", "b"]), "onset must be numbers"),
        (lambda: pdn.detection([1, 0], [1, 0], onset=[1, np.nan], bins=[4, 2]), "edges that grow"),
        (lambda: pdn.detection([1, 0], [1, 0], onset=[1, np.nan], bins=[4, 5]), "within the bins"),
        (lambda: pdn.detection([1, 0], [1, 0], onset=[1, 1], bins=0), "bins must be a whole"),
        (lambda: pdn.serial_dependence(TABLE, n_back=0), "n_back must be a whole number"),
        (lambda: pdn.contraction({"stimulus": [1.0, 2.0], "response": [1.0]}), "stimulus 2, resp"),
        (lambda: pdn.contraction({"stimulus": [1.0, 2.0] * 9, "response": [1.0] * 18}, n_draws=1),
         "at least 2"),
    ],
    ids=lambda value: "" if callable(value) else value,
)  # fmt: skip
def test_what_no_function_can_use_is_said(measure, words):
    with pytest.raises(TensorError, match=words):
        measure()


def test_a_response_that_roles_name_is_not_passed_over():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"stimulus": rng.choice([0.5, 0.7, 0.9], 90)})
    table["stimulus_2"], table["choice"] = table["stimulus"] + 0.1, rng.choice([-1, 1], 90)
    table["tp"] = 0.3 + 0.5 * table["stimulus"] + 0.02 * rng.normal(size=90)
    found = pdn.contraction(table, {"response": "tp"}, n_draws=5)
    assert found.attrs["kind"] == "production"
    assert float(found["slope"]) == pytest.approx(0.5, abs=0.1)
    with pytest.raises(TensorError, match="the trials have no stimulus_2"):
        pdn.contraction(table[["stimulus", "choice"]], {"choice": "choice"})


def test_two_trials_have_no_slope():
    with pytest.raises(FitError, match="2 usable trials: a slope with an interval takes more"):
        pdn.contraction({"stimulus": [0.5, 0.9], "response": [0.5, 0.9]})


def test_other_spellings_of_units_are_said():
    table = {"ts": [500.0, 700.0] * 10, "response": [0.5] * 20}
    roles = {"stimulus": {"column": "ts", "units": "msec"}}
    with pytest.raises(TensorError, match="role 'stimulus': units 'msec' are written 'ms'"):
        pdn.contraction(table, roles)


def test_times_of_a_clock_are_no_responses():
    clock = 3.0 * np.arange(1, 41)
    with pytest.raises(TensorError, match="times of a clock, not produced intervals"):
        pdn.contraction({"stimulus": np.tile([0.5, 0.9], 20), "response": clock})


@pytest.mark.parametrize("function", [pdn.psychometric, pdn.detection], ids=["curve", "detection"])
def test_errors_are_those_of_the_package(function):
    for given in (None, 3, "table", object()):
        with pytest.raises(PopdynError):
            function(given, [1, 0])
