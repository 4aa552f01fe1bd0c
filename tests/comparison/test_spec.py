from __future__ import annotations

import copy
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from popdyn.comparison.source_spec import Recording
from popdyn.comparison.spec import Spec, load_model, load_spec
from popdyn.comparison.tables import toml_text
from popdyn.errors import SpecError
from popdyn.io.remote import is_address
from tests.comparison.conftest import ROOT

HUMAN = ROOT / "data" / "human_mtl_boundaries_sub-4_ses-4.nwb"
BASE = {
    "alignment": {"window": [-1.0, 1.5], "bin_width": 0.05},
    "conditions": {"by": "stimulus"},
    "analyses": {"pca": {}},
    "source": [
        {
            "id": "human",
            "kind": "recording",
            "path": str(HUMAN),
            "align": "boundary1_time",
            "roles": {"stimulus": "stimCategory"},
        },
        {
            "id": "net",
            "kind": "network",
            "align": "stimulus_on_time",
            "network": {"n_neurons": 20},
            "task": {"name": "PerceptualDecision"},
        },
    ],
}


def changed(change):
    tables = copy.deepcopy(BASE)
    change(tables)
    return tables


def refusal(change):
    with pytest.raises(SpecError) as caught:
        load_spec(changed(change))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_spec_is_read_into_frozen_records_with_defaults():
    spec = load_spec(BASE)
    assert spec.conditions.by == ("stimulus",)
    assert spec.analyses.names == ("pca",)
    assert spec.analyses.pca.n_components == 3
    assert spec.sources[0].roles["stimulus"].column == "stimCategory"
    assert load_spec(spec) is spec
    with pytest.raises(ValueError, match="frozen"):
        spec.seed = 3


@pytest.mark.parametrize(
    ("change", "path", "nearest"),
    [
        (lambda t: t.update(sead=1), "'sead'", "'seed'"),
        (lambda t: t["alignment"].update(bin_widht=1), "'alignment.bin_widht'", "'bin_width'"),
        (lambda t: t["analyses"].update(pcaa={}), "'analyses.pcaa'", "'pca'"),
        (
            lambda t: t["analyses"]["pca"].update(n_component=1),
            ".pca.n_component'",
            "'n_components'",
        ),
        (lambda t: t["source"][0].update(aling="x"), "'source[\"human\"].aling'", "'align'"),
        (
            lambda t: t["source"][0]["roles"].update(choice={"column": "a", "value": {}}),
            "'source[\"human\"].roles.choice.value'",
            "'values'",
        ),
        (
            lambda t: t["source"][1]["network"].update(n_neuron=3),
            "network.n_neuron'",
            "'n_neurons'",
        ),
        (lambda t: t["source"][1]["task"].update(stimulus=[1]), ".task.stimulus'", "'stimuli'"),
        (lambda t: t["source"][1].update(train={"n_trial": 1}), ".train.n_trial'", "'n_trials'"),
        (lambda t: t["source"][1].update(simulate={"trials": 1}), "simulate.trials'", "'n_trials'"),
        (
            lambda t: t["source"][1].update(observe={"neurons": 1}),
            "observe.neurons'",
            "'n_neurons'",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_its_path_and_the_nearest_right_one(change, path, nearest):
    message = refusal(change)
    assert "unknown key" in message
    assert path in message
    assert f"did you mean {nearest}?" in message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t["alignment"].update(bin_width="a"), "'alignment.bin_width' should be a number, found 'a' (text)"),
        (lambda t: t["alignment"].update(bin_width=-1.0), "should be more than 0, found -1.0"),
        (lambda t: t["alignment"].update(window=1), "'alignment.window' should be a list"),
        (lambda t: t["alignment"].pop("window"), "the key 'alignment.window' is missing"),
        (lambda t: t["alignment"].update(window=[0, 0.51]), "Nearest windows: (0, 0.5)"),
        (lambda t: t.update(seed=True), "'seed' should be a whole number, found True"),
        (lambda t: t.update(title=3), "'title' should be text, found 3"),
        (lambda t: t.update(match={"neurons": 0}), 'should be "smallest" or a whole number of 1 or more'),
        (lambda t: t.update(analyses={}), "names no analysis: write at least one of raster"),
        (lambda t: t.update(source=[]), "'source' should hold at least 1"),
        (lambda t: t["source"][0].pop("kind"), "has no 'kind'"),
        (lambda t: t["source"][0].update(kind="recordin"), "did you mean 'recording'?"),
        (lambda t: t["source"][0].update(id="a/b"), "should be made of letters"),
        (lambda t: t["source"][1].update(id="human"), "two sources have the id 'human'"),
        (lambda t: t["source"][0]["roles"].update(stimulis="a"), "there is no role 'stimulis'; did you mean 'stimulus'?"),
        (lambda t: t["source"][1]["task"].update(name="Perceptual"), "there is no task 'Perceptual'; did you mean 'PerceptualDecision'?"),
        (lambda t: t["source"][1]["network"].update(n_neurons="many"), "network.n_neurons' should be a whole number, found 'many'"),
        (lambda t: t["source"][1]["network"].update(path="no.nc"), "leads to no file"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_in_plain_words(change, words):
    assert words in refusal(change)


def test_a_missing_path_names_the_key_where_it_looked_and_the_nearest_file(tmp_path):
    (tmp_path / "session_1.nwb").touch()
    tables = changed(lambda t: t["source"][0].update(path="session_2.nwb"))
    spec = tmp_path / "spec.toml"
    spec.write_text(toml_text(tables))
    with pytest.raises(SpecError) as caught:
        load_spec(spec)
    message = str(caught.value)
    assert message.startswith("spec.toml: 'source[\"human\"].path' leads to no file")
    assert str(tmp_path / "session_2.nwb") in message
    assert "the nearest file there is session_1.nwb" in message


def test_a_path_in_a_folder_that_is_not_there_names_the_nearest_folder():
    message = refusal(lambda t: t["source"][0].update(path="nowhere/at/all.nwb"))
    assert "its folder does not exist either" in message


def test_paths_are_relative_to_the_spec_and_not_to_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    (tmp_path / "x.nwb").touch()
    spec = tmp_path / "inner" / "spec.toml"
    spec.write_text(toml_text(changed(lambda t: t["source"][0].update(path="../x.nwb"))))
    monkeypatch.chdir(tmp_path)
    assert load_spec(spec).sources[0].path == tmp_path / "x.nwb"


def test_a_spec_that_is_missing_a_folder_or_no_toml_is_refused(tmp_path):
    (tmp_path / "first.toml").write_text("title = ")
    with pytest.raises(SpecError, match="the nearest file there is first.toml"):
        load_spec(tmp_path / "frist.toml")
    with pytest.raises(SpecError, match=r"first.toml is not valid TOML: .*Invalid value"):
        load_spec(tmp_path / "first.toml")
    with pytest.raises(SpecError, match="is a folder; expected a spec"):
        load_spec(tmp_path)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="cannot be read as text"):
        load_spec(tmp_path / "bytes.toml")


def test_a_pseudo_population_needs_an_event_for_every_recording():
    pool = {"id": "pool", "kind": "pseudopopulation", "recordings": [{"path": str(HUMAN)}]}
    message = refusal(lambda t: t["source"].append(pool))
    assert "recording 1 has no 'align'" in message
    good = changed(lambda t: t["source"].append({**pool, "align": "boundary1_time"}))
    assert len(load_spec(good).sources) == 3


def test_the_text_of_a_mapping_is_toml_that_gives_the_same_spec():
    spec = load_spec(BASE)
    assert load_spec(tomllib.loads(spec.text)) == spec


plain = (
    st.text()
    | st.integers(-(2**62), 2**62)
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
)
nested = st.recursive(
    plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


@given(st.dictionaries(st.text(), nested, max_size=4))
def test_whatever_is_written_as_toml_is_read_back(tables):
    assert tomllib.loads(toml_text(tables)) == tables


def test_a_model_takes_options_over_its_file_and_refuses_unknown_ones(tmp_path):
    path = tmp_path / "model.toml"
    path.write_text(
        toml_text({"network": {"n_neurons": 5, "g": 1.0}, "task": BASE["source"][1]["task"]})
    )
    model = load_model(path, {"network": {"g": 0.5}}, seed=4)
    assert model.network == {"n_neurons": 5, "g": 0.5}
    assert model.seed == 4
    with pytest.raises(SpecError, match=r"model.toml: unknown key 'network.G'"):
        load_model(path, {"network": {"G": 0.5}})
    with pytest.raises(SpecError, match=r"'network.n_inputs' comes from the task.*leave it out"):
        load_model(path, {"network": {"n_inputs": 4}})


def test_the_shipped_specs_are_valid():
    specs = [load_spec(path) for path in sorted((ROOT / "examples" / "reports").glob("*.toml"))]
    assert len(specs) == 2
    assert all(isinstance(spec, Spec) for spec in specs)


def test_every_wrong_place_is_named_and_neurons_may_have_integer_ids(spec_of):
    source = {"id": "a", "kind": "network", "align": "x", "network": {"n_neurons": 3}, "tsk": {}}
    with pytest.raises(SpecError, match=r"unknown key .*tsk'.*also to put right: .*\.task'"):
        load_spec(spec_of(source))
    source = {"id": "a", "kind": "recording", "path": str(HUMAN), "align": "start_time"}
    assert load_spec(spec_of(source | {"example_neuron": 9})).sources[0].example_neuron == "9"


def test_a_recording_that_misleads_is_mended_in_the_spec():
    table = {"kind": "recording", "id": "a", "align": "go_time", "path": str(HUMAN)}
    asked = {"units": {"spike_times": "ms"}, "shift": {"trials": -3.0}, "overlaps": "drop"}
    source = Recording.model_validate({**table, **asked})
    reading = source.reading
    assert {name: reading[name] for name in asked} == asked
    assert reading["clocks"] is None
    with pytest.raises(ValueError, match="overlaps"):
        Recording.model_validate({**table, "overlaps": "ignore"})


def test_a_recording_may_lie_at_an_address():
    table = {"kind": "recording", "id": "a", "align": "go_time"}
    source = Recording.model_validate({**table, "path": "https://host.example/a/b.nwb"})
    assert source.path.name == "b.nwb"
    assert is_address(source.path)
    with pytest.raises(ValueError, match="leads to no file"):
        Recording.model_validate({**table, "path": "nothing.nwb"})
