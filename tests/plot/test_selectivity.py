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
    assert texts == ["by chance", "60 neurons", "median by chance", "median"]
    lines = [float(line.get_xdata()[0]) for line in ax.lines]
    assert lines[1] == pytest.approx(np.degrees(float(result["median_angle"])))
    assert lines[0] > lines[1]
    assert [line.get_linestyle() for line in ax.lines] == [":", "--"]
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
        "number of groups",
        "held-out gain (nat/neuron)",
    )
    assert ax.get_title().endswith("; 1 group")
    ax = pdn.show(pdn.selectivity_test(vectors, "bingham", n_draws=19))
    assert ax.get_xlabel() == "main axis"
    assert ax.get_title().startswith("Bingham: p = ")
    assert sum(bar.get_height() for bar in ax.containers[0]) == pytest.approx(1.0)


def test_the_circle_is_at_the_smallest_number_whose_error_reaches_the_best():
    result = pdn.selectivity_test(
        np.random.default_rng(1).normal(size=(40, 2)), "cluster", n_draws=3
    )
    gain = [0.0, 0.1, 0.3, 0.32, 0.2, 0.1]
    error = [0.2, 0.1, 0.05, 0.0, 0.1, 0.1]
    result = result.assign(
        held_out_gain=("number", gain),
        held_out_error=("number", error),
        n_clusters=3,
        stability=0.5,
        null_stability=("surrogate", [0.2]),
    )
    ax = pdn.show(result)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["best", "chosen: smallest within 1 SE", "gain, 1 SE to the best"]
    best, circle = (
        next(line for line in ax.lines if str(line.get_label()).startswith(words))
        for words in ("best", "chosen")
    )
    assert best.get_ydata()[0] == 0.32
    assert (circle.get_xdata()[0], circle.get_ydata()[0]) == (3, 0.3)
    (bars,) = ax.containers[0].lines[2]
    top = [segment[1, 1] for segment in bars.get_segments()]
    np.testing.assert_allclose(top, np.add(gain, error))
    assert min(np.flatnonzero(np.array(top) >= best.get_ydata()[0])) == 2


def test_other_results_are_refused():
    with pytest.raises(TensorError, match="plot.selectivity_test draws angle and null_angle"):
        pdn.plot.selectivity_test(np.ones(3))
