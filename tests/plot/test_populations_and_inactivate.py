"""Pictures of populations and inactivations show the numbers of their results."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.errors import TensorError


def judged(needed=2.0):
    return xr.Dataset(
        {
            "accuracy": (("tried", "resample"), [[0.5, 0.7], [0.96, 1.0]]),
            "mean_accuracy": ("tried", [0.6, 0.98]),
            "mean_accuracy_bound": (("bound", "tried"), [[0.5, 0.95], [0.7, 1.0]]),
            "network_accuracy": 0.99,
            "n_populations": needed,
        },
        coords={"tried": [1, 2], "bound": ["lower", "upper"]},
        attrs={"method": "populations", "parameters": '{"accuracy": 0.95}'},
    )


def test_each_drawn_network_is_a_dot_at_its_number_of_populations():
    ax = pdn.show(judged())
    dots = ax.lines[0].get_xydata()
    assert dots[:, 1].tolist() == [0.5, 0.7, 0.96, 1.0]
    assert np.rint(dots[:, 0]).tolist() == [1, 1, 2, 2]
    assert ax.get_title() == "needs 2"
    assert pdn.show(judged(np.nan)).get_title() == "none up to 2 is enough"


def test_gains_of_a_population_are_a_line_over_contexts():
    result = xr.Dataset(
        {
            "gain": (("population", "condition"), [[0.2, 0.9], [0.8, 0.1]]),
            "gain_bound": (("bound", "population", "condition"), np.zeros((2, 2, 2))),
        },
        coords={"population": ["a", "b"], "condition": ["x", "y"], "bound": ["lower", "upper"]},
        attrs={"method": "population_gains"},
    )
    ax = pdn.show(result)
    assert ax.lines[0].get_ydata().tolist() == [0.2, 0.9]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["x", "y"]


def done(**more):
    return xr.Dataset(
        {
            "mean_distance": (("inactivation", "condition"), [[2.0], [1.0]]),
            "mean_distance_bound": (
                ("bound", "inactivation", "condition"),
                [[[1.0], [0.5]], [[3.0], [1.5]]],
            ),
            "modulation": ("inactivation", [4.0, 4.0]),
            **more,
        },
        coords={"inactivation": ["p", "q"], "condition": ["all"], "bound": ["lower", "upper"]},
        attrs={"method": "inactivate"},
    )


def test_what_is_left_of_behavior_is_drawn_by_inactivation():
    accuracy = {
        "accuracy": ("inactivation", [0.6, 0.9]),
        "accuracy_bound": (("bound", "inactivation"), [[0.5, 0.8], [0.7, 1.0]]),
        "control_accuracy": 0.97,
        "control_accuracy_bound": ("bound", [0.95, 0.99]),
    }
    ax = pdn.show(done(**accuracy))
    assert ax.lines[1].get_xdata().tolist() == [0.6, 0.9]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["p", "q"]
    assert ax.get_xlabel() == "share correct"


def test_without_right_and_wrong_distances_are_drawn():
    ax = pdn.show(done())
    assert ax.lines[0].get_xdata().tolist() == [0.5, 0.25]
    assert ax.get_xlabel() == "distance over modulation (1)"


def test_what_was_foretold_is_drawn_against_what_was_done():
    dims = ("measure", "inactivation", "condition")
    result = xr.Dataset(
        {
            "predicted_change": (dims, [[[0.1], [0.2], [0.3]]]),
            "observed_change": (dims, [[[0.2], [0.4], [0.5]]]),
            "correlation": ("measure", [0.98]),
            "correlation_bound": (("bound", "measure"), [[0.9], [1.0]]),
        },
        coords={"measure": ["choice_changed"], "bound": ["lower", "upper"]},
        attrs={"method": "inactivation_agreement"},
    )
    ax = pdn.show(result)
    assert ax.lines[1].get_xydata().tolist() == [[0.1, 0.2], [0.2, 0.4], [0.3, 0.5]]
    assert ax.get_title() == "correlation 0.98 (0.90 to 1.00)"
    with pytest.raises(TensorError, match=r"one of choice_changed, found 'accuracy'"):
        pdn.plot.inactivation_agreement(result, "accuracy")


@pytest.mark.parametrize(
    ("draw", "says"),
    [
        ("populations", "plot.populations draws accuracy and mean_accuracy"),
        ("population_gains", "plot.population_gains draws gain"),
        ("inactivate", "plot.inactivate draws inactivation"),
        ("inactivation_agreement", "plot.inactivation_agreement draws predicted_change"),
    ],
)
def test_other_results_are_refused(draw, says):
    with pytest.raises(TensorError, match=says):
        getattr(pdn.plot, draw)(xr.Dataset())
