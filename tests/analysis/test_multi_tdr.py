import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.analysis.multi_tdr_ranks import smallest_rank
from popdyn.errors import FitError, TensorError
from tests.analysis.test_tdr import tensor
from tests.oracles import tdr as slow


def planted(n_trials, seed=0, n_neurons=40):
    """Motion along two axes, early and late, choice along one, and a regressor without effect."""
    rng = np.random.default_rng(seed)
    t = np.arange(30)
    axes = np.linalg.qr(rng.normal(size=(n_neurons, 3)))[0].T
    motion = rng.choice([-1, -0.5, 0.5, 1], n_trials)
    choice = np.where(rng.random(n_trials) < 0.2, -1, 1) * np.sign(motion)
    early, late = (np.exp(-(((t - at) / 4) ** 2)) for at in (8, 20))
    drive = np.einsum("n,t,k->ntk", 6 * axes[0], early, motion)
    drive += np.einsum("n,t,k->ntk", 5 * axes[1], late, motion)
    drive += np.einsum("n,t,k->ntk", 5 * axes[2], 1 / (1 + np.exp(-(t - 15) / 3)), choice)
    values = 40 + drive + 2 * rng.normal(size=drive.shape)
    trials = {"motion": motion, "choice": choice, "luck": rng.normal(size=n_trials)}
    return pdn.make_tensor(values, 0.05 * t, trials=trials), axes


def fit(x, regressors=("motion", "choice", "luck"), **options):
    settings = {"smooth": 0.0, "n_splits": 10, "n_draws": 30, "by": ["motion", "choice"]} | options
    return pdn.MultiTDR(list(regressors), **settings).fit(x)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_regressor_of_two_dimensions_gets_two_axes(seed):
    x, axes = planted(300, seed)
    model = fit(x)
    assert model.n_ranks_.values.tolist() == [2, 1, 0]
    assert model.axes_["regressor"].values.tolist() == ["motion", "motion", "choice"]
    truth = axes / model.scale_.values
    span = np.linalg.qr(truth[:2].T)[0]
    cosines = np.linalg.svd(model.raw_axes_.values[:2] @ span, compute_uv=False)
    assert (cosines > 0.98).all()
    assert model.raw_axes_.values[2] @ truth[2] / np.linalg.norm(truth[2]) > 0.98
    assert (model.result_["half_split_cosine"] > 0.9).all()
    np.testing.assert_allclose(model.result_["p_any"].sel(term=["motion", "choice"]), 1 / 31)
    assert model.result_["p_any"].sel(term="luck") > 0.05


def test_axes_are_singular_vectors_of_the_plain_coefficients():
    x, _ = planted(80)
    model = fit(x, n_ranks={"motion": 2, "choice": 1, "luck": 1})
    luck = x["luck"].values / np.abs(x["luck"].values).max()
    columns = np.column_stack([x["motion"], x["choice"], luck, np.ones(80)])
    coefficient = slow.coefficients(slow.standardize(x.values), columns)
    np.testing.assert_allclose(model.coefficient_, coefficient, atol=1e-10)
    left, singular, right = np.linalg.svd(coefficient[0])
    share = singular**2 / (singular**2).sum()
    np.testing.assert_allclose(model.result_["coefficient_share"][:2], share[:2], rtol=1e-8)
    for number in (0, 1):
        course = model.result_["time_course"].values[number, 0]
        sign = np.sign(right[number][np.abs(right[number]).argmax()])
        expected = sign * left[:, number]
        np.testing.assert_allclose(model.raw_axes_[number], expected, atol=1e-8)
        np.testing.assert_allclose(course, sign * singular[number] * right[number], atol=1e-8)
        assert course[np.abs(course).argmax()] > 0
    own = model.axes_.values
    np.testing.assert_allclose(own @ own.T, np.eye(4), atol=1e-10)
    np.testing.assert_allclose(own[:2], model.raw_axes_[:2], atol=1e-10)


def test_the_number_of_ranks_is_the_smallest_not_clearly_worse():
    assert smallest_rank(np.array([[0.0, 0.5, 0.9, 0.91], [0.0, 0.6, 0.92, 0.92]])) == 2
    assert smallest_rank(np.array([[0.0, 0.2, 0.3], [0.0, 0.3, 0.2]])) == 1
    assert smallest_rank(np.array([[0.0, 0.5, 0.4, 0.6]])) == 3
    assert smallest_rank(np.empty((0, 3))) == 1


def test_levels_share_a_subspace_whatever_their_order():
    x = tensor()
    odor = np.random.default_rng(0).choice(["a", "b", "c"], 100)
    gain = np.random.default_rng(1).normal(size=(2, 8, 1, 1))
    values = x.values + 60 + 8 * gain[0] * (odor == "a") + 8 * gain[1] * (odor == "b")
    x = x.copy(data=values).assign_coords(odor=("trial", odor))
    one = fit(x, ["odor"], by="odor", n_ranks=2)
    other = fit(x, ["odor"], by="odor", n_ranks=2, levels={"odor": ["c", "a", "b"]})
    assert one.axes_["axis"].values.tolist() == ["odor 1", "odor 2"]
    cosines = np.linalg.svd(one.axes_.values @ other.axes_.values.T, compute_uv=False)
    np.testing.assert_allclose(cosines, 1.0, atol=0.02)
    np.testing.assert_allclose(one.result_["p"], other.result_["p"])


def test_the_order_of_neurons_and_trials_does_not_matter():
    x, _ = planted(80)
    rng = np.random.default_rng(0)
    neurons = rng.permutation(40)
    found = fit(x.isel(neuron=neurons, trial=rng.permutation(80)), n_ranks={"motion": 2, "luck": 0})
    expected = fit(x, n_ranks={"motion": 2, "luck": 0})
    first, second = found.axes_[:2], expected.axes_[:2, neurons]
    np.testing.assert_allclose(first, second, atol=1e-8)


def test_one_axis_form_stays_as_it_is():
    x = tensor()
    one = pdn.TDR(["choice", "stimulus"], smooth=0, n_draws=20, n_splits=2).fit(x)
    assert one.axes_.dims == ("regressor", "neuron")
    many = fit(x, ["choice", "stimulus"], by="choice", n_ranks=1)
    assert many.axes_.dims == ("axis", "neuron")
    assert abs(float((one.raw_axes_[0].values * many.raw_axes_[0].values).sum())) > 0.9


def test_a_stored_fit_transforms_alike(tmp_path):
    x, _ = planted(80)
    model = fit(x, n_ranks={"motion": 2}, smooth=0.08)
    pdn.save(model, tmp_path / "multi.nc")
    loaded = pdn.load(tmp_path / "multi.nc")
    assert isinstance(loaded, pdn.MultiTDR)
    assert loaded.get_params()["n_ranks"] == {"motion": 2}
    projected = loaded.transform(x)
    assert projected.dims == ("axis", "time", "trial")
    xr.testing.assert_allclose(projected, model.transform(x), rtol=1e-12)
    average = pdn.condition_average(x, ["motion", "choice"])
    np.testing.assert_allclose(
        model.transform(average), model.result_["projection"], rtol=1e-5, atol=1e-8
    )


def test_bins_that_a_neuron_lacks_take_no_part():
    x, _ = planted(120)
    values = x.values.copy()
    values[3, :4] = np.nan
    values[:, :, :20][5] = np.nan
    model = fit(x.copy(data=values), n_ranks=1)
    assert np.isfinite(model.axes_).all()
    assert np.isnan(model.coefficient_.values[:, 3, :4]).all()
    whole = fit(x, n_ranks=1)
    assert abs(float((model.axes_[0].values * whole.axes_[0].values).sum())) > 0.95


@pytest.mark.parametrize(
    ("n_ranks", "words"),
    [
        ("many", "n_ranks must be 'cv', whole numbers, or numbers by regressor; found 'many'"),
        (1.5, "found 1.5"),
        (31, "n_ranks of 'motion' must be from 0 to 30"),
        ({"color": 1}, "n_ranks names 'color', which has no axes; there are motion, choice, luck"),
        (30, "lies within those before it"),
        (0, "or n_ranks is 0"),
    ],
)
def test_ranks_out_of_range_are_refused(n_ranks, words):
    x, _ = planted(60)
    with pytest.raises((TensorError, FitError), match=words):
        fit(x, n_ranks=n_ranks)


def test_other_bad_input_gets_a_sentence():
    x, _ = planted(60)
    with pytest.raises(FitError, match="this MultiTDR has not been fitted"):
        pdn.MultiTDR("motion").transform(x)
    with pytest.raises(TensorError, match="expected a result of method 'multi_tdr'"):
        pdn.MultiTDR.from_dataset(xr.Dataset())
    with pytest.raises(
        TensorError, match="n_splits and n_draws must be whole numbers of at least 1"
    ):
        fit(x, n_draws=0)
    noise = x.copy(data=40 + np.random.default_rng(0).normal(size=x.shape))
    with pytest.raises(FitError, match="the permutation finds none of luck"):
        fit(noise, ["luck"], axes=["luck"])
