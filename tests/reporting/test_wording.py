"""Numbers are written with the digits their uncertainty allows, p never below its floor."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from popdyn.reporting.wording import band, listed, number, p_value, quantity, unit_text


def plain(text):
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("value", "spread", "written"),
    [
        (0.71234, 0.12, "0.71"),
        (0.71234, 0.012, "0.712"),
        (71.234, 12.0, "71"),
        (1234.5, 100.0, "1,234"),
        (-0.001, 0.1, "0.00"),
        (35.0, None, "35"),
        (0.5, None, "0.500"),
        (2e-7, None, "2.00 × 10⁻⁷"),
        (-3.25e9, 1e8, "−3.25 × 10⁹"),
        (float("nan"), 0.1, "not estimated"),
        (float("inf"), None, "not estimated"),
    ],
)
def test_a_number_shows_the_digits_its_interval_allows(value, spread, written):
    assert number(value, spread=spread) == written


@pytest.mark.parametrize(
    ("p", "n_draws", "written"),
    [
        (1 / 201, 200, "p = .005"),
        (1 / 501, 500, "p = .002"),
        (1 / 101, 100, "p = .010"),
        (1 / 100, 99, "p = .010"),
        (1 / 21, 20, "p = .048"),
        (0.0, 200, "p = .005"),
        (0.0, None, "p ≤ .0001"),
        (1 / 2001, 2000, "p = .0005"),
        (1 / 40001, 40000, "p = .00002"),
        (0.034, 200, "p = .034"),
        (0.41, 200, "p = .41"),
        (1.0, 200, "p = 1"),
        (math.nan, 200, "no p"),
    ],
)
def test_p_is_never_below_what_the_number_of_draws_can_show(p, n_draws, written):
    assert plain(p_value(p, n_draws)) == written


@given(st.integers(1, 100_000))
def test_the_smallest_p_of_any_number_of_draws_is_written_as_it_is(n_draws):
    written = plain(p_value(1 / (n_draws + 1), n_draws))
    assert written.startswith("p = .")
    assert float("0" + written.split()[-1]) == pytest.approx(1 / (n_draws + 1), rel=0.51)


@given(st.floats(-1e5, 1e5), st.floats(1e-2, 1e4))
def test_a_number_is_written_within_a_tenth_of_its_spread(value, spread):
    digits = number(value, spread=spread).replace(",", "").replace("−", "-")
    if "×" not in digits:
        assert abs(float(digits) - value) <= max(spread / 2, 1)


def test_an_interval_holds_no_dash_that_reads_as_a_minus():
    assert plain(band(-0.12, 0.345)) == "−0.12 to 0.34"
    assert band(float("nan"), 1.0) == "not estimated"


def test_units_are_written_for_the_eye_and_only_beside_a_number():
    assert plain(quantity(4.31, "Hz^2", spread=1.0)) == "4.3 Hz²"
    assert quantity(4.31, "1", spread=1.0) == "4.3"
    assert quantity(float("nan"), "Hz") == "not estimated"
    assert unit_text("Hz^2*neurons") == "Hz²·neurons"


def test_words_are_joined_as_in_a_sentence():
    assert listed(["a", "b", "c"]) == "a, b and c"
