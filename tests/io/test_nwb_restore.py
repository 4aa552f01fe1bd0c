"""The text beside the tables gives back what it can prove, and never overrules the file."""

import json

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.io.writing.restore import DERIVED, Record, core_digest, restore_attributes
from tests.io.written import read_back, same_session, stored_text

TRIALS = {"start_time": [0.0, 1.0], "stop_time": [0.5, 1.5], "cue_time": [0.1, 0.2], "a/b": [1, 2]}
ATTRS = {"cue_time": {"units": "s", "clock": "trial", "description": "the cue"}}


def written(tmp_path):
    session = pdn.make_session(
        [0.1, 1.2, 2.3], [0, 1, 3], neurons={"id": ["p", "q"], "location": ["V1", "V2"]},
        trials=TRIALS, column_attrs=ATTRS, attrs={"source": "network", "source_id": "n", "x": 1.5},
    )  # fmt: skip
    return session, pdn.write_nwb(tmp_path / "a.nwb", session)


def plain_session(session):
    """As a reader of tables alone might give it."""
    ids = np.arange(session.sizes["neuron"])
    attrs = {"popdyn": "[]", "problems": "[]", "source": "recording", "source_id": "id"}
    return pdn.make_session(
        session["spike_time"].values, session["neuron_start"].values, attrs=attrs,
        neurons={"id": ids, "neuron_id": session["neuron"].values}, obs=([0, 0], [2.3, 2.3], ids),
        trials={"start_time": [0.0, 1.0], "stop_time": [0.5, 1.5], "trial_a_b": [1.0, 2.0]},
    )  # fmt: skip


def test_everything_the_record_proves_comes_back(tmp_path):
    session, path = written(tmp_path)
    same_session(read_back(path), session)


def test_what_is_gone_from_the_file_stays_gone_and_what_is_new_stays(tmp_path):
    session, path = written(tmp_path)
    read = plain_session(session).assign_coords(extra=("trial", [7, 8]))
    new = restore_attributes(read, stored_text(path))
    assert "cue_time" not in new.coords
    assert new["extra"].values.tolist() == [7, 8]
    assert new["neuron"].values.tolist() == ["p", "q"]
    assert new["trial_a_b"].dtype == np.int64
    assert np.isinf(new["obs_start"]).all()
    assert new.attrs["input_digest"] == core_digest(new) != session.attrs["input_digest"]
    assert new.attrs["x"] == 1.5


def test_values_that_the_file_has_changed_keep_their_type_and_the_digest_is_new(tmp_path):
    session, path = written(tmp_path)
    read = plain_session(session)
    read["trial_a_b"] = ("trial", [1.5, 2.0], {"description": "a/b of each trial"})
    new = restore_attributes(read.set_coords("trial_a_b"), stored_text(path))
    assert new["trial_a_b"].values.tolist() == [1.5, 2.0]


def test_a_column_described_anew_keeps_what_was_read(tmp_path):
    session, path = written(tmp_path)
    with h5py.File(path, "r+") as file:
        file["intervals/trials/cue_time"].attrs["description"] = "the other cue (ms)"
    again = read_back(path)
    assert again["cue_time"].attrs["description"] == "the other cue (ms)"
    assert again["cue_time"].attrs["units"] == "ms"


def test_intervals_that_the_file_has_changed_are_not_made_infinite(tmp_path):
    session, path = written(tmp_path)
    with h5py.File(path, "r+") as file:
        file["units/obs_intervals"][0] = [0.05, 2.0]
    again = read_back(path)
    assert again["obs_start"].values.tolist() == [0.05, -np.inf]
    assert again["obs_stop"].values.tolist() == [2.0, np.inf]
    assert again.attrs["input_digest"] != session.attrs["input_digest"]


def test_a_neuron_never_observed_that_the_file_has_since_observed_is(tmp_path):
    obs = ([0.0], [2.0], [0])
    session = pdn.make_session([0.1, 1.2], [0, 2, 2], trials=TRIALS, obs=obs)
    path = pdn.write_nwb(tmp_path / "a.nwb", session)
    assert read_back(path)["obs_neuron"].values.tolist() == [0]
    with h5py.File(path, "r+") as file:
        file["units/obs_intervals"][1] = [0.25, 1.5]
    again = read_back(path)
    assert again["obs_neuron"].values.tolist() == [0, 1]
    assert again["obs_start"].values.tolist() == [0.0, 0.25]
    assert again["obs_stop"].values.tolist() == [2.0, 1.5]


def test_the_users_word_is_not_overruled(tmp_path):
    _, path = written(tmp_path)
    again = read_back(path, clocks={"cue_time": "session"}, observed="session", source_id="mine")
    assert again["cue_time"].attrs["clock"] == "session"
    assert again.attrs["source_id"] == "mine"
    assert read_back(path)["cue_time"].attrs["clock"] == "trial"
    once = read_back(path, observed="spikes")
    assert once["obs_stop"].values.tolist() == [0.1, 2.3]


def test_columns_that_reading_derives_are_dropped_unless_the_session_had_them(tmp_path):
    session, path = written(tmp_path)
    derived = ("neuron", ["e", "f"], {"description": DERIVED})
    read = plain_session(session).assign_coords(group_name=derived, mine=("neuron", ["a", "b"]))
    new = restore_attributes(read, stored_text(path))
    assert "group_name" not in new.coords
    assert "mine" in new.coords
    assert "neuron_id" not in new.coords


def test_ids_that_repeat_are_not_taken(tmp_path):
    session, path = written(tmp_path)
    read = plain_session(session).assign_coords(neuron_id=("neuron", ["p", "p"]))
    assert restore_attributes(read, stored_text(path))["neuron"].values.tolist() == [0, 1]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 2}', '{"format": 1}', "\x00"])
def test_text_that_is_no_record_changes_nothing(tmp_path, text):
    session, _ = written(tmp_path)
    assert restore_attributes(session, text) is session


def test_a_record_of_a_later_format_is_left_alone(tmp_path):
    session, path = written(tmp_path)
    later = {**json.loads(stored_text(path)), "format": 2}
    assert restore_attributes(session, json.dumps(later)) is session


def _pieces(value):
    """Paths to every piece of a JSON document."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        yield (key,)
        if isinstance(inner, dict | list):
            yield from ((key, *path) for path in _pieces(inner))


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 2**70), st.floats(), st.text(max_size=4),
    st.just([]), st.just({}), st.just([-1, 0, 9]), st.just("start_time"), st.just("spike_time"),
    st.just("neuron"), st.just("V2000"), st.just("float99"),
)  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damaged_records_never_raise_nor_touch_the_spikes(tmp_path_factory, data):
    if not hasattr(test_damaged_records_never_raise_nor_touch_the_spikes, "made"):
        made = written(tmp_path_factory.mktemp("record"))
        test_damaged_records_never_raise_nor_touch_the_spikes.made = made
    session, path = test_damaged_records_never_raise_nor_touch_the_spikes.made
    record = json.loads(stored_text(path))
    path = data.draw(st.sampled_from(list(_pieces(record))))
    inner = record
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = data.draw(JUNK)
    read = plain_session(session)
    new = restore_attributes(read, json.dumps(record))
    np.testing.assert_array_equal(new["spike_time"], read["spike_time"])
    np.testing.assert_array_equal(new["neuron_start"], read["neuron_start"])
    np.testing.assert_array_equal(new["start_time"], read["start_time"])
    assert np.isfinite(new["obs_start"]).sum() <= 2
    assert json.loads(new.attrs["popdyn"]) is not None


def test_the_record_is_read_as_it_was_written(tmp_path):
    _, path = written(tmp_path)
    record = Record.model_validate_json(stored_text(path))
    assert Record.model_validate_json(record.model_dump_json()) == record
    assert record.tables["neuron"].id_column == "neuron_id"
