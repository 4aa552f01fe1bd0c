"""What the pictures of agreement between sources show."""

from itertools import pairwise

import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import TensorError


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(0)
    centers = np.array([[2, 0, 0], [0, 2, 0], [-1, -1, 1], [-1, -1, -2]])
    sources = {
        name: centers[rng.integers(0, 4, 80)] + 0.4 * rng.normal(size=(80, 3))
        for name in ("network", "M2")
    }
    return pdn.selectivity_agreement({**sources, "PPC $": rng.normal(size=(80, 3))}, 4, n_draws=99)


def test_agreement_is_written_above_the_diagonal_and_that_of_halves_below(result):
    ax = pdn.show(result)
    written = {text.get_position(): text.get_text() for text in ax.texts}
    shown = np.asarray(ax.images[0].get_array())
    names = ("agreement", "half_agreement", "p", "transfer_p")
    agreement, half, p, transfer = (result[name].values for name in names)
    assert "its p, p of transfer (t)" in ax.get_title()
    for i in range(3):
        for j in range(3):
            value = agreement[i, j] if j > i else half[i, j]
            assert shown[i, j] == value
            of_p = f"\np = {p[i, j]:.2g}\nt: p = {transfer[i, j]:.2g}" if j > i else ""
            text = f"{value:.2f}" + of_p
            assert written[(j, i)].replace("\N{MINUS SIGN}", "-") == text
    assert len(ax.patches) == 3
    assert [label.get_text() for label in ax.get_xticklabels()] == ["network", "M2", r"PPC \$"]
    dark = [text for text in ax.texts if text.get_color() == "white"]
    assert {text.get_position() for text in dark} == {
        (j, i) for i in range(3) for j in range(3) if shown[i, j] > 0.55
    }


def test_partners_have_one_color(result):
    ax = pdn.plot.matched_centers(result, "M2", "network")
    pair = result.sel(source="M2", source_2="network")
    filled = [line for line in ax.lines if not line.get_label().startswith("_")]
    opened = [line for line in ax.lines if line.get_markerfacecolor() == "white"]
    assert len(filled) == len(opened) == 4
    for i, (one, other) in enumerate(zip(filled, opened, strict=True)):
        assert one.get_color() == other.get_color()
        partner = pair["partner"].values[i]
        expected = result["center"].sel(source="network", cluster=partner)
        np.testing.assert_array_equal(other.get_ydata(), expected)
        np.testing.assert_array_equal(one.get_ydata(), pair["center"].values[i])
        assert one.get_label() == f"{i + 1} and {partner}, cosine {pair['center_cosine'][i]:.2f}"
    with pytest.raises(TensorError, match="source must be one of 'network', 'M2'.* found 'M3'"):
        pdn.plot.matched_centers(result, "M3", "network")
    with pytest.raises(TensorError, match="must be two sources, found 'M2' twice"):
        pdn.plot.matched_centers(result, "M2", "M2")


def test_names_of_many_features_do_not_overprint_each_other(result):
    for feature in (["a", "b", "c"], ["stimulus_1", "stimulus_2", "a choice of the animal"]):
        ax = pdn.plot.matched_centers(result.assign_coords(feature=feature), "M2", "network")
        ax.figure.canvas.draw()
        ends = [label.get_window_extent() for label in ax.get_xticklabels()]
        assert all(one.x1 < two.x0 for one, two in pairwise(ends))
        assert (ax.get_xticklabels()[0].get_rotation() == 90) == (len(feature[0]) > 1)


def test_another_result_is_refused():
    with pytest.raises(TensorError, match="plot.selectivity_agreement draws agreement and"):
        pdn.plot.selectivity_agreement(np.ones(3))
