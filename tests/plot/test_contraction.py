"""The picture of comparisons tells differences apart, and says when there is no slope."""

import numpy as np
import pytest

import popdyn as pdn

FIRST = np.tile([10.0, 14.0, 18.0, 22.0], 40)


def _drawn(differences, sigma):
    second = FIRST + np.repeat(differences, FIRST.size // len(differences))
    observer = pdn.observer.Discrimination(sigma=sigma, prior=FIRST)
    done = observer.simulate({"stimulus": FIRST, "stimulus_2": second}, rng=0)
    return pdn.contraction(done, n_draws=20)


def test_each_difference_has_a_line_and_a_name():
    result = _drawn([-4, -2, 2, 4], sigma=3.0)
    ax = pdn.plot.contraction(result)
    lines = {line.get_label(): line for line in ax.get_lines()}
    for name, by in (("second larger by 2", 2), ("second smaller by 4", -4)):
        own = np.isclose(result["second"] - result["first"], by)
        assert np.allclose(lines[name].get_ydata(), result["accuracy"].values[own])
        assert np.allclose(lines[name].get_xdata(), [10, 14, 18, 22])
    assert lines["second larger by 2"].get_alpha() < lines["second larger by 4"].get_alpha()


def test_a_slope_left_open_is_said():
    with pytest.warns(pdn.PopdynWarning, match="parts all answers"):
        result = _drawn([-4, -2, 2, 4], sigma=0.01)
    legend = pdn.plot.contraction(result).get_legend()
    assert "slope left open" in {legend.get_title().get_text()} | {
        text.get_text() for text in legend.get_texts()
    }
