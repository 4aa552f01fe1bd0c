"""Low-rank networks in one spec: fitted to every source alike, inputs, reasons, the report."""

from __future__ import annotations

import numpy as np
import pytest

import popdyn as pdn
from popdyn.comparison.drive import inputs_of
from popdyn.comparison.network_source import draft, run
from popdyn.comparison.spec import load_spec
from popdyn.errors import SpecError
from tests.comparison.conftest import LACKING

FIT = {"n_ranks": [2, 1], "n_folds": 2, "n_starts": 2, "n_iterations": 30, "n_draws": 20}
NETWORK = {
    "id": "network",
    "kind": "network",
    "align": "stimulus_on_time",
    "network": {"kind": "low_rank", "n_neurons": 40},
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
    for name in ("recording", "network"):
        result = tree[f"sources/{name}/fit_lowrank"].to_dataset()
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
