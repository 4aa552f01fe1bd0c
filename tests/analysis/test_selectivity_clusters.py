"""Mixtures find groups and their number, heavy tails are none, and Bingham's test is Bingham's."""

import numpy as np
import pytest
import xarray as xr
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

import popdyn as pdn
from popdyn.analysis import selectivity_clusters, selectivity_null
from popdyn.analysis.selectivity_angles import robustly_whitened
from popdyn.analysis.selectivity_clusters import (
    gaussian_lengths,
    log_ratio,
    number_of_groups,
    tamed_lengths,
)
from popdyn.errors import PopdynWarning, TensorError
from tests.analysis.test_selectivity import PUBLISHED, heavy_tails


def three_groups(rng, n_neurons=100):
    """Groups of 40, 30 and 30 % of the neurons, 120 degrees apart."""
    group = rng.permutation(np.repeat([0, 0, 0, 0, 1, 1, 1, 2, 2, 2], n_neurons // 10))
    angle = 2.0 * np.pi * group / 3.0
    center = 3.0 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return center + 0.7 * rng.normal(size=(len(group), 2)), group


def test_groups_are_found_with_their_number_and_their_neurons():
    values, group = three_groups(np.random.default_rng(0))
    values = xr.DataArray(
        values, dims=("neuron", "regressor"), coords={"regressor": ["stimulus", "choice"]}
    )
    result = pdn.selectivity_test(values, "cluster", n_draws=19)
    assert float(result["p"]) == pytest.approx(1 / 20)
    assert int(result["n_clusters"]) == 3
    assert result["held_out_gain"].sel(number=1) == 0.0
    behind = result["held_out_gain"].max() - result["held_out_gain"]
    assert (behind <= result["held_out_error"]).sel(number=[1, 2, 3]).values.tolist() == [
        False, False, True,
    ]  # fmt: skip
    assert str(result["covariance_shape"].values) in ("shared", "spherical")
    assert adjusted_rand_score(group, result["label"]) > 0.8
    np.testing.assert_allclose(result["probability"].sum("cluster"), 1.0)
    np.testing.assert_allclose(result["share"], [0.4, 0.3, 0.3], atol=0.05)
    assert result["center"].sel(cluster="1", feature="stimulus") == pytest.approx(3.0, abs=0.3)
    assert result["stability"] > 0.8 > result["null_stability"].mean() + 0.1


def test_one_cloud_with_heavy_tails_is_one_group():
    cloud = heavy_tails(np.random.default_rng(2), 100, 2)
    result = pdn.selectivity_test(cloud, "cluster", n_draws=19)
    assert int(result["n_clusters"]) == 1
    assert float(result["p"]) > 0.05
    assert np.isnan(result["stability"])
    assert set(result["label"].values) == {"1"}


def test_lengths_are_those_of_a_gaussian_cloud_in_their_order():
    vectors = heavy_tails(np.random.default_rng(0), 500, 3)
    changed = gaussian_lengths(vectors)
    before, after = (np.linalg.norm(x, axis=1) for x in (vectors, changed))
    np.testing.assert_array_equal(before.argsort(), after.argsort())
    np.testing.assert_allclose(changed / after[:, None], vectors / before[:, None])
    expected = np.linalg.norm(np.random.default_rng(1).normal(size=(200_000, 3)), axis=1)
    np.testing.assert_allclose(
        np.quantile(after, [0.1, 0.5, 0.9]), np.quantile(expected, [0.1, 0.5, 0.9]), rtol=0.01
    )


def test_heavy_tails_get_gaussian_lengths_and_others_keep_their_own():
    rng = np.random.default_rng(0)
    heavy = heavy_tails(rng, 500, 3)
    np.testing.assert_allclose(tamed_lengths(heavy), gaussian_lengths(heavy), rtol=0.2)
    ring = rng.normal(size=(500, 3))
    ring *= (1.0 + 0.1 * rng.random((500, 1))) / np.linalg.norm(ring, axis=1, keepdims=True)
    changed = tamed_lengths(ring) / ring
    np.testing.assert_allclose(changed, changed[0, 0])


def test_six_groups_of_few_neurons_are_six():
    rng = np.random.default_rng(1)
    center = np.concatenate([np.eye(4), -np.eye(4)[:2]])
    values = np.repeat(2.0 * center, 25, axis=0) + 0.25 * rng.normal(size=(150, 4))
    found = number_of_groups(tamed_lengths(values), 8, rng)
    assert found.n_groups == 6
    assert found.shape != "full"


def test_groups_about_one_center_have_shapes_of_their_own():
    for seed in range(4):
        rng = np.random.default_rng(seed)
        values = rng.normal(size=(300, 2))
        values[:150, 0] *= 20**0.5
        values[150:, 1] *= 20**0.5
        cloud = tamed_lengths(values)
        assert log_ratio(cloud, 2, rng) > 0.15
        assert number_of_groups(cloud, 3, rng).shape == "full"


def test_a_null_of_groups_is_kept_but_for_errors(monkeypatch):
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 40, 2))
    selectivity_null._kept.clear()
    one = pdn.selectivity_test(first, "cluster", n_draws=5, rng=3)
    one["null_statistic"][:] = np.nan
    monkeypatch.setattr(selectivity_clusters, "draw_rows", None)
    other = pdn.selectivity_test(second, "cluster", n_draws=5, rng=3)
    assert np.isfinite(other["null_statistic"]).all()
    with pytest.raises(TypeError):
        pdn.selectivity_test(second, "cluster", n_draws=5, rng=4)
    with pytest.raises(TypeError):
        pdn.selectivity_test(second, "cluster", n_draws=5, rng=3, standard_error=0.1 + abs(second))


def test_errors_are_carried_and_workers_make_no_difference():
    values = heavy_tails(np.random.default_rng(1), 40, 2)
    error = 0.5 * np.ones_like(values)
    one, two = (
        pdn.selectivity_test(values, "cluster", standard_error=error, n_draws=6, n_jobs=n)
        for n in (1, 2)
    )
    xr.testing.assert_identical(one, two)
    groups = three_groups(np.random.default_rng(0))[0]
    found = []
    for n_jobs in (1, 2):
        selectivity_null._kept.clear()
        found.append(pdn.selectivity_test(groups, "cluster", n_draws=6, n_jobs=n_jobs))
    xr.testing.assert_identical(*found)
    assert '"standard_error": true' in one.attrs["parameters"]


def test_neurons_that_take_no_part_have_no_group(tmp_path):
    values = heavy_tails(np.random.default_rng(1), 40, 2)
    values[5] = np.nan
    with pytest.warns(PopdynWarning, match="1 of 40 neurons are NaN or infinite"):
        result = pdn.selectivity_test(values, "cluster", n_draws=3)
    assert result["label"].values[5] == ""
    assert np.isnan(result["probability"][:, 5]).all()
    pdn.save(result, tmp_path / "clusters.nc")
    xr.testing.assert_identical(pdn.load(tmp_path / "clusters.nc"), result)


def test_mixtures_need_neurons():
    values = np.random.default_rng(0).normal(size=(30, 7))
    with pytest.raises(TensorError, match="7 dimensions need at least 32 neurons, found 30"):
        pdn.selectivity_test(values, "cluster")
    with pytest.raises(TensorError, match="n_neighbors is for epairs and pairs; cluster has none"):
        pdn.selectivity_test(values, "cluster", n_neighbors=3)


def test_bingham_equals_the_published_code():
    """`bingham` of adrian-valente/populations_paper_code, on the same vectors."""
    vectors = np.loadtxt(PUBLISHED, delimiter=",")
    result = pdn.selectivity_test(vectors, "bingham", "dubreuil2022")
    assert float(result["statistic"]) == pytest.approx(72.78209831103602, rel=1e-12)
    assert float(result["p"]) == pytest.approx(2.6989753376866134e-14, rel=1e-9)
    assert float(result["axis_share"].sum()) == pytest.approx(1.0)


def test_bingham_by_draws_is_that_of_the_limit_for_many_neurons():
    vectors = np.random.default_rng(8).normal(size=(400, 3))
    by_draws = pdn.selectivity_test(vectors, "bingham")
    limit = pdn.selectivity_test(vectors, "bingham", "dubreuil2022")
    assert float(by_draws["p"]) == pytest.approx(float(limit["p"]), abs=0.05)
    longer = vectors * [2.0, 1.0, 1.0]
    assert float(pdn.selectivity_test(longer, "bingham")["p"]) == pytest.approx(1 / 1001)
    with pytest.raises(TensorError, match="the null of bingham 'default' carries no errors"):
        pdn.selectivity_test(longer, "bingham", standard_error=abs(longer))


@pytest.mark.parametrize("kind", ["groups", "one cloud"])
def test_order_and_axes_of_neurons_make_no_difference_to_groups(kind):
    rng = np.random.default_rng(4)
    values = rng.normal(size=(60, 2))
    if kind == "groups":
        values = values * 0.4 + np.repeat(np.eye(3)[:, :2] * 3.0, [26, 20, 14], axis=0)
    order = rng.permutation(60)
    turn = np.linalg.qr(rng.normal(size=(2, 2)))[0]
    first, again, turned = (
        pdn.selectivity_test(x, "cluster", n_draws=19)
        for x in (values, values[order], values @ turn)
    )
    for name in ("statistic", "stability", "share"):
        np.testing.assert_allclose(first[name], again[name], rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(first["label"].to_numpy()[order], again["label"])
    # Rounding may lead a start elsewhere: it makes no difference to the best of them.
    assert float(turned["statistic"]) == pytest.approx(float(first["statistic"]), rel=1e-6)
    assert float(turned["p"]) == float(again["p"]) == float(first["p"])


def test_nulls_are_kept_by_all_that_they_depend_on():
    rng = np.random.default_rng(2)
    centers = np.array([[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]])
    three = np.repeat(centers, 20, axis=0) + 0.3 * rng.normal(size=(60, 3))
    clouds = [rng.normal(size=(60, 3)), three, three[:, :2] + 0.1, three[:50], three[:, :2] * 0.3]

    def tested():
        return [pdn.selectivity_test(cloud, "cluster", n_draws=9) for cloud in clouds]

    together, alone = tested(), []
    for cloud in clouds:
        selectivity_null._kept.clear()
        alone.append(pdn.selectivity_test(cloud, "cluster", n_draws=9))
    for one, other in zip(together, alone, strict=True):
        xr.testing.assert_identical(one, other)
    assert len({float(one["null_statistic"].mean()) for one in alone}) >= 3


def test_the_number_is_the_smallest_within_one_error_of_the_best():
    fewer = []
    for rng in np.random.default_rng(3).spawn(8):
        cloud = np.repeat(rng.normal(size=(4, 2)), 15, axis=0) + 0.4 * rng.normal(size=(60, 2))
        found = number_of_groups(tamed_lengths(robustly_whitened(cloud)), 6, rng)
        good = found.gain >= found.gain.max() - found.error
        assert found.n_groups == int(good.argmax()) + 1
        fewer.append(int(found.gain.argmax()) + 1 - found.n_groups)
    assert max(fewer) > 0


def test_four_groups_are_tested_against_one():
    rng = np.random.default_rng(6)
    corners = np.array([[3.0, 3.0], [3.0, -3.0], [-3.0, 3.0], [-3.0, -3.0]])
    values = np.repeat(corners, 30, axis=0) + 0.3 * rng.normal(size=(120, 2))
    result = pdn.selectivity_test(values, "cluster", n_draws=9)
    assert result.attrs["n_tested"] == 4
    cloud = gaussian_lengths(robustly_whitened(values))
    two, one = (
        GaussianMixture(n, n_init=5, random_state=0).fit(cloud).score(cloud) for n in (2, 1)
    )
    assert float(result["statistic"]) > 1.2 * (two - one)


def test_errors_of_few_trials_are_in_the_null():
    rng = np.random.default_rng(2)
    error = np.where(rng.integers(0, 2, size=(120, 1)), 1.0, 0.1) * np.ones((120, 4))
    true = rng.normal(size=(120, 4)) * [1.0, 1.0, 0.1, 0.1]
    values = true + error * rng.normal(size=(120, 4))
    without = pdn.selectivity_test(values, "cluster", n_draws=99)
    carried = pdn.selectivity_test(values, "cluster", standard_error=error, n_draws=99)
    assert float(without["p"]) <= 0.02
    assert float(carried["p"]) > 0.1


def test_vectors_of_equal_lengths_are_said():
    values = np.random.default_rng(0).normal(size=(60, 3))
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    with pytest.warns(PopdynWarning, match="the same length: they lie on a sphere"):
        pdn.selectivity_test(values, "cluster", n_draws=1)
