"""The verdict says what is needed, what of it there is, and what is in the way."""

from __future__ import annotations

import numpy as np
import pytest

import popdyn as pdn
from popdyn.plot.verdict import NEEDS, requirements

STIMULUS = 0.5 + 0.05 * np.arange(11)
ESTIMATE = pdn.observer.Production(weber=0.1, prior=STIMULUS).estimate(STIMULUS).values
SETS = np.repeat(["short", "long"], 11)


def result_of(distance, noise=0.01, **options):
    return pdn.estimation_test(
        distance, STIMULUS, ESTIMATE, covariance=noise**2 * np.eye(11), n_draws=300, **options
    )


def two_sets(share):
    """Distances whose second set is moved by a share of what the estimates move."""
    stimulus = np.concatenate([STIMULUS, STIMULUS + 0.25])
    estimate = np.concatenate([ESTIMATE, ESTIMATE + 0.25])
    moved = np.concatenate([ESTIMATE, ESTIMATE + 0.25 + 0.05 * (1 - share)])
    return pdn.estimation_test(
        moved, stimulus, estimate, sets=SETS, covariance=1e-6 * np.eye(22), n_draws=300
    )


def test_what_fails_is_named_and_what_is_met_needs_no_reason():
    straight = requirements(result_of(STIMULUS, 0.003))
    said, why = straight["rmse"]
    assert said == "not met"
    assert why.startswith("the true stimulus is not rejected, the estimate is rejected")
    assert straight["behavior"] == ("not seen", "its slope is not known")
    assert straight["shift"] == ("not seen", "no two sets that share a stimulus")
    assert requirements(result_of(ESTIMATE))["rmse"] == ("met", "")
    hidden = requirements(result_of(ESTIMATE, noise=1.0))
    assert hidden["rmse"] == ("not seen", "noise leaves too little power to tell")


def test_lack_of_fit_and_better_codes_are_told_apart():
    result = result_of(ESTIMATE)
    result["p_true"], result["p_estimate"], result["lack_of_fit_p_estimate"] = 0.001, 0.9, 0.001
    result["condition_met"] = result["condition_met"].copy(data=[0.0, 0.0, 0.0, np.nan])
    result["alternative_error"].loc[{"alternative": "log"}] = 1e-9
    told = requirements(result)
    assert told["rmse"][1] == "the estimate lacks fit"
    assert told["alternatives"][1] == "a bent code (log) predicts better"
    assert told["behavior"][1] == "the interval of its slope is not below 1"


def test_what_a_bent_code_may_explain_is_said_to_be_that():
    result = two_sets(1.0)
    result["condition_met"] = result["condition_met"].copy(data=[1.0, np.nan, np.nan, np.nan])
    told = requirements(result)
    assert told["alternatives"][0] == "not seen"
    assert told["alternatives"][1].endswith("is hardly worse, and not rejected")
    assert told["shift"] == ("not seen", "a bent code with a cue for each set may look the same")
    result["shift_p_none"] = 0.5
    assert requirements(result)["shift"][1] == "noise leaves too little power to see a shift"


def test_a_shift_of_another_size_is_told_in_units_of_the_stimulus():
    result = two_sets(0.5)
    said, why = requirements(result)["shift"]
    assert said == "not met"
    assert why.startswith("they shift by ")
    seen, expected = (float(part.split("by ")[1]) for part in why.split(","))
    shared = [i for i, value in enumerate(STIMULUS) if value > 0.74]
    by_hand = np.mean(
        [ESTIMATE[i] - np.interp(STIMULUS[i], STIMULUS + 0.25, ESTIMATE + 0.25) for i in shared]
    )
    assert expected == pytest.approx(abs(by_hand), rel=0.02)
    assert seen == pytest.approx(expected * result.shift_ratio.item(), rel=0.02)


def test_the_picture_has_a_line_for_each_need_and_what_is_in_its_way_below():
    result = result_of(STIMULUS, 0.003)
    ax = pdn.plot.verdict(result)
    drawn = [text.get_text().strip() for text in ax.texts]
    assert drawn[0] == "“estimate” needs"
    for name, (said, why) in requirements(result).items():
        at = drawn.index(NEEDS[name])
        assert drawn[at - 1] == said
        assert not why or drawn[at + 1] == why
