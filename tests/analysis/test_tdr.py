import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.analysis.design import make_design
from popdyn.analysis.least_squares import fit_least_squares
from popdyn.analysis.tdr_axes import random_cosines, windows_of
from popdyn.analysis.tdr_permutation import _tested, population_test
from popdyn.analysis.tdr_samples import standardized
from popdyn.analysis.tdr_splits import Half, cross_cosines
from popdyn.errors import FitError, PopdynWarning, TensorError
from popdyn.resample import shuffled_orders
from tests.oracles import tdr as slow

DATA = Path(__file__).parents[2] / "data"
NAMES = ["choice", "motion", "color", "context"]
MARGINAL = [["choice", "motion", "context"], ["choice", "color", "context"]]


def planted(n_trials, seed=0, n_neurons=120):
    """Four orthogonal axes of METHODS 5.1, noise of standard deviation 3, a tenth errors."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.standard_normal((n_neurons, 4)))[0]
    t = np.arange(40)
    course = [1 / (1 + np.exp(-(t - 25) / 3)), np.exp(-(((t - 12) / 5) ** 2))]
    course += [np.exp(-(((t - 16) / 5) ** 2)), np.ones(40)]
    strength = np.array([6.0, 5.0, 5.0, 4.0])
    motion, color = rng.choice([-1, -0.3, -0.1, 0.1, 0.3, 1], (2, n_trials))
    context = rng.choice([-1, 1], n_trials)
    choice = np.sign(np.where(context > 0, motion, color))
    choice = np.where(rng.random(n_trials) < 0.1, -choice, choice)
    x = np.stack([choice, motion, color, context])
    drive = np.einsum("nr,r,rt,rk->ntk", axes, strength, course, x)
    values = 40 + drive + 3 * rng.standard_normal(drive.shape)
    trials = dict(zip(NAMES, x, strict=True))
    return pdn.make_tensor(values, 0.05 * t, trials=trials), axes.T


def tensor(n_trials=100, n_neurons=8, n_times=6, seed=0, missing=False, **options):
    """Neurons that follow a choice and a graded stimulus."""
    rng = np.random.default_rng(seed)
    stimulus = rng.choice([-1.0, -0.5, 0.5, 1.0], n_trials)
    choice = np.where(rng.random(n_trials) < 0.25, -1, 1) * np.sign(stimulus)
    axes = rng.normal(size=(2, n_neurons, 1, 1))
    early = np.exp(-np.arange(n_times) / 2)[:, None]
    values = 30 + 3 * axes[0] * early * choice + 3 * axes[1] * early[::-1] * stimulus
    values = values + rng.normal(size=(n_neurons, n_times, n_trials))
    if missing:
        for i in range(n_neurons):
            values[i, :, rng.permutation(n_trials)[: i % 5]] = np.nan
    trials = {"choice": choice, "stimulus": stimulus, "side": np.where(choice > 0, "r", "l")}
    return pdn.make_tensor(values, 0.1 * np.arange(n_times), trials=trials, **options)


def fit(x, regressors=("choice", "stimulus"), **options):
    settings = {"smooth": 0.0, "n_splits": 3, "n_draws": 30, "n_components": 4} | options
    return pdn.TDR(list(regressors), **settings).fit(x)


def matrix(x):
    stimulus = x["stimulus"].values
    return np.column_stack([x["choice"], stimulus / np.abs(stimulus).max(), np.ones(stimulus.size)])


def true_cosines(model, axes):
    truth = axes / model.scale_.values
    truth /= np.linalg.norm(truth, axis=1, keepdims=True)
    return (model.raw_axes_.values * truth).sum(axis=1)


# -- the planted truth -----------------------------------------------------------------------


@pytest.mark.parametrize("n_components", ["cv", 12])
def test_planted_axes_are_found_in_1600_trials(n_components):
    x, axes = planted(1600)
    model = fit(x, NAMES, by=MARGINAL, n_components=n_components, n_draws=19)
    found = true_cosines(model, axes)
    assert (found[[0, 3]] >= 0.995).all()
    assert (found[[1, 2]] >= 0.97).all()
    np.testing.assert_allclose(model.result_["p_any"], 0.05)


def test_few_trials_per_condition_are_warned_of_wherever_averages_denoise():
    x = tensor()
    few = x.isel(trial=np.arange(0, 100, 4))
    for number in (2, "cv"):
        with pytest.warns(PopdynWarning, match=r"conditions have \d.* trials on average"):
            fit(few, n_components=number)
    fit(few, n_components=None)


def test_random_axes_are_no_closer_than_those_of_the_population():
    rng, bins = np.random.default_rng(1), np.tile(np.arange(10), 2)
    cosines = []
    for _ in range(100):
        course = rng.normal(size=(60, 10))
        samples = np.tile(course, (1, 2)) + 0.1 * rng.normal(size=(60, 20))
        cosines.append(random_cosines(samples, bins, 50, rng))
    # Independent directions of 60 neurons; two of the same ten bins would have 1 / 60 + 1 / 10.
    assert np.mean(np.square(cosines)) == pytest.approx(1 / 60, rel=0.15)


def test_random_axes_vary_as_the_averages_do():
    rng = np.random.default_rng(0)
    power = np.arange(1.0, 61.0) ** -0.5
    samples = np.sqrt(power)[:, None] * rng.normal(size=(60, 2000))
    cosines = random_cosines(samples, np.arange(2000) % 20, 4000, rng)
    # Of Gaussian axes with this covariance; that of its square would be three times as much.
    expected = (power**2).sum() / power.sum() ** 2
    assert np.mean(cosines**2) == pytest.approx(expected, rel=0.15)


def test_the_data_are_among_what_permutations_are_averaged_over():
    # (term, data and two draws, time)
    total = np.array([[[10.0, 1.0], [1.0, 0.5], [1.0, 2.0]]])
    test = _tested(total)
    np.testing.assert_allclose(test.p, [[1 / 3, 2 / 3]])
    np.testing.assert_allclose(test.strength, [[10.0, 0.8]])


def test_an_axis_repeats_itself_in_the_bins_that_one_half_chooses():
    first = np.array([[[3.0, 0.0], [0.0, 1.0], [0.0, 0.0]]])
    second = np.array([[[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]])
    pair = (Half(first, None), Half(second, None))
    none = np.zeros(1, dtype=int)
    found = cross_cosines([pair], none, ["choice"], np.array([0.0, 0.1]), "max_norm")
    np.testing.assert_allclose(found, [[[1.0]]])


def test_a_window_ends_before_its_second_edge():
    time = np.array([0.0, 0.25, 0.5, 0.75])
    (bins,) = windows_of({"choice": (0.25, 0.75)}, ["choice"], time)
    assert bins.tolist() == [1, 2]


def test_with_few_trials_each_regressor_keeps_what_its_axis_needs():
    x, axes = planted(400)
    chosen = true_cosines(fit(x, NAMES, by=MARGINAL, n_components="cv", n_splits=5), axes)
    plain = true_cosines(fit(x, NAMES, by=MARGINAL, n_components=None), axes)
    with pytest.warns(PopdynWarning, match="trials on average"):
        fixed = true_cosines(fit(x, NAMES, n_components=12), axes)
    # Strong axes gain by the denoising; twelve components would cost weak ones dear.
    assert (chosen[[0, 3]] > plain[[0, 3]] + 0.02).all()
    assert (chosen[[1, 2]] > plain[[1, 2]] - 0.03).all()
    assert chosen[2] > fixed[2] + 0.05


def test_a_regressor_without_effect_is_told_from_one_with():
    rng = np.random.default_rng(3)
    x = tensor().assign_coords(luck=("trial", rng.normal(size=100)))
    found = fit(x, ["choice", "luck"], by="choice", n_draws=200).result_
    assert found["p_any"].sel(term="choice") < 0.01
    assert found["p_any"].sel(term="luck") > 0.05
    assert found["half_split_cosine"].sel(regressor="choice") > 0.9
    assert abs(found["half_split_cosine"].sel(regressor="luck")) < 0.6
    assert found["strength"].sel(term="choice").max() > 10
    assert 0.4 < found["strength"].sel(term="luck").mean() < 2.5


# -- agreement with plain formulas -----------------------------------------------------------


@pytest.mark.parametrize("missing", [False, True])
def test_axes_equal_the_plain_formulas(missing):
    x = tensor(missing=missing)
    model = fit(x, n_components=4)
    scores = slow.standardize(x.values)
    coefficient = slow.coefficients(scores, matrix(x))
    np.testing.assert_allclose(model.coefficient_, coefficient, rtol=1e-9, atol=1e-12)
    condition = x["choice"].values + 10 * x["stimulus"].values
    inside = slow.denoise(coefficient[:2], slow.averages(scores, condition), 4)
    raw, orthonormal = slow.axes_of(inside)
    np.testing.assert_allclose(model.raw_axes_, raw, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(model.axes_, orthonormal, rtol=1e-8, atol=1e-9)
    norm = np.linalg.norm(inside, axis=1)
    np.testing.assert_allclose(model.result_["norm"], norm, rtol=1e-8)


def test_standard_errors_are_those_of_encoding():
    x = tensor(missing=True)
    found = fit(x).result_
    scores, _, _ = standardized(x, np.arange(100))
    other = pdn.encoding(scores, ["choice", "stimulus"], n_folds=0)
    np.testing.assert_allclose(found["standard_error"], other["standard_error"], rtol=1e-9)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("three", [False, True])
def test_permutations_equal_regressions_of_permuted_regressors(missing, three):
    x = tensor(n_trials=30, n_neurons=4, n_times=3, missing=missing)
    odor = np.random.default_rng(5).choice(["a", "b", "c"], 30)
    x = x.assign_coords(odor=("trial", odor))
    design = make_design(x, ["choice", "odor"] if three else ["choice", "stimulus"])
    test = population_test(x.values, design, 6, np.random.default_rng(1))
    orders = shuffled_orders(30, 6, np.random.default_rng(1))
    total = np.array(
        [
            [
                slow.explained(x.values, design.matrix, design.columns(term), order)
                for order in [np.arange(30), *orders]
            ]
            for term in design.terms
        ]
    )
    expected = total[:, 0] / total[:, 1:].mean(axis=1)
    np.testing.assert_allclose(test.strength, expected, rtol=1e-8)
    np.testing.assert_array_equal(test.p, _tested(total).p)
    scaled = total / total.mean(axis=1, keepdims=True)
    reached = (scaled[0, 1:].max(axis=1) >= scaled[0, 0].max()).sum()
    assert test.p_any[0] == pytest.approx((1 + reached) / 7)


@pytest.mark.parametrize("smooth", [0.0, 0.1, 0.3])
def test_projected_averages_are_the_average_projections(smooth):
    x = tensor()
    model = fit(x, by="choice", smooth=smooth)
    average = pdn.condition_average(x, "choice")
    assert list(model.result_["condition"].values) == list(average["condition"].values)
    np.testing.assert_allclose(
        model.result_["projection"].transpose("regressor", "time", "condition"),
        model.transform(average),
        rtol=1e-6,
        atol=1e-9,
    )
    single = model.transform(x).groupby("choice").mean().transpose("regressor", "time", "choice")
    np.testing.assert_allclose(single, model.result_["projection"], rtol=1e-6, atol=1e-9)
    lower, upper = model.result_["projection_bound"].values
    assert (lower < model.result_["projection"]).all()
    assert (upper > model.result_["projection"]).all()


def test_bounds_are_as_wide_as_the_standard_error():
    x = tensor(n_trials=400)
    model = fit(x, by="choice", n_draws=400)
    single = model.transform(x)
    for i, level in enumerate(model.result_["choice"].values):
        own = single.values[:, :, x["choice"].values == level]
        error = own.std(axis=2, ddof=1) / np.sqrt(own.shape[2])
        lower, upper = model.result_["projection_bound"].values[..., i]
        np.testing.assert_allclose(upper - lower, 2 * 1.96 * error, rtol=0.25)


# -- rules -----------------------------------------------------------------------------------


def test_axes_are_orthonormal_and_the_first_keeps_its_direction():
    model = fit(tensor())
    np.testing.assert_allclose(model.axes_.values @ model.axes_.values.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(model.axes_[0], model.raw_axes_[0], atol=1e-12)
    other = fit(tensor(), axes=["stimulus", "choice"])
    assert list(other.axes_["regressor"].values) == ["stimulus", "choice"]
    np.testing.assert_allclose(other.axes_[0], other.raw_axes_[0], atol=1e-12)
    np.testing.assert_allclose(other.raw_axes_[1], model.raw_axes_[0], atol=1e-12)


def test_axes_point_to_more_of_their_regressor():
    x = tensor()
    projected = fit(x).result_["projection"].sel(regressor="choice")
    towards = projected.where(projected["choice"] == 1).mean("condition").max()
    away = projected.where(projected["choice"] == -1).mean("condition").max()
    assert towards > away


def test_a_window_takes_the_mean_of_its_bins():
    x = tensor()
    model = fit(x, at={"choice": (0.1, 0.3)}, n_components=None)
    mean = model.coefficient_.values[0][:, 1:3].mean(axis=1)
    np.testing.assert_allclose(model.raw_axes_[0], mean / np.linalg.norm(mean), rtol=1e-9)
    np.testing.assert_allclose(model.result_["window"][0], [0.05, 0.25])
    assert float(model.result_["window"][1, 1] - model.result_["window"][1, 0]) == pytest.approx(
        0.1
    )


def test_trials_without_a_regressor_take_no_part():
    x = tensor(n_trials=105)
    stimulus = x["stimulus"].values.copy()
    stimulus[:5] = np.nan
    with pytest.warns(PopdynWarning, match="5 of 105 trials have no value of stimulus"):
        some = fit(x.assign_coords(stimulus=("trial", stimulus)))
    rest = fit(x.isel(trial=slice(5, None)))
    np.testing.assert_allclose(some.coefficient_, rest.coefficient_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(some.mean_, rest.mean_)
    np.testing.assert_allclose(some.raw_axes_, rest.raw_axes_, atol=1e-9)


def test_neurons_recorded_apart_are_regressed_on_their_own_trials():
    x = tensor(n_trials=120, n_neurons=6)
    values = x.values.copy()
    for i in range(6):
        values[i, :, np.arange(120) % 6 == i] = np.nan
        values[i, :, (np.arange(120) + 1) % 6 == i] = np.nan
    assert not np.isfinite(values).all(axis=0).any()
    model = fit(x.copy(data=values))
    whole = fit(x)
    assert (np.abs((model.raw_axes_ * whole.raw_axes_).sum("neuron")) > 0.97).all()
    assert np.isnan(model.transform(x.copy(data=values))).all()
    assert np.isfinite(model.result_["projection"]).all()
    assert np.isfinite(model.result_["p"]).all()


def test_a_pseudopopulation_is_taken_like_a_recording():
    sessions = [
        tensor(seed=seed, n_neurons=4).assign_attrs(source_id=f"session {seed}") for seed in (0, 1)
    ]
    x = pdn.pseudopopulation(sessions, ["choice", "stimulus"])
    found = fit(x, n_components=None)
    assert found.axes_.sizes["neuron"] == 8
    assert (found.result_["p_any"] < 0.05).all()


def test_counts_are_turned_into_rates_and_trials_smoothed():
    x = tensor()
    counts = pdn.make_tensor(
        np.round(x.values).astype(float), x["time"].values,
        {"choice": x["choice"].values, "stimulus": x["stimulus"].values}, name="spike_count",
    )  # fmt: skip
    model = fit(counts, smooth=0.1)
    other = fit(pdn.smooth(pdn.rate(counts), sigma=0.1))
    np.testing.assert_allclose(model.axes_, other.axes_, atol=1e-6)
    assert model.mean_.attrs["units"] == "Hz"


def test_a_default_width_below_half_a_bin_is_no_reason_to_warn():
    x = tensor()
    model = pdn.TDR(["choice"], n_splits=2, n_draws=20).fit(x)
    assert json.loads(model.result_.attrs["parameters"])["smooth"] == 0.040
    with pytest.warns(PopdynWarning, match="smooth = 40 s is longer .* .0.6 s.*; is smooth in s"):
        fit(x, smooth=40)
    with pytest.raises(TensorError, match="smooth is a time in s, 0 or more; found '40 ms'"):
        fit(x, smooth="40 ms")


def test_an_average_that_is_smoothed_must_say_its_bin_width():
    x = tensor()
    values = pdn.condition_average(x, "choice")["rate"]
    bare = xr.DataArray(values.values, dims=values.dims, attrs={"units": "Hz"})
    bare = bare.assign_coords(neuron=values["neuron"].values)
    with pytest.raises(TensorError, match="smoothed activity by 0.1 s.* time coordinate .s."):
        fit(x, smooth=0.1).transform(bare)
    assert fit(x).transform(bare).sizes == {"regressor": 2, "time": 6, "condition": 2}


def test_categorical_columns_and_formulas_serve():
    x = tensor()
    text = fit(x, ["side"], by="side")
    number = fit(x, ["choice"], by="choice")
    np.testing.assert_allclose(text.axes_, number.axes_, atol=1e-9)
    formula = pdn.TDR(
        "choice + stimulus", by=["choice", "stimulus"], smooth=0, n_splits=3, n_draws=30,
        n_components=4,
    ).fit(x)  # fmt: skip
    np.testing.assert_allclose(formula.axes_, fit(x).axes_, atol=1e-9)
    crossed = fit(x, ["choice", "stimulus", "choice:stimulus"])
    assert list(crossed.axes_["regressor"].values) == ["choice", "stimulus"]
    assert list(crossed.result_["term"].values) == ["choice", "stimulus", "choice:stimulus"]


def test_roles_name_the_columns():
    x = tensor()
    renamed = x.rename(choice="animal_choice")
    found = fit(renamed, roles={"choice": "animal_choice"})
    np.testing.assert_allclose(found.axes_, fit(x).axes_, atol=1e-12)


# -- invariances -----------------------------------------------------------------------------


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_of_neurons_and_trials_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    x = tensor(missing=True)
    neurons, trials = rng.permutation(8), rng.permutation(100)
    found = fit(x.isel(neuron=neurons, trial=trials))
    expected = fit(x)
    for name in ("axes_", "raw_axes_", "coefficient_"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name).isel(neuron=neurons), atol=1e-7
        )


@settings(max_examples=8, deadline=None)
@given(gain=st.floats(0.01, 100), offset=st.floats(0, 50), stretch=st.floats(0.01, 100))
def test_units_of_activity_and_regressors_do_not_matter(gain, offset, stretch):
    x = tensor()
    scaled = pdn.make_tensor(
        gain * x.values + offset,
        x["time"].values,
        {"choice": x["choice"].values, "stimulus": stretch * x["stimulus"].values},
        units="1",
    )
    found, expected = fit(scaled), fit(x)
    np.testing.assert_allclose(found.axes_, expected.axes_, atol=1e-6)
    np.testing.assert_allclose(found.result_["p"], expected.result_["p"])
    np.testing.assert_allclose(found.result_["strength"], expected.result_["strength"], rtol=1e-5)
    np.testing.assert_allclose(
        found.result_["half_split_cosine"], expected.result_["half_split_cosine"], atol=1e-6
    )


def test_turning_a_regressor_round_turns_its_axis():
    x = tensor()
    turned = fit(x.assign_coords(choice=("trial", -x["choice"].values)))
    expected = fit(x)
    np.testing.assert_allclose(turned.raw_axes_[0], -expected.raw_axes_[0], atol=1e-9)
    np.testing.assert_allclose(turned.raw_axes_[1], expected.raw_axes_[1], atol=1e-9)


def test_the_same_seed_gives_the_same_result_and_the_input_stays():
    x = tensor(missing=True)
    before = x.copy(deep=True)
    first, second = fit(x, n_components="cv", rng=4), fit(x, n_components="cv", rng=4)
    xr.testing.assert_identical(first.result_, second.result_)
    xr.testing.assert_identical(x, before)
    other = fit(x, n_components="cv", rng=5)
    assert not np.array_equal(first.result_["cosine_null"], other.result_["cosine_null"])


def test_a_stored_fit_transforms_alike(tmp_path):
    x = tensor()
    model = fit(x, at={"choice": (0.0, 0.3)}, by=["choice", "stimulus"])
    pdn.save(model, tmp_path / "tdr.nc")
    loaded = pdn.load(tmp_path / "tdr.nc")
    assert isinstance(loaded, pdn.TDR)
    xr.testing.assert_allclose(loaded.transform(x), model.transform(x), rtol=1e-12)
    assert loaded.get_params()["by"] == ["choice", "stimulus"]
    assert loaded.n_components_.values.tolist() == [4, 4]


# -- recordings and networks -----------------------------------------------------------------


def test_a_recording_and_a_network_are_taken_unchanged():
    recording = pdn.read_nwb(
        DATA / "human_mtl_boundaries_sub-4_ses-4.nwb",
        align="boundary1_time",
        window=(-0.5, 1.0),
        bin_width=0.1,
        trials="encoding_table",
    )
    levels = {"stimCategory": [0, 1, 2]}
    found = fit(recording, ["stimCategory"], levels=levels, n_components="cv", n_draws=100)
    assert (found.result_["p_any"] < 0.05).all()
    assert found.axes_.sizes == {"regressor": 2, "neuron": 35}
    task = pdn.tasks.ContextDecision()
    net = pdn.network.Rate.random(30, g=1.2, n_inputs=4, rng=1)
    network = pdn.simulate(net, task.sample(60, rng=2), rng=3, bin_width=0.05)["rate"]
    found = fit(network, ["stimulus", "stimulus_2", "context"], by="context", n_draws=100)
    assert (found.result_["p_any"] < 0.05).all()
    assert found.result_.attrs["activity_units"] == "1"


# -- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"n_components": 0}, "n_components must be a whole number of at least 1, None or 'cv'"),
        ({"n_components": "best"}, "found 'best'"),
        ({"n_components": True}, "found True"),
        ({"n_components": 9}, "more than the 8 that these"),
        ({"n_splits": 0}, "n_splits and n_draws must be whole numbers of at least 1, found 0, 30"),
        ({"n_draws": "200"}, "whole numbers of at least 1, found 3, '200'"),
        ({"n_splits": 2.5}, "whole numbers of at least 1, found 2.5, 30"),
        ({"at": (0.2, 0.4)}, "windows .s. of regressors .choice, stimulus., such as .*found .0.2"),
        ({"at": {"choice": 0.2}}, "window of 'choice' must be .start, stop. in s, found 0.2"),
        ({"axes": "color"}, "each once; found color"),
        ({"by": 3}, "by must be a trial column, a list of them, or several lists; found 3"),
        ({"by": []}, "or several lists; found \\[\\]"),
        ({"at": "peak"}, "at must be 'max_norm' or windows .s. of regressors"),
        ({"at": {"color": (0.0, 0.1)}}, "found 'color'"),
        ({"at": {"choice": (0.9, 1.0)}}, "window 0.9 to 1 s of 'choice' holds no bin; bins reach"),
        ({"axes": ["color"]}, "axes must name regressors among choice, stimulus, each once"),
        ({"axes": ["choice", "choice"]}, "each once; found choice, choice"),
        ({"axes": []}, "found none"),
    ],
)
def test_arguments_out_of_range_are_refused(options, words):
    with pytest.raises((TensorError, FitError), match=words):
        fit(tensor(), **options)


def test_what_is_confounded_is_named():
    x = tensor()
    correct = x.isel(trial=np.flatnonzero(np.sign(x["stimulus"]) == x["choice"]))
    with pytest.raises(TensorError, match="'choice' follows from the sign of 'stimulus'"):
        fit(correct)
    with pytest.raises(TensorError, match="'choice' and 'side' are the same up to sign"):
        fit(x, ["choice", "side"])


def test_other_bad_input_gets_a_sentence():
    x = tensor()
    with pytest.raises(TensorError, match="TDR regresses single trials"):
        fit(pdn.condition_average(x, "choice"))
    with pytest.raises(TensorError, match="with a formula, by= must name"):
        pdn.TDR("choice + stimulus", smooth=0).fit(x)
    with pytest.raises(FitError, match="none of the 8 neurons varies"):
        fit(x.copy(data=np.ones(x.shape)))
    with pytest.raises(TensorError, match="need more than 3 trials"):
        fit(x.isel(trial=[0, 1, 2]))
    with pytest.raises(FitError, match="this TDR has not been fitted"):
        pdn.TDR("choice").transform(x)
    with pytest.raises(FitError, match="this TDR has not been fitted"):
        pdn.TDR("choice").to_dataset()
    with pytest.raises(TensorError, match="expected a result of method 'tdr', found method 'none'"):
        pdn.TDR.from_dataset(xr.Dataset())
    with pytest.raises(TensorError, match="expected activity in Hz, as in the fit, found 1"):
        fit(x).transform(x.assign_attrs(units="1"))
    with pytest.raises(TensorError, match="1 of them are missing"):
        fit(x).transform(x.isel(neuron=slice(1, None)))


def test_a_neuron_without_its_own_trials_is_refused_with_a_way_out():
    x = tensor()
    values = x.values.copy()
    values[2, :, 2:] = np.nan
    apart = x.copy(data=values)
    words = "every neuron: 1 of 8 neurons .* at all, 2 .2 trials for 3 coefficients for neuron 2"
    for n_components in (None, "cv"):
        with pytest.raises(FitError, match=words):
            fit(apart, n_components=n_components)
    with pytest.raises(FitError, match=words):
        pdn.MultiTDR(["choice", "stimulus"], smooth=0, n_splits=2, n_draws=20).fit(apart)
    values = x.values.copy()
    values[2:4, :, x["choice"].values > 0] = np.nan
    with pytest.raises(FitError, match="2 of 8 .* 2, 3 .'choice' has one value on its .* select"):
        fit(x.copy(data=values), n_components=None)
    values = x.values.copy()
    values[2, 1:], values[3, :1] = np.nan, np.nan
    with pytest.raises(FitError, match="at other times. .* 2, 3, 0 .1 of 6 bins for neuron 2"):
        fit(x.copy(data=values), n_components=None)


def test_the_blas_has_one_thread_inside_and_its_own_outside(monkeypatch):
    from threadpoolctl import threadpool_info, threadpool_limits

    def threads():
        return {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}

    inside = []

    def watched(*given, **options):
        inside.append(threads())
        return fit_least_squares(*given, **options)

    monkeypatch.setattr("popdyn.analysis.tdr.fit_least_squares", watched)
    monkeypatch.setattr("popdyn.analysis.multi_tdr.fit_least_squares", watched)
    with threadpool_limits(2, user_api="blas"):
        before = threads()
        fit(tensor())
        pdn.MultiTDR(["choice"], smooth=0, n_ranks=1, n_splits=2, n_draws=20).fit(tensor())
        assert threads() == before
    assert inside == [{1}, {1}] and 1 not in before


def test_a_single_neuron_has_an_axis_that_points_to_more():
    x = tensor(n_neurons=1)
    for n_components in ("cv", 1, None):
        model = fit(x, ["choice"], n_components=n_components)
        middle = float(model.result_["window"].mean())
        at = model.coefficient_.sel(regressor="choice").sel(time=middle, method="nearest")
        np.testing.assert_allclose(model.axes_[0], np.sign(at))


def test_the_number_of_the_trial_makes_no_condition():
    x = tensor()
    model = fit(x, ["choice", "trial"])
    assert model.result_["condition"].values.tolist() == ["-1", "1"]
    assert model.axes_["regressor"].values.tolist() == ["choice", "trial"]


def test_more_axes_than_neurons_are_refused():
    x = tensor(n_neurons=1)
    with pytest.raises(FitError, match="the axis of 'stimulus' lies within those before it"):
        fit(x, n_components=None)


def test_constant_neurons_are_left_out_with_their_names():
    x = tensor()
    values = x.values.copy()
    values[3] = 7.0
    with pytest.warns(PopdynWarning, match="1 of 8 neurons never vary, left out: 3"):
        model = fit(x.copy(data=values))
    assert model.axes_.sizes["neuron"] == 7
    assert model.transform(x).sizes == {"regressor": 2, "time": 6, "trial": 100}


def test_averages_without_a_common_bin_leave_no_space_to_denoise_in():
    x = tensor()
    values = x.values.copy()
    values[0, :, x["stimulus"].values > 0] = np.nan
    values[1, :, x["stimulus"].values < 0] = np.nan
    apart = x.copy(data=values)
    with pytest.raises(FitError, match="pass n_components=None"):
        fit(apart, by="stimulus")
    found = fit(apart, ["choice"], by="stimulus", n_components=None).result_
    assert np.isnan(found["explained_variance_ratio"]).all()
    assert np.isnan(found["cosine_null"]).all()
    assert found["half_split_cosine"] > 0.5
