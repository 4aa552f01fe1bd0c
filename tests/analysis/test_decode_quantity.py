from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut, cross_val_predict

import popdyn as pdn
from popdyn.analysis.quantity_decoding import RIDGES
from popdyn.analysis.ridge import held_out_numbers

DATA = Path(__file__).parents[2] / "data"


def planted(seed=0, n_trials=60, n_neurons=8, effect=1.0, n_bins=5, units="s"):
    """A number in three neurons from the third bin on; blocks of ten trials."""
    rng = np.random.default_rng(seed)
    number = rng.choice([0.2, 0.4, 0.6, 0.8, 1.0], n_trials)
    values = rng.normal(size=(n_neurons, n_bins, n_trials))
    values[:3, 2:] += effect * 4 * number
    table = {"duration": number, "block": np.arange(n_trials) // 10}
    tensor = pdn.make_tensor(values, 0.05 * np.arange(n_bins), table, units="1")
    tensor["duration"].attrs["units"] = units
    return tensor


def z_scored(tensor, result, bin_number, fold):
    """Scaled activity of a bin, and which trials train."""
    values = tensor.values[:, bin_number].T
    train = result["fold"].values != fold
    return (values - values[train].mean(axis=0)) / values[train].std(axis=0), train


@pytest.mark.parametrize("n_neurons", [1, 8, 80])
def test_predictions_equal_those_of_scikit_learn_with_a_fixed_ridge(n_neurons):
    tensor = planted(n_neurons=max(n_neurons, 3))[:n_neurons]
    result = pdn.decode_quantity(tensor, "duration", regularization=0.3, n_draws=2)
    number = result["value"].values
    for fold in range(5):
        z, train = z_scored(tensor, result, 3, fold)
        peer = Ridge(alpha=0.3 * train.sum()).fit(z[train], number[train])
        np.testing.assert_allclose(
            result["prediction"].values[3, ~train], peer.predict(z[~train]), atol=1e-10
        )


@pytest.mark.parametrize("n_neurons", [8, 80])
def test_the_ridge_is_chosen_as_scikit_learn_does_by_leaving_one_trial_out(n_neurons):
    tensor = planted(n_neurons=n_neurons)
    result = pdn.decode_quantity(tensor, "duration", n_draws=2)
    number = result["value"].values
    for fold in range(5):
        z, train = z_scored(tensor, result, 2, fold)
        peer = RidgeCV(alphas=RIDGES * train.sum()).fit(z[train], number[train])
        assert result["regularization"].values[2, fold] == pytest.approx(peer.alpha_ / train.sum())
        np.testing.assert_allclose(
            result["prediction"].values[2, ~train], peer.predict(z[~train]), atol=1e-10
        )


def test_with_groups_the_ridge_is_chosen_by_leaving_whole_groups_out():
    tensor = planted()
    ridges = [0.01, 1.0, 100.0]
    result = pdn.decode_quantity(
        tensor, "duration", groups="block", regularization=ridges, n_folds=3, n_draws=2
    )
    number, block = result["value"].values, tensor["block"].values
    for fold in range(3):
        z, train = z_scored(tensor, result, 2, fold)
        peer = GridSearchCV(
            Ridge(),
            {"alpha": np.array(ridges) * train.sum()},
            cv=LeaveOneGroupOut(),
            scoring="neg_mean_squared_error",
        ).fit(z[train], number[train], groups=block[train])
        chosen = result["regularization"].values[2, fold] * train.sum()
        assert chosen == pytest.approx(peer.best_params_["alpha"])


def test_residuals_of_groups_left_out_equal_those_of_refits():
    from popdyn.analysis.ridge import _left_out

    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(30, 5)), rng.normal(size=(30, 1))
    z, y = z - z.mean(axis=0), y - y.mean()
    group = np.arange(30) % 4
    left, singular, _ = np.linalg.svd(z, full_matrices=False)
    keep = singular**2 / (singular**2 + 3.0)
    residual = y - left @ (keep[:, None] * (left.T @ y))
    for own, splits in ((group, LeaveOneGroupOut()), (None, LeaveOneGroupOut())):
        alone = np.arange(30) if own is None else own
        expected = cross_val_predict(Ridge(alpha=3.0), z, y, groups=alone, cv=splits)
        found = _left_out(residual, left, keep, own)
        np.testing.assert_allclose(found, y - expected.reshape(-1, 1), atol=1e-10)


def test_scores_are_those_of_the_predictions_in_the_units_of_the_label():
    tensor = planted(units="s")
    result = pdn.decode_quantity(tensor, "duration", n_draws=20)
    value, fold = result["value"].values, result["fold"].values
    guess = np.array([value[fold != own].mean() for own in fold])
    error = (result["prediction"].values - value) ** 2
    np.testing.assert_allclose(result["rmse"], np.sqrt(error.mean(axis=1)))
    np.testing.assert_allclose(
        result["r2"], 1 - error.sum(axis=1) / ((value - guess) ** 2).sum(), rtol=1e-10
    )
    assert result["rmse"].attrs["units"] == "s"
    assert float(result["chance_rmse"]) == pytest.approx(np.sqrt(((value - guess) ** 2).mean()))


def test_the_planted_bins_are_found_and_no_other():
    result = pdn.decode_quantity(planted(effect=1.5, n_trials=120), "duration")
    assert (result["r2"][2:] > 0.7).all()
    assert (result["rmse"][2:] < 0.16).all()
    for name in ("p", "p_corrected", "cluster_p"):
        assert (result[name][2:] < 0.01).all()
        assert (result[name][:2] > 0.04).all()
    assert result["cluster"].values.tolist()[2:] == [result["cluster"].values[-1]] * 3


def test_knowing_nothing_scores_zero_on_average():
    # With a ridge chosen by cross-validation nothing is lost by trying.
    result = pdn.decode_quantity(planted(effect=0.0, n_trials=200, n_bins=20), "duration")
    assert float(result["null_r2"].mean()) == pytest.approx(0.0, abs=0.02)
    assert abs(float(result["mean_r2"])) < 0.05


def test_the_result_has_the_promised_variables():
    result = pdn.decode_quantity(planted(), "duration", n_draws=20)
    dims = {
        "r2": ("time",),
        "r2_bound": ("bound", "time"),
        "rmse": ("time",),
        "rmse_bound": ("bound", "time"),
        "chance_rmse": (),
        "null_r2": ("draw", "time"),
        "p": ("time",),
        "p_corrected": ("time",),
        "cluster_p": ("time",),
        "cluster": ("time",),
        "mean_r2": (),
        "mean_r2_bound": ("bound",),
        "null_mean_r2": ("draw",),
        "mean_p": (),
        "prediction": ("time", "trial"),
        "value": ("trial",),
        "fold": ("trial",),
        "regularization": ("time", "fold_number"),
    }
    assert {str(name): result[name].dims for name in result.data_vars} == dims
    assert result.attrs["label_units"] == "s"
    for name in ("r2", "rmse", "mean_r2"):
        lower, upper = result[f"{name}_bound"].values
        assert (lower <= result[name]).all()
        assert (upper >= result[name]).all()


@given(shift=st.floats(-50, 50), scale=st.floats(0.01, 100), seed=st.integers(0, 1000))
@settings(max_examples=8, deadline=None)
def test_units_of_activity_and_of_the_label_and_the_order_of_neurons_do_not_matter(
    shift, scale, seed
):
    tensor = planted(seed)
    other = (tensor[::-1] * scale + shift).assign_attrs(tensor.attrs).rename("rate")
    other = other.assign_coords(duration=("trial", 1000 * tensor["duration"].values + 3))
    first, second = (
        pdn.decode_quantity(x, "duration", n_draws=3, regularization=0.5) for x in (tensor, other)
    )
    np.testing.assert_allclose(first["r2"], second["r2"], atol=1e-8)
    np.testing.assert_allclose(first["null_r2"], second["null_r2"], atol=1e-8)
    np.testing.assert_allclose(1000 * first["rmse"], second["rmse"], rtol=1e-7)


def test_trials_without_a_number_are_left_out_and_said():
    tensor = planted()
    number = tensor["duration"].values.copy()
    number[:7] = np.nan
    with pytest.warns(pdn.PopdynWarning, match=r"decode_quantity leaves out: 7 of 60 trials"):
        result = pdn.decode_quantity(
            tensor.assign_coords(duration=("trial", number)), "duration", n_draws=2
        )
    assert result.sizes["trial"] == 53


def test_a_silent_neuron_changes_nothing():
    tensor = planted()
    silent = tensor.copy(deep=True)
    silent[7] = 3.0
    expected = pdn.decode_quantity(tensor[:7], "duration", n_draws=2)
    np.testing.assert_allclose(
        pdn.decode_quantity(silent, "duration", n_draws=2)["r2"], expected["r2"], atol=1e-12
    )


def test_neighbors_in_size_go_to_different_folds():
    result = pdn.decode_quantity(planted(), "duration", n_draws=2)
    order = np.argsort(result["value"].values, kind="stable")
    table = [result["fold"].values[order[i : i + 15]] for i in range(0, 60, 15)]
    for quarter in table:
        assert np.bincount(quarter, minlength=5).min() >= 1
    assert np.ptp(np.bincount(result["fold"].values)) == 0


def test_the_same_seed_gives_the_same_result():
    tensor = planted()
    first = pdn.decode_quantity(tensor, "duration", n_draws=5, rng=3)
    assert first.identical(pdn.decode_quantity(tensor, "duration", n_draws=5, rng=3))
    assert not first["null_r2"].equals(
        pdn.decode_quantity(tensor, "duration", n_draws=5, rng=4)["null_r2"]
    )


def test_many_labelings_at_once_equal_one_after_the_other():
    rng = np.random.default_rng(0)
    values, fold = rng.normal(size=(30, 6)), np.arange(30) % 3
    targets = rng.normal(size=(4, 30))
    together, _, _ = held_out_numbers(values, targets, fold, RIDGES)
    for own, target in zip(together, targets, strict=True):
        alone, _, _ = held_out_numbers(values, target[np.newaxis], fold, RIDGES)
        np.testing.assert_allclose(own, alone[0], atol=1e-12)


@pytest.mark.parametrize(
    ("label", "options", "error", "words"),
    [
        ("durations", {}, pdn.TensorError, r"no trial column 'durations'.*'duration'"),
        ("side", {}, pdn.TensorError, r"needs numbers; trial column 'side' holds text \(l, r\)"),
        (["duration", "block"], {}, pdn.TensorError, r"one trial column of numbers; found \["),
        ("one", {}, pdn.FitError, r"'one' is constant: 1 \(60\)"),
        ("duration", {"n_folds": 40}, pdn.FitError, r"needs 80 complete trials or more, found 60"),
        ("duration", {"n_folds": 1}, pdn.TensorError, r"n_folds is 2 or more"),
        ("duration", {"regularization": -1}, pdn.TensorError, r"above 0 .* found -1"),
        ("duration", {"regularization": "loo"}, pdn.TensorError, r'"cv".* found \'loo\''),
        ("duration", {"regularization": []}, pdn.TensorError, r"regularization is an empty list"),
        ("duration", {"groups": "one"}, pdn.FitError, r"groups= has one value in all trials"),
        ("duration", {"groups": "block", "n_folds": 7}, pdn.FitError, r"7 folds .* found 6: use"),
    ],
)
def test_questions_that_cannot_be_asked_are_refused_in_words(label, options, error, words):
    tensor = planted().assign_coords(
        side=("trial", np.tile(["l", "r"], 30)), one=("trial", np.ones(60))
    )
    with pytest.raises(error, match=words):
        pdn.decode_quantity(tensor, label, **options)


def test_a_recording_and_a_network_are_asked_alike():
    session = pdn.read_session(
        DATA / "human_mtl_boundaries_sub-4_ses-4.nwb", trials="encoding_table"
    )
    counts = pdn.align(session, "boundary1_time", (0.0, 0.5), 0.1)
    recording = pdn.decode_quantity(counts, "start_time", n_draws=20)  # slow drift, say
    assert recording.sizes["trial"] == 90
    assert recording["rmse"].attrs["units"] == "s"
    task = pdn.tasks.PerceptualDecision()
    simulated = pdn.simulate(
        pdn.network.Rate.random(30, g=1.0, rng=0), task.sample(60, rng=1), rng=2, bin_width=0.05
    )
    network = pdn.decode_quantity(simulated["rate"], "stimulus", n_draws=20)
    assert float(network["r2"].max()) > 0.9
    assert set(network.data_vars) == set(recording.data_vars)
