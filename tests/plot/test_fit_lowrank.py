"""Pictures of low-rank fits: what is drawn is what the result holds."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from popdyn.errors import TensorError
from popdyn.plot.fit_lowrank import fit_lowrank, fit_lowrank_neurons
from popdyn.plot.show import show


def result():
    """A fit of ranks 1 and 2 to three neurons; the last was not recorded."""
    rng = np.random.default_rng(0)
    dims = ("neuron", "time", "condition")
    observed = rng.random((3, 6, 4))
    observed[2] = np.nan
    parts = {"r2": np.array([0.7, 0.9]), "pca_r2": np.array([0.6, 0.8])}
    bounds = {f"{k}_bound": (("bound", "n_ranks"), [v - 0.1, v + 0.05]) for k, v in parts.items()}
    return xr.Dataset(
        {
            **{name: ("n_ranks", values) for name, values in parts.items()},
            **bounds,
            "ceiling_r2": 0.95, "shuffled_r2": -0.2, "average_r2": 0.1, "chosen_rank": 2,
            "neuron_r2": (("n_ranks", "neuron"), [[0.5, 0.6, np.nan], [0.7, 0.9, np.nan]]),
            "observed": (dims, observed), "held_out": (dims, np.nan_to_num(observed) + 0.1),
        },
        {"n_ranks": [1, 2], "neuron": ["a", "b", "c"], "time": 0.1 * np.arange(6),
         "condition": list("wxyz")},
        {"method": "fit_lowrank", "align": "cue_time"},
    )  # fmt: skip


def test_each_rank_is_drawn_beside_what_it_stands_beside():
    ax = show(result())
    heights = [line.get_ydata() for line in ax.lines]
    for wanted in ([0.7, 0.9], [0.6, 0.8], [0.9], [0.95, 0.95], [-0.2, -0.2], [0.1, 0.1]):
        assert any(len(y) == len(wanted) and np.allclose(y, wanted) for y in heights), wanted
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "rank that is chosen: 2" in words
    assert "full rank" in words
    assert ax.get_ylim()[0] < -0.2
    assert ax.get_ylim()[1] == pytest.approx(1.06)


def test_little_that_is_explained_fills_the_picture():
    scores = [name for name in result() if str(name).endswith(("r2", "r2_bound"))]
    little = result().assign({name: result()[name] / 50 for name in scores})
    low, high = fit_lowrank(little).get_ylim()
    assert (low, high) == pytest.approx((-0.004 - 0.00115, 0.019 + 0.00115))


def test_a_fit_without_full_rank_is_drawn():
    words = fit_lowrank(result().drop_vars("ceiling_r2")).get_legend().get_texts()
    assert "full rank" not in [text.get_text() for text in words]


def test_neurons_that_were_recorded_are_drawn_best_first():
    ax = fit_lowrank_neurons(result(), n_items=2)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["b (0.90)", "a (0.70)"]
    drawn = [line for line in ax.lines if len(line.get_ydata()) == 6]
    assert len(drawn) == 2 * 2 * 2
    observed, predicted = drawn[0].get_ydata(), drawn[1].get_ydata()
    assert np.allclose(predicted - observed, 0.1)
    assert ax.get_xlabel() == "time from cue_time (s)"


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(TensorError, match="n_neurons and n_items must be at least 1, found 0"):
        fit_lowrank_neurons(result(), n_neurons=0)
    with pytest.raises(TensorError, match=r"plot.fit_lowrank draws r2"):
        fit_lowrank(xr.Dataset())
