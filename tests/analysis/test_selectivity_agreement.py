"""Groups of sources agree where they stand for the same, and their p keeps its level.

The committed study is written, cell by cell, by
``OPENBLAS_NUM_THREADS=1 python -m tests.analysis.test_selectivity_agreement``; what is there already
is not computed again.
"""

from __future__ import annotations

import csv
import sys
import time
from itertools import permutations
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import xarray as xr
from scipy.stats import binom, multivariate_normal, special_ortho_group
from sklearn.metrics import adjusted_rand_score

import popdyn as pdn
from popdyn.analysis.gaussian_mixture import GaussianMixture
from popdyn.analysis.selectivity_groups import (
    compare,
    groups_of,
    partners,
    random_turn,
    rounded,
)
from popdyn.errors import FitError, PopdynWarning, TensorError

RESULTS = Path(__file__).parent / "results" / "selectivity_agreement.csv"
COMMAND = "# OPENBLAS_NUM_THREADS=1 python -m tests.analysis.test_selectivity_agreement"
HEADER = [
    "question", "groups", "scatter", "n_neurons", "n_features", "n_sets", "n_draws", "p <= 0.05",
    "transfer_p <= 0.05", "mean agreement", "mean half_agreement",
    "mean half_agreement within", "coverage",
]  # fmt: skip
N_DRAWS = 99
CORNERS = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1.0]])


def directions(rng, n_groups, d):
    """Centers of groups, as long as the root of the number of features."""
    centers = rng.normal(size=(n_groups, d))
    return centers * np.sqrt(d) / np.linalg.norm(centers, axis=1, keepdims=True)


def members(rng, n, centers, scatter):
    """Neurons about random ones of these centers."""
    chosen = centers[rng.integers(0, len(centers), n)]
    return chosen + scatter * rng.normal(size=chosen.shape)


def two_sources(rng, question, n_groups, scatter, n, d):
    """Loadings of two sources: without groups, with groups of their own, or with the same.

    Of bounds, the groups are the same in all data sets.
    """
    if question == "no groups":
        return rng.normal(size=(2, n, d))
    first = directions(np.random.default_rng(5) if question == "bounds" else rng, n_groups, d)
    second = directions(rng, n_groups, d) if question == "other groups" else first
    return members(rng, n, first, scatter), members(rng, n, second, scatter)


def cells():
    """Question, number of groups, scatter, neurons, features, data sets."""
    for n, d in ((60, 3), (150, 4)):
        yield "no groups", 1, 1.0, n, d, 200
    for d in (3, 4):
        for n in (60, 150):
            for n_groups in (4, 6):
                yield "other groups", n_groups, 0.5, n, d, 200
    for n_groups, d in ((4, 3), (6, 4)):
        for n in (50, 150):
            for scatter in (0.25, 0.5):
                yield "same groups", n_groups, scatter, n, d, 50
    for n in (60, 150):
        yield "bounds", 4, 0.5, n, 3, 100


def answer(question, n_groups, scatter, n, d, n_sets):
    """Shares of small p, mean agreements, and how often bounds hold the mean agreement."""
    found = []
    n_splits = 25 if question == "bounds" else 2
    for rng in np.random.default_rng([n_groups, n, d, int(100 * scatter)]).spawn(n_sets):
        first, second = two_sources(rng, question, n_groups, scatter, n, d)
        # Splits make bounds, and take half of the time.
        with mock.patch("popdyn.analysis.selectivity_agreement._N_SPLITS", n_splits):
            result = pdn.selectivity_agreement({"a": first, "b": second}, n_draws=N_DRAWS, rng=rng)
        pair = result.sel(source="a", source_2="b")
        half = result["half_agreement"]
        found.append([
            pair["p"] <= 0.05, pair["transfer_p"] <= 0.05, pair["agreement"], half[0, 1],
            (half[0, 0] + half[1, 1]) / 2, *pair["agreement_bound"],
        ])  # fmt: skip
    found = np.array(found, dtype=float)
    mean = found.mean(axis=0)
    covered = ((found[:, 5] <= mean[2]) & (mean[2] <= found[:, 6])).mean()
    return [*mean[:5], covered if question == "bounds" else np.nan]


def written():
    if not RESULTS.exists():
        return []
    with RESULTS.open(newline="") as file:
        return list(csv.reader(line for line in file if not line.startswith("#")))[1:]


def key_of(cell):
    return [str(one) for one in cell]


def write():
    done = {tuple(row[:6]): row for row in written()}
    for cell in cells():
        key = tuple(key_of(cell))
        if key in done:
            continue
        start = time.process_time()
        done[key] = [*key, N_DRAWS, *(f"{one:.3f}" for one in answer(*cell))]
        sys.stdout.write(
            f"{time.process_time() - start:6.0f} s: {', '.join(map(str, done[key]))}\n"
        )
        sys.stdout.flush()
        kept = [done[tuple(key_of(one))] for one in cells() if tuple(key_of(one)) in done]
        part = RESULTS.with_suffix(".part")
        with part.open("w", newline="") as file:
            file.write(f"{COMMAND}\n")
            csv.writer(file, lineterminator="\n").writerows([HEADER, *kept])
        part.replace(RESULTS)


studied = pytest.mark.skipif(not RESULTS.exists(), reason="the study has not been run")


@studied
@pytest.mark.parametrize("question", ["no groups", "other groups"])
def test_committed_levels_are_nominal(question):
    """Each within the interval that 999 of 1,000 such simulations keep."""
    rows = [row for row in written() if row[0] == question]
    assert rows
    for row in rows:
        low, high = binom.interval(0.999, int(row[5]), 0.05)
        assert all(low <= int(row[5]) * float(share) <= high for share in row[7:9]), row


@studied
def test_committed_power_and_bounds():
    rows = [row for row in written() if row[0] == "same groups"]
    for row in rows:
        if row[3] == "150":
            assert float(row[8]) >= 0.9, row
        assert float(row[9]) >= float(row[10]), row
    for row in written():
        if row[0] == "bounds":
            assert binom.cdf(100 * float(row[12]), 100, 0.95) > 0.001, row


@studied
def test_committed_results_are_those_of_the_cells():
    assert [row[:6] for row in written()] == [key_of(cell) for cell in cells()]


def test_a_study_that_was_stopped_goes_on(monkeypatch, tmp_path):
    plan = [("no groups", 1, 1.0, n, 2, 3) for n in (40, 50)]
    monkeypatch.setitem(globals(), "RESULTS", tmp_path / "selectivity_agreement.csv")
    monkeypatch.setitem(globals(), "N_DRAWS", 9)
    monkeypatch.setitem(globals(), "cells", lambda: plan[1:])
    write()
    (first,) = written()
    seen = []
    monkeypatch.setitem(globals(), "cells", lambda: plan)
    monkeypatch.setitem(globals(), "answer", lambda *cell: seen.append(cell) or [0.0] * 6)
    write()
    assert seen == plan[:1]
    assert written()[1] == first


def three_sources(seed=0):
    """A network and an area with the same four groups, and neurons without groups."""
    rng = np.random.default_rng(seed)
    network, area = (members(rng, 80, CORNERS, 0.3) for _ in range(2))
    return {"network": network, "M2": area, "random": rng.normal(size=(70, 3))}


def test_the_same_groups_agree_and_neurons_without_groups_do_not():
    result = pdn.selectivity_agreement(three_sources(), n_draws=99)
    pair = result.sel(source="network", source_2="M2")
    assert int(result["n_clusters"]) == 4
    assert pair["agreement"] > 0.9
    # Groups at the corners of a tetrahedron fall onto each other by many turns.
    assert pair["p"] <= 0.15
    assert pair["transfer_p"] == 0.01
    assert pair["transfer_gain"] > 0.5 > result["transfer_gain"].sel(source="random").max()
    low, high = pair["agreement_bound"].values
    assert 0.3 < low < float(pair["agreement"]) <= high <= 1.0
    with_none = result.sel(source="random", source_2=["network", "M2"])
    assert with_none["agreement"].max() < 0.5
    assert with_none["p"].min() > 0.05
    half = result["half_agreement"]
    assert half.sel(source="network", source_2="network") > 0.8 > half.sel(source="random").max()
    for name in ("agreement", "p", "transfer_p", "half_agreement"):
        np.testing.assert_allclose(result[name], result[name].transpose())
    assert np.isnan(np.diag(result["agreement"])).all()


def test_agreement_is_that_of_scikit_learn_on_neurons_of_both_sources():
    """The labels of one mixture are had from scikit-learn, by its own densities."""
    rng = np.random.default_rng(2)
    one, two = (
        groups_of(rounded(members(rng, 60, CORNERS, 0.9)), 4, "full", rng) for _ in range(2)
    )

    def densities(mixture, cloud):
        parts = zip(mixture.weight, mixture.mean, mixture.covariance, strict=True)
        return np.array([w * multivariate_normal(m, c).pdf(cloud) for w, m, c in parts])

    by_one, by_two = densities(one.mixture, two.cloud), densities(two.mixture, one.cloud)
    expected = (
        adjusted_rand_score(by_one.argmax(axis=0), two.label)
        + adjusted_rand_score(by_two.argmax(axis=0), one.label)
    ) / 2
    agreed, gain, _ = compare(one, two)
    assert agreed == pytest.approx(expected)
    single = densities(one.single, two.cloud)[0]
    half = np.log((by_one.sum(axis=0) + single) / 2) - np.log(single)
    assert gain == pytest.approx(half.mean())
    assert one.label.tolist() == densities(one.mixture, one.cloud).argmax(axis=0).tolist()


def test_a_cloud_that_is_turned_takes_its_groups_with_it():
    rng = np.random.default_rng(5)
    one, two = (
        groups_of(rounded(members(rng, 60, CORNERS, 0.9)), 3, "full", rng) for _ in range(2)
    )
    turn = random_turn(CORNERS.shape[1], rng)
    turned = two._replace(
        cloud=two.cloud @ turn,
        mixture=GaussianMixture(
            two.mixture.weight, two.mixture.mean @ turn, turn.T @ two.mixture.covariance @ turn
        ),
        single=GaussianMixture(
            two.single.weight, two.single.mean @ turn, turn.T @ two.single.covariance @ turn
        ),
    )
    np.testing.assert_allclose(compare(one, two, turn), compare(one, turned), atol=1e-9)


def test_the_gain_is_of_the_groups_of_the_first_source_for_neurons_of_the_second():
    """Of a cloud without groups, groups predict nothing of narrow ones; these predict it worse."""
    rng = np.random.default_rng(7)
    clear, without = members(rng, 120, CORNERS, 0.1), rng.normal(size=(120, CORNERS.shape[1]))
    result = pdn.selectivity_agreement({"clear": clear, "without": without}, 4, n_draws=1)
    gain = result["transfer_gain"]
    there = float(gain.sel(source="clear", source_2="without"))
    assert there < float(gain.sel(source="without", source_2="clear")) - 0.1


def test_partners_name_the_groups_of_each_other():
    result = pdn.selectivity_agreement(three_sources(), n_draws=9)
    pair = result.sel(source="network", source_2="M2")
    center = result["center"]
    for cluster in result["cluster"].values:
        other = pair["partner"].sel(cluster=cluster).item()
        one = center.sel(source="network", cluster=cluster).values
        two = center.sel(source="M2", cluster=other).values
        cosine = one @ two / np.linalg.norm(one) / np.linalg.norm(two)
        assert pair["center_cosine"].sel(cluster=cluster) == pytest.approx(cosine)
        assert cosine > 0.95
        assert pair["overlap"].sel(cluster=cluster) > 0.85
        back = result["partner"].sel(source="M2", source_2="network", cluster=other)
        assert back.item() == cluster
    assert (np.diff(result["share"], axis=1) <= 0).all()
    own = result["label"][result["of_source"] == "network"]
    assert (own == "1").mean() == pytest.approx(result["share"].sel(source="network")[0].item())


def test_units_gains_and_order_make_no_difference():
    sources = three_sources()
    del sources["random"]
    expected = pdn.selectivity_agreement(sources, n_draws=19)
    sources["M2"] = 7.0 + sources["M2"] * [100.0, 0.1, 3.0]
    found = pdn.selectivity_agreement(sources, n_draws=19)
    for name in ("agreement", "p", "transfer_gain", "half_agreement", "center"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-5)


def test_neither_the_order_of_sources_nor_that_of_neurons_makes_a_difference():
    rng = np.random.default_rng(0)
    sources = {name: rng.normal(size=(n, 3)) for name, n in (("b", 60), ("a", 70), ("c", 64))}
    for loadings in sources.values():
        loadings[:20, 0] += 2.0
    expected = pdn.selectivity_agreement(sources, n_draws=19)
    names = ["c", "a", "b"]
    order = {name: rng.permutation(len(sources[name])) for name in names}
    found = pdn.selectivity_agreement({k: sources[k][order[k]] for k in names}, n_draws=19)
    order_of = expected["source"].values
    again = found.sel(source=order_of, source_2=order_of)
    for name in set(expected.data_vars) - {"label"}:
        if expected[name].dtype.kind == "f":
            np.testing.assert_allclose(again[name], expected[name], atol=1e-6)
        else:
            np.testing.assert_array_equal(again[name], expected[name])
    for name, own in order.items():
        label = expected["label"].values[expected["of_source"] == name][own]
        np.testing.assert_array_equal(found["label"].values[found["of_source"] == name], label)


def test_a_source_agrees_with_itself():
    cloud = np.random.default_rng(0).normal(size=(100, 4))
    result = pdn.selectivity_agreement({"a": cloud, "b": cloud.copy()}, 3, n_draws=19)
    assert result["agreement"].max() == 1.0
    half = result["half_agreement"].values
    np.testing.assert_allclose(half, half[0, 0])


def corners(n, seed, scatter=0.4):
    """Neurons of four groups."""
    rng = np.random.default_rng(seed)
    return members(rng, n, np.array([[3, 0, 0], [0, 3, 0], [-3, 0, 3], [0, -3, -3]]), scatter)


@pytest.mark.parametrize("n", [8, 10, 12, 24, 30])
def test_small_clouds_in_general_position_can_be_made_round(n):
    for seed in range(20):
        cloud = np.random.default_rng(seed).normal(size=(n, 3))
        assert np.isfinite(rounded(cloud)).all()
        grouped = corners(2 * n, seed, 0.2)
        for half in (grouped[:n], grouped[n:]):
            assert np.isfinite(rounded(half)).all()


def test_twelve_of_four_narrow_groups_can_be_made_round():
    """Of 500 halves of 24 neurons, one needs more than 500 steps."""
    cen = np.array([[3, 0, 0], [0, 3, 0], [-3, 0, 3.0], [0, -3, -3]])
    slow = []
    for seed in range(20):
        chosen = np.random.default_rng(seed).integers(0, 4, 24)
        cloud = cen[chosen] + 0.2 * np.random.default_rng(seed + 9).normal(size=(24, 3))
        for split in range(25):
            half = np.random.default_rng([seed, split]).permutation(24)[:12]
            with mock.patch("popdyn.analysis.selectivity_groups._MOST_STEPS", 500):
                try:
                    rounded(cloud[half])
                except FitError:
                    slow.append(cloud[half])
    assert len(slow) == 1
    assert np.isfinite(rounded(slow[0])).all()


FEW_NEURONS = pytest.mark.filterwarnings("ignore:source '[^']*'. [0-9]+ neurons tell little")


@FEW_NEURONS
def test_a_small_source_that_limits_the_number_of_groups_is_named():
    sources = {"x": corners(20, 1), "y": corners(120, 2), "z": corners(130, 4)}
    told = (
        "source 'x': 20 neurons are enough for 2 groups only, others have more "
        r"\('y' 4, 'z' 4\): agreement is that of 2 groups"
    )
    with pytest.warns(PopdynWarning, match=told):
        result = pdn.selectivity_agreement(sources, n_draws=9)
    assert int(result["n_clusters"]) == 2
    assert result["chosen_n_clusters"].values[1:].tolist() == [4, 4]
    del sources["x"]
    assert int(pdn.selectivity_agreement(sources, n_draws=9)["n_clusters"]) == 4


@FEW_NEURONS
def test_columns_with_few_neurons_are_left_out_if_two_are_large_enough():
    loadings = labelled().assign_coords(
        area=("neuron", np.repeat(["M2", "PPC", "V1", "LP"], [70, 70, 15, 5]))
    )
    told = "2 groups in 3 dimensions need 16 neurons: what of area has fewer is left out: 'LP' 5, "
    with pytest.warns(PopdynWarning, match=told + "'V1' 15"):
        result = pdn.selectivity_agreement(loadings, by="area", n_draws=9)
    assert result["source"].values.tolist() == ["M2", "PPC"]
    told = "10 groups in 3 dimensions need 80 neurons, of which area has fewer: .*'M2' 70"
    with pytest.raises(TensorError, match=told):
        pdn.selectivity_agreement(loadings, 10, by="area", n_draws=9)
    with pytest.raises(TensorError, match="which area has fewer: 'V1' 15: take fewer groups"):
        pdn.selectivity_agreement(loadings[70:155], by="area", n_draws=9)


def test_long_work_has_a_bar(monkeypatch):
    seen = []

    def watched(items, n_items, text):
        seen.append((text, n_items))
        return iter(items)

    monkeypatch.setattr("popdyn.analysis.selectivity_agreement.watched", watched)
    pdn.selectivity_agreement(three_sources(), 2, n_draws=9)
    assert seen == [
        ("choosing numbers of groups", 3),
        ("turning clouds at random", 9),
        ("comparing halves of neurons", 25),
    ]


def test_groups_that_are_turned_do_not_agree():
    sources = three_sources()
    sources["M2"] = sources["M2"] @ np.diag([-1.0, 1.0, 1.0])
    result = pdn.selectivity_agreement(sources, 4, n_draws=99)
    assert result["p"].sel(source="network", source_2="M2") > 0.2


@pytest.mark.parametrize("seed", range(3))
def test_round_clouds_keep_their_features(seed):
    """The symmetric root is the one that changes features least, of all that make clouds round."""
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(4000, 3)) @ (np.eye(3) + 0.5 * rng.random((3, 3)))
    cloud = rounded(mixed * [1.0, 5.0, 0.2])
    np.testing.assert_allclose(np.cov(cloud.T), np.eye(3), atol=0.1)
    kept = [np.corrcoef(mixed[:, i], cloud[:, i])[0, 1] for i in range(3)]
    assert min(kept) > 0.8
    for _ in range(20):
        turned = cloud @ special_ortho_group.rvs(3, random_state=rng)
        other = [np.corrcoef(mixed[:, i], turned[:, i])[0, 1] for i in range(3)]
        assert sum(other) <= sum(kept) + 0.01


def test_one_far_neuron_does_not_decide():
    rng = np.random.default_rng(0)
    sources = {name: members(rng, 80, CORNERS, 0.3) for name in "ab"}
    sources["a"][0] *= 1000.0
    assert pdn.selectivity_agreement(sources, 4, n_draws=9)["agreement"].max() > 0.85


def labelled(features=("stimulus", "choice", "context")):
    """Loadings of neurons of two areas."""
    both = three_sources()
    return xr.DataArray(
        np.concatenate([both["network"], both["M2"]]),
        dims=("neuron", "regressor"),
        coords={
            "regressor": list(features),
            "neuron": [f"n{i}" for i in range(160)],
            "area": ("neuron", np.repeat(["M2", "PPC"], 80)),
        },
    )


def test_a_column_tells_sources_apart_and_names_bring_features_into_order(tmp_path):
    loadings = labelled()
    result = pdn.selectivity_agreement(loadings, by="area", n_draws=19)
    assert result["source"].values.tolist() == ["M2", "PPC"]
    assert result["feature"].values.tolist() == ["stimulus", "choice", "context"]
    assert result["neuron"].values[[0, -1]].tolist() == ["n0", "n159"]
    pdn.save(result, tmp_path / "agreement.nc")
    xr.testing.assert_identical(pdn.load(tmp_path / "agreement.nc"), result)
    swapped = {
        "M2": loadings[:80],
        "PPC": loadings[80:].sel(regressor=["context", "stimulus", "choice"]),
    }
    again = pdn.selectivity_agreement(swapped, n_draws=19)
    xr.testing.assert_allclose(again, result)
    with pytest.raises(TensorError, match="found 'aera'; did you mean 'area'?"):
        pdn.selectivity_agreement(loadings, by="aera")
    with pytest.warns(PopdynWarning, match="40 of 160 neurons have no area and are left out"):
        some = loadings.assign_coords(
            area=("neuron", np.repeat(["", "M2", "PPC"], [40, 40, 80]).astype(object))
        )
        result = pdn.selectivity_agreement(some, 2, by="area", n_draws=9)
    assert result.sizes["neuron"] == 120


def test_features_without_names_beside_names_are_told_of():
    told = "source 'b': features have no names .* order of the others: 'stimulus', 'choice', 'con"
    with pytest.warns(PopdynWarning, match=told):
        pdn.selectivity_agreement({"a": labelled()[:80], "b": ONE}, 2, n_draws=9)


def test_results_of_encoding_with_the_same_regressors_are_sources():
    rng = np.random.default_rng(0)
    stimulus, choice = np.tile([[-1, -1, 1, 1], [-1, 1, -1, 1]], 10)
    sources = {}
    for name in ("network", "M2"):
        weight = members(rng, 60, np.array([[2, 0], [0, 2], [-2, -1.0]]), 0.2)
        rates = 20 + weight @ np.stack([stimulus, choice]) + rng.normal(size=(60, 40))
        table = {"stimulus": stimulus, "choice": choice}
        tensor = pdn.make_tensor(rates[:, None], [0.3], table, bin_width=0.6)
        sources[name] = pdn.encoding(tensor, ["stimulus", "choice"], n_folds=0)
    result = pdn.selectivity_agreement(sources, 3, n_draws=9)
    assert result["feature"].values.tolist() == ["stimulus", "choice"]
    assert result["agreement"].max() > 0.8


def test_results_of_analyses_are_sources():
    rng = np.random.default_rng(0)
    network = xr.Dataset({"loading_value": (("neuron", "loading"), members(rng, 60, CORNERS, 0.3))})
    result = pdn.selectivity_agreement({"network": network, "M2": three_sources()["M2"]}, n_draws=9)
    assert result["agreement"].max() > 0.8


def test_what_is_said_names_the_source():
    sources = three_sources()
    sources["M2"] = sources["M2"][:28]
    with pytest.warns(PopdynWarning, match="source 'M2': 28 neurons tell little") as said:
        pdn.selectivity_agreement(sources, 2, n_draws=9)
    assert said[0].filename == __file__


ONE = np.random.default_rng(0).normal(size=(40, 3))


@pytest.mark.parametrize(
    ("sources", "options", "words"),
    [
        ({"a": ONE}, {}, "sources must be two or more, found one, 'a': give a mapping"),
        ({}, {}, "sources must be two or more, found none"),
        (ONE, {}, "sources must be a mapping of name to loadings, .* found ndarray"),
        ({1: ONE, "1": ONE}, {}, "names of sources must be unique as text, found '1' twice"),
        ({"a": ONE, "b": ONE[:, :2]}, {}, "same features: source 'b' has 2, others 3"),
        ({"a": ONE, "b": ONE[:, :1]}, {}, "source 'b': expected two features or more, found 1"),
        ({"a": ONE, "b": "loadings"}, {}, "source 'b': loadings"),
        (
            {"a": labelled(), "b": labelled(("stimulus", "choice", "reward"))}, {},
            "source 'b' has 'reward' where others have 'context'",
        ),
        (
            {"a": labelled(), "b": labelled(("stimulus", "choice", "choice"))}, {},
            "source 'b': names of features must be unique, found 'choice' more than once",
        ),
        ({"a": ONE, "b": 2 * ONE}, {"n_clusters": 6}, "source 'a': 6 groups in 3 dimensions need "
         "at least 48 neurons, found 40"),
        ({"a": ONE, "b": 2 * ONE}, {"n_clusters": 1}, "n_clusters must be at least 2, found 1"),
        ({"a": ONE, "b": 2 * ONE}, {"n_clusters": 2.5}, "n_clusters must be at least 1 group"),
        ({"a": ONE, "b": 2 * ONE}, {"n_draws": 0}, "n_draws must be at least 1 draw"),
        ({"a": ONE, "b": ONE @ np.ones((3, 3))}, {}, "source 'b': 3 features fill only 1"),
        ({"a": ONE, "b": ONE}, {"by": "area"}, "by= splits one DataArray or Dataset"),
        (labelled()[:80], {"by": "area"}, "two or more, found one, 'M2'"),
    ],
    ids=["one", "none", "no mapping", "names", "number", "one feature", "text", "features", "twice", "few",
         "one group", "half a group", "no draw", "plane", "by of a mapping", "by of one"],
)  # fmt: skip
def test_mistakes_are_said(sources, options, words):
    with pytest.raises(TensorError, match=words):
        pdn.selectivity_agreement(sources, **options)


def test_most_neurons_on_a_line_are_refused():
    line = np.random.default_rng(0).normal(size=(60, 3))
    line[:58, 1:] = 0.0
    with pytest.raises(FitError, match="source 'b': these vectors cannot be made round"):
        pdn.selectivity_agreement({"a": ONE, "b": line})


def test_partners_are_the_best_of_all_pairings():
    rng = np.random.default_rng(1)
    one, two = (groups_of(rng.normal(size=(60, 3)), 4, "full", rng) for _ in range(2))
    shared = np.zeros((4, 4))
    for own, other in zip(one.label, two.seen_in(one.cloud)[0], strict=True):
        shared[own, other] += 1
    for own, other in zip(one.seen_in(two.cloud)[0], two.label, strict=True):
        shared[own, other] += 1
    best = max(permutations(range(4)), key=lambda p: shared[range(4), p].sum())
    partner, _, overlap = partners(one, two)
    assert shared[range(4), partner].sum() == shared[range(4), best].sum()
    both = shared[0, partner[0]]
    assert overlap[0] == both / (shared[0].sum() + shared[:, partner[0]].sum() - both)


if __name__ == "__main__":
    write()
