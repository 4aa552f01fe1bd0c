"""Low-rank networks in one spec: fitted to every source alike, inputs, reasons, the report."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

import popdyn as pdn
from popdyn.comparison.drive import average_inputs, inputs_of
from popdyn.comparison.network_source import draft, run
from popdyn.comparison.sources import Prepared
from popdyn.comparison.spec import load_spec
from popdyn.errors import SpecError
from tests.comparison.conftest import LACKING

FIT = {"n_ranks": [2, 1], "n_folds": 2, "n_starts": 2, "n_iterations": 30, "n_draws": 20}
NETWORK = {
    "id": "network",
    "kind": "network",
    "align": "stimulus_on_time",
    "network": {"kind": "low_rank", "n_neurons": 40, "tau": 0.08},
    "task": {"name": "PerceptualDecision", "stimuli": [-0.4, -0.2, 0.2, 0.4]},
    "train": {"rule": "backprop", "n_trials": 640, "n_validation": 40},
    "simulate": {"n_trials": 40, "noise_step": 0.02},
}


def spec_of(*sources, fit=FIT, window=(-0.1, 0.5), by=("stimulus",), **tables):
    return {
        "seed": 3,
        "alignment": {"window": list(window), "bin_width": 0.06},
        "conditions": {"by": list(by)},
        "analyses": {"fit_lowrank": fit, **tables.pop("analyses", {})},
        "source": list(sources),
        **tables,
    }


def recording(folder, n_neurons=10, **columns):
    """Save rates (Hz) that follow the stimulus from the event on."""
    rng = np.random.default_rng(0)
    stimulus = np.repeat([-0.4, -0.2, 0.2, 0.4], 10)
    time = -0.1 + 0.06 * (np.arange(10) + 0.5)
    course = np.where(time > 0, 1 - np.exp(-np.clip(time, 0, None) / 0.1), 0)
    weight = rng.standard_normal(n_neurons)
    signal = 20 + 20 * weight[:, None, None] * course[:, None] * stimulus
    table = {"stimulus": stimulus, **columns}
    tensor = pdn.make_tensor(
        signal + rng.normal(size=signal.shape), time, table, units="Hz", align="go_time"
    )
    pdn.save(tensor, folder / "recording.nc")
    path = str(folder / "recording.nc")
    return {"id": "recording", "kind": "tensor", "path": path, "align": "go_time"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    saved = recording(tmp_path_factory.mktemp("low_rank"))
    columns = {**FIT, "inputs": {"stimulus": [0.0, 0.5]}}
    prepare = {"soft_normalize": True}
    return pdn.compare(spec_of(saved, NETWORK, fit=columns, window=(-0.1, 0.5), prepare=prepare))


def test_each_source_is_fitted_and_has_a_row_for_what_is_predicted_and_one_for_the_rank(tree):
    card = tree["comparison/scorecard"].to_dataset()
    for name, tau in (("recording", 0.1), ("network", 0.08)):
        result = tree[f"sources/{name}/fit_lowrank"].to_dataset()
        assert json.loads(result.attrs["parameters"])["tau"] == tau
        assert result["n_ranks"].values.tolist() == [1, 2]
        own = result.sel(n_ranks=int(result["chosen_rank"]))
        assert float(own["r2"]) > 0.8
        row = card.sel(source=name)
        words = "held-out conditions predicted by a low-rank network (R²)"
        assert float(row["value"].sel(measure=words)) == pytest.approx(float(own["r2"]))
        assert float(row["value"].sel(measure="rank of that network")) == float(own["chosen_rank"])


def test_the_report_says_how_it_was_fitted_and_what_is_known(tree, tmp_path):
    text = pdn.report(tree, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Low-rank networks fitted to activity" in text
    assert "LINT; Valente, Pillow &amp; Ostojic 2022" in text
    assert "Their inputs u were stimulus (stimulus from 0 to 0.5 s)" in text
    assert "Recurrent weights are not determined by activity" in text
    assert "one of 2 folds" in text
    figures = tmp_path / "report_files" / "figures"
    assert (figures / "fitted-ranks_recording.svg").exists()
    assert (tmp_path / "report_files" / "tables" / "fitted-ranks_network_n-ranks.csv").exists()


def test_inputs_of_a_network_are_those_of_its_task_summed_over_bins():
    untrained = {key: value for key, value in NETWORK.items() if key != "train"}
    spec = load_spec(spec_of(untrained, window=(0.02, 0.5)))
    prepared = run(draft(spec.sources[0], spec.seed), spec)
    inputs = inputs_of(prepared, None)
    trials = prepared.performed.trials
    dt, shown = float(trials.attrs["dt"]), trials["inputs"].transpose("trial", "step_time", ...)
    zero = (trials["stimulus_on_time"] - trials["start_time"]).values
    # The network starts before the window: its inputs do, too, on the bins of the window.
    assert np.diff(inputs["time"]) == pytest.approx(0.06)
    at = int(np.argmin(np.abs(inputs["time"].values - 0.17)))
    first = np.round((zero + inputs["time"].values[at] - 0.03) / dt).astype(int)
    n_steps = round(0.06 / dt)
    for k in (0, 7):
        expected = shown.values[k, first[k] : first[k] + n_steps].mean(axis=0)
        assert inputs.values[:, at, k] == pytest.approx(expected)
    assert inputs["time"].values[0] == pytest.approx(0.02 - 2 * 0.06 + 0.03)
    assert zero.max() == pytest.approx(0.1)


def test_columns_are_inputs_in_their_windows_numbers_over_the_largest_text_by_value():
    time, side = 0.1 * np.arange(4) + 0.05, ["left", "right", "left"]
    table = {"stimulus": [-2.0, 1.0, 0.0], "side": side}
    tensor = pdn.make_tensor(np.ones((2, 4, 3)), time, table)
    columns = {"stimulus": (0.05, 0.3), "side": (0.3, 0.4)}
    inputs = inputs_of(Prepared("a", "tensor", tensor), columns)
    assert inputs["channel"].values.tolist() == ["stimulus", "side=left", "side=right"]
    share = np.array([0.5, 1, 1, 0])
    assert inputs[0].values == pytest.approx(share[:, None] * [-1.0, 0.5, 0.0])
    assert inputs[1].values == pytest.approx(np.array([0, 0, 0, 1])[:, None] * [1, 0, 1])
    assert inputs[1:].sum("channel").values[3] == pytest.approx(1.0)
    average = average_inputs(inputs, tensor, ["side"])
    assert average.sel(condition="left").values[0] == pytest.approx(share * -0.5)


def test_a_trial_without_a_value_of_an_input_is_refused():
    tensor = pdn.make_tensor(np.ones((2, 4, 2)), 0.1 * np.arange(4), {"side": ["left", ""]})
    with pytest.raises(pdn.TensorError, match="1 of 2 trials have no 'side', which is to be an"):
        inputs_of(Prepared("a", "tensor", tensor), {"side": (0.0, 0.2)})


@LACKING
def test_a_recording_without_inputs_gets_a_reason_and_costs_the_others_nothing(tmp_path):
    tree = pdn.compare(spec_of(recording(tmp_path), analyses={"condition_average": {}}))
    assert "fit_lowrank" not in tree["sources/recording"].children
    reason = tree["comparison/scorecard"]["reason"].values.ravel()
    assert any("this tensor has no inputs: say which columns" in one for one in reason)
    assert "condition_average" in tree["sources/recording"].children


@pytest.mark.parametrize(
    ("fit", "told"),
    [
        ({"n_ranks": [1, 1]}, "should be a rank of 1 or more, or a list of different ones, found"),
        ({"n_rank": 1}, "unknown key 'analyses.fit_lowrank.n_rank'; did you mean 'n_ranks'"),
        ({"inputs": {"stimulus": 0.5}}, "should be two times in s, the earlier first, found 0.5"),
        ({"inputs": {"stimulus": [0.0, 5.0]}}, "reaches beyond alignment.window = [-0.1, 0.5]"),
        ({"n_folds": 1}, "'analyses.fit_lowrank.n_folds' should be at least 2, found 1"),
        ({"tau": -1.0}, "'analyses.fit_lowrank.tau' should be more than 0, found -1.0"),
    ],
    ids=["ranks", "key", "window", "beyond", "folds", "tau"],
)
def test_wrong_settings_are_refused_in_words(tmp_path, fit, told):
    with pytest.raises(SpecError) as caught:
        pdn.compare(spec_of(recording(tmp_path), fit=fit))
    assert told in str(caught.value)


def test_inputs_name_columns_that_there_are(tmp_path):
    fit = {**FIT, "inputs": {"stimulis": [0.0, 0.5]}}
    with pytest.raises(pdn.PopdynError, match=r"'stimulis'. Did you mean 'stimulus'\?"):
        pdn.compare(spec_of(recording(tmp_path), fit=fit))


@LACKING
def test_too_few_conditions_are_a_reason(tmp_path):
    side = np.repeat(["a", "b", "c", "c"], 10)
    fit = {**FIT, "by": ["side"], "inputs": {"stimulus": [0.0, 0.5]}}
    tree = pdn.compare(spec_of(recording(tmp_path, side=side), fit=fit))
    reasons = tree["comparison/scorecard"]["reason"].values.ravel()
    told = "too few conditions to predict held-out ones: 3, a low-rank fit needs 4"
    assert any(told in one for one in reasons)


@pytest.mark.filterwarnings("ignore:.*predicted no better than by a mean")
def test_an_input_that_one_condition_alone_has_is_warned_of(tmp_path):
    side = np.repeat(["a", "b", "c", "c"], 10)
    fit = {**FIT, "n_iterations": 5, "inputs": {"side": [0.0, 0.5], "stimulus": [0.0, 0.5]}}
    with pytest.warns(pdn.PopdynWarning, match="side=a, side=b: heard in one condition alone"):
        tree = pdn.compare(spec_of(recording(tmp_path, side=side), fit=fit))
    assert node(tree, "fit_lowrank", "recording").attrs["inputs"] == (
        "side=a, side=b, side=c, stimulus"
    )


@pytest.mark.parametrize(
    ("kind", "rule", "told"),
    [
        ("low_rank", "force", "'low_rank' is trained by 'backprop', found rule 'force'"),
        ("low_rank", None, "'low_rank' is trained by 'backprop', without, it is 'reservoir'"),
        ("spiking", "backprop", "found rule 'backprop': say rule = \"reservoir\""),
    ],
    ids=["force", "none", "spiking"],
)
def test_a_rule_that_does_not_take_the_network_is_refused_before_anything_runs(kind, rule, told):
    train = {"n_trials": 64} | ({} if rule is None else {"rule": rule})
    source = {**NETWORK, "network": {"kind": kind, "n_neurons": 20}, "train": train}
    with pytest.raises(SpecError) as caught:
        load_spec(spec_of(source))
    assert "'source[\"network\"].train.rule'" in str(caught.value)
    assert told in str(caught.value)


def gating_network():
    """A network of two populations, one for each context, written down (`ContextDecision`)."""
    rng = np.random.default_rng(0)
    first = np.arange(600) < 300
    m, motion, color = rng.standard_normal((3, 600))
    cues = [np.where(own, 0, 16) * rng.standard_normal(600) for own in (first, ~first)]
    n = 1.6 * m + 3 * np.where(first, motion, color)
    return pdn.network.LowRank(
        m[:, None], n[:, None], np.column_stack([motion, color, *cues]), 4 * m[None]
    )


READ = {
    "populations": {"n_populations": 2, "n_resamples": 2, "n_trials": 32, "n_starts": 2},
    "flow": {"during": [0.0, 0.8]},
    "effective_couplings": {"during": [0.0, 0.8]},
    "inactivate": {"n_draws": 20},
}


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """A comparison that reads a saved network, and cannot read one of full rank."""
    path = tmp_path_factory.mktemp("gating") / "net.nc"
    pdn.save(gating_network(), path)
    shared = {
        "kind": "network",
        "align": "stimulus_on_time",
        "task": {"name": "ContextDecision", "context_strength": 0.5, "stimuli": [-0.4, 0.4]},
        "simulate": {"n_trials": 32, "noise_step": 0.05},
    }
    gating = {"id": "gating", "network": {"path": str(path)}, **shared}
    full = {"id": "full", "network": {"n_neurons": 20, "dt": 0.02}, **shared}
    spec = {
        "seed": 1,
        "alignment": {"window": [0.0, 0.8], "bin_width": 0.08},
        "conditions": {"by": ["context", "stimulus"]},
        "analyses": READ,
        "source": [gating, full],
    }
    with pytest.warns(pdn.PopdynWarning):
        return pdn.compare(spec)


def node(tree, analysis, source="gating"):
    return tree[f"sources/{source}/{analysis}"].to_dataset()


def test_populations_of_a_network_in_a_spec_are_those_it_was_made_of(read):
    label = node(read, "populations")["label"].values
    assert {len(set(label[:300])), len(set(label[300:]))} == {1}
    assert label[0] != label[-1]
    card = read["comparison/scorecard"].to_dataset()
    result = node(read, "populations")
    row = card.sel(measure="populations that the task needs", source="gating")
    assert row["value"].item() == pytest.approx(float(result["n_populations"]), nan_ok=True)
    assert float(result["mean_accuracy"].sel(tried=2)) > 0.85


def test_each_context_saturates_one_population_and_leaves_the_latent_to_one_stimulus(read):
    circuit = node(read, "effective_couplings")
    of_first = node(read, "populations")["label"].values[0]
    gain = circuit["gain"].sel(population=of_first)
    assert float(gain.sel(condition="motion")) > 2 * float(gain.sel(condition="color"))
    from_input = circuit["coupling"].isel(latent=0)
    for context, heard, other in (("motion", 1, 2), ("color", 2, 1)):
        own = from_input.sel(condition=context)
        assert abs(float(own.sel(source=f"input {heard}"))) > 2 * abs(
            float(own.sel(source=f"input {other}"))
        )


def test_flow_holds_the_function_and_mean_trajectories_of_the_simulated_latent(read):
    result = node(read, "flow")
    assert result["condition"].values.tolist() == ["color", "motion"]
    net = gating_network().canonical()
    net = dataclasses.replace(net, population=node(read, "populations")["label"].values)
    extent = float(result["first"].max())
    # The mean input of a context: stimuli cancel but for their noise, the cue of the other is 0.
    by_hand = pdn.dynamics.flow(net, [0, 0, 0, 0.5], extent=extent, n_points=101)
    by_hand_motion = pdn.dynamics.flow(net, [0, 0, 0.5, 0], extent=extent, n_points=101)
    for context, expected in (("color", by_hand), ("motion", by_hand_motion)):
        own = result.sel(condition=context)
        assert own["velocity"].values == pytest.approx(expected["velocity"].values, abs=0.3)
    ends = result["trajectory"].isel(latent=0, time=-1).values
    assert len(ends) == 4
    assert np.abs(ends).max() <= extent
    assert extent > 1.1 * float(np.abs(result["fixed_latent"]).max())
    usual = pdn.dynamics.flow(net, [0, 0, 0, 0.5], n_points=3)["first"].max()
    assert extent > 0.9 * float(usual)
    assert set(result["trajectory_condition"].values.tolist()) == {"color", "motion"}


def test_contexts_are_read_under_their_mean_input_in_the_window_that_is_given():
    few = {"n_populations": 1, "n_resamples": 1, "n_trials": 8, "n_starts": 1}
    train = {"rule": "backprop", "n_trials": 64, "n_validation": 10}
    task = {"name": "PerceptualDecision", "stimuli": [0.2, 0.4], "stimulus_noise": 0.0}
    found = {}
    for name, during in (("stimulus", [0.02, 0.5]), ("fixation", [-0.1, 0.02])):
        spec = spec_of(
            {**NETWORK, "task": task, "train": train},
            window=(-0.1, 0.5),
            analyses={"populations": few, "effective_couplings": {"during": during}},
        )
        spec["analyses"].pop("fit_lowrank")
        with pytest.warns(pdn.PopdynWarning):
            result = node(pdn.compare(spec), "effective_couplings", "network")
        found[name] = json.loads(result.attrs["parameters"])["inputs"]
    assert found["stimulus"] == {"all trials": [pytest.approx(0.3)]}
    # The bin from -0.04 to 0.02 s holds 0.02 s of the stimulus.
    assert found["fixation"]["all trials"][0] == pytest.approx(0.3 * 0.02 / 0.12)


@pytest.mark.filterwarnings(
    "ignore:.*the network itself is right in", "ignore:.*reaches past what was simulated"
)
def test_trajectories_are_means_over_trials_from_the_event_on_as_long_as_trials_last(tmp_path):
    net, path = pdn.network.LowRank.random(30, n_ranks=2, rng=3).canonical(), tmp_path / "net.nc"
    pdn.save(net, path)
    task = {"name": "PerceptualDecision", "stimuli": [-0.4, 0.4], "stimulus_duration": [0.1, 0.4]}
    few = {"n_populations": 1, "n_resamples": 1, "n_trials": 8, "n_starts": 1}
    source = {**NETWORK, "network": {"path": str(path)}, "task": task, "simulate": {"n_trials": 8}}
    source.pop("train")
    spec = spec_of(source, window=(-0.1, 0.5), analyses={"populations": few, "flow": {}})
    spec["analyses"].pop("fit_lowrank")
    result = node(pdn.compare(spec), "flow", "network")
    performed = run(draft(load_spec(spec).sources[0], 3), load_spec(spec)).performed
    shown = performed.trials
    sim = pdn.simulate(net, shown, record=("latent",), bin_width=0.02)["latent"]
    own = np.flatnonzero(shown["stimulus"].values == 0.4)
    # The event is 0.1 s after the start of each trial.
    at = np.round((result["time"].values + 0.1 - 0.01) / 0.02).astype(int)
    seen = sim.transpose("latent", "time", "trial").values[:, :, own]
    seen = np.pad(seen, ((0, 0), (0, 50), (0, 0)), constant_values=np.nan)[:, at]
    assert np.isnan(seen).any()
    expected = np.nansum(seen, axis=-1) / np.isfinite(seen).sum(axis=-1)
    found = result["trajectory"].sel(trial="0.4").values
    assert found == pytest.approx(expected, nan_ok=True)


def test_without_a_population_its_context_is_lost(read):
    result = node(read, "inactivate")
    assert result["inactivation"].values.tolist() == ["population 1", "population 2", "latent 1"]
    assert float(result["control_accuracy"]) > 0.9
    assert (result["accuracy_change"].values < -0.1).all()
    # Half the trials ask for what a population hears.
    assert result["accuracy"].values[:2] == pytest.approx([0.75, 0.75], abs=0.2)


def test_a_network_of_full_rank_gets_a_reason_in_every_step_of_the_mechanism(read, tmp_path):
    text = pdn.report(read, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Mechanism of low-rank networks" in text
    assert "this source is a Rate network, whose loadings are not known" in text
    assert "populations, which it takes, gave no result" in text
    assert "Not computed for this source" not in text
    assert "variational Bayes" in text
    assert "mean input of each context from 0 to 0.8 s" in text
    assert "Inactivations, gating. as it was " in text
    assert "Flow of the latents, gating. color: " in text
    assert "Effective circuit, gating. color: onto latent 1 from latent 1 " in text
    figures = tmp_path / "report_files" / "figures"
    for name in ("population-loadings", "needed-populations", "latent-flow", "circuit"):
        assert (figures / f"{name}_gating.svg").exists()
    assert (tmp_path / "report_files" / "tables" / "inactivations_gating_inactivation.csv").exists()


def test_steps_of_the_mechanism_ask_for_populations():
    with pytest.raises(SpecError, match="flow is of the populations that the step populations"):
        load_spec(spec_of(NETWORK, analyses={"flow": {}}))
    with pytest.raises(SpecError, match=r"analyses\.flow\.during = \[0, 9\] reaches beyond"):
        load_spec(spec_of(NETWORK, analyses={"populations": {}, "flow": {"during": [0.0, 9.0]}}))
    with pytest.raises(SpecError, match='should be "auto" or a whole number of 1 or more, found 0'):
        load_spec(spec_of(NETWORK, analyses={"populations": {"n_populations": 0}}))
