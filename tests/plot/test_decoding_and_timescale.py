import numpy as np
import pytest

import popdyn as pdn
from tests.analysis.test_timescales import process


def tensor(n_trials=40, n_bins=12):
    rng = np.random.default_rng(0)
    choice = np.arange(n_trials) % 2
    values = rng.normal(size=(4, n_bins, n_trials)).cumsum(axis=1) * 0.3
    values[:, 6:] += 2.0 * choice
    time = 0.05 * (np.arange(n_bins) - 4) + 0.025
    return pdn.make_tensor(values, time, {"choice": choice, "$dose_": choice * 2.5}, units="1")


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_a_decoded_number_is_drawn_with_its_null_and_its_clusters():
    result = pdn.decode_quantity(tensor(), "$dose_", n_draws=40)
    ax = pdn.show(result)
    line = ax.lines[0]
    np.testing.assert_array_equal(line.get_ydata(), result["r2"])
    np.testing.assert_allclose(line.get_xdata(), result["time"])
    assert ax.get_xlabel() == "time (s)"
    assert ax.get_ylabel() == "cross-validated R2 (dimensionless)"
    assert "p < 0.05 (clusters)" in labels(ax)
    assert r"\$dose_" in labels(ax)
    ax.figure.savefig("/dev/null", format="png")


def test_decoders_across_time_are_drawn_with_colors_that_meet_at_chance():
    result = pdn.temporal_generalization(tensor(), "choice", n_draws=40)
    ax = pdn.show(result)
    (mesh,) = ax.collections
    np.testing.assert_array_equal(mesh.get_array(), result["accuracy"])
    assert sum(mesh.get_clim()) / 2 == pytest.approx(0.5)
    assert ax.get_ylabel() == "training time (s)"
    assert ax.get_xlabel() == "test time (s)"
    assert ax.get_title() == "choice"
    # One line is the diagonal, two are the event, the others enclose what is significant.
    inside = np.pad(result["cluster_p"].values < 0.05, 1)
    border = (inside[:, 1:] != inside[:, :-1]).sum() + (inside[1:] != inside[:-1]).sum()
    assert inside.any()
    assert len(ax.lines) == 3 + border
    fixed = pdn.plot.temporal_generalization(result, limit=0.3)
    assert fixed.collections[0].get_clim() == (0.2, 0.8)


def test_a_timescale_is_drawn_beside_the_direct_fit():
    result = pdn.timescale(
        pdn.make_tensor(process(0.1, (3, 100)), 0.02 * np.arange(50), units="1"), n_draws=20
    )
    ax = pdn.show(result)
    measured, expected, truth, direct = ax.lines[:4]
    np.testing.assert_array_equal(measured.get_ydata(), result["population_autocorrelation"])
    np.testing.assert_array_equal(expected.get_ydata(), result["population_fitted_autocorrelation"])
    found = float(result["population_timescale"])
    np.testing.assert_allclose(truth.get_ydata(), np.exp(-truth.get_xdata() / found))
    assert direct.get_ydata()[-1] < truth.get_ydata()[-1]
    assert ax.get_xlabel() == "lag (s)"
    assert ax.get_title() == "population"
    assert pdn.plot.timescale(result, neuron=2).get_title() == "neuron 2"


def test_a_neuron_without_a_timescale_says_why_in_the_title():
    silent = tensor(20, 12)
    silent[1] = 1.0
    ax = pdn.plot.timescale(pdn.timescale(silent, by="choice", n_draws=5), neuron=1)
    assert ax.get_title() == "neuron 1: constant or not observed"


@pytest.mark.parametrize("name", ["decode_quantity", "temporal_generalization", "timescale"])
def test_other_results_are_refused_in_words(name):
    other = pdn.condition_average(tensor(), "choice")
    with pytest.raises(pdn.TensorError, match=rf"plot\.{name} draws .* 'condition_average'"):
        getattr(pdn.plot, name)(other)
