"""PAIRS and ePAIRS equal the published codes, have their level, and do not depend on axes."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import multivariate_t, norm

import popdyn as pdn
from popdyn.analysis import selectivity_null
from popdyn.analysis.selectivity_angles import neighbor_angles, robustly_whitened
from popdyn.analysis.selectivity_errors import true_covariance
from popdyn.errors import FitError, PopdynWarning, TensorError
from tests.oracles.selectivity import all_pairs_angles, most_likely_covariance

PUBLISHED = Path(__file__).parent / "reference" / "selectivity_published.csv"
# Method, variant, neighbors: first angle, median angle; median of the null, index (or effect size),
# p of the published code.
NUMBERS = {
    ("pairs", "raposo2014", 3): (0.170926217973889, 0.192190466411196, "index", 0.416679, 0.0),
    ("pairs", "raposo2014", 19): (0.402428138734224, 0.481742453991448, "index", 0.390331, 0.0),
    ("pairs", "hocker2021", 3): (0.261747096158153, 0.291039217011009, "index", -0.0417, None),
    ("epairs", "hirokawa2019", 1): (None, 0.13702361544335, "index", 0.010529, 0.887345),
    ("epairs", "hirokawa2019", 3): (None, 0.18317268310379, "index", 0.056202, 0.346535),
    ("epairs", "dubreuil2022", 3): (
        0.27051983440494337, 0.36777280891049824, "effect_size", -0.22126, 0.458759,
    ),
    ("epairs", "dubreuil2022_full", 3): (
        0.175162321403812, 0.18584146045837713, "effect_size", 0.22412, 0.273148,
    ),
    ("epairs", "dubreuil2022_diagonal", 3): (
        0.175162321403812, 0.18584146045837713, "effect_size", 0.75047, 4.1379e-07,
    ),
}  # fmt: skip


def clusters(rng, n_neurons=150, n_features=4, n_groups=6, scatter=0.5):
    """Neurons in groups of a direction each."""
    centers = rng.normal(size=(n_groups, n_features))
    centers *= np.sqrt(n_features) / np.linalg.norm(centers, axis=1, keepdims=True)
    chosen = centers[rng.integers(0, n_groups, n_neurons)]
    return chosen + scatter * rng.normal(size=chosen.shape)


def heavy_tails(rng, n_neurons, n_features):
    """An elliptical cloud without groups (Student's t with three degrees of freedom)."""
    length = np.sqrt(rng.chisquare(3, size=(n_neurons, 1)) / 3)
    return rng.normal(size=(n_neurons, n_features)) * np.logspace(0, 1, n_features) / length


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_neighbors_are_those_among_all_pairs(seed, n_features, n_neighbors):
    vectors = np.random.default_rng(seed).normal(size=(20, n_features))
    vectors[3] = 2.0 * vectors[7]
    found = neighbor_angles(vectors, n_neighbors)
    np.testing.assert_allclose(found, all_pairs_angles(vectors, n_neighbors), atol=2e-8)
    assert found[3, 0] == pytest.approx(0.0, abs=1e-15)


def test_small_angles_keep_their_digits():
    angle = np.array([0.0, 1e-9, 3.0])
    vectors = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    assert neighbor_angles(vectors, 1)[0, 0] == pytest.approx(1e-9, rel=1e-6)


@pytest.mark.parametrize("n_features", [2, 3])
def test_the_isotropic_null_is_that_of_the_formula(n_features):
    """On a circle P(angle > t) = (1 - t / pi)^(n - 1), on a sphere ((1 + cos t) / 2)^(n - 1)."""
    n = 40
    result = pdn.selectivity_test(
        np.random.default_rng(1).normal(size=(n, n_features)), "pairs", n_neighbors=1, n_draws=2000
    )
    left = 1.0 - np.array([0.25, 0.5, 0.9])
    root = left ** (1.0 / (n - 1))
    expected = np.pi * (1.0 - root) if n_features == 2 else np.arccos(2.0 * root - 1.0)
    found = result["null_angle"].sel(quantile=1.0 - left, method="nearest")
    np.testing.assert_allclose(found, expected, rtol=0.02)


@pytest.mark.parametrize(
    ("method", "variant", "k"), list(NUMBERS), ids=[f"{v} {k}" for _, v, k in NUMBERS]
)
def test_published_codes_give_the_same(method, variant, k):
    vectors = np.loadtxt(PUBLISHED, delimiter=",")
    first, median, name, value, p = NUMBERS[method, variant, k]
    result = pdn.selectivity_test(vectors, method, variant, n_neighbors=k, rng=3)
    assert float(result["median_angle"]) == pytest.approx(median, rel=1e-7)
    if first is not None:
        assert float(result["angle"][0]) == pytest.approx(first, rel=1e-7)
    assert float(result[name]) == pytest.approx(value, abs=0.03)
    if p is not None:
        assert float(result["p"]) == pytest.approx(p, abs=0.08)


def test_raposo_takes_the_neighbors_that_are_45_degrees_away_by_chance():
    vectors = np.loadtxt(PUBLISHED, delimiter=",")
    chosen = pdn.selectivity_test(vectors, "pairs", "raposo2014", n_draws=200)
    assert abs(chosen.attrs["n_neighbors"] - 19) <= 1
    assert float(chosen["null_median_angle"].mean()) == pytest.approx(np.pi / 4, abs=0.03)


def test_directions_of_a_cloud_made_round_are_alike_along_all_axes():
    vectors = heavy_tails(np.random.default_rng(0), 200, 3) + 5.0
    white = robustly_whitened(vectors)
    directions = white / np.linalg.norm(white, axis=1, keepdims=True)
    np.testing.assert_allclose(3.0 * directions.T @ directions / 200, np.eye(3), atol=1e-6)


def test_the_center_of_a_cloud_made_round_is_that_of_student_s_t():
    """Of maximum likelihood: no other center, with any scatter, is more likely."""
    vectors = heavy_tails(np.random.default_rng(0), 200, 2) + 5.0
    found = minimize(
        lambda x: -multivariate_t(x[:2], [[x[2] ** 2, x[2] * x[3]], [x[2] * x[3], x[3] ** 2 + x[4] ** 2]],
                                  df=3).logpdf(vectors).sum(),
        [5.0, 5.0, 1.0, 0.0, 1.0], method="Nelder-Mead", options={"xatol": 1e-7, "maxiter": 4000},
    )  # fmt: skip
    white = robustly_whitened(vectors)
    back = np.linalg.lstsq(np.column_stack([white, np.ones(200)]), vectors, rcond=None)[0]
    np.testing.assert_allclose(back[2], found.x[:2], atol=1e-4)


def test_lengths_make_no_difference_to_a_cloud_about_its_center():
    """Tyler's scatter is of directions: a cloud and its mirror image, lengths exchanged in pairs."""
    rng = np.random.default_rng(1)
    half = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4))
    longer = half * rng.uniform(0.1, 10.0, size=(60, 1))
    white, again = (robustly_whitened(np.concatenate([x, -x])) for x in (half, longer))
    angles = [neighbor_angles(cloud, 3) for cloud in (white, again)]
    np.testing.assert_allclose(*angles, atol=1e-5)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_units_axes_and_order_make_no_difference(seed):
    rng = np.random.default_rng(seed)
    vectors = clusters(rng, 60)
    turn = rng.normal(size=(4, 4)) + 3.0 * np.eye(4)
    order = rng.permutation(60)
    first = pdn.selectivity_test(vectors, n_draws=19)
    other = pdn.selectivity_test((vectors @ turn + rng.normal(size=4))[order], n_draws=19)
    np.testing.assert_allclose(first["angle"][order], other["angle"], atol=1e-5)
    assert float(first["p"]) == float(other["p"])


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_turning_all_vectors_leaves_pairs_as_it_is(seed):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(40, 3))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    first, other = (pdn.selectivity_test(x, "pairs", n_draws=19) for x in (vectors, vectors @ turn))
    np.testing.assert_allclose(first["angle"], other["angle"], atol=1e-10)


def test_clusters_are_found_and_random_vectors_are_not():
    """B26: all of the data sets with groups, about one in 20 of those without."""
    groups = np.random.default_rng(5).spawn(10)
    found = [pdn.selectivity_test(clusters(rng), n_draws=199) for rng in groups]
    assert all(float(one["p"]) <= 0.05 for one in found)
    assert all(one["direction"] == "clustered" for one in found)
    assert np.mean([one["index"] for one in found]) == pytest.approx(0.22, abs=0.06)
    generators = np.random.default_rng(6).spawn(100)
    level = np.mean(
        [
            pdn.selectivity_test(heavy_tails(rng, 60, 4), n_draws=199)["p"] <= 0.05
            for rng in generators
        ]
    )
    assert level <= 0.12


def test_heavy_tails_mislead_the_covariance():
    generators = np.random.default_rng(6).spawn(100)
    p = [
        pdn.selectivity_test(heavy_tails(rng, 60, 6), variant="covariance", n_draws=199)["p"]
        for rng in generators
    ]
    assert np.mean(np.array(p) <= 0.05) > 0.2


def test_vectors_in_even_spread_are_said_to_be_spread_out():
    angle = np.linspace(0.0, 2.0 * np.pi, 40, endpoint=False)
    result = pdn.selectivity_test(np.stack([np.cos(angle), np.sin(angle)], axis=1), n_draws=199)
    assert result["direction"] == "over-dispersed"
    assert float(result["p_dispersed"]) < 0.05 < float(result["p_clustered"])
    assert float(result["index"]) < 0.0


@pytest.mark.parametrize("scatter", [0.8, 100.0])
def test_p_counts_the_draws(scatter):
    vectors = clusters(np.random.default_rng(3), 50, 3, scatter=scatter)
    result = pdn.selectivity_test(vectors, n_draws=99, rng=4)
    median, null = float(result["median_angle"]), result["null_median_angle"].to_numpy()
    smaller, larger = (null <= median).sum() + 1, (null >= median).sum() + 1
    assert (smaller < larger) == (scatter < 1.0)
    assert float(result["p_clustered"]) == pytest.approx(smaller / 100)
    assert float(result["p_dispersed"]) == pytest.approx(larger / 100)
    assert float(result["p"]) == pytest.approx(min(1.0, 2 * min(smaller, larger) / 100))
    assert float(result["z"]) == pytest.approx((null.mean() - median) / null.std(ddof=1))
    assert float(result["index"]) == pytest.approx(1.0 - median / null.mean())


def noisy(rng, n_neurons=150):
    """Random vectors, of half of the neurons seen with large errors in all features alike."""
    few = rng.integers(0, 2, size=(n_neurons, 1))
    error = np.where(few, 1.0, 0.1) * np.ones((n_neurons, 4))
    return rng.normal(size=(n_neurons, 4)) * [1, 1, 0.1, 0.1] + error * rng.normal(
        size=(n_neurons, 4)
    ), error


def test_neurons_with_few_trials_are_no_cluster_if_their_errors_are_known():
    generators = np.random.default_rng(0).spawn(12)
    index = [
        [
            float(pdn.selectivity_test(values, standard_error=given, n_draws=79)["index"])
            for given in (None, error)
        ]
        for values, error in map(noisy, generators)
    ]
    without, carried = np.mean(index, axis=0)
    assert without > 0.03 > 0.015 > abs(carried)


def test_the_true_covariance_is_the_most_likely_one():
    values, error = noisy(np.random.default_rng(2), 60)
    found = true_covariance(values[:, 1:3], error[:, 1:3])
    expected = most_likely_covariance(values[:, 1:3], error[:, 1:3])
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_errors_of_zero_leave_the_null_as_it_is():
    vectors = np.random.default_rng(0).normal(size=(60, 3))
    without = pdn.selectivity_test(vectors, n_draws=300)
    with_none = pdn.selectivity_test(vectors, standard_error=0.0 * vectors, n_draws=300)
    assert float(without["z"]) == pytest.approx(float(with_none["z"]), abs=0.25)


def test_results_are_the_same_for_any_number_of_workers_and_calls():
    vectors = np.random.default_rng(0).normal(size=(50, 3))
    for variant in ("default", "hirokawa2019"):
        found = []
        for n_jobs in (1, 2, 3):
            selectivity_null._kept.clear()
            found.append(
                pdn.selectivity_test(vectors, "epairs", variant, n_draws=50, n_jobs=n_jobs)
            )
        again = pdn.selectivity_test(vectors, "epairs", variant, n_draws=50)
        assert all(one.identical(found[0]) for one in (*found[1:], again))


def test_whoever_changes_a_null_changes_none_but_his_own():
    values = np.random.default_rng(3).normal(size=(40, 3))
    first = pdn.selectivity_test(values, n_draws=30)
    again = first.copy(deep=True)
    first["null_median_angle"] *= 180 / np.pi
    first["null_angle"] *= 180 / np.pi
    xr.testing.assert_identical(pdn.selectivity_test(values, n_draws=30), again)


@pytest.mark.filterwarnings("ignore::popdyn.PopdynWarning")
def test_very_few_neurons_have_a_null():
    """Of four vectors some cannot be made round: others are drawn."""
    values = np.random.default_rng(5).normal(size=(4, 2))
    assert 0 < float(pdn.selectivity_test(values, n_draws=30)["p"]) <= 1


def test_narrow_groups_can_be_made_round():
    """Three in two dimensions, five in four: a Cauchy cloud's scatter does not exist for these."""
    for n_features, scatter, seed in [(2, 0.05, 0), (2, 0.05, 1), (4, 0.05, 2), (3, 0.2, 14)]:
        rng = np.random.default_rng(seed)
        centers = rng.normal(size=(n_features + 1, n_features))
        groups = np.repeat(centers, 30, axis=0)
        groups += scatter * rng.normal(size=groups.shape)
        white = robustly_whitened(groups)
        directions = white / np.linalg.norm(white, axis=1, keepdims=True)
        moment = n_features * directions.T @ directions / len(groups)
        np.testing.assert_allclose(moment, np.eye(n_features), atol=1e-5)


def test_a_null_is_drawn_once_for_all_data_sets_of_a_size(monkeypatch):
    rng = np.random.default_rng(0)
    selectivity_null._kept.clear()
    first = pdn.selectivity_test(rng.normal(size=(50, 3)), n_draws=30, rng=9)

    def refuse(*_):
        raise AssertionError

    monkeypatch.setattr(selectivity_null, "draw_rows", refuse)
    second = pdn.selectivity_test(clusters(rng, 50, 3), n_draws=30, rng=9)
    xr.testing.assert_identical(first["null_median_angle"], second["null_median_angle"])
    with pytest.raises(AssertionError):
        pdn.selectivity_test(rng.normal(size=(50, 3)), n_draws=30, rng=np.random.default_rng(9))
    with pytest.raises(AssertionError):
        pdn.selectivity_test(rng.normal(size=(50, 3)), variant="covariance", n_draws=30, rng=9)


def test_few_draws_are_the_first_of_many():
    vectors = np.random.default_rng(0).normal(size=(50, 3))
    few, many = (pdn.selectivity_test(vectors, n_draws=n)["null_median_angle"] for n in (20, 40))
    np.testing.assert_array_equal(few, many[:20])


def test_ten_thousand_neurons_need_no_matrix_of_pairs():
    vectors = np.random.default_rng(0).normal(size=(10_000, 3))
    tracemalloc.start()
    try:
        pdn.selectivity_test(vectors, n_draws=3)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 40e6


def test_coefficients_of_an_encoding_bring_their_errors():
    rng = np.random.default_rng(0)
    table = {"choice": rng.choice([-1.0, 1.0], 60), "stimulus": rng.normal(size=60)}
    values = 20 + rng.normal(size=(40, 2, 60))
    tensor = pdn.make_tensor(values, [0.1, 0.2], trials=table)
    found = pdn.encoding(tensor, ["choice", "stimulus"], n_folds=0)
    with pytest.raises(TensorError, match=r"choose one time, \.sel\(time="):
        pdn.selectivity_test(found)
    one = found.isel(time=0)
    result = pdn.selectivity_test(one, n_draws=20)
    assert result.attrs["n_features"] == 2
    assert '"standard_error": true' in result.attrs["parameters"]
    by_hand = pdn.selectivity_test(
        one["coefficient"].sel(regressor=["choice", "stimulus"]),
        standard_error=one["standard_error"].sel(regressor=["stimulus", "choice"]), n_draws=20,
    )  # fmt: skip
    xr.testing.assert_identical(result["null_median_angle"], by_hand["null_median_angle"])
    # Published tests carry no errors: those of a result are left out, others refused.
    published = pdn.selectivity_test(one, variant="hirokawa2019", n_draws=20)
    assert '"standard_error": false' in published.attrs["parameters"]
    with pytest.raises(TensorError, match="'hirokawa2019' carries no errors: leave standard_error"):
        pdn.selectivity_test(
            one["coefficient"], variant="hirokawa2019", standard_error=one["standard_error"]
        )
    with_intercept = pdn.selectivity_test(one["coefficient"], variant="hirokawa2019", n_draws=20)
    xr.testing.assert_identical(with_intercept["angle"], published["angle"])


def test_labelled_loadings_keep_their_neurons():
    values = np.random.default_rng(0).normal(size=(3, 40))
    neurons = np.array([f"n{i}" for i in range(40)])
    array = xr.DataArray(
        values, dims=("component", "neuron"),
        coords={"neuron": neurons, "area": ("neuron", np.repeat(["a", "b"], 20))},
    )  # fmt: skip
    result = pdn.selectivity_test(array, n_draws=20)
    np.testing.assert_array_equal(result["area"], array["area"])
    np.testing.assert_array_equal(
        result["angle"], pdn.selectivity_test(values.T, n_draws=20)["angle"]
    )


def test_neurons_without_a_direction_are_left_out_and_named():
    values = np.random.default_rng(0).normal(size=(50, 3))
    values[4], values[9, 1] = 0.0, np.nan
    with pytest.warns(PopdynWarning) as caught:
        result = pdn.selectivity_test(values, n_draws=20)
    said = [str(one.message) for one in caught]
    assert said == [
        "1 of 50 neurons are NaN or infinite, left out: 9",
        "1 of 50 neurons are zero in all features and have no direction, left out: 4",
    ]
    assert np.flatnonzero(np.isnan(result["angle"])).tolist() == [4, 9]
    assert result.attrs["n_neurons"] == 48
    assert result.attrs["n_left_out"] == 2
    kept = np.delete(values, [4, 9], axis=0)
    assert float(result["p"]) == float(pdn.selectivity_test(kept, n_draws=20)["p"])


def test_neurons_that_are_there_twice_are_said():
    values = np.repeat(np.random.default_rng(0).normal(size=(40, 3)), 2, axis=0)
    with pytest.warns(PopdynWarning, match="80 of 80 neurons have exactly the loadings of another"):
        result = pdn.selectivity_test(values, n_neighbors=1, n_draws=50)
    assert float(result["index"]) == pytest.approx(1.0)
    assert result.attrs["n_duplicates"] == 80


def test_few_neurons_are_said():
    with pytest.warns(PopdynWarning, match="12 neurons tell little about clusters"):
        pdn.selectivity_test(np.random.default_rng(0).normal(size=(12, 2)), n_draws=20)


def test_features_that_follow_from_others_are_not_counted():
    values = np.random.default_rng(0).normal(size=(60, 3))
    more = np.column_stack([values, values.sum(axis=1), np.full(60, 2.0)])
    with pytest.warns(PopdynWarning, match="fill 3 of 5 dimensions"):
        result = pdn.selectivity_test(more, n_draws=20)
    np.testing.assert_allclose(
        result["angle"], pdn.selectivity_test(values, n_draws=20)["angle"], atol=1e-6
    )
    with pytest.raises(TensorError, match="fill 3 of 5 dimensions: leave out features"):
        pdn.selectivity_test(more, "pairs")


@pytest.mark.parametrize(
    ("values", "options", "words"),
    [
        (np.ones((40, 1)), {}, "expected two features or more, found 1"),
        (np.eye(3, 40), {}, r"40 features need at least 42 neurons .* found 3: is it \(neuron, f"),
        (np.ones(40), {}, r"loadings must be \(neuron, feature\), found 1 dimensions"),
        ([["a", "b"]], {}, "loadings must be numbers"),
        (None, {"method": "pair"}, r"method is one of 'epairs', .* \(do you mean 'pairs'\?\)"),
        (None, {"variant": "dubreuil"}, r"variant of 'epairs' is one of .*do you mean 'dubreuil2022"),
        (None, {"n_neighbors": 40}, "n_neighbors must be from 1 to 39"),
        (None, {"n_neighbors": 0}, "n_neighbors must be at least 1"),
        (
            None, {"method": "pairs", "variant": "hocker2021", "n_neighbors": 1},
            "n_neighbors must be from 2",
        ),
        (None, {"n_draws": 0}, "n_draws must be at least 1"),
        (None, {"n_jobs": 0}, "n_jobs must be a whole number of draws at once"),
        (None, {"standard_error": np.ones((40, 3))}, r"shape of the loadings \(40, 2\), found"),
        (None, {"standard_error": -np.ones((40, 2))}, "standard_error must be at least 0, found -1"),
    ],
    ids=[
        "one feature", "turned", "one dimension", "text", "method", "variant", "many neighbors",
        "no neighbors", "only itself", "draws", "jobs", "shape of errors", "negative errors",
    ],
)  # fmt: skip
def test_mistakes_are_refused_in_words(values, options, words):
    if values is None:
        values = np.random.default_rng(0).normal(size=(40, 2))
    with pytest.raises(TensorError, match=words):
        pdn.selectivity_test(values, **options)


def test_a_result_without_loadings_is_refused():
    with pytest.raises(TensorError, match="found a Dataset with rate: give the variable"):
        pdn.selectivity_test(xr.Dataset({"rate": ("neuron", np.ones(3))}))


def test_errors_of_other_neurons_are_refused():
    values = xr.DataArray(
        np.random.default_rng(0).normal(size=(40, 2)), dims=("neuron", "feature"),
        coords={"neuron": np.arange(40)},
    )  # fmt: skip
    other = values.assign_coords(neuron=np.arange(1, 41))
    with pytest.raises(TensorError, match="standard_error has no neuron 0"):
        pdn.selectivity_test(values, standard_error=abs(other))


def test_vectors_on_one_line_are_refused():
    values = np.random.default_rng(0).normal(size=(60, 3))
    values[:45, 1:] = 0.0
    with pytest.raises(FitError, match='Leave features out, or give variant="covariance"'):
        pdn.selectivity_test(values)


def test_published_p_are_of_the_medians_of_the_null():
    values = np.random.default_rng(11).normal(size=(60, 3))
    raposo = pdn.selectivity_test(values, "pairs", "raposo2014", n_draws=200)
    smaller = float((raposo["null_median_angle"] <= raposo["median_angle"]).mean())
    assert float(raposo["p"]) == pytest.approx(2 * min(smaller, 1 - smaller))
    assert 0.1 < float(raposo["p"]) < 1
    for sign in (1, -1):
        centers = np.eye(3)[np.arange(60) % 3] * (sign > 0)
        hocker = pdn.selectivity_test(centers + 0.7 * values, "pairs", "hocker2021", n_draws=200)
        medians = hocker["null_median_angle"].to_numpy()
        z = (medians.mean() - float(hocker["median_angle"])) / medians.std(ddof=1)
        assert float(hocker["p"]) == pytest.approx(min(1.0, 2 * norm.sf(z)), rel=1e-9)


def test_another_seed_is_another_null():
    values = np.random.default_rng(12).normal(size=(40, 3))
    first, second = (pdn.selectivity_test(values, n_draws=20, rng=seed) for seed in (0, 1))
    assert not np.allclose(first["null_median_angle"], second["null_median_angle"])
