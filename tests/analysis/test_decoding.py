import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge

import popdyn as pdn
from popdyn.analysis import decoding
from popdyn.analysis.accuracy import accuracy_statistics
from popdyn.analysis.discriminant import held_out_correct
from popdyn.analysis.folds import stratified_folds
from tests.analysis.nominal import interval
from tests.oracles import decoding as slow

RESULTS = Path(__file__).parent / "results" / "decoding.csv"
DATA = Path(__file__).parents[2] / "data"


def planted(seed=0, counts=(20, 20), effect=1.0, n_neurons=10, n_bins=6, first=3, rho=0.0):
    """Classes apart by `effect` in three neurons from bin `first` on; noise of variance 1."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(len(counts)), counts)
    noise = rng.normal(size=(n_neurons, n_bins, label.size))
    for time in range(1, n_bins):
        noise[:, time] = rho * noise[:, time - 1] + np.sqrt(1 - rho**2) * noise[:, time]
    noise[:3, first:] += effect * label
    order = rng.permutation(label.size)
    return pdn.make_tensor(
        noise[..., order], 0.05 * np.arange(n_bins), {"choice": label[order]}, units="1"
    )


def problem(seed, n_classes, n_neurons):
    rng = np.random.default_rng(seed)
    label = rng.permutation(np.repeat(np.arange(n_classes), rng.integers(6, 12, n_classes)))
    values = rng.normal(size=(label.size, n_neurons)) + 0.8 * label[:, None]
    return values, label, stratified_folds(label, 4, rng)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("n_neurons", [1, 6, 80])
@pytest.mark.parametrize("regularization", [0.01, 1.0, 30.0])
def test_many_labelings_at_once_equal_the_plain_formula(n_classes, n_neurons, regularization):
    values, label, fold = problem(3, n_classes, n_neurons)
    rng = np.random.default_rng(0)
    shuffled = label.copy()
    for number in np.unique(fold):
        shuffled[fold == number] = rng.permutation(label[fold == number])
    labelings = np.stack([label, shuffled])
    found = held_out_correct(values, labelings, fold, regularization)
    for own, labeling in zip(found, labelings, strict=True):
        expected = slow.held_out_correct(values, labeling, fold, regularization)
        np.testing.assert_array_equal(own, expected)


def test_a_fold_agrees_with_scikit_learns_discriminant_without_priors():
    values, label, fold = problem(5, 3, 6)
    ridge = 0.7
    train = fold != 0
    z = (values - values[train].mean(axis=0)) / values[train].std(axis=0)
    share = np.bincount(label[train]) / train.sum()
    within = sum(
        part * np.cov(z[train][label[train] == k].T, bias=True) for k, part in enumerate(share)
    )
    shrinkage = ridge / (ridge + np.trace(within) / 6)
    peer = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage, priors=share)
    peer.fit(z[train], label[train])
    scores = peer.decision_function(z[~train]) - np.log(share)
    expected = scores.argmax(axis=1) == label[~train]
    found = held_out_correct(values, label[np.newaxis], fold, ridge)[0, ~train]
    np.testing.assert_array_equal(found, expected)


def test_two_classes_are_told_apart_along_the_direction_of_ridge_regression():
    values, label, fold = problem(8, 2, 6)
    train = fold != 1
    z = (values - values[train].mean(axis=0)) / values[train].std(axis=0)
    peer = Ridge(alpha=1.0 * train.sum()).fit(z[train], label[train])
    score = z @ peer.coef_
    half_way = np.mean([score[train & (label == k)].mean() for k in (0, 1)])
    expected = (score[~train] > half_way) == label[~train]
    found = held_out_correct(values, label[np.newaxis], fold, 1.0)[0, ~train]
    np.testing.assert_array_equal(found, expected)


def test_the_planted_time_is_found_and_no_other():
    result = pdn.decode(planted(counts=(40, 40), effect=1.5), "choice", n_draws=200)
    # The true accuracy is Phi(1.5 sqrt(3) / 2), 0.90.
    assert (result["accuracy"][3:] > 0.8).all()
    assert (result["p_corrected"][3:] < 0.01).all()
    assert (result["p_corrected"][:3] > 0.05).all()
    assert float(result["mean_p"]) < 0.01


def test_two_of_three_classes_alike_give_what_theory_says():
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1, 2], 300)
    values = rng.normal(size=(1, 1, 900)) + 2 * (label == 2)
    tensor = pdn.make_tensor(values, [0.0], {"choice": label}, units="1", bin_width=0.1)
    # Means 0, 0, 2 and unit noise: class 2 is right with probability Phi(1), the others share it.
    expected = (0.841 + 0.841) / 3
    assert float(pdn.decode(tensor, "choice", n_draws=1)["mean_accuracy"]) == pytest.approx(
        expected, abs=0.04
    )


def test_unbalanced_classes_do_not_win_by_their_number():
    result = pdn.decode(planted(counts=(15, 90), effect=0.0, n_bins=12), "choice", n_draws=100)
    assert float(result["chance"]) == 0.5
    assert float(result["null_accuracy"].mean()) == pytest.approx(0.5, abs=0.01)
    assert float(result["mean_accuracy"]) == pytest.approx(0.5, abs=0.07)


def test_the_result_has_the_promised_variables():
    result = pdn.decode(planted(), "choice", n_draws=20)
    dims = {
        "accuracy": ("time",),
        "accuracy_bound": ("bound", "time"),
        "null_accuracy": ("draw", "time"),
        "p": ("time",),
        "p_corrected": ("time",),
        "cluster_p": ("time",),
        "cluster": ("time",),
        "mean_accuracy": (),
        "mean_accuracy_bound": ("bound",),
        "null_mean_accuracy": ("draw",),
        "mean_p": (),
        "chance": (),
        "n_trials": ("condition",),
        "correct": ("time", "trial"),
        "fold": ("trial",),
    }
    assert {name: result[name].dims for name in result.data_vars} == dims
    assert result["bound"].values.tolist() == ["lower", "upper"]
    assert result["condition"].values.tolist() == ["0", "1"]
    assert result.attrs["method"] == "decode"
    assert result.attrs["label"] == "choice"
    assert result.attrs["seed"] == "0"
    assert json.loads(result.attrs["parameters"])["n_folds"] == 5
    lower, upper = result["accuracy_bound"].values
    assert (lower <= result["accuracy"]).all()
    assert (upper >= result["accuracy"]).all()
    assert result["mean_accuracy"] == result["accuracy"].mean()


def test_p_values_count_the_draws_that_are_as_large():
    result = pdn.decode(planted(effect=0.5), "choice", n_draws=99)
    null, accuracy = result["null_accuracy"].values, result["accuracy"].values
    reached = (null >= accuracy - 1e-12).sum(axis=0)
    np.testing.assert_allclose(result["p"], (1 + reached) / 100)
    over_time = (null.max(axis=1)[:, None] >= accuracy - 1e-12).sum(axis=0)
    np.testing.assert_allclose(result["p_corrected"], (1 + over_time) / 100)


def test_a_decoder_that_is_always_right_is_not_certain():
    result = pdn.decode(planted(effect=50.0, first=0), "choice", n_draws=50)
    assert (result["accuracy"] == 1).all()
    assert (result["accuracy_bound"].sel(bound="lower") < 0.97).all()
    assert (result["accuracy_bound"].sel(bound="upper") == 1).all()


def test_bounds_are_widened_by_what_trials_share_through_their_decoders():
    label = np.repeat([0, 1], 50)
    classes = np.tile(label, (101, 1))
    position = np.tile(np.arange(50), 2)
    # Shuffles with 30 or 70 % right: a variance of 0.04, where independent trials would have
    # 0.3 x 0.7 / 100 = 0.0021.
    shuffled = [position < (15 if draw % 2 else 35) for draw in range(100)]
    measured = position < 35
    together = np.stack([measured, *shuffled])[np.newaxis]
    alone = np.stack([measured] * 101)[np.newaxis]
    wide, narrow = (
        accuracy_statistics(correct, classes, np.random.default_rng(0))
        for correct in (together, alone)
    )
    for name in ("accuracy_bound", "mean_accuracy_bound"):
        wide_bound, narrow_bound = np.ravel(wide[name][1]), np.ravel(narrow[name][1])
        ratio = (0.7 - wide_bound[0]) / (0.7 - narrow_bound[0])
        assert ratio == pytest.approx(np.sqrt(0.04 / 0.0021))
        assert wide_bound[1] == 1.0


def test_the_null_shuffles_labels_within_folds(monkeypatch):
    seen = []

    def record(values, classes, fold, regularization):
        seen.append((classes, fold))
        return held_out_correct(values, classes, fold, regularization)

    monkeypatch.setattr(decoding, "held_out_correct", record)
    pdn.decode(planted(counts=(11, 17), n_bins=1, first=0), "choice", n_draws=30)
    ((classes, fold),) = seen
    counts = np.array(
        [[(row[fold == number] == 1).sum() for number in range(5)] for row in classes]
    )
    assert (counts == counts[0]).all()
    assert len(np.unique(classes, axis=0)) > 25


@given(seed=st.integers(0, 10_000), shift=st.floats(-100, 100), scale=st.floats(0.01, 100))
@settings(max_examples=10, deadline=None)
def test_units_and_the_order_of_neurons_do_not_matter(seed, shift, scale):
    tensor = planted(seed)
    other = (tensor[::-1] * scale + shift).assign_attrs(tensor.attrs).rename("rate")
    before = other.copy(deep=True)
    first, second = (pdn.decode(x, "choice", n_draws=5) for x in (tensor, other))
    np.testing.assert_allclose(first["accuracy"], second["accuracy"])
    np.testing.assert_allclose(first["null_accuracy"], second["null_accuracy"])
    assert other.identical(before)


def test_the_same_seed_gives_the_same_result_on_any_number_of_threads():
    from joblib import parallel_config

    tensor = planted()
    alone = pdn.decode(tensor, "choice", n_draws=20, rng=4)
    with parallel_config(backend="threading"):
        threads = pdn.decode(tensor, "choice", n_draws=20, rng=4, n_jobs=2)
    assert alone.identical(threads)
    other = pdn.decode(tensor, "choice", n_draws=20, rng=5)
    assert not alone["null_accuracy"].equals(other["null_accuracy"])


def test_folds_hold_every_class_in_equal_shares():
    label = np.repeat([0, 1, 2], [7, 20, 13])
    fold = stratified_folds(label, 5, np.random.default_rng(0))
    table = np.array([[((label == k) & (fold == f)).sum() for f in range(5)] for k in range(3)])
    assert (np.ptp(table, axis=1) <= 1).all()
    assert np.ptp(table.sum(axis=0)) <= 1


def test_a_silent_neuron_changes_nothing():
    tensor = planted()
    silent = tensor.copy(deep=True)
    silent[9] = 0.0
    expected = pdn.decode(tensor[:9], "choice", n_draws=5)
    np.testing.assert_allclose(pdn.decode(silent, "choice", n_draws=5).p, expected.p)


def test_only_silent_neurons_decode_at_chance():
    tensor = planted(n_neurons=3)
    tensor[:] = 0.0
    result = pdn.decode(tensor, "choice", n_draws=5)
    assert (result["accuracy"] == 0.5).all()
    assert (result["p"] == 1).all()


def test_trials_and_neurons_with_nan_are_left_out_and_said():
    tensor = planted()
    tensor[9] = np.nan
    tensor[2, 4, :3] = np.nan
    with pytest.warns(pdn.PopdynWarning) as said:
        result = pdn.decode(tensor, "choice", n_draws=5)
    message = str(said[0].message)
    assert "1 of 10 neurons were not observed in any bin (9)" in message
    assert "3 of 40 labelled trials were not observed in every neuron and bin" in message
    assert int(result["n_trials"].sum()) == 37
    assert result.attrs["n_neurons"] == 9
    assert said[0].filename == __file__


def test_trials_without_a_label_are_left_out_and_said():
    tensor = planted().assign_coords(side=("trial", ["", *np.tile(["l", "r"], 20)[1:]]))
    with pytest.warns(pdn.PopdynWarning, match=r"1 of 40 trials have no label"):
        result = pdn.decode(tensor, "side", n_draws=5)
    assert result["condition"].values.tolist() == ["l", "r"]


def test_labels_equal_within_rounding_are_one_class():
    tensor = planted()
    noisy = tensor["choice"].values * 0.3 + np.where(np.arange(40) % 2, 0, 5e-17)
    noisy[tensor["choice"].values == 1] = np.where(np.arange(20) % 2, 0.3, 0.1 + 0.2)
    result = pdn.decode(tensor.assign_coords(ts=("trial", noisy)), "ts", n_draws=5)
    assert result.sizes["condition"] == 2


def test_several_columns_are_decoded_as_combinations():
    tensor = planted(counts=(10, 10, 10, 10))
    tensor = tensor.assign_coords(
        side=("trial", tensor["choice"].values % 2), context=("trial", tensor["choice"].values // 2)
    )
    result = pdn.decode(tensor, ["side", "context"], n_draws=5)
    assert "side=1, context=0" in result["condition"].values
    assert float(result["chance"]) == 0.25


def test_a_pseudopopulation_uses_the_repeats_all_neurons_have_and_says_so():
    days = [planted(seed, counts=(10 + seed, 12), n_neurons=2) for seed in (0, 1)]
    days = [day.assign_attrs(source_id=f"day{n}") for n, day in enumerate(days)]
    pool = pdn.pseudopopulation(days, "choice")
    with pytest.warns(pdn.PopdynWarning, match=r"1 of 23 labelled trials"):
        result = pdn.decode(pool, "choice", n_draws=5)
    assert result["n_trials"].values.tolist() == [10, 12]
    assert "not recorded together" in result.attrs["note"]


def with_column(values):
    return planted().assign_coords(other=("trial", values))


HOLES = planted()
HOLES.values[np.arange(40) % 10, 0, np.arange(40)] = np.nan


@pytest.mark.parametrize(
    ("tensor", "label", "options", "error", "words"),
    [
        (
            with_column(np.ones(40)),
            "other",
            {},
            pdn.FitError,
            r"'other' is constant: 1 \(40\)\. Choose another column",
        ),
        (
            with_column(["a", *["b"] * 39]),
            "other",
            {},
            pdn.FitError,
            r"needs 5 trials or more in every class of 'other'; too few in a \(1\)\. Leave these",
        ),
        (
            with_column(np.linspace(0, 1, 40)),
            "other",
            {},
            pdn.FitError,
            r"'other' has 40 different numbers: group them into a few classes",
        ),
        (planted(), "choise", {}, pdn.TensorError, r"no trial column 'choise'.*'choice'"),
        (planted(), "choice", {"n_folds": 1}, pdn.TensorError, r"n_folds is 2 or more"),
        (planted(), "choice", {"n_draws": 0}, pdn.TensorError, r"n_draws 1 or more; found 5 and 0"),
        (planted(), "choice", {"regularization": 0}, pdn.TensorError, r"above 0 .* found 0"),
    ],
)
def test_questions_that_cannot_be_asked_are_refused_in_words(tensor, label, options, error, words):
    with pytest.raises(error, match=words):
        pdn.decode(tensor, label, **options)


def test_without_a_complete_trial_the_neurons_to_give_up_are_named():
    with (
        pytest.raises(
            pdn.FitError, match=r"none of 40 labelled trials is\. .*: 0 \(36\), 1 \(36\)"
        ),
        pytest.warns(pdn.PopdynWarning, match=r"40 of 40"),
    ):
        pdn.decode(HOLES, "choice")


def test_the_human_recording_is_decoded_from_every_trial_of_its_three_categories():
    session = pdn.read_session(
        DATA / "human_mtl_boundaries_sub-4_ses-4.nwb", trials="encoding_table"
    )
    counts = pdn.align(session, "boundary1_time", (0.0, 0.5), 0.1)
    result = pdn.decode(counts, "stimCategory", n_draws=50)
    assert result["n_trials"].values.tolist() == [30, 30, 30]
    assert result.attrs["n_neurons"] == 35
    assert float(result["null_accuracy"].mean()) == pytest.approx(1 / 3, abs=0.02)


CASES = {  # name: counts, effect
    "balanced, no effect": ((20, 20), 0.0),
    "unbalanced, no effect": ((10, 50), 0.0),
    "three classes, no effect": ((12, 12, 24), 0.0),
    "balanced, weak effect": ((20, 20), 0.6),
    "balanced, strong effect": ((20, 20), 1.5),
}


@pytest.mark.slow
def test_size_power_and_coverage_are_what_the_docs_say():
    """Write results/decoding.csv, then hold it to its limits."""
    rows = []
    for place, (name, (counts, effect)) in enumerate(CASES.items()):
        n_sets = 1000 if effect == 0 else 300
        found = [
            pdn.decode(
                planted((place, s, 0), counts, effect, n_bins=8, first=0, rho=0.8),
                "choice",
                n_draws=59,
                rng=np.random.default_rng((place, s, 1)),
            )
            for s in range(n_sets)
        ]
        accuracy = np.array([r["accuracy"].values for r in found])
        truth = accuracy.mean()
        rows.append(
            {
                "case": name,
                "n_sets": n_sets,
                "accuracy": truth,
                "p_below_0.05": np.mean([r["p"].values <= 0.05 for r in found]),
                "any_corrected_p_below_0.05": np.mean(
                    [(r["p_corrected"].values <= 0.05).any() for r in found]
                ),
                "mean_p_below_0.05": np.mean([float(r["mean_p"]) <= 0.05 for r in found]),
                "coverage": np.mean([_covers(r["accuracy_bound"].values, truth) for r in found]),
                "coverage_of_mean": np.mean(
                    [_covers(r["mean_accuracy_bound"].values, truth) for r in found]
                ),
            }
        )
    with RESULTS.open("w", newline="") as file:
        file.write("# python -m pytest -m slow tests/analysis/test_decoding.py\n")
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(
            {k: v if isinstance(v, str) else f"{v:.4g}" for k, v in r.items()} for r in rows
        )
    test_the_committed_calibration_keeps_its_limits()


def _covers(bound, truth):
    return (bound[0] <= truth) & (truth <= bound[1])


def test_the_committed_calibration_keeps_its_limits():
    lines = [line for line in RESULTS.read_text().splitlines() if not line.startswith("#")]
    rows = {row["case"]: row for row in csv.DictReader(lines)}
    assert set(rows) == set(CASES)
    for name, row in rows.items():
        numbers = {key: float(value) for key, value in row.items() if key != "case"}
        size = [numbers[k] for k in ("any_corrected_p_below_0.05", "mean_p_below_0.05")]
        if "no effect" in name:
            assert numbers["p_below_0.05"] <= 0.055
            low, high = interval(int(numbers["n_sets"]))
            assert low <= min(size) <= max(size) <= high
        else:
            assert min(size) >= (0.95 if "strong" in name else 0.3)
        assert 0.92 <= numbers["coverage"] <= 0.995
        assert 0.92 <= numbers["coverage_of_mean"] <= 1
