from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

import popdyn as pdn
from popdyn.analysis.discriminant import discriminants, held_out_correct
from popdyn.analysis.shuffle_test import CLUSTER_THRESHOLD, over_matrix, standard_scores
from tests.analysis.test_decoding import planted, problem

DATA = Path(__file__).parents[2] / "data"


def moving(n_trials=80, effect=2.0, seed=0, n_bins=6):
    """A class held by one neuron in the first half and by another in the second."""
    rng = np.random.default_rng(seed)
    choice = rng.permutation(np.arange(n_trials) % 2)
    values = rng.normal(size=(5, n_bins, n_trials))
    values[0, : n_bins // 2] += effect * choice
    values[1, n_bins // 2 :] += effect * choice
    return pdn.make_tensor(values, 0.1 * np.arange(n_bins), {"choice": choice}, units="1")


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("n_neurons", [1, 6, 80])
def test_linear_rules_give_the_classes_of_the_plain_cross_validation(n_classes, n_neurons):
    values, label, fold = problem(3, n_classes, n_neurons)
    rng = np.random.default_rng(0)
    labelings = np.stack([label, *(rng.permutation(label) for _ in range(4))])
    expected = held_out_correct(values, labelings, fold, 0.7)
    for number in np.unique(fold):
        test = fold == number
        rules = discriminants(values[~test], labelings[:, ~test], 0.7)
        found = rules.predict(values[test]) == labelings[:, test]
        np.testing.assert_array_equal(found, expected[:, test])


def test_rules_are_tried_on_many_bins_at_once():
    values, label, _ = problem(1, 3, 6)
    rules = discriminants(values, label[np.newaxis], 1.0)
    many = np.stack([values, values[::-1]])
    found = rules.predict(many)
    assert found.shape == (2, 1, label.size)
    np.testing.assert_array_equal(found[1], rules.predict(values[::-1]))


@pytest.mark.parametrize("groups", [None, "block"])
def test_the_diagonal_is_what_decode_gives(groups):
    tensor = planted(counts=(24, 24)).assign_coords(block=("trial", np.arange(48) // 6))
    options = {"n_draws": 30, "rng": 2, "groups": groups, "n_folds": 4}
    across = pdn.temporal_generalization(tensor, "choice", **options)
    within = pdn.decode(tensor, "choice", **options)
    np.testing.assert_allclose(np.diagonal(across["accuracy"]), within["accuracy"], atol=1e-6)
    assert (across["null_largest_accuracy"] >= within["null_accuracy"].max("time") - 1e-6).all()


def test_a_code_that_moves_on_is_not_read_at_other_times():
    result = pdn.temporal_generalization(moving(), "choice")
    accuracy = result["accuracy"].values
    assert accuracy[:3, :3].min() > 0.7
    assert accuracy[3:, 3:].min() > 0.7
    assert accuracy[:3, 3:].max() < 0.65
    assert float(result["stability"]) < 0.5
    assert (result["cluster_p"].values[:3, :3] < 0.01).all()
    assert (result["cluster_p"].values[:3, 3:] > 0.05).all()
    held = pdn.temporal_generalization(planted(counts=(40, 40), effect=2.0, first=0), "choice")
    assert float(held["stability"]) == pytest.approx(1.0, abs=0.05)
    assert (held["p_corrected"] < 0.01).all()


def test_a_code_that_turns_round_is_below_chance():
    tensor = moving(effect=0.0)
    sign = np.where(np.arange(6) < 3, 1.0, -1.0)[:, np.newaxis]
    tensor.values[0] += 3 * sign * tensor["choice"].values
    accuracy = pdn.temporal_generalization(tensor, "choice", n_draws=5)["accuracy"].values
    assert accuracy[:3, :3].min() > 0.8
    assert accuracy[0, 5] < 0.6  # nearest class mean: all on one side


def test_the_result_has_the_promised_variables():
    result = pdn.temporal_generalization(moving(), "choice", n_draws=10)
    matrix = ("train_time", "test_time")
    dims = {
        "accuracy": matrix,
        "null_mean": matrix,
        "null_upper": matrix,
        "null_largest_accuracy": ("draw",),
        "null_mean_accuracy": ("draw",),
        "p": matrix,
        "p_corrected": matrix,
        "cluster_p": matrix,
        "cluster": matrix,
        "mean_accuracy": (),
        "mean_p": (),
        "stability": (),
        "chance": (),
        "n_trials": ("condition",),
    }
    assert {str(name): result[name].dims for name in result.data_vars} == dims
    assert result.attrs["method"] == "temporal_generalization"
    assert result["train_time"].attrs["units"] == "s"
    assert float(result["mean_accuracy"]) == pytest.approx(float(result["accuracy"].mean()))


def test_results_do_not_depend_on_the_slab(monkeypatch):
    tensor = moving()
    expected = pdn.temporal_generalization(tensor, "choice", n_draws=10)
    monkeypatch.setattr("popdyn.analysis.generalization._SLAB", 1)
    assert expected.identical(pdn.temporal_generalization(tensor, "choice", n_draws=10))


def test_areas_are_tested_against_the_largest_area_of_each_shuffle():
    rng = np.random.default_rng(0)
    observed = rng.normal(size=(8, 8))
    observed[2:5, 2:5] += 3
    null = rng.normal(size=(99, 8, 8))
    found = over_matrix(observed, null.copy())
    score, draws = standard_scores(observed, null)

    def masses(matrix):
        label, n_areas = ndimage.label(matrix > CLUSTER_THRESHOLD)
        return label, [matrix[label == number + 1].sum() for number in range(n_areas)]

    largest = np.array([max(masses(draw)[1], default=0.0) for draw in draws])
    label, own = masses(score)
    np.testing.assert_array_equal(found["cluster"][1], label)
    for number, mass in enumerate(own):
        expected = (1 + (largest >= mass - 1e-9).sum()) / 100
        assert (found["cluster_p"][1][label == number + 1] == expected).all()
    assert (found["cluster_p"][1][label == 0] == 1).all()
    assert found["cluster_p"][1][3, 3] == 0.01


def test_scores_that_never_vary_are_no_cluster():
    found = over_matrix(np.full((3, 3), 0.5), np.full((20, 3, 3), 0.5))
    assert (found["cluster_p"][1] == 1).all()
    assert (found["p"][1] == 1).all()


def test_the_measured_score_is_scaled_as_one_of_the_draws():
    null = np.random.default_rng(0).normal(3.0, 2.0, size=(50, 4))
    score, draws = standard_scores(null[0], null[1:])
    together = np.concatenate([score[np.newaxis], draws])
    np.testing.assert_allclose(together.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(together.std(axis=0), 1)


def test_questions_that_cannot_be_asked_are_refused_in_words():
    with pytest.raises(pdn.FitError, match=r"'choice' is constant"):
        pdn.temporal_generalization(moving().assign_coords(choice=("trial", np.ones(80))), "choice")
    with pytest.raises(pdn.TensorError, match=r"above 0 .* found 0"):
        pdn.temporal_generalization(moving(), "choice", regularization=0.0)
    holes = moving()
    holes[0, 0, 3] = np.nan
    with pytest.warns(pdn.PopdynWarning, match=r"temporal_generalization leaves out: 1 of 80"):
        pdn.temporal_generalization(holes, "choice", n_draws=2)


def test_a_recording_and_a_network_are_asked_alike():
    session = pdn.read_session(
        DATA / "human_mtl_boundaries_sub-4_ses-4.nwb", trials="encoding_table"
    )
    counts = pdn.align(session, "boundary1_time", (0.0, 0.5), 0.1)
    recording = pdn.temporal_generalization(counts, "stimCategory", n_draws=20)
    assert float(recording["chance"]) == pytest.approx(1 / 3)
    task = pdn.tasks.PerceptualDecision()
    simulated = pdn.simulate(
        pdn.network.Rate.random(30, g=1.0, rng=0), task.sample(80, rng=1), rng=2, bin_width=0.1
    )
    rate = simulated["rate"]
    rate = rate.assign_coords(right=("trial", (rate["stimulus"].values > 0).astype(int)))
    network = pdn.temporal_generalization(rate, "right", n_draws=20)
    assert float(network["accuracy"].max()) > 0.8
    assert set(network.data_vars) == set(recording.data_vars)
