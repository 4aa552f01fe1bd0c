"""From behavior to verdict in one spec: planted codes, one draw of trials for all, units, reasons."""

from __future__ import annotations

import functools
import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.comparison.perceived_step import estimates_of, least_contracting
from popdyn.comparison.scorecard import scorecard_text
from popdyn.comparison.seeds import derive_seed
from popdyn.comparison.spec import load_spec
from popdyn.errors import SpecError, TensorError
from tests.comparison.conftest import LACKING

SETS = {"short": np.array([0.48, 0.56, 0.64, 0.72, 0.8]), "long": np.array([0.8, 0.9, 1, 1.1, 1.2])}
N_REPEATS = 24
N_DRAWS = 60


@functools.cache
def trials(seed=0, weber=0.12):
    """Trials of two stimulus sets, answered by an observer of each."""
    parts, rng = [], np.random.default_rng(seed)
    for name, values in SETS.items():
        observer = pdn.observer.Production(weber=weber, motor_weber=0.03, prior=values)
        table = pd.DataFrame({"stimulus": np.repeat(values, N_REPEATS), "context": name})
        done = observer.simulate(table, rng=rng)
        parts.append(done.assign(estimate=observer.estimate(done["stimulus"]).values))
    table = pd.concat(parts, ignore_index=True)
    return table.iloc[rng.permutation(len(table))].reset_index(drop=True)


def activity(code, seed=1, n_neurons=12, n_times=20):
    """Orbits on a cylinder whose height is a code of the trial: (neuron, time, trial) in Hz."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(n_neurons, 3)))[0]
    phase = np.broadcast_to(np.linspace(0, np.pi, n_times)[:, None], (n_times, len(code)))
    height = np.broadcast_to(60.0 * (code - 0.8), phase.shape)
    states = np.stack([10 * np.cos(phase), 10 * np.sin(phase), height])
    signal = 30 + np.einsum("nk,ktr->ntr", axes, states)
    return signal + rng.normal(size=signal.shape)


def saved(folder, code, name="a", table=None, **changed):
    """Save a tensor of these trials, whose orbits are as high as ``code`` says."""
    table = trials() if table is None else table
    columns = table[["stimulus", "context", "response"]].assign(**changed)
    time = np.arange(20) * 0.02 + 0.01
    tensor = pdn.make_tensor(activity(table[code].to_numpy()), time, columns, align="set_time")
    tensor["stimulus"].attrs["units"] = tensor["response"].attrs["units"] = "s"
    pdn.save(tensor, folder / f"{name}.nc")
    return {"id": name, "kind": "tensor", "path": str(folder / f"{name}.nc"), "align": "set_time"}


def spec_of(*sources, by=("stimulus", "context"), **analyses):
    asked = {
        "behavior": {"n_draws": N_DRAWS},
        "kinet": {"n_draws": N_DRAWS, "n_splits": 0, "alignment": "time"},
        "estimation_test": {"n_draws": 200, "n_repeats": 20},
        **analyses,
    }
    return {
        "seed": 3,
        "alignment": {"window": [0.0, 0.4], "bin_width": 0.02},
        "conditions": {"by": list(by)},
        "analyses": {name: table for name, table in asked.items() if table is not None},
        "source": list(sources),
    }


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("perceived")
    estimate, true = saved(folder, "estimate", "estimate"), saved(folder, "stimulus", "true")
    return pdn.compare(spec_of(estimate, true))


def node(tree, name, analysis):
    return tree[f"sources/{name}/{analysis}"].to_dataset()


def test_planted_codes_get_their_verdicts(planted):
    found = node(planted, "estimate", "estimation_test")
    assert found.attrs["verdict"] == "estimate"
    assert found["condition_met"].values.tolist() == [1, 1, 1, 1]
    true = node(planted, "true", "estimation_test")
    assert true.attrs["verdict"] == "true"
    assert float(true["rmse_true"]) < 0.01 < float(true["rmse_estimate"])
    assert found["rmse_true"].attrs["units"] == "s"


def test_behavior_is_that_of_each_set_measured_by_hand(planted):
    found = node(planted, "estimate", "behavior")
    assert found["set"].values.tolist() == ["long", "short"]
    for name, values in SETS.items():
        own = trials()[trials()["context"] == name]
        mean = own.groupby("stimulus")["response"].mean()
        slope = np.polyfit(own["stimulus"], own["response"], 1)[0]
        one = found.sel(set=name)
        assert float(one["slope"]) == pytest.approx(slope, abs=0.02)
        assert one["mean_response"].sel(stimulus=values).values == pytest.approx(mean.to_numpy())
        assert float(one["value"].sel(parameter="weber")) == pytest.approx(0.12, abs=0.04)
        estimate = estimates_of(found, name)
        assert estimate["stimulus"].values.tolist() == values.tolist()
        exact = pdn.observer.Production(weber=0.12, prior=values).estimate(values)
        assert estimate["estimate"].values == pytest.approx(exact.values, abs=0.02)


def test_behavior_and_activity_are_drawn_together_and_the_test_is_the_function(planted, tmp_path):
    distance, behavior = (node(planted, "estimate", name) for name in ("kinet", "behavior"))
    tensor = trials().assign(trial=np.arange(len(trials())).astype(str)).set_index("trial")
    seed = derive_seed(3, "estimate", "trials drawn again")
    plan = pdn.bootstrap(tensor, ["stimulus", "context"], N_DRAWS, seed)
    own = tensor.assign(response=tensor["response"].where(tensor["context"] == "short"))
    by_hand = pdn.observer.Production().fit(own.drop(columns="estimate"), resample=plan)
    np.testing.assert_allclose(
        estimates_of(behavior, "short")["draw_estimate"],
        by_hand.estimates(SETS["short"])["draw_estimate"],
    )
    saved(tmp_path, "estimate")
    orbits = pdn.relative_distance(
        pdn.load(tmp_path / "a.nc"), ["stimulus", "context"], alignment="time", n_splits=0,
        reference="stimulus=0.64, context=short", resample=plan,
    )  # fmt: skip
    np.testing.assert_allclose(distance["draw_mean_distance"], orbits["draw_mean_distance"])
    found = node(planted, "estimate", "estimation_test")
    again = pdn.estimation_test(
        distance,
        estimate={name: estimates_of(behavior, name) for name in SETS},
        behavior=behavior.sel(set="short"),
        n_draws=200,
        n_repeats=20,
        rng=int(found.attrs["seed"]),
    )
    for name in ("p_true", "p_estimate", "alternative_error", "draw_rmse_estimate", "set_shift"):
        np.testing.assert_array_equal(found[name], again[name])


def test_the_scorecard_has_slopes_and_both_errors(planted):
    card = planted["comparison/scorecard"].to_dataset()
    slope = card.sel(measure="slope of answers on stimuli, long (1: no contraction)")
    assert (slope["bound_value"].sel(bound="upper") < 1).all()
    error = card.sel(measure="RMSE of the true stimulus told by distances")
    assert error["unit"].item() == "s"
    # The test's p values are of a difference of errors: beside one error they would mislead.
    assert np.isnan(card["p"].where(card["analysis"] == "estimation_test")).all()
    met = card.sel(measure="conditions of the verdict “estimate” that are met, of 4")
    assert met["value"].sel(source="estimate").item() == 4
    assert met["reason"].values.tolist() == ["verdict: estimate", "verdict: true"]
    assert "estimate: 4, verdict: estimate" in scorecard_text(card)
    rows = pdn.show(card).child_axes
    assert len(rows) == 4  # rate, two slopes, conditions: an error alone is no picture


def test_the_reference_is_the_same_whatever_the_order_of_the_conditions(tmp_path):
    sources = saved(tmp_path, "stimulus"), saved(tmp_path, "stimulus", "b")
    same = {"short": "short", "long": "long"}  # a map of values orders the conditions
    sources[1]["roles"] = {"context": {"column": "context", "values": same}}
    only = {"behavior": None, "estimation_test": None}
    tree = pdn.compare(spec_of(*sources, **only))
    found = [node(tree, name, "kinet").attrs["reference"] for name in "ab"]
    assert found == ["stimulus=0.64, context=short"] * 2
    asked = spec_of(sources[0], kinet={"reference": 1.0, "n_draws": 0, "alignment": "time"}, **only)
    result = node(pdn.compare(asked), "a", "kinet")
    assert result.attrs["reference_stimulus"] == 1.0
    assert "draw_mean_distance" not in result


def test_one_stimulus_set_leaves_the_shift_unseen(tmp_path):
    own = trials()[trials()["context"] == "short"].reset_index(drop=True)
    source = saved(tmp_path, "estimate", table=own)
    tree = pdn.compare(spec_of(source, by=("stimulus",)))
    assert node(tree, "a", "behavior")["set"].values.tolist() == ["all"]
    test = node(tree, "a", "estimation_test")
    assert np.isnan(test["condition_met"].sel(requirement="shift"))
    assert test.attrs["verdict"] != "estimate"


def test_the_answer_is_the_one_that_a_role_names(tmp_path):
    source = saved(tmp_path, "estimate", produced_interval=trials()["stimulus"])
    source["roles"] = {"response": {"column": "response"}}
    only = {"behavior": {"n_draws": 4}, "kinet": None, "estimation_test": None}
    found = node(pdn.compare(spec_of(source, **only)), "a", "behavior")
    assert (found["slope"] < 0.9).all()


def test_choices_between_two_stimuli_get_the_observer_that_compares(tmp_path):
    rng = np.random.default_rng(4)
    first = np.tile(np.repeat([10.0, 14.0, 18.0, 22.0, 26.0], 20), 2)
    second = first + np.repeat([-6.0, 6.0], first.size // 2)
    table = pd.DataFrame({"stimulus": first, "stimulus_2": second})
    observer = pdn.observer.Discrimination(sigma=4.0, prior=np.unique(first))
    table = observer.simulate(table, rng=rng)
    code = observer.estimate(first).values / 30 + 0.3
    tensor = pdn.make_tensor(
        activity(code), np.arange(20) * 0.02 + 0.01,
        table[["stimulus", "stimulus_2", "choice"]], align="f1_off",
    )  # fmt: skip
    pdn.save(tensor, tmp_path / "a.nc")
    source = {"id": "a", "kind": "tensor", "path": str(tmp_path / "a.nc"), "align": "f1_off"}
    asked = spec_of(source, by=("stimulus",), behavior={"n_draws": N_DRAWS, "noise": "constant"})
    tree = pdn.compare(asked)
    found = node(tree, "a", "behavior")
    assert found.attrs["kind"] == "discrimination"
    assert float(found["slope"][0]) < 0.9
    assert "sigma" in found["parameter"].values
    assert node(tree, "a", "estimation_test").attrs["verdict"]
    assert pdn.show(found).get_xlabel().startswith("second stimulus less the first")


def lab_file(folder, scale=1000.0, units=None):
    """Write counts of these trials as a lab would: intervals ``ts`` and ``tp`` in ms."""
    table = trials()
    counts = np.random.default_rng(7).poisson(0.02 * np.clip(activity(table["estimate"]), 0, None))
    columns = pd.DataFrame(
        {
            "ts": (scale * table["stimulus"]).round(3),
            "tp": scale * table["response"],
            "prior": table["context"].map({"short": 1, "long": 2}),
        }
    )
    time = np.arange(20) * 0.02 + 0.01
    tensor = pdn.make_tensor(counts, time, columns, name="spike_count", units="1")
    for name in ("ts", "tp"):
        tensor[name].attrs = {} if units is None else {"units": units}
    return pdn.write_nwb(folder / "lab.nwb", tensor, overwrite=True)


def lab_source(file, units):
    said = {} if units is None else {"units": units}
    return {
        "id": "lab", "kind": "recording", "path": str(file), "align": "zero_time",
        "roles": {
            "stimulus": {"column": "ts", **said},
            "response": {"column": "tp", **said},
            "context": {"column": "prior", "values": {"1": "short", "2": "long"}},
        },
    }  # fmt: skip


def test_a_file_in_ms_stands_beside_a_tensor_in_s(tmp_path):
    only = {"behavior": {"n_draws": 4}, "kinet": None, "estimation_test": None}
    sources = lab_source(lab_file(tmp_path), "ms"), saved(tmp_path, "estimate")
    tree = pdn.compare(spec_of(*sources, **only))
    lab, tensor = (node(tree, name, "behavior") for name in ("lab", "a"))
    assert lab.attrs["stimulus_units"] == "s"
    assert lab["stimulus"].values.tolist() == tensor["stimulus"].values.tolist()
    np.testing.assert_allclose(lab["slope"], tensor["slope"])
    np.testing.assert_allclose(lab["mean_response"], tensor["mean_response"])


def test_ms_declared_as_s_are_refused(tmp_path):
    only = {"kinet": None, "estimation_test": None}
    file = lab_file(tmp_path)
    with pytest.raises(
        TensorError,
        match=r"'lab'.*'stimulus' has the column 'ts' in s, which holds "
        r"480 to 1200: these look like milliseconds.*units = 'ms'",
    ):
        pdn.compare(spec_of(lab_source(file, "s"), **only))
    with pytest.raises(SpecError, match="stimulus=480"):
        pdn.compare(spec_of(lab_source(file, None), saved(tmp_path, "estimate"), **only))
    said = lab_file(tmp_path, units="ms")
    with pytest.raises(TensorError, match="says units = 's', but the file says .* 'ts' is in ms"):
        pdn.compare(spec_of(lab_source(said, "s"), **only))


def test_what_a_source_lacks_is_a_reason_that_costs_the_others_nothing(tmp_path):
    bare = trials().rename(columns={"response": "other"}).assign(response=np.nan)
    sources = saved(tmp_path, "estimate", "mute", table=bare), saved(tmp_path, "estimate")
    with pytest.warns(pdn.PopdynWarning) as said:
        tree = pdn.compare(spec_of(*sources))
    warned = sorted(str(one.message)[:60] for one in said)
    assert [one.split(": ")[1] for one in warned] == ["no behavior", "no estimation_test"]
    assert warned[0].startswith("source 'mute': no behavior: 0 of 240 trials")
    reasons = tree["comparison/scorecard"].to_dataset()["reason"].sel(source="mute")
    told = dict(zip(reasons["analysis"].values, reasons.values, strict=True))
    assert "0 of 240 trials have stimulus and response" in told["behavior"]
    assert told["estimation_test"].startswith("behavior, which it takes, gave no result: 0 of")
    assert "kinet" in tree["sources/mute"].children
    assert "estimation_test" in tree["sources/a"].children


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"kinet": None}, "ask for both"),
        ({"behavior": {"n_draws": 61}}, "behavior.n_draws is 61 and kinet.n_draws is 60"),
        ({"kinet": {"n_draws": N_DRAWS, "mean_over": [0.0, 2.0]}}, "kinet.mean_over = .* beyond"),
        ({"kinet": {"n_draws": N_DRAWS, "method": "euclidean"}}, "kinet.method"),
    ],
    ids=["no distances", "other draws", "outside", "another method"],
)
def test_a_spec_that_cannot_be_run_is_refused_before_anything_is_read(changed, words, tmp_path):
    source = {"id": "a", "kind": "tensor", "path": __file__, "align": "x"}
    with pytest.raises(SpecError, match=words):
        pdn.compare(spec_of(source, **changed))


@LACKING
def test_orbits_and_estimates_must_be_of_the_same_sets(tmp_path):
    few = {"n_draws": 4}
    asked = spec_of(
        saved(tmp_path, "estimate"),
        behavior={**few, "sets": "context"},
        kinet={**few, "by": "stimulus", "alignment": "time", "n_splits": 0},
    )
    with pytest.warns(pdn.PopdynWarning, match="put together"):
        reasons = pdn.compare(asked)["comparison/scorecard"]["reason"].values
    assert "the orbits have the sets of no column, behavior those of context" in "".join(
        reasons.ravel()
    )
    asked["analyses"]["behavior"]["sets"] = "contxt"
    with pytest.raises(TensorError, match="contxt.*context"):
        pdn.compare(asked)


def test_contexts_that_are_put_together_are_warned_of_once(tmp_path):
    asked = spec_of(saved(tmp_path, "estimate"), by=("stimulus",))
    words = r"trials of 2 contexts \((short, long|long, short)\) are put together.*by = \["
    with pytest.warns(pdn.PopdynWarning, match=words) as said:
        tree = pdn.compare(asked)
    assert len([one for one in said if "contexts" in str(one.message)]) == 1
    assert "put together" in node(tree, "a", "summary").attrs["problems"]
    alone = {"behavior": {"n_draws": 4}, "kinet": None, "estimation_test": None}
    with pytest.warns(pdn.PopdynWarning, match="put together"):
        pdn.compare(spec_of(*asked["source"], by=("stimulus",), **alone))
    asked["source"][0]["select"] = {"context": "short"}
    pdn.compare(asked)  # one context needs no warning


def test_times_since_the_start_of_the_session_are_no_answers(tmp_path):
    when = np.linspace(10.0, 900.0, len(trials()))
    source = saved(tmp_path, "estimate", stop_time=when)
    source["roles"] = {"response": "stop_time"}
    with pytest.warns(pdn.PopdynWarning, match="no behavior: .*these are times of a clock"):
        pdn.compare(spec_of(source, estimation_test=None))


@pytest.mark.parametrize(
    ("units", "right"), [("msec", "ms"), ("seconds", "s"), ("hz", "Hz"), ("μs", "us")]
)
def test_units_that_would_silently_be_none_are_refused(units, right):
    source = {"id": "a", "kind": "tensor", "path": __file__, "align": "x"}
    source["roles"] = {"stimulus": {"column": "ts", "units": units}}
    with pytest.raises(SpecError, match=rf"stimulus.units': the unit '{units}' .* write '{right}'"):
        pdn.compare(spec_of(source))
    source["roles"]["stimulus"]["units"] = "lux"
    load_spec(spec_of(source))


def test_a_window_in_ms_is_refused_before_anything_is_binned():
    asked = spec_of({"id": "a", "kind": "tensor", "path": __file__, "align": "x"})
    asked["alignment"]["window"] = [0, 1000]
    with pytest.raises(SpecError, match=r"50,000 bins of 0.02 s.*milliseconds, write \[0, 1\]"):
        pdn.compare(asked)
    asked["alignment"]["bin_width"] = 1.0  # minutes of activity in wide bins are meant
    load_spec(asked)


def test_what_a_message_says_of_roles_is_written_as_in_a_spec(tmp_path):
    source = saved(tmp_path, "estimate", tp=60.0 * trials()["response"])
    source["roles"] = {"response": "tp"}
    with pytest.warns(pdn.PopdynWarning, match=r'{column = \.\.\., units = "ms"}'):
        pdn.compare(spec_of(source))


def test_sets_come_in_the_order_of_the_map_of_values_in_all_sources(tmp_path):
    mapped = saved(tmp_path, "stimulus", "mapped")
    mapped["roles"] = {
        "context": {"column": "context", "values": {"short": "short", "long": "long"}}
    }
    only = {"behavior": None, "kinet": None, "estimation_test": None, "condition_average": {}}
    tree = pdn.compare(spec_of(saved(tmp_path, "stimulus"), mapped, **only))
    for name in ("a", "mapped"):
        shown = node(tree, name, "condition_average")["context"].values.tolist()
        assert shown[4:6] == ["short", "long"], name


def test_distances_at_the_same_time_keep_their_own_key(tmp_path):
    only = {"behavior": None, "estimation_test": None, "relative_distance": {"n_draws": 20}}
    tree = pdn.compare(spec_of(saved(tmp_path, "stimulus"), **only))
    plain = json.loads(node(tree, "a", "relative_distance").attrs["parameters"])
    assert "mean_squared_distance" in node(tree, "a", "relative_distance")
    assert plain["n_draws"] == 20
    assert node(tree, "a", "kinet").attrs["distance_method"] == "kinet"


@pytest.mark.parametrize(
    ("upper", "picked"), [([0.8, 0.9], "b"), ([np.nan, 0.7], "a"), ([np.nan, np.nan], "a")]
)
def test_behavior_is_that_of_the_set_that_contracts_least_or_whose_slope_is_unknown(upper, picked):
    bounds = xr.DataArray(
        [[0.5, 0.5], upper],
        dims=("bound", "set"),
        coords={"bound": ["lower", "upper"], "set": ["a", "b"]},
    )
    assert least_contracting(xr.Dataset({"slope_bound": bounds}))["set"].item() == picked
