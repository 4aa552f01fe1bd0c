"""What the picture of neighbor angles shows."""

import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import TensorError


def test_angles_are_drawn_beside_those_by_chance():
    rng = np.random.default_rng(0)
    groups = rng.normal(size=(5, 3))[rng.integers(0, 5, 60)]
    result = pdn.selectivity_test(groups + 0.1 * rng.normal(size=(60, 3)), n_draws=99)
    ax = pdn.show(result)
    chance = ax.containers[0]
    area = sum(bar.get_height() * bar.get_width() for bar in chance)
    assert area == pytest.approx(1.0, abs=0.01)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["by chance", "60 neurons"]
    lines = [float(line.get_xdata()[0]) for line in ax.lines]
    assert lines[1] == pytest.approx(np.degrees(float(result["median_angle"])))
    assert lines[0] > lines[1]
    assert ax.get_title().startswith("ePAIRS: index 0.")
    assert ax.get_title().endswith("p = 0.02, clustered")
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "angle to the 3 nearest neighbors (degrees)",
        "density (1/degree)",
    )


def test_a_variant_is_named_and_no_direction_without_significance():
    vectors = np.random.default_rng(1).normal(size=(60, 3))
    title = pdn.show(pdn.selectivity_test(vectors, "pairs", "hocker2021", n_draws=99)).get_title()
    assert title.startswith("PAIRS (hocker2021): index ")
    assert "clustered" not in title


def test_groups_and_axes_have_pictures_of_their_own():
    vectors = np.random.default_rng(1).normal(size=(40, 2))
    ax = pdn.show(pdn.selectivity_test(vectors, "cluster", n_draws=3))
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "number of groups (1)",
        "held-out gain (nat/neuron)",
    )
    assert ax.get_title().endswith("; 1 group")
    np.testing.assert_array_equal(ax.lines[1].get_xdata(), np.arange(1, 7))
    ax = pdn.show(pdn.selectivity_test(vectors, "bingham", n_draws=19))
    assert ax.get_title().startswith("Bingham: p = ")
    assert sum(bar.get_height() for bar in ax.containers[0]) == pytest.approx(1.0)


def test_other_results_are_refused():
    with pytest.raises(TensorError, match="plot.selectivity_test draws angle and null_angle"):
        pdn.plot.selectivity_test(np.ones(3))
