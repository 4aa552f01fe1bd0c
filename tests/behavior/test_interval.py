"""Intervals from draws against textbook ones."""

import numpy as np
import pytest
from scipy.stats import t

import popdyn as pdn
from popdyn.behavior.interval import draw_bounds, widened


@pytest.mark.parametrize("n_each", [5, 40])
def test_the_interval_of_a_slope_is_that_of_student_with_the_variances_of_classes(n_each):
    rng = np.random.default_rng(n_each)
    shown = np.repeat(np.linspace(0.5, 1.0, 6), n_each)
    response = 0.2 + 0.7 * shown + 0.06 * rng.standard_normal(shown.size)
    found = pdn.contraction({"stimulus": shown, "response": response}, n_draws=4000)
    variance = response.reshape(6, n_each).var(axis=1, ddof=1)
    away = np.unique(shown) - shown.mean()
    error = np.sqrt((away**2 * n_each * variance).sum()) / ((shown - shown.mean()) ** 2).sum()
    half = t.ppf(0.975, shown.size - 6) * error
    # Four thousand draws tell percentiles to about 3 %.
    assert np.diff(found["slope_bound"])[0] == pytest.approx(2 * half, rel=0.06)
    mean = np.diff(found["mean_response_bound"], axis=0)[0]
    known = 2 * t.ppf(0.975, n_each - 1) * np.sqrt(variance / n_each)
    # Percentiles of means of five are those of five numbers, not of a normal distribution.
    assert np.allclose(mean / known, 1.0, atol=0.1 if n_each > 5 else 0.25)


def test_one_more_draw_falls_between_the_ends_of_few_with_the_promised_probability():
    draws = np.random.default_rng(0).standard_normal((40, 20_000))
    low, high = draw_bounds(draws[:39])
    assert ((low <= draws[39]) & (draws[39] <= high)).mean() == pytest.approx(0.95, abs=0.006)


def test_without_draws_or_trials_there_is_no_interval():
    assert np.isnan(draw_bounds(np.array([[1.0], [np.nan]]))).all()
    assert np.isnan(widened(0.0, np.array([-1.0, 1.0]), 3, 3)).all()
    kept = draw_bounds(np.array([[1.0, np.inf], [2.0, 5.0], [3.0, 7.0]]))
    assert kept.tolist() == [[1.0, 5.0], [3.0, 7.0]]
