from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import sklearn.decomposition
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.analysis.subspace_angles import principal_angles
from popdyn.analysis.subspace_null import flipped_neurons, moved_courses
from popdyn.analysis.subspace_sides import pair_of
from popdyn.analysis.subspace_splits import jackknife_overlap
from popdyn.resample import spawn

TIME = 0.02 * np.arange(20)


def axes(n_neurons, n_components, seed):
    rng = np.random.default_rng(seed)
    return np.linalg.qr(rng.normal(size=(n_neurons, n_components)))[0]


def moving(along, noise=0.0, n_trials=8, seed=0, power=None):
    """Tensor of two conditions that moves along these axes (neuron, component)."""
    rng = np.random.default_rng(seed)
    n_neurons, k = along.shape
    latent = rng.normal(size=(k, 20, 2)) * (3.0 if power is None else power)
    choice = np.tile([0, 1], n_trials)
    values = np.einsum("nk,ktc->ntc", along, latent)[:, :, choice]
    values = values + noise * rng.normal(size=values.shape)
    return pdn.make_tensor(values, TIME, {"choice": choice}, units="1")


def overlap(a, b=None, **kwargs):
    return pdn.subspace_overlap(
        a, b, **{"by": "choice", "n_components": 3, "n_splits": 5, "n_draws": 50, **kwargs}
    )


def test_disjoint_and_equal_subspaces_have_indices_0_and_1_and_chance_is_as_known():
    """B16: 0 and 1; chance d/N = 0.2 for directions alike, 0.5 within the space of both."""
    turn = axes(50, 50, 0)
    first, second = turn[:, :10].T, turn[:, 40:].T
    apart = pdn.subspace_overlap(first, second, n_draws=400)
    assert float(apart.alignment_index) == pytest.approx(0.0, abs=1e-12)
    assert float(apart.null_alignment_index.mean()) == pytest.approx(0.2, abs=0.02)
    assert float(pdn.subspace_overlap(first, first).alignment_index) == pytest.approx(1.0)
    alike = pdn.subspace_overlap(first, second, covariance=np.eye(50), n_draws=400)
    assert float(alike.null_alignment_index.mean()) == pytest.approx(0.2, abs=0.02)
    both = first.T @ first + second.T @ second
    for covariance in (both, "both"):
        matched = pdn.subspace_overlap(first, second, covariance=covariance, n_draws=400)
        assert float(matched.null_alignment_index.mean()) == pytest.approx(0.5, abs=0.02)
    # The same from averages: both fill ten dimensions alike.
    flat = np.linalg.qr(np.random.default_rng(1).normal(size=(20, 11)) @ np.eye(11))[0]
    flat = np.linalg.qr(np.column_stack([np.ones(20), flat]))[0][:, 1:11]
    averages = [
        pdn.condition_average(
            pdn.make_tensor((own.T @ flat.T)[:, :, None], TIME, {"one": [0]}, units="1"), "one"
        )
        for own in (first, second)
    ]
    found = pdn.subspace_overlap(*averages, n_components=10, n_draws=400, covariance="both")
    assert float(found.alignment_index) == pytest.approx(0.0, abs=1e-12)
    assert float(found.null_alignment_index.mean()) == pytest.approx(0.5, abs=0.02)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 4), m=st.integers(1, 4))
def test_principal_angles_are_those_of_scipy(seed, k, m):
    first, second = axes(9, k, seed), axes(9, m, seed + 1)
    theirs = np.sort(scipy.linalg.subspace_angles(first, second))
    np.testing.assert_allclose(principal_angles(first, second), theirs, atol=1e-12)


@pytest.mark.parametrize("angle", [1e-12, 1e-9, 1e-5, 0.3, np.pi / 2 - 1e-9])
def test_small_angles_keep_their_digits(angle):
    first = np.eye(5, 2)
    second = np.zeros((5, 2))
    second[0, 0], second[1, 1], second[2, 1] = 1.0, np.cos(angle), np.sin(angle)
    found = principal_angles(first, second)
    assert found[0] == 0.0
    assert found[1] == pytest.approx(angle, rel=1e-6)


def test_the_index_is_that_of_its_definition():
    a, b = moving(axes(12, 4, 0), seed=1), moving(axes(12, 4, 5), seed=2)
    result = overlap(a, b)
    matrix = [pdn.condition_average(x, "choice")["rate"].values.reshape(12, -1).T for x in (a, b)]
    fitted = [sklearn.decomposition.PCA(svd_solver="full").fit(own) for own in matrix]
    covariance = np.cov(matrix[1].T)
    along = fitted[0].components_[:3]
    expected = np.trace(along @ covariance @ along.T) / fitted[1].explained_variance_[:3].sum()
    assert float(result.alignment_index) == pytest.approx(expected, rel=1e-10)
    other = overlap(b, a)
    assert float(other.alignment_index) == pytest.approx(float(result.alignment_index_reverse))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), factor=st.floats(0.01, 100))
def test_rotation_order_and_units_change_nothing(seed, factor):
    rng = np.random.default_rng(seed)
    a, b = moving(axes(8, 3, 0), 0.5), moving(axes(8, 3, 1), 0.5, seed=3)
    turn = axes(8, 8, seed)
    first = overlap(a, b)
    turned = overlap(
        *(x.copy(data=factor * np.einsum("ij,jtn->itn", turn, x.values)) for x in (a, b))
    )
    order = rng.permutation(8)
    moved = overlap(a.isel(neuron=order), b)
    for name in ("principal_angle", "alignment_index", "cross_validated_index", "within_angle"):
        np.testing.assert_allclose(turned[name], first[name], atol=1e-7)
        np.testing.assert_allclose(moved[name], first[name], atol=1e-7)


def test_noise_lowers_the_overlap_of_averages_but_not_the_cross_validated_one():
    along = axes(30, 3, 0)
    found = [
        overlap(
            moving(along, 6.0, 12, seed, power=4.0), moving(along, 6.0, 12, seed + 100, power=2.5)
        )
        for seed in range(12)
    ]
    assert np.mean([float(one.alignment_index) for one in found]) < 0.85
    index = [float(one.cross_validated_index) for one in found]
    assert np.mean(index) == pytest.approx(1.0, abs=0.06)
    # Two halves of one side lie as far apart as halves of the two sides.
    between = np.mean([one.between_angle.values for one in found], axis=0)
    within = np.mean([one.within_angle.values for one in found], axis=0)
    np.testing.assert_allclose(between, within, atol=0.12)


@pytest.mark.parametrize("cosine", [0.0, 0.6])
def test_a_planted_overlap_is_found_through_noise(cosine):
    """Planes at one angle in every direction share cos^2 of their variance."""
    turn = axes(30, 4, 0)
    first = turn[:, :2]
    second = cosine * first + np.sqrt(1 - cosine**2) * turn[:, 2:]
    index = [
        float(
            overlap(
                moving(first, 4.0, 12, seed), moving(second, 4.0, 12, seed + 50), n_components=2
            ).cross_validated_index
        )
        for seed in range(12)
    ]
    assert np.mean(index) == pytest.approx(cosine**2, abs=0.05)


def test_epochs_are_cut_by_the_centers_of_their_bins():
    x = moving(axes(10, 6, 0), 0.5)
    cut = overlap(x, epochs={"early": (0.0, 0.2), "late": (0.2, 0.4)})
    given_apart = overlap(x.isel(time=slice(0, 10)), x.isel(time=slice(10, 20)))
    np.testing.assert_allclose(cut.principal_angle, given_apart.principal_angle)
    assert cut.attrs["first"] == "early" and cut.attrs["second"] == "late"
    with pytest.raises(pdn.TensorError, match="'late' from 4 to 5 s holds no bin.*0 to 0.38 s"):
        overlap(x, epochs={"early": (0.0, 0.2), "late": (4, 5)})
    with pytest.raises(pdn.TensorError, match="mapping of two names"):
        overlap(x, epochs={"early": (0.0, 0.2)})


def test_areas_with_neurons_of_their_own_are_compared_by_their_courses():
    rng = np.random.default_rng(0)
    choice = np.tile([0, 1], 8)
    latent = rng.normal(size=(3, 20, 2))[:, :, choice]
    area = [
        pdn.make_tensor(
            np.einsum("nk,ktc->ntc", rng.normal(size=(n, 3)), latent)
            + 0.5 * rng.normal(size=(n, 20, 16)),
            TIME, {"choice": choice}, units="1",
        ).assign_coords(neuron=[f"{n}_{i}" for i in range(n)])
        for n in (12, 9)
    ]  # fmt: skip
    with pytest.raises(
        pdn.TensorError, match="12 and 9 neurons, 0 of them in both.*space='sample'"
    ):
        overlap(*area)
    same = overlap(*area, space="sample")
    assert float(same.cross_validated_index) == pytest.approx(1.0, abs=0.05)
    assert float(same.p_higher) < 0.05
    other = area[1].copy(data=rng.normal(size=area[1].shape) + area[1].values[:, :, ::-1][:, ::-1])
    assert float(overlap(area[0], other, space="sample").cross_validated_index) < 0.7
    with pytest.raises(pdn.TensorError, match="a has 20 bins from 0 to 0.38 s, b has 10"):
        overlap(area[0], area[1].isel(time=slice(0, 10)), space="sample")
    with pytest.raises(pdn.TensorError, match="is one over neurons"):
        overlap(*area, space="sample", covariance=np.eye(12))
    both = overlap(*area, space="sample", covariance="both")
    assert float(both.null_alignment_index.mean()) > float(same.null_alignment_index.mean())


def test_a_covariance_may_be_given_as_data():
    a, b = moving(axes(10, 3, 0)), moving(axes(10, 3, 1), seed=1)
    whole = moving(np.eye(10), seed=2, n_trials=20)
    matrix = whole.values.reshape(10, -1)
    from_data = overlap(a, b, covariance=whole)
    by_hand = overlap(a, b, covariance=np.cov(matrix))
    np.testing.assert_allclose(from_data.null_alignment_index, by_hand.null_alignment_index)
    with pytest.raises(pdn.TensorError, match="symmetric covariance of 10 x 10.*found an array"):
        overlap(a, b, covariance=np.eye(4))


def test_both_sides_of_the_null_are_counted():
    result = overlap(moving(axes(12, 4, 0), seed=1), moving(axes(12, 4, 5), seed=2))
    index, null = float(result.alignment_index), result.null_alignment_index.values
    assert float(result.p_higher) == (1 + (null >= index).sum()) / 51
    assert float(result.p_lower) == (1 + (null <= index).sum()) / 51
    least = min(float(result.p_higher), float(result.p_lower))
    assert float(result.p) == min(1.0, 2 * least)


def test_errors_are_those_of_leaving_out_groups_of_trials():
    """The plain jackknife, with the averages of the remaining trials by hand."""
    x = moving(axes(8, 3, 0), 1.0)
    sides = pair_of(x.isel(time=slice(0, 10)), x.isel(time=slice(10, 20)), "choice", "neuron")
    error, n_groups = jackknife_overlap(*sides, 2, "neuron", spawn(0, 2), np.random.default_rng(3))
    deal = np.random.default_rng(3)
    group = np.empty(x.sizes["trial"], dtype=int)
    for choice in (0, 1):
        own = np.flatnonzero(x["choice"].values == choice)
        group[own] = deal.permutation(own.size) % n_groups
    angles = []
    for left_out in range(n_groups):
        kept = pdn.condition_average(x.isel(trial=np.flatnonzero(group != left_out)), "choice")
        halves = [kept.isel(time=slice(0, 10)), kept.isel(time=slice(10, 20))]
        found = overlap(*halves, n_components=2, by=None)
        angles.append(found.principal_angle.values)
    spread = np.square(np.array(angles) - np.mean(angles, axis=0)).sum(axis=0)
    assert n_groups == 8
    np.testing.assert_allclose(error[-2:], np.sqrt((n_groups - 1) / n_groups * spread), rtol=1e-8)


def test_two_subspaces_that_share_no_neuron_have_no_p():
    """Signs of neurons cannot change what is 0 neuron by neuron."""
    with pytest.warns(pdn.PopdynWarning, match="null of the alignment index never changes"):
        apart = pdn.subspace_overlap(np.eye(2, 8), np.eye(4, 8)[2:], n_draws=20)
    assert float(apart.p) == 1.0
    alike = pdn.subspace_overlap(np.eye(2, 8), np.eye(4, 8)[2:], n_draws=99, covariance=np.eye(8))
    assert float(alike.p_lower) == 0.01


def test_signs_of_neurons_keep_how_much_each_takes_part():
    side = axes(9, 2, 0)
    flipped = flipped_neurons(side, np.random.default_rng(0))
    np.testing.assert_allclose(np.abs(flipped), np.abs(side))
    ratio = flipped / side
    np.testing.assert_allclose(ratio[:, 0], ratio[:, 1])
    assert set(np.sign(ratio[:, 0])) == {-1.0, 1.0}


@pytest.mark.parametrize("whole", [True, False])
def test_moved_courses_are_as_smooth_as_they_were(whole):
    complete = np.ones((20, 3), dtype=bool)
    if not whole:
        complete[15:, 1] = False
    time = np.broadcast_to(np.arange(20)[:, None], complete.shape)
    courses = np.stack([np.cos(time / 4 + i) + np.arange(3) * i for i in (0, 1)], axis=-1)
    features = courses.transpose(1, 0, 2)[complete.T]
    side = np.linalg.qr(features - features.mean(axis=0))[0]
    last = complete.sum(axis=0).cumsum()[:-1]
    within = np.delete(np.arange(len(side) - 1), last - 1)
    for seed in range(5):
        moved = moved_courses(side, complete, np.random.default_rng(seed))
        np.testing.assert_allclose(moved.T @ moved, np.eye(2), atol=1e-12)
        assert np.abs(np.diff(moved, axis=0)[within]).max() < 0.15
    unsorted = np.random.default_rng(0).permutation(side)
    assert np.abs(np.diff(unsorted, axis=0)[within]).max() > 0.3


def test_few_trials_leave_out_what_needs_quarters():
    a, b = moving(axes(8, 3, 0), 0.5, 3), moving(axes(8, 3, 1), 0.5, 3)
    with pytest.warns(pdn.PopdynWarning, match="needs quarters of the trials"):
        result = overlap(a, b)
    assert np.isnan(result.cross_validated_index) and np.isfinite(result.alignment_index)


def test_a_neuron_without_data_is_left_out_by_name():
    a, b = moving(axes(8, 3, 0), 0.5), moving(axes(8, 3, 1), 0.5)
    values = b.values.copy()
    values[5] = np.nan
    with pytest.warns(pdn.PopdynWarning, match="1 of 8 neurons are NaN throughout, left out: 5"):
        result = overlap(a, b.copy(data=values))
    keep = [0, 1, 2, 3, 4, 6, 7]
    expected = overlap(a.isel(neuron=keep), b.isel(neuron=keep))
    np.testing.assert_allclose(result.alignment_index, expected.alignment_index)
    with pytest.raises(pdn.FitError, match="NaN throughout in one of the two"):
        overlap(a, b * np.nan)


def test_a_condition_without_trials_of_a_neuron_is_named_with_what_to_do():
    x = moving(axes(8, 3, 0), 0.5)
    values = x.values.copy()
    values[4][:, x["choice"].values == 1] = np.nan
    halves = {"first": (0.0, 0.2), "second": (0.2, 1.0)}
    words = "1 of 2 conditions take no part.*: 1. To keep .* with select\\(neurons=...\\): 4$"
    with pytest.warns(pdn.PopdynWarning, match=words) as heard:
        overlap(x.copy(data=values), epochs=halves)
    assert sum("take no part" in str(one.message) for one in heard) == 1
    other = moving(axes(6, 3, 1), 0.5).assign_coords(neuron=list("abcdef"))
    with pytest.warns(pdn.PopdynWarning, match="some neurons of a have no trial there: 1."):
        overlap(x.copy(data=values), other, space="sample")


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"n_components": 0}, pdn.TensorError, "at least 1, found 0"),
        ({"n_components": 9}, pdn.FitError, "found 8 neurons and 40 samples"),
        ({"n_draws": 0}, pdn.TensorError, "n_splits and n_draws >= 1"),
        ({"covariance": "pooled"}, pdn.TensorError, "expected covariance='both'.*found 'pooled'"),
        ({"space": "time"}, pdn.TensorError, "one of 'neuron', 'sample'; found 'time'"),
        ({"b": None}, pdn.TensorError, "found neither"),
        ({"epochs": {"a": (0, 1), "b": (0, 1)}}, pdn.TensorError, "found both"),
        ({"b": np.eye(3, 8)}, pdn.TensorError, "loadings on both sides"),
        ({"by": None}, pdn.TensorError, "expected by="),
    ],
)
def test_bad_requests_are_refused_in_plain_words(change, error, words):
    arguments = {"b": moving(axes(8, 3, 1)), **change}
    with pytest.raises(error, match=words):
        overlap(moving(axes(8, 3, 0)), **arguments)


def test_bad_data_are_refused_in_plain_words():
    a = moving(axes(8, 3, 0))
    average = pdn.condition_average(a, "choice")
    with pytest.raises(pdn.TensorError, match="by= is for tensors"):
        overlap(average, average)
    with pytest.raises(pdn.FitError, match="no neuron varies"):
        overlap(a, a * 0.0)
    with pytest.raises(pdn.TensorError, match="loadings hold NaN"):
        pdn.subspace_overlap(np.full((2, 4), np.nan), np.eye(2, 4))
    with pytest.raises(pdn.FitError, match="have no direction"):
        pdn.subspace_overlap(np.zeros((2, 4)), np.eye(2, 4))
    with pytest.raises(pdn.TensorError, match="loadings on the same neurons"):
        pdn.subspace_overlap(np.eye(2, 5), np.eye(2, 4))


def test_the_same_seed_gives_the_same_result_and_the_input_stays():
    a, b = moving(axes(8, 3, 0), 0.5), moving(axes(8, 3, 1), 0.5)
    before = a.copy(deep=True)
    assert overlap(a, b).identical(overlap(a, b))
    assert a.identical(before)
