from __future__ import annotations

import copy
import hashlib
import json
import warnings

import joblib
import numpy as np
import pytest

import popdyn as pdn
from popdyn.comparison.pipeline import compare
from popdyn.errors import PopdynWarning, SourceError, SpecError, TensorError
from tests.comparison.conftest import LACKING, QUICK, ROOT, tensor

DATA = ROOT / "data"
HUMAN = {
    "id": "human",
    "kind": "recording",
    "path": str(DATA / "human_mtl_boundaries_sub-4_ses-4.nwb"),
    "trials": "encoding_table",
    "align": "boundary1_time",
    "roles": {
        "stimulus": {"column": "stimCategory", "values": {"0": "none", "1": "soft", "2": "hard"}}
    },
}


def card(tree):
    return tree["comparison/scorecard"].to_dataset()


def test_two_saved_tensors_make_a_tree_with_every_node(saved, spec_of):
    spec = spec_of(saved("a"), saved("b", seed=1), analyses=QUICK, title="Two", note="<b>", seed=3)
    tree = compare(spec)
    assert list(tree["sources"].children) == ["a", "b"]
    nodes = {"summary", "condition_average", "pca", "relative_distance", "decode"}
    assert set(tree["sources/a"].children) == nodes  # no raster: a tensor has no spikes
    assert all(not node.data_vars for node in (tree, tree["sources"], tree["sources/a"]))
    assert (tree.attrs["title"], tree.attrs["note"], tree.attrs["seed"]) == ("Two", "<b>", 3)
    assert set(json.loads(tree.attrs["versions"])) >= {"python", "numpy", "xarray"}
    assert set(json.loads(tree.attrs["input_digests"])) == {"a: a.nc", "b: b.nc"}


def test_the_scorecard_recovers_what_was_planted(saved, spec_of):
    # Six of twelve neurons differ by 4 Hz: 16 Hz^2 / 2 per neuron; plainly decodable.
    found = card(compare(spec_of(saved("a"), analyses=QUICK))).isel(source=0)
    values = dict(zip(found["measure"].values, found["value"].values, strict=True))
    assert values["neurons"] == 12
    assert values["trials in the smallest condition"] == 12
    assert values["mean rate"] == pytest.approx(11.0, abs=0.2)
    assert values["squared distance per neuron, right from left"] == pytest.approx(8.0, abs=0.8)
    assert values["decoding accuracy of choice, mean"] > 0.95
    assert values["variance in 3 components, cross-validated"] > 0.8
    units = dict(zip(found["measure"].values, found["unit"].values, strict=True))
    assert units["squared distance per neuron, right from left"] == "Hz^2"
    assert units["mean rate"] == "Hz"
    low, high = found["bound_value"].sel(measure="mean rate").values
    assert low < values["mean rate"] < high
    assert np.isnan(found["bound_value"].sel(measure="decoding accuracy of choice, largest")).all()
    assert (found["reason"] == "").all()
    assert float(found["p"].sel(measure="decoding accuracy of choice, mean")) == 1 / 21


def test_the_reference_condition_is_the_one_that_was_asked_for(saved, spec_of):
    analyses = {"relative_distance": {"n_draws": 5, "reference": "right"}}
    measures = card(compare(spec_of(saved("a"), analyses=analyses)))["measure"].values
    assert "squared distance per neuron, left from right" in measures


def test_the_same_spec_gives_the_same_tree_whatever_runs_at_once(saved, spec_of, network):
    spec = spec_of(saved("a"), network, analyses=QUICK, seed=5)
    first, second = compare(spec), compare(spec)
    assert first.identical(second)
    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert first.identical(compare(spec))
    assert not first.identical(compare({**spec, "seed": 6}))


def test_every_result_of_every_source_has_random_draws_of_its_own(saved, spec_of):
    tree = compare(spec_of(saved("a"), saved("b"), analyses=QUICK))
    names = ("summary", "pca", "relative_distance", "decode")
    seeds = {tree[f"sources/{i}/{name}"].attrs["seed"] for i in "ab" for name in names}
    assert len(seeds) == 8
    null = [tree[f"sources/{i}/decode"]["null_accuracy"].values for i in "ab"]
    assert not np.array_equal(*null)


def test_the_hash_of_an_input_file_is_that_of_its_bytes(saved, spec_of, tmp_path):
    tree = compare(spec_of(saved("a"), saved("b", seed=1)))
    hashes = json.loads(tree.attrs["input_files"])
    assert hashes == {
        f"{name}: {name}.nc": hashlib.sha256((tmp_path / f"{name}.nc").read_bytes()).hexdigest()
        for name in "ab"
    }


def test_the_trials_that_are_not_used_are_accounted_for(saved, spec_of):
    whole = {**saved("a", labels=("left", "right", "") * 8), "select": {"trial": list(range(18))}}
    tables = {"match": {"trials": 4}}
    with pytest.warns(PopdynWarning, match="6 trials have no value of choice"):
        summary = compare(spec_of(whole, **tables))["sources/a/summary"]
    assert int(summary["n_trials"]) == 8
    assert int(summary["n_source"]) == 24
    assert int(summary["n_unselected"]) == 6
    assert int(summary["n_dropped"]) == 6
    assert int(summary["n_unmatched"]) == 4


def test_normalization_leaves_the_distance_of_equal_conditions_unbiased(saved, spec_of):
    # Noise alone: a divisor that knows the conditions would shorten every distance.
    analyses = {"relative_distance": {"n_draws": 2}}
    found = []
    for seed in range(40):
        source = saved(f"s{seed}", labels=("left", "up") * 12, seed=seed)
        tree = compare(spec_of(source, analyses=analyses, prepare={"soft_normalize": True}))
        steps = json.loads(tree[f"sources/s{seed}/relative_distance"].attrs["popdyn"])
        assert next(s for s in steps if s["step"] == "soft_normalize")["parameters"]["by"] is None
        found.append(float(tree[f"sources/s{seed}/relative_distance"]["mean_squared_distance"][1]))
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(len(found))


def test_adding_a_source_changes_no_number_of_another(saved, spec_of):
    one = compare(spec_of(saved("a"), analyses=QUICK))
    two = compare(spec_of(saved("b", seed=2), saved("a"), analyses=QUICK))
    assert one["sources/a"].identical(two["sources/a"])


def test_a_tree_saved_and_loaded_is_identical(saved, spec_of, tmp_path):
    tree = compare(spec_of(saved("a"), analyses=QUICK, note="ü\n<&>"))
    assert pdn.load(pdn.save(tree, tmp_path / "tree.nc")).identical(tree)


def test_the_spec_is_not_changed(saved, spec_of, network):
    spec = spec_of(saved("a"), network)
    before = copy.deepcopy(spec)
    compare(spec)
    assert spec == before


def test_a_tensor_on_other_bins_is_refused_with_the_fix(saved, spec_of):
    with pytest.raises(SpecError) as caught:
        compare(spec_of(saved("a"), saved("b", window=(0.0, 0.4), bin_width=0.05)))
    message = str(caught.value)
    assert "source 'b': b.nc has 8 bins of 0.05 s from 0 to 0.4 s" in message
    assert "the other sources have 4 bins of 0.1 s" in message
    assert "pdn.align(session, 'go_time', window=(0, 0.4), bin_width=0.1)" in message


def test_a_tensor_of_the_same_bins_half_a_bin_away_is_refused(saved, spec_of):
    with pytest.raises(SpecError, match="from 0.05 to 0.45 s"):
        compare(spec_of(saved("a", window=(0.05, 0.45))))


def test_a_tensor_aligned_to_another_event_is_refused_with_both_names(saved, spec_of):
    with pytest.raises(SpecError, match="aligned to 'go_time', the spec says 'cue_time': align it"):
        compare(spec_of(saved("a", align="cue_time")))


def test_a_condition_that_one_source_has_alone_is_refused_with_the_fix(saved, spec_of):
    other = saved("b", labels=("left", "up") * 12)
    with pytest.raises(SpecError) as caught:
        compare(spec_of(saved("a"), other))
    message = str(caught.value)
    assert (
        "condition 'right' of choice is in source 'a', but not in 'b', which has left, up"
        in message
    )
    assert "values = {...}" in message
    assert "'select'" in message
    mapped = {
        **other,
        "roles": {"choice": {"column": "choice", "values": {"left": "left", "up": "right"}}},
    }
    assert set(compare(spec_of(saved("a"), mapped))["sources"].children) == {"a", "b"}


def test_a_condition_a_network_will_not_have_is_refused_before_it_is_trained(
    saved, spec_of, network, monkeypatch
):
    def trained(*_, **__):
        raise AssertionError

    monkeypatch.setattr("popdyn.comparison.network_source.train_network", trained)
    network["roles"]["choice"]["values"] = {"-0.4": "left", "0.4": "up"}
    with pytest.raises(SpecError, match="condition 'right' of choice is in source 'a', but not"):
        compare(spec_of(saved("a"), network))


def test_labels_equal_within_rounding_are_the_same_condition_in_both_sources(saved, spec_of):
    single = saved("single", labels=np.tile(np.array([0.1, 0.3], dtype=np.float32), 12))
    double = saved("double", labels=[0.1, 0.1 + 0.2] * 12)
    tree = compare(spec_of(single, double))
    assert tree["sources/single/summary"]["condition"].values.tolist() == ["0.1", "0.3"]
    assert tree["sources/double/summary"]["condition"].values.tolist() == ["0.1", "0.3"]


def test_rates_in_hz_beside_rates_without_unit_need_a_normalization(saved, spec_of):
    sources = saved("a"), saved("b", units="1")
    with pytest.raises(SpecError) as caught:
        compare(spec_of(*sources))
    message = str(caught.value)
    assert "'b' in 1 and 'a' in Hz" in message
    assert "[source.observe]" in message
    assert "soft_normalize = true" in message
    analyses = {"condition_average": {}, "relative_distance": {"n_draws": 20}}
    tree = compare(spec_of(*sources, prepare={"soft_normalize": True}, analyses=analyses))
    for name in ("a", "b"):
        assert tree[f"sources/{name}/relative_distance"].attrs["units"] == "1"
    assert tree["sources/a/condition_average"].attrs["units"] == "Hz"
    mean_rate = card(tree).sel(measure="mean rate")
    assert mean_rate["reason"].sel(source="b").item().startswith("rates without a unit")
    assert np.isfinite(mean_rate["value"].sel(source="a"))


@LACKING
def test_too_few_neurons_or_trials_is_a_reason_and_no_number(saved, spec_of):
    spec = spec_of(saved("a", n_neurons=9, labels=("left", "right") * 4), analyses=QUICK)
    found = card(compare(spec)).isel(source=0)
    reason = dict(zip(found["measure"].values, found["reason"].values, strict=True))
    assert reason["participation ratio"] == "too few neurons or trials for PCA: 9 neurons, needs 10"
    distance = "squared distance per neuron, right from left"
    assert "distances: 4 trials in the smallest condition, needs 10" in reason[distance]
    assert (
        "decoding: 4 trials in the smallest class, needs 5"
        in reason["decoding accuracy of the label, mean"]
    )
    assert np.isnan(found["value"].sel(measure="participation ratio"))
    assert reason["mean rate"] == ""


@pytest.mark.parametrize(
    ("n_neurons", "n_trials", "missing"), [(10, 10, set()), (10, 9, {"relative_distance"})]
)
@LACKING
def test_the_stated_minima_are_exactly_the_ones_that_hold(
    saved, spec_of, n_neurons, n_trials, missing
):
    spec = spec_of(
        saved("a", n_neurons=n_neurons, labels=("left", "right") * n_trials), analyses=QUICK
    )
    nodes = set(compare(spec)["sources/a"].children)
    assert set(QUICK) - {"raster"} - nodes == missing


@LACKING
def test_a_constant_label_is_a_reason_and_no_exception(saved, spec_of):
    spec = spec_of(saved("a", labels=("left",) * 20), analyses=QUICK)
    found = card(compare(spec)).isel(source=0)
    reasons = set(found["reason"].values)
    assert "decoding needs two values of 'choice', found one (left)" in reasons
    assert "squared distance" not in " ".join(found["measure"].values)


@LACKING
def test_one_trial_in_a_class_is_a_reason_and_no_exception(saved, spec_of):
    spec = spec_of(saved("a", labels=("left",) * 20 + ("right",)), analyses=QUICK)
    found = card(compare(spec)).isel(source=0)
    reason = dict(zip(found["measure"].values, found["reason"].values, strict=True))
    assert (
        "1 trial in the smallest class, needs 5" in reason["decoding accuracy of the label, mean"]
    )
    assert "1 trial in the smallest condition, needs 4" in reason["participation ratio"]


def test_matching_gives_every_source_the_neurons_and_trials_of_the_smallest(saved, spec_of):
    small = saved("small", n_neurons=4, labels=("left",) * 5 + ("right",) * 7)
    tree = compare(spec_of(saved("a"), small, match={"neurons": "smallest", "trials": "smallest"}))
    for name in ("a", "small"):
        summary = tree[f"sources/{name}/summary"]
        assert int(summary["n_neurons"]) == 4
        assert summary["n_trials_condition"].values.tolist() == [5, 7]


def test_matching_to_a_number_a_source_lacks_is_refused(saved, spec_of):
    small = saved("small", n_neurons=4, labels=("left",) * 5 + ("right",) * 7)
    with pytest.raises(
        SpecError, match=r"match.neurons = 5, but source 'small' has 4 neurons: write"
    ):
        compare(spec_of(saved("a"), small, match={"neurons": 5}))
    with pytest.raises(
        SpecError, match=r"match.trials = 6, but source 'small' has 5 trials of cond"
    ):
        compare(spec_of(saved("a"), small, match={"trials": 6}))


def test_trials_without_a_condition_are_left_out_and_said(saved, spec_of):
    source = saved("a", labels=("left", "right", "") * 8)
    with pytest.warns(PopdynWarning, match="source 'a': 8 trials have no value of choice"):
        tree = compare(spec_of(source))
    summary = tree["sources/a/summary"]
    assert int(summary["n_trials"]) == 16
    assert int(summary["n_dropped"]) == 8
    assert "8 trials have no value" in json.loads(summary.attrs["problems"])[0]


def test_a_mistake_in_a_source_names_the_spec_and_the_source(saved, spec_of, tmp_path):
    with pytest.raises(
        TensorError, match="the spec: source 'a': there is no trial column 'choise'"
    ):
        compare({**spec_of(saved("a")), "conditions": {"by": "choise"}})
    (tmp_path / "pointer.nwb").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(SourceError, match=r"source 'human': .*pointer.nwb"):
        compare(spec_of({**HUMAN, "path": str(tmp_path / "pointer.nwb")}))
    session = {"id": "s", "kind": "tensor", "path": str(tmp_path / "result.nc"), "align": "x"}
    pdn.save(pdn.condition_average(tensor(["left", "right"]), "choice"), tmp_path / "result.nc")
    with pytest.raises(SpecError, match="source 's': result.nc holds no tensor but a Dataset"):
        compare(spec_of(session))


def test_smoothing_is_done_to_every_source_alike(saved, spec_of):
    tree = compare(spec_of(saved("a"), saved("b", seed=1), prepare={"smooth": 0.1}))
    for name in ("a", "b"):
        steps = json.loads(tree[f"sources/{name}/condition_average"].attrs["popdyn"])
        assert "smooth" in [step["step"] for step in steps]


def test_a_network_without_observe_is_compared_by_its_rates(spec_of, network):
    del network["observe"]
    network["simulate"] = {"n_trials": 30, "noise_density": 0.3}
    tree = compare(spec_of(network, analyses=QUICK))
    assert set(tree["sources/network"].children) == {"summary", *QUICK} - {"raster"}
    assert tree["sources/network/summary"].attrs["units"] == "1"
    assert card(tree)["unit"].sel(measure="mean rate").item() == "1"


def test_a_network_is_selected_by_what_it_did(spec_of, network):
    network["select"] = {"correct": 1}
    network["roles"] = {"choice": {"column": "choice", "values": {"-1": "left", "1": "right"}}}
    tree = compare(spec_of(network))
    assert 2 <= int(tree["sources/network/summary"]["n_trials"]) <= 40


def test_a_saved_network_is_used_as_it_is(spec_of, network, tmp_path):
    pdn.save(pdn.network.Rate.random(15, g=0.5, rng=0), tmp_path / "net.nc")
    network["network"] = {"path": str(tmp_path / "net.nc")}
    tree = compare(spec_of(network))
    assert int(tree["sources/network/summary"]["n_neurons"]) == 12
    pdn.save(tensor(["left", "right"]), tmp_path / "net.nc")
    with pytest.raises(
        SpecError, match="source 'network': net.nc holds no network but a DataArray"
    ):
        compare(spec_of(network))


def test_a_shipped_recording_beside_a_network_from_file_to_scorecard(network):
    network |= {
        "roles": {
            "stimulus": {
                "column": "stimulus",
                "values": {"0": "none", "0.2": "soft", "0.4": "hard"},
            }
        }
    }
    network["task"] = {
        "name": "PerceptualDecision",
        "stimuli": [0.0, 0.2, 0.4],
        "fixation_duration": 0.5,
    }
    del network["train"]
    spec = {
        "alignment": {"window": [-0.5, 0.5], "bin_width": 0.1},
        "conditions": {"by": ["stimulus"]},
        "match": {"neurons": "smallest"},
        "analyses": QUICK,
        "source": [HUMAN, network],
    }
    tree = compare(spec)
    assert int(tree["sources/human/summary"]["n_neurons"]) == 12
    assert set(tree["sources/human"].children) == {"summary", *QUICK}
    raster = tree["sources/human/raster"]
    average = tree["sources/human/condition_average"]
    assert raster.attrs["neuron"] == average.attrs["neuron"]
    problems = json.loads(tree["sources/human/summary"].attrs["problems"])
    assert any("stimCategory" in problem for problem in problems)


def test_the_shown_neuron_can_be_chosen_and_must_exist():
    spec = {
        "alignment": {"window": [-0.5, 0.5], "bin_width": 0.1},
        "conditions": {"by": ["stimulus"]},
        "analyses": {"raster": {}},
        "source": [{**HUMAN, "example_neuron": "3"}],
    }
    assert compare(spec)["sources/human/raster"].attrs["neuron"] == "3"
    spec["source"][0]["example_neuron"] = "99"
    with pytest.raises(SpecError, match="example_neuron = '99' is not among its neurons: "):
        compare(spec)


def test_the_six_mouse_neurons_are_a_pseudo_population_with_their_traps_said():
    role = {"column": "type", "values": {"lick left": "left", "lick right": "right"}}
    mice = [("thalamus_delay_anm00239123", {"stim_present": 0}), ("alm_delay_anm369963", {})]
    source = {
        "id": "mouse",
        "kind": "pseudopopulation",
        "align": "cue_start_time",
        "select": {"response": "correct"},
        "roles": {"choice": role},
        "recordings": [{"path": f"{DATA}/mouse_{name}.nwb", "select": more} for name, more in mice],
    }
    spec = {
        "alignment": {"window": [-1.0, 0.5], "bin_width": 0.1},
        "conditions": {"by": ["choice"]},
        "match": {"trials": "smallest"},
        "analyses": QUICK,
        "source": [source],
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PopdynWarning)
        tree = compare(spec)
    said = " ".join(str(warning.message) for warning in caught)
    assert "relative to the trial's start" in said
    assert "part of the session" in said
    assert tree["sources/mouse/decode"].attrs["simultaneous"] == 0
    reasons = " ".join(card(tree)["reason"].values.ravel())
    assert "too few neurons or trials for PCA: 5 neurons, needs 10" in reasons
    assert np.isfinite(tree["sources/mouse/condition_average"]["rate"]).all()
    assert "/" in tree["sources/mouse/raster"].attrs["neuron"]


def test_a_source_that_ends_inside_the_window_is_refused(saved, spec_of):
    late = tensor(["left", "right"] * 12)
    late[:, 3:] = np.nan
    source = saved("a")
    pdn.save(late, source["path"])
    with pytest.raises(SpecError, match=r"no data in 1 of 4 bins: it was observed from 0 to 0.3 s"):
        compare(spec_of(source, saved("b")))


@LACKING
def test_a_raster_that_cannot_be_drawn_costs_no_numbers(monkeypatch):
    def refuse(*_args, **_kwargs):
        message = "no trial is left"
        raise TensorError(message)

    monkeypatch.setattr("popdyn.comparison.steps.raster", refuse)
    network = {
        "id": "network", "kind": "network", "align": "stimulus_on_time",
        "network": {"n_neurons": 20}, "task": {"name": "PerceptualDecision"},
        "simulate": {"n_trials": 12}, "observe": {"n_neurons": 10},
    }  # fmt: skip
    tree = compare(
        {
            "alignment": {"window": [0.0, 0.8], "bin_width": 0.1},
            "conditions": {"by": "stimulus"},
            "analyses": {"raster": {}, "condition_average": {}},
            "source": [network],
        }
    )
    assert "raster" not in tree["sources/network"]
    assert np.isfinite(tree["sources/network/condition_average"]["rate"].values).all()
