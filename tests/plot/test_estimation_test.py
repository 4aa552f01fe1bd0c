"""Pictures of the test between stimulus and estimate."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn

STIMULUS = 0.5 + 0.05 * np.arange(11)
ESTIMATE = 0.75 + 0.2 * np.tanh(4.0 * (STIMULUS - 0.75))


def result(draws=True, seed=0):
    noise = 0.004 * np.random.default_rng(seed).standard_normal((201, 11))
    given = {"draws": ESTIMATE + noise} if draws else {"covariance": 16e-6 * np.eye(11)}
    stimulus = xr.DataArray(STIMULUS, dims="condition", attrs={"units": "s"})
    distance = xr.Dataset(
        {"mean_distance": ("condition", ESTIMATE + noise[0])},
        coords={"stimulus": stimulus, "condition": [f"{value:g}" for value in STIMULUS]},
    )
    return pdn.estimation_test(distance, estimate=ESTIMATE, n_draws=300, **given)


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_errors_of_intervals_are_written_in_ms():
    own = result()
    ax = pdn.show(own)
    assert ax.get_xlabel() == "stimulus (s)"
    assert f"true: RMSE {1000 * own.rmse_true.item():.3g} ms" in labels(ax)
    assert ax.get_title() == f"verdict: {own.attrs['verdict']}"
    lines = {line.get_label().split(":")[0]: line for line in ax.lines}
    slope = np.polyfit(STIMULUS, own.mean_distance, 1)
    np.testing.assert_allclose(lines["true"].get_ydata(), np.polyval(slope, STIMULUS))


def test_every_draw_is_in_the_histogram_of_errors():
    own = result()
    ax = pdn.plot.estimation_test(own, of="errors")
    assert ax.get_xlabel() == "raw RMSE (ms)"
    assert sum(patch.get_height() for patch in ax.patches) == 2 * own.sizes["resample"]
    assert not pdn.plot.estimation_test(result(draws=False), of="errors").patches


def test_p_values_are_beside_the_data_sets_they_come_from():
    own = result()
    ax = pdn.plot.estimation_test(own, of="null")
    assert f"if true (p = {own.p_true.item():.2g})" in labels(ax)


def test_codes_are_bars_from_top_to_bottom():
    own = result()
    ax = pdn.plot.estimation_test(own, of="codes")
    assert [text.get_text() for text in ax.get_yticklabels()] == own.alternative.values.tolist()
    widths = [patch.get_width() for patch in ax.patches]
    np.testing.assert_allclose(widths, 1000 * own.alternative_error)


def test_a_shift_takes_two_sets_and_other_parts_do_not_exist():
    with pytest.raises(pdn.TensorError, match="one stimulus set"):
        pdn.plot.estimation_test(result(), of="shift")
    with pytest.raises(pdn.TensorError, match="of must be one of 'distance', 'errors'"):
        pdn.plot.estimation_test(result(), of="power")
    with pytest.raises(pdn.TensorError, match="plot.estimation_test draws rmse_true"):
        pdn.plot.estimation_test(xr.Dataset())


def test_two_sets_have_two_markers_and_a_shift():
    second, moved = STIMULUS + 0.25, ESTIMATE + 0.2
    own = pdn.estimation_test(
        np.concatenate([ESTIMATE, moved]), np.concatenate([STIMULUS, second]),
        np.concatenate([ESTIMATE, moved]), covariance=1e-6 * np.eye(22),
        sets=np.repeat(["short", "long"], 11),
    )  # fmt: skip
    assert {"distance, short", "distance, long"} <= set(labels(pdn.show(own)))
    ax = pdn.plot.estimation_test(own, of="shift")
    np.testing.assert_allclose(ax.lines[-1].get_ydata(), own.set_shift)
    assert ax.get_xlabel() == "shared stimulus"


def test_an_error_of_unknown_unit_is_said_to_be_in_units_of_the_stimulus():
    own = pdn.estimation_test(ESTIMATE, STIMULUS, ESTIMATE, covariance=1e-6 * np.eye(11))
    for part, quantity in (("errors", "raw RMSE"), ("codes", "cross-validated error")):
        ax = pdn.plot.estimation_test(own, of=part)
        assert ax.get_xlabel() == f"{quantity} (units of the stimulus)"


def test_decoded_stimuli_stand_between_truth_and_estimate_with_both_errors():
    noise = 0.004 * np.random.default_rng(1).standard_normal((201, 11))
    own = pdn.decode_then_compare(
        (2.0 * STIMULUS, STIMULUS), 2.0 * ESTIMATE, STIMULUS, ESTIMATE, draws=2.0 * ESTIMATE + noise
    )
    ax = pdn.show(own)
    drawn = {line.get_label().split(":")[0]: line for line in ax.lines}
    np.testing.assert_allclose(drawn["decoded"].get_ydata(), own.decoded)
    np.testing.assert_allclose(drawn["true"].get_xdata(), drawn["true"].get_ydata())
    np.testing.assert_allclose(drawn["estimate"].get_ydata(), ESTIMATE)
    assert f"true: RMSE {own.rmse_true.item():.3g}" in labels(ax)
    bounds = np.array([path.vertices[:, 1] for path in ax.collections[0].get_paths()]).T
    np.testing.assert_allclose(bounds, own.decoded_bound)


def test_every_network_is_a_point_and_the_control_stands_beside():
    found = {str(seed): result(seed=seed) for seed in range(6)}
    pooled = pdn.pool_estimation_tests(found, found)
    ax = pdn.show(pooled)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["sources", "control"]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), pooled.error_difference[1])
    assert ax.get_title().startswith("Wilcoxon p = ")
