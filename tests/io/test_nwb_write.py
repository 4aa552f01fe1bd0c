"""Written files are sound by the judgment of others, and come back as they were."""

import json
import threading
from datetime import UTC, datetime, timedelta

import h5py
import numpy as np
import pynwb
import pytest

import popdyn as pdn
from popdyn.errors import SourceError, TensorError
from tests.io.recordings import ALM, HUMAN, SHIPPED, THALAMUS
from tests.io.written import (
    arrays_by_pynwb,
    quietly,
    read_back,
    remarks,
    same_session,
    same_tensor,
)

TABLE = {HUMAN: "encoding_table"}
EVENT = {HUMAN: "boundary1_time", THALAMUS: "cue_start_time"}
# What the original says, or leaves unsaid: not for popdyn to change.
KNOWN_SUGGESTIONS = {
    "check_col_not_nan": "stop_time is NaN in the original",
    "check_column_binary_capability": "0 and 1 as integers in the original",
    "check_session_start_time_old_date": "the original says 1900",
}
WHO = {"experimenter": "Doe, Jane", "institution": "Institute", "lab": "Lab"}
RNG = np.random.default_rng(7)


def small(**trials):
    table = {"start_time": [0.0, 1.0, 2.5], "stop_time": [0.9, 1.9, 3.1], **trials}
    neurons = {"depth": [10.5, np.nan], "is_good": [True, False]}
    return pdn.make_session([0.1, 0.5, 1.2, 0.3, 2.9], [0, 3, 5], neurons=neurons, trials=table)


@pytest.fixture(scope="module")
def observed():
    net = pdn.network.Rate.random(40, g=0.9, rng=0)
    trials = pdn.tasks.PerceptualDecision().sample(8, rng=0, dt=net.dt)
    return pdn.observe(pdn.simulate(net, trials), 12, rng=1)


def test_a_small_session_draws_no_remark(tmp_path):
    assert remarks(pdn.write_nwb(tmp_path / "a.nwb", small(), **WHO)) == ([], [])


def test_an_observed_network_draws_no_remark(tmp_path, observed):
    assert remarks(pdn.write_nwb(tmp_path / "a.nwb", observed, **WHO)) == ([], [])


def test_counts_draw_no_remark(tmp_path, observed):
    counts = pdn.align(observed, "stimulus_on_time", (0.0, 0.8), 0.1)
    assert remarks(pdn.write_nwb(tmp_path / "a.nwb", counts, **WHO)) == ([], [])


def test_the_inspector_does_find_fault_where_there_is_fault(tmp_path):
    path = pdn.write_nwb(tmp_path / "a.nwb", small(), **WHO)
    with h5py.File(path, "r+") as file:
        file["units/spike_times"][:2] = [0.9, 0.2]
        del file["session_description"]
    errors, lines = remarks(path)
    assert errors or ("CRITICAL", "check_ascending_spike_times", "units") in lines


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_recording_written_again_is_valid_and_the_same(tmp_path, path):
    table = TABLE.get(path, "trials")
    session = quietly(pdn.read_session, path, table)
    copy = pdn.write_nwb(tmp_path / path.name, session, **WHO)
    errors, lines = remarks(copy)
    assert errors == []
    assert {check for _, check, _ in lines} <= set(KNOWN_SUGGESTIONS)
    assert {importance for importance, _, _ in lines} <= {"BEST_PRACTICE_SUGGESTION"}
    same_session(read_back(copy, table), session)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_tensor_is_identical_when_read_with_the_same_arguments(tmp_path, path):
    table, event = TABLE.get(path, "trials"), EVENT.get(path, "cue_start_time")
    session = quietly(pdn.read_session, path, table)
    again = read_back(pdn.write_nwb(tmp_path / path.name, session), table)
    for window, bin_width in (((-1.0, 1.0), 0.1), ((0.0, 0.3), 0.003)):
        one = quietly(pdn.align, again, event, window, bin_width)
        same_tensor(one, quietly(pdn.align, session, event, window, bin_width))
    assert path != THALAMUS or np.isnan(one.values).any()


@pytest.mark.parametrize("path", [HUMAN, ALM["369963"]], ids=lambda path: path.stem)
def test_pynwb_reads_the_spikes_bit_for_bit(tmp_path, path):
    table = TABLE.get(path, "trials")
    session = quietly(pdn.read_session, path, table)
    found = arrays_by_pynwb(pdn.write_nwb(tmp_path / "a.nwb", session), table)
    starts = session["neuron_start"].values
    for neuron, spikes in enumerate(found["spike_times"]):
        own = session["spike_time"].values[starts[neuron] : starts[neuron + 1]]
        assert spikes.dtype == np.float64
        assert spikes.tobytes() == own.tobytes()
        rows = session["obs_neuron"].values == neuron
        own = np.stack([session["obs_start"].values[rows], session["obs_stop"].values[rows]]).T
        assert found["obs_intervals"][neuron].tobytes() == np.ascontiguousarray(own).tobytes()
    for name, values in found["trials"].items():
        np.testing.assert_array_equal(values, session[name].values, err_msg=name)


def test_neurons_observed_all_the_time_come_back_as_such(tmp_path):
    session = small()
    assert np.isinf(session["obs_start"]).all()
    path = pdn.write_nwb(tmp_path / "a.nwb", session)
    found = arrays_by_pynwb(path)["obs_intervals"]
    assert [rows.tolist() for rows in found] == [[[0.0, 3.1]], [[0.0, 3.1]]]
    again = read_back(path)
    same_session(again, session)
    far = {"event": "start_time", "window": (-5.0, 40.0), "bin_width": 0.5}
    assert not np.isnan(quietly(pdn.align, again, **far).values).any()
    stated = read_back(path, observed="spikes")
    assert stated["obs_stop"].values.tolist() == [1.2, 2.9]


def test_half_open_missing_and_absent_intervals_come_back(tmp_path):
    obs = ([-np.inf, 2.0, 0.5], [1.0, np.inf, 0.7], [0, 0, 2])
    session = pdn.make_session(
        [0.1, 2.5, 0.6], [0, 2, 2, 3], trials={"start_time": [0.0, 2.2]}, obs=obs
    )
    path = pdn.write_nwb(tmp_path / "a.nwb", session, **WHO)
    found = [rows.tolist() for rows in arrays_by_pynwb(path)["obs_intervals"]]
    assert found == [[[0.0, 1.0], [2.0, 2.5]], [[0.0, 0.0]], [[0.5, 0.7]]]
    same_session(read_back(path), session)
    assert [line for line in remarks(path)[1] if "SUGGESTION" not in line[0]] == []


def test_unsorted_spikes_are_written_sorted(tmp_path):
    session = pdn.make_session([0.5, 0.1], [0, 2], trials={"start_time": [0.0, 1.0]})
    path = pdn.write_nwb(tmp_path / "a.nwb", session)
    assert arrays_by_pynwb(path)["spike_times"][0].tolist() == [0.1, 0.5]


def test_history_roles_and_source_travel_with_the_file(tmp_path, observed):
    session = observed.assign_attrs(roles=json.dumps({"choice": {"column": "choice"}}))
    again = read_back(pdn.write_nwb(tmp_path / "a.nwb", session))
    assert again.attrs["source"] == "network"
    assert again.attrs["roles"] == session.attrs["roles"]
    assert again.attrs["seed"] == session.attrs["seed"]
    steps = [step["step"] for step in json.loads(again.attrs["popdyn"])]
    assert steps[-3:] == ["observe", "write_nwb", "read_session"]
    assert read_back(tmp_path / "a.nwb", source_id="mine").attrs["source_id"] == "mine"


def test_a_session_without_trials_has_no_table(tmp_path):
    session = pdn.make_session([0.1, 0.2], [0, 2])
    path = pdn.write_nwb(tmp_path / "a.nwb", session)
    with h5py.File(path) as file:
        assert "trials" not in file.get("intervals", {})
    same_session(read_back(path, None), session)


def test_the_header_says_what_it_was_given(tmp_path):
    zone = datetime(2024, 5, 31, 14, tzinfo=UTC)
    path = pdn.write_nwb(
        tmp_path / "a.nwb", small(), session_description="words", identifier="id-7",
        session_start_time="2024-05-31T16:00:00+02:00", keywords=["timing"],
        subject={"subject_id": "m1", "species": "Macaca mulatta", "date_of_birth": "2015-01-01"},
        related_publications="doi:10.1/1", experiment_description="two priors", **WHO,
    )  # fmt: skip
    with pynwb.NWBHDF5IO(str(path), "r") as reader:
        content = reader.read()
        assert content.session_description == "words"
        assert content.identifier == "id-7"
        assert content.session_start_time == zone
        assert content.subject.species == "Macaca mulatta"
        assert content.subject.sex == "U"
        assert content.subject.age is None
        assert list(content.experimenter) == ["Doe, Jane"]
        assert list(content.keywords) == ["timing"]


def test_an_unknown_start_is_a_fixed_date_that_the_header_explains(tmp_path):
    path = pdn.write_nwb(tmp_path / "a.nwb", small(), session_start_time=None)
    with pynwb.NWBHDF5IO(str(path), "r") as reader:
        content = reader.read()
        assert content.session_start_time == datetime(2000, 1, 1, tzinfo=UTC)
        assert "its date stands for none" in content.session_description
    local = datetime(2020, 1, 1, 12)
    path = pdn.write_nwb(tmp_path / "b.nwb", small(), session_start_time=local)
    with pynwb.NWBHDF5IO(str(path), "r") as reader:
        assert reader.read().session_start_time.utcoffset() == timedelta(0)


def test_a_file_that_exists_is_replaced_only_on_request(tmp_path):
    path = tmp_path / "a.nwb"
    path.write_bytes(b"precious")
    with pytest.raises(SourceError, match="exists and was left as it is.*overwrite=True"):
        pdn.write_nwb(path, small())
    assert path.read_bytes() == b"precious"
    pdn.write_nwb(path, small(), overwrite=True)
    assert pdn.read_session(path).sizes["trial"] == 3
    assert [other.name for other in tmp_path.iterdir()] == ["a.nwb"]


def test_of_two_writers_at_once_one_is_refused(tmp_path):
    outcomes = []

    def write():
        try:
            outcomes.append(pdn.write_nwb(tmp_path / "a.nwb", small()))
        except SourceError as error:
            outcomes.append(error)

    pdn.write_nwb(tmp_path / "warm.nwb", small())
    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(outcome, SourceError) for outcome in outcomes) == 2
    assert pdn.read_session(tmp_path / "a.nwb").sizes["neuron"] == 2
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, MemoryError])
@pytest.mark.parametrize("is_there", [True, False])
def test_nothing_is_left_after_an_interruption(tmp_path, monkeypatch, error, is_there):
    path = tmp_path / "a.nwb"
    if is_there:
        path.write_bytes(b"precious")

    def stop(self, *arguments, **options):
        raise error

    monkeypatch.setattr(pynwb.NWBHDF5IO, "write", stop)
    with pytest.raises(error):
        pdn.write_nwb(path, small(), overwrite=True)
    left = [other.name for other in tmp_path.iterdir()]
    assert left == (["a.nwb"] if is_there else [])
    assert not is_there or path.read_bytes() == b"precious"


REFUSED = [
    ("a.h5", {}, SourceError, "NWB files end in .nwb: name it a.nwb"),
    ("none/a.nwb", {}, SourceError, "the folder .*none does not exist"),
    (".", {}, SourceError, "it is a folder; name a file in it"),
    ("a.nwb", {"session_start_time": "noon"}, SourceError, "ISO 8601.*found 'noon'"),
    ("a.nwb", {"subject": {"specie": "x"}}, SourceError, "no field 'specie'.*mean 'species'"),
    ("a.nwb", {"resolution": 0.0}, TensorError, "resolution is a positive number of seconds"),
    ("a.nwb", {"subject": {"date_of_birth": "then"}}, SourceError, "date_of_birth.*found 'then'"),
]


@pytest.mark.parametrize(("name", "options", "kind", "words"), REFUSED)
def test_what_cannot_be_written_is_refused_in_words(tmp_path, name, options, kind, words):
    with pytest.raises(kind, match=words):
        pdn.write_nwb(tmp_path / name, small(), **options)
    assert list(tmp_path.iterdir()) == []


def test_what_is_neither_session_nor_counts_is_refused(tmp_path):
    with pytest.raises(TensorError, match="expected a tensor"):
        pdn.write_nwb(tmp_path / "a.nwb", [1, 2])
    with pytest.raises(TensorError, match="the session has no neurons"):
        pdn.write_nwb(tmp_path / "a.nwb", pdn.make_session([], [0]))
    with pytest.raises(SourceError, match="expected the path of a file to write, found int"):
        pdn.write_nwb(3, small())


def test_nothing_given_is_changed(tmp_path):
    session = small(label=["a", "b", "c"])
    before = session.copy(deep=True)
    pdn.write_nwb(tmp_path / "a.nwb", session, keywords=["k"])
    assert session.identical(before)
