from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.model_selection import StratifiedGroupKFold

import popdyn as pdn
from popdyn.analysis.folds import group_folds, shuffled_labels, strata_of, trains_every_class
from popdyn.analysis.group_labels import blind_deals, deal_of, shuffled_between
from tests.analysis.test_decode_quantity import planted as planted_number
from tests.analysis.test_decoding import planted


def blocked(seed=0, n_blocks=8, size=10, shared=3.0, effect=0.0):
    """Blocks whose trials share an offset of their own; the label changes within them."""
    rng = np.random.default_rng(seed)
    block = np.repeat(np.arange(n_blocks), size)
    choice = rng.integers(0, 2, block.size)
    values = (
        rng.normal(size=(6, 4, block.size)) + shared * rng.normal(size=(6, 1, n_blocks))[..., block]
    )
    values[0] += effect * choice
    side = rng.permutation(np.arange(n_blocks) % 2)[block]
    table = {"choice": choice, "block": block, "side": side, "one": np.zeros(block.size)}
    return pdn.make_tensor(values, 0.1 * np.arange(4), table, units="1")


@given(
    seed=st.integers(0, 10_000),
    n_groups=st.integers(3, 12),
    n_folds=st.integers(2, 3),
    n_classes=st.integers(2, 4),
)
@settings(max_examples=40, deadline=None)
def test_groups_stay_together_and_every_fold_holds_some(seed, n_groups, n_folds, n_classes):
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(n_groups), rng.integers(1, 9, n_groups))
    label = rng.integers(0, n_classes, group.size)
    fold = group_folds(label, group, n_folds, rng)
    assert all(np.unique(fold[group == number]).size == 1 for number in range(n_groups))
    assert np.unique(fold).size == n_folds


def test_classes_are_spread_over_folds_of_groups_as_well_as_by_scikit_learn():
    rng = np.random.default_rng(0)

    def spread(label, fold):
        table = np.array([np.bincount(label[fold == f], minlength=3) for f in range(4)])
        return (table / table.sum(axis=0)).std()

    ours, theirs = [], []
    for _ in range(20):
        group = np.repeat(np.arange(16), rng.integers(3, 9, 16))
        label = (rng.random(group.size) < rng.random(16)[group]).astype(int) + (group % 5 == 0)
        ours.append(spread(label, group_folds(label, group, 4, rng)))
        fold = np.empty(group.size, dtype=int)
        for number, (_, test) in enumerate(StratifiedGroupKFold(4).split(label, label, group)):
            fold[test] = number
        theirs.append(spread(label, fold))
    assert np.mean(ours) < 1.1 * np.mean(theirs)


def test_labels_are_shuffled_within_groups():
    tensor = blocked()
    label, group = tensor["choice"].values, tensor["block"].values
    draws = shuffled_labels(label, group, 50, np.random.default_rng(0))
    for number in range(8):
        assert (draws[:, group == number].sum(axis=1) == label[group == number].sum()).all()
    assert len(np.unique(draws, axis=0)) == 50


def test_a_label_of_whole_groups_goes_from_group_to_group():
    tensor = blocked()
    label, group = tensor["side"].values, tensor["block"].values
    deals = blind_deals(group, 4, np.random.default_rng(1))
    draws = shuffled_between(label, deals, group, 50, np.random.default_rng(0))
    of_groups = draws[:, ::10]
    np.testing.assert_array_equal(draws, np.repeat(of_groups, 10, axis=1))
    assert (of_groups.sum(axis=1) == 4).all()
    assert all(trains_every_class(draw, deals[deal_of(draw, deals)]) for draw in draws)


def test_deals_of_whole_groups_differ_and_hold_equal_numbers_of_groups():
    group = np.repeat(np.arange(10), np.arange(3, 13))
    deals = blind_deals(group, 4, np.random.default_rng(0))
    first = np.unique(group, return_index=True)[1]
    assert all(np.array_equal(fold, fold[first][group]) for fold in deals)
    assert all(sorted(np.bincount(fold[first])) == [2, 2, 3, 3] for fold in deals)
    assert len(np.unique(deals, axis=0)) == len(deals)


def test_every_labeling_has_the_deal_that_spreads_its_classes_most_evenly():
    deals = np.array([[0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 2, 2], [0, 1, 2, 0, 1, 2]])
    assert deal_of(np.array([0, 0, 0, 1, 1, 1]), deals) == 2
    assert deal_of(np.array([0, 1, 0, 1, 0, 1]), deals) == 0
    assert deal_of(np.array([0.1, 5.0, 0.2, 5.1, 0.3, 5.2]), deals) == 0
    # The first deal never trains on class 0.
    label = np.array([0, 0, 1, 1, 1, 1])
    assert deal_of(label, deals[:1]) == -1
    assert deal_of(label, deals[:2]) == 1


def test_folds_of_groups_know_no_more_of_the_true_label_than_of_its_shuffles():
    # Over all labels that six groups can have, the scores of the true ones and those of the
    # shuffles are the same numbers.
    rng = np.random.default_rng(0)
    block = np.repeat(np.arange(6), 6)
    values, scores, nulls = rng.normal(size=(8, 2, 36)), [], []
    for chosen in combinations(range(6), 3):
        side = np.isin(block, chosen).astype(int)
        tensor = pdn.make_tensor(values, [0.0, 0.1], {"side": side, "block": block}, units="1")
        result = pdn.decode(tensor, "side", groups="block", n_folds=3, n_draws=100)
        scores.append(float(result["mean_accuracy"]))
        nulls.append(float(result["null_mean_accuracy"].mean()))
    assert np.mean(scores) == pytest.approx(np.mean(nulls), abs=0.01)
    assert np.ptp(scores) > 0.05


def test_folds_of_groups_know_no_more_of_the_true_number_than_of_its_shuffles():
    rng = np.random.default_rng(0)
    block = np.repeat(np.arange(6), 6)
    values, scores, nulls = rng.normal(size=(8, 2, 36)), [], []
    of_block = np.array([0.0, 0.1, 1.0, 1.1, 2.0, 2.1])
    options = {"groups": "block", "n_folds": 3, "n_draws": 50, "regularization": 1.0}
    for _ in range(60):
        number = rng.permutation(of_block)[block]
        tensor = pdn.make_tensor(values, [0.0, 0.1], {"number": number, "block": block}, units="1")
        result = pdn.decode_quantity(tensor, "number", **options)
        scores.append(float(result["mean_r2"]))
        nulls.append(float(result["null_mean_r2"].mean()))
    error = np.std(scores) / np.sqrt(len(scores))
    assert abs(np.mean(scores) - np.mean(nulls)) < 3 * error


@pytest.mark.parametrize(
    ("function", "label", "score"),
    [
        (pdn.decode, "side", "null_accuracy"),
        (pdn.temporal_generalization, "side", "null_mean_accuracy"),
        (pdn.decode_quantity, "number", "null_r2"),
    ],
    ids=["decode", "generalization", "quantity"],
)
def test_a_shuffle_scores_what_it_would_score_as_the_true_label(function, label, score):
    tensor = blocked(n_blocks=8, size=5)
    number = np.random.default_rng(1).random(8)[tensor["block"].values]
    tensor = tensor.assign_coords(number=("trial", number))
    values = tensor[label].values
    options = {"groups": "block", "n_folds": 4, "n_draws": 8}
    group = tensor["block"].values
    generator = np.random.default_rng(0)
    deals = blind_deals(group, 4, generator)
    first = values if values.dtype.kind == "f" else np.where(values == values[0], 0, 1)
    draws = shuffled_between(first, deals, group, 8, generator)
    null = function(tensor, label, rng=0, **options)[score].values
    for draw, expected in zip(draws, null, strict=True):
        other = tensor.assign_coords({label: ("trial", draw)})
        found = function(other, label, rng=0, **options)
        measured = found[score.removeprefix("null_")].values
        np.testing.assert_allclose(measured, expected, atol=1e-6)


def test_what_a_block_shares_is_not_taken_for_its_label():
    tensor = blocked(n_blocks=12, shared=3.0)
    fooled = pdn.decode(tensor, "side", n_folds=4, n_draws=99)
    assert float(fooled["mean_accuracy"]) > 0.8
    assert float(fooled["mean_p"]) < 0.05
    held = pdn.decode(tensor, "side", n_folds=4, n_draws=99, groups="block")
    assert float(held["mean_accuracy"]) < 0.75
    assert float(held["mean_p"]) > 0.05


def test_an_effect_within_blocks_is_found():
    tensor = blocked(shared=0.5, effect=2.0)
    result = pdn.decode(tensor, "choice", n_folds=4, groups="block")
    assert (result["cluster_p"] < 0.01).all()
    fold, block = result["fold"].values, tensor["block"].values
    assert all(np.unique(fold[block == number]).size == 1 for number in range(8))
    across = pdn.temporal_generalization(tensor, "choice", n_folds=4, groups="block", n_draws=20)
    assert float(across["mean_accuracy"]) > 0.7


def test_the_bootstrap_of_a_number_draws_whole_groups():
    tensor = planted_number(n_trials=60, n_bins=2, effect=0.3)
    # Ten copies of each of six trials: as many trials, but no more than six are new.
    copies = tensor[..., np.arange(60) // 10]
    copies = copies.assign_coords(trial=np.arange(60), block=("trial", np.arange(60) // 10))
    options = {"n_folds": 3, "n_draws": 2, "regularization": 1.0}
    grouped = pdn.decode_quantity(copies, "duration", groups="block", **options)
    width = np.diff(grouped["rmse_bound"].values, axis=0).mean()
    error = (grouped["prediction"].values - grouped["value"].values) ** 2
    alone = np.sqrt(error)[0].reshape(6, 10)
    assert np.ptp(alone, axis=1).max() < 1e-9
    assert width > 0.05


def test_few_possible_shuffles_are_warned_of():
    tensor = blocked(n_blocks=4)
    with pytest.warns(
        pdn.PopdynWarning, match=r"only \d different labelings in 99 draws: p cannot"
    ):
        pdn.decode(tensor, "side", n_folds=2, n_draws=99, groups="block")


def test_groups_that_hold_a_class_alone_are_refused():
    tensor = blocked()
    rare = (tensor["block"].values == 3).astype(int)
    with pytest.raises(pdn.FitError, match=r"all trials of 1 are held out together, because gr"):
        pdn.decode(tensor.assign_coords(rare=("trial", rare)), "rare", n_folds=4, groups="block")
    with pytest.raises(
        pdn.FitError, match=r"9 folds need 9 groups or more, found 8: use n_folds=8"
    ):
        pdn.decode(tensor, "choice", n_folds=9, groups="block")
    with pytest.raises(pdn.FitError, match=r"groups= has one value in all trials"):
        pdn.decode(tensor, "choice", groups="one")
    with pytest.raises(pdn.TensorError, match=r"no trial column 'blocks'.*'block'"):
        pdn.decode(tensor, "choice", groups="blocks")


def test_trials_without_a_group_are_left_out():
    tensor = blocked()
    block = tensor["block"].values.astype(float)
    block[:5] = np.nan
    with pytest.warns(pdn.PopdynWarning, match=r"5 of 80 trials have no label or group"):
        result = pdn.decode(
            tensor.assign_coords(block=("trial", block)), "choice", groups="block", n_draws=5
        )
    assert result.sizes["trial"] == 75


def test_numbers_of_similar_size_share_a_stratum():
    values = np.random.default_rng(0).normal(size=53)
    strata = strata_of(values)
    assert np.ptp(np.bincount(strata)) <= 1
    assert all(values[strata == k].max() < values[strata == k + 1].min() for k in range(4))


def sessions(n=4, effect=1.0, **options):
    results = {}
    for day in range(n):
        tensor = planted(seed=day, counts=(15 + day, 18), effect=effect)
        results[f"day {day}"] = pdn.decode(tensor, "choice", n_draws=40, **options)
    return results


def test_sessions_are_averaged_with_the_session_as_the_unit():
    results = sessions()
    pooled = pdn.pool_decoding(results)
    each = np.stack([result["accuracy"].values for result in results.values()])
    np.testing.assert_allclose(pooled["accuracy"], each.mean(axis=0))
    np.testing.assert_array_equal(pooled["session_accuracy"], each)
    expected = stats.t.interval(0.95, 3, each.mean(axis=0), stats.sem(each, axis=0))
    np.testing.assert_allclose(pooled["accuracy_bound"], expected)
    assert pooled["session"].values.tolist() == list(results)
    assert pooled.attrs["unit"] == "session"
    assert pooled.attrs["n_sessions"] == 4
    assert (pooled["cluster_p"][3:] < 0.05).all()
    mean = np.mean([float(result["null_accuracy"].mean()) for result in results.values()])
    assert float(pooled["null_accuracy"].mean()) == pytest.approx(mean)
    assert pdn.show(pooled).get_ylabel() == "balanced accuracy (share of trials)"


def test_the_average_of_shuffles_is_narrower_than_that_of_one_session():
    results = sessions(effect=0.0)
    pooled = pdn.pool_decoding(results)
    one = float(results["day 0"]["null_accuracy"].std("draw").mean())
    assert float(pooled["null_accuracy"].std("draw").mean()) == pytest.approx(one / 2, rel=0.25)


def test_numbers_are_averaged_over_sessions_too():
    results = [
        pdn.decode_quantity(planted_number(seed), "duration", n_draws=20) for seed in range(3)
    ]
    pooled = pdn.pool_decoding(results)
    assert pooled["session"].values.tolist() == ["session 1", "session 2", "session 3"]
    assert pooled.attrs["method"] == "decode_quantity"
    assert float(pooled["mean_r2"]) == pytest.approx(np.mean([float(r.mean_r2) for r in results]))
    assert pdn.show(pooled).get_xlabel() == "time (s)"


def test_bounds_end_where_the_scale_does():
    named = sessions(3)
    for result, accuracy in zip(named.values(), (1.0, 0.8, 0.99), strict=True):
        result["accuracy"][:] = accuracy
    low, high = pdn.pool_decoding(named)["accuracy_bound"].values
    assert (high == 1.0).all()
    spread = stats.t(2).ppf(0.975) * np.std([1.0, 0.8, 0.99], ddof=1) / np.sqrt(3)
    np.testing.assert_allclose(low, 0.93 - spread)
    assert (pdn.pool_decoding(named)["mean_accuracy_bound"][1] == 1.0).all()


def test_one_session_has_no_bounds():
    assert np.isnan(pdn.pool_decoding(sessions(1))["accuracy_bound"]).all()


def test_results_that_do_not_fit_are_refused_in_words():
    results = list(sessions(2).values())
    number = pdn.decode_quantity(planted_number(), "duration", n_draws=40)
    with pytest.raises(pdn.TensorError, match=r"found decode, decode_quantity"):
        pdn.pool_decoding([*results, number])
    with pytest.raises(pdn.TensorError, match=r"found nothing"):
        pdn.pool_decoding([])
    fewer = pdn.decode(planted(), "choice", n_draws=39)
    with pytest.raises(pdn.TensorError, match=r"same number of draws .* 'session 3' differs"):
        pdn.pool_decoding([*results, fewer])
    later = results[0].assign_coords(time=results[0]["time"] + 0.05)
    with pytest.raises(pdn.TensorError, match=r"same bins in every session"):
        pdn.pool_decoding([*results, later])
    three = pdn.decode(planted(counts=(10, 10, 10)), "choice", n_draws=40)
    with pytest.raises(pdn.TensorError, match=r"same number of classes"):
        pdn.pool_decoding([*results, three])


def test_only_different_sessions_with_one_label_are_averaged():
    result = sessions(1)["day 0"]
    with pytest.raises(pdn.TensorError, match="'session 1' and 'session 2' are the same result"):
        pdn.pool_decoding([result, result])
    other = sessions(2)["day 1"].assign_attrs(label="context")
    with pytest.raises(pdn.TensorError, match=r"same label \(choice and context\)"):
        pdn.pool_decoding([result, other])


@pytest.mark.parametrize(
    ("label", "change", "words"),
    [
        ("choice", {"regularization": "cv"}, "above 0 .* found 'cv'; only decode_quantity"),
        ("choice", {"n_draws": "200"}, "n_draws 1 or more; found 5 and '200'"),
        ("choice", {"n_folds": 2.5}, "found 2.5 and 200, expected whole numbers"),
        (None, {}, "expected a trial column, or a list of them, found None"),
    ],
)
def test_arguments_of_another_type_are_refused_in_words(label, change, words):
    with pytest.raises(pdn.TensorError, match=words):
        pdn.decode(planted(), label, **change)


def test_a_longest_lag_that_is_no_number_is_refused():
    with pytest.raises(pdn.TensorError, match="max_lag is a number of seconds; found '0.2'"):
        pdn.timescale(planted(), max_lag="0.2")
