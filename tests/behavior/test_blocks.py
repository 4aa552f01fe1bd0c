"""Serial dependence in several sessions and contexts: none where there is none."""

import numpy as np
import pandas as pd
import pytest

import popdyn as pdn
from popdyn.errors import FitError, TensorError

N_SETS = 40
# Of 40 data sets without dependence 2 are expected below .05, and more than 6 in 1 % of cases.
MOST = 6


def productions(seed, column):
    rng, parts = np.random.default_rng(seed), []
    for name, middle in (("short", 0.75), ("long", 1.0)):
        stimulus = rng.choice(middle + np.linspace(-0.25, 0.25, 11), 150)
        response = middle + 0.6 * (stimulus - middle) + 0.06 * rng.normal(size=150)
        parts.append(pd.DataFrame({"stimulus": stimulus, "response": response, column: name}))
    return pd.concat(parts, ignore_index=True)


def comparisons(seed, column):
    rng, parts = np.random.default_rng(seed), []
    for name, middle in (("low", 18.0), ("high", 30.0)):
        first = middle + rng.choice([-8.0, -4.0, 0.0, 4.0, 8.0], 150)
        second = first + rng.choice([-6.0, -3.0, 3.0, 6.0], 150)
        larger = second + 4 * rng.normal(size=150) > middle + 0.6 * (first - middle)
        table = {"stimulus": first, "stimulus_2": second, "choice": np.where(larger, 1, -1)}
        parts.append(pd.DataFrame({**table, column: name}))
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("column", ["context", "session"])
@pytest.mark.parametrize("made", [productions, comparisons], ids=["produced", "compared"])
def test_blocks_invent_no_past(made, column):
    results = [pdn.serial_dependence(made(i, column), n_draws=60) for i in range(N_SETS)]
    assert sum(float(result["p"][0]) < 0.05 for result in results) <= MOST
    weight = np.array([float(result["weight"][0]) for result in results])
    assert abs(weight.mean()) < 3.5 * weight.std() / np.sqrt(N_SETS)
    # What was wrong before: blocks that nobody names do look like a past.
    pooled = [pdn.serial_dependence(made(i, column).drop(columns=column)) for i in range(4)]
    assert np.mean([float(result["weight"][0]) for result in pooled]) > 5 * abs(weight.mean())
    assert min(float(result["p"][0]) for result in pooled) < 0.05


def test_weights_are_those_of_a_regression_with_terms_of_blocks():
    import statsmodels.api as sm

    table = productions(0, "context").assign(session=np.repeat(["a", "b", "c"], 100))
    past = table.groupby("session")["stimulus"].shift(1)
    block = pd.get_dummies(table["session"] + table["context"]).astype(float)
    design = pd.concat([table["stimulus"], past, block], axis=1)[past.notna()]
    other = sm.OLS(table["response"][past.notna()], design).fit().params
    found = pdn.serial_dependence(table, n_draws=2)
    assert float(found["weight"][0]) == pytest.approx(other.iloc[1], abs=1e-9)
    assert float(found["slope"]) == pytest.approx(other.iloc[0], abs=1e-9)
    assert int(found["n_trials"]) == 297


def test_a_past_is_found_in_spite_of_blocks():
    table = productions(0, "context")
    table["response"] += 0.2 * table["stimulus"].shift(1).fillna(0.75)
    found = pdn.serial_dependence(table, n_draws=60)
    assert float(found["weight"][0]) == pytest.approx(0.2, abs=0.07)
    assert float(found["p"][0]) < 0.05


def test_blocks_of_a_trial_each_and_orders_within_blocks_are_refused():
    table = productions(0, "context")
    with pytest.raises(FitError, match="needed for 299 sessions and contexts"):
        pdn.serial_dependence(table.assign(context=np.arange(300)), n_draws=2)
    turns = np.tile([-0.1, 0.1], 75)
    fixed = table.assign(stimulus=np.concatenate([0.75 + turns, 1.0 + turns]))
    fixed["session"] = fixed["context"]
    with pytest.raises(TensorError, match="follow from those of the trial itself"):
        pdn.serial_dependence(fixed, n_draws=2)
