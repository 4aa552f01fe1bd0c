"""The four shipped recordings: known values, and each trap handled openly."""

import functools
import json
import warnings

import h5py
import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import PopdynWarning, SourceError
from tests.io.recordings import ALM, HUMAN, SHIPPED, THALAMUS, beside

KNOWN_DELAY_RATES = {"369963": (2.03, 0.32), "372793": (1.36, 0.29)}


def quietly(read, *arguments, **options):
    """Call with popdyn's own warnings put aside; other tests read them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PopdynWarning)
        return read(*arguments, **options)


def boundary_spikes(session, closed):
    """Spikes in the second after minus before each boundary, (neuron, trial)."""
    side = "right" if closed else "left"
    events = session["boundary1_time"].values
    rows = []
    for neuron in range(session.sizes["neuron"]):
        spikes = pdn.tensor.session.neuron_spikes(session, neuron)
        after = np.searchsorted(spikes, events + 1, side) - np.searchsorted(spikes, events)
        before = np.searchsorted(spikes, events) - np.searchsorted(spikes, events - 1)
        rows.append(after - before)
    return np.array(rows)


@functools.cache
def described(path):
    return pdn.describe_nwb(path)


def by_category(values, category):
    return [float(values[..., category == code].mean()) for code in (1, 0, 2)]


def test_human_neurons_answer_to_soft_boundaries_as_published():
    # The README's values count a spike exactly one second after (66 lie there) as inside.
    session = pdn.read_session(HUMAN, "encoding_table")
    change = by_category(boundary_spikes(session, closed=True), session["stimCategory"].values)
    np.testing.assert_allclose(change, [0.35, -0.07, -0.02], atol=0.005)


@pytest.mark.parametrize("bin_width", [1.0, 0.1, 0.01])
def test_human_boundary_answers_in_half_open_bins(bin_width):
    tensor = pdn.read_nwb(HUMAN, "boundary1_time", (-1.0, 1.0), bin_width, "encoding_table")
    half = tensor.sizes["time"] // 2
    counts = tensor.values[:, half:].sum(1) - tensor.values[:, :half].sum(1)
    session = pdn.read_session(HUMAN, "encoding_table")
    np.testing.assert_array_equal(counts, boundary_spikes(session, closed=False))
    change = by_category(counts, tensor["stimCategory"].values)
    np.testing.assert_allclose(change, [0.3295, -0.0933, -0.0381], atol=5e-5)


@pytest.mark.parametrize("name", sorted(ALM))
def test_alm_neurons_fire_before_left_licks_as_published(name):
    with pytest.warns(PopdynWarning, match="relative to the trial's start: start_time was added"):
        tensor = pdn.read_nwb(
            ALM[name], "cue_start_time", (-1.0, 0.0), select_trials={"response": "correct"}
        )
    rate = tensor.sum(("neuron", "time"), skipna=False) / 1.0
    rates = [
        float(rate[tensor["type"].values == f"lick {side}"].mean()) for side in ("left", "right")
    ]
    np.testing.assert_allclose(rates, KNOWN_DELAY_RATES[name], atol=0.005)


def test_thalamus_has_202_control_trials_with_an_answer():
    control = {"stim_present": 0, "response": ["correct", "incorrect"]}
    tensor = quietly(pdn.read_nwb, THALAMUS, "cue_start_time", (-1, 0), select_trials=control)
    assert tensor.sizes["trial"] == 202
    assert tensor.attrs["n_dropped"] == 0


def test_thalamus_trials_without_a_cue_are_dropped_counted_and_said():
    session = quietly(pdn.read_session, THALAMUS)
    with pytest.warns(PopdynWarning, match="70 of 412 trials have no 'cue_start_time'"):
        tensor = pdn.align(session, "cue_start_time", (-1, 0))
    assert tensor.sizes["trial"] == 342
    assert tensor.attrs["n_dropped"] == 70


def test_thalamus_neurons_are_unrecorded_outside_their_spikes_and_a_warning_says_so():
    with pytest.warns(PopdynWarning, match="no obs_intervals") as caught:
        session = pdn.read_session(THALAMUS)
    message = str(caught[0].message)
    assert "4 of 4 neurons" in message
    for span in ("1: 1499-2423 s", "2: 1880-2405 s", "3: 1499-3983 s", "4: 1499-5204 s"):
        assert span in message
    assert "observed='session'" in message
    np.testing.assert_allclose(session["obs_stop"], [2423, 2405, 3983, 5204], atol=1)
    with pytest.warns(PopdynWarning, match="no neuron was observed in any bin"):
        early = pdn.align(session, "start_time", (0.0, 1.0), 0.1, trials=[1])
    assert np.isnan(early.values).all()
    silent = pdn.align(
        pdn.read_session(THALAMUS, observed="session"), "start_time", (0.0, 1.0), 0.1, trials=[1]
    )
    assert (silent.values == 0).all()


@pytest.mark.parametrize("path", [HUMAN, *ALM.values()], ids=lambda path: path.name)
def test_neurons_that_fire_all_along_are_observed_all_along(path):
    table = "encoding_table" if path == HUMAN else "trials"
    session = pdn.read_session(path, table)
    assert np.ptp(session["obs_start"].values) == 0
    last = max(session["spike_time"].values.max(), session["start_time"].values.max())
    assert (session["obs_stop"].values >= last).all()


@pytest.mark.parametrize(("path", "n_unsorted"), [(ALM["369963"], 21), (HUMAN, 0)])
def test_unsorted_spikes_are_sorted_and_counted(path, n_unsorted):
    session = pdn.read_session(path, "encoding_table" if path == HUMAN else "trials")
    assert session.attrs["n_unsorted"] == n_unsorted
    for neuron in range(session.sizes["neuron"]):
        assert (np.diff(pdn.tensor.session.neuron_spikes(session, neuron)) >= 0).all()
    said = [line for line in json.loads(session.attrs["problems"]) if "not sorted" in line]
    assert bool(said) == bool(n_unsorted)
    assert not said or "(21 earlier" in said[0]


def test_every_spike_of_the_file_is_in_the_session():
    for path in SHIPPED:
        session = quietly(pdn.read_session, path, trials=None)
        with h5py.File(path) as file:
            stored = file["units/spike_times"][:]
            ends = file["units/spike_times_index"][:]
        assert session["neuron_start"].values[1:].tolist() == ends.tolist()
        np.testing.assert_array_equal(np.sort(session["spike_time"].values), np.sort(stored))


def test_event_columns_on_the_trials_clock_are_marked_and_the_user_may_overrule():
    session = pdn.read_session(ALM["369963"])
    for name in ("cue_start_time", "pole_in_time", "pole_out_time"):
        assert session[name].attrs["clock"] == "trial"
        assert session[name].attrs["units"] == "s"
    assert session["start_time"].attrs["clock"] == "session"
    overruled = pdn.read_session(ALM["369963"], clocks={"cue_start_time": "session"})
    assert overruled["cue_start_time"].attrs["clock"] == "session"
    human = pdn.read_session(HUMAN, "encoding_table")
    assert human["fixcross_time"].attrs["clock"] == "session"
    thalamus = quietly(pdn.read_session, THALAMUS)
    assert thalamus["cue_start_time"].attrs["clock"] == "session"


def test_clocks_are_checked():
    with pytest.raises(SourceError, match="no column of numbers.*Did you mean 'cue_start_time'"):
        pdn.read_session(ALM["369963"], clocks={"cue_time": "trial"})
    with pytest.raises(SourceError, match="must be 'session' or 'trial', got 'local'"):
        pdn.read_session(ALM["369963"], clocks={"cue_start_time": "local"})
    with pytest.raises(SourceError, match="observed must be one of auto, session, spikes"):
        pdn.read_session(ALM["369963"], observed="always")


def test_a_missing_trials_table_lists_the_tables_there_are():
    with pytest.raises(SourceError) as caught:
        pdn.read_nwb(HUMAN)
    message = str(caught.value)
    assert "encoding_table (90 rows), recognition_table (180 rows)" in message
    assert "trials='encoding_table'" in message
    with pytest.raises(SourceError, match="for example trials='recognition_table'"):
        pdn.read_session(HUMAN, "recognition")


PROBLEMS = [
    (HUMAN, "there is no table named trials"),
    (HUMAN, "start on 1900-01-01"),
    (HUMAN, "encoding_table.stimCategory: holds 0 (30 rows)"),
    (HUMAN, "3 never occurs"),
    (HUMAN, "recognition_table.RT: 4 of 180 are negative"),
    (HUMAN, "boundary3_time: is described as 0 where the event does not exist"),
    (HUMAN, "75 equal start_time exactly"),
    (HUMAN, "response_time: is stored in the table but missing from its colnames"),
    (ALM["369963"], "spike times are not sorted (21"),
    (ALM["369963"], "stop_time is missing (NaN) in all 178 rows"),
    (ALM["369963"], "cue_start_time is relative to the trial's start"),
    (ALM["369963"], "silent for a while"),
    (ALM["372793"], "spike times are not sorted (20"),
    (THALAMUS, "2 rows longer than 10 times the median of 9.0 s: ids 1 (320 s), 2 (1177 s)"),
    (THALAMUS, "70 of 412 rows have no cue_end_time, cue_start_time, pole_in_time, pole_out_time"),
    (THALAMUS, "4 of 4 neurons have spikes in a part of the session"),
    (THALAMUS, "left out waveform_mean"),
]


@pytest.mark.parametrize(("path", "words"), PROBLEMS, ids=lambda value: str(value)[:30])
def test_the_summary_says_what_looks_wrong(path, words):
    summary = described(path)
    assert any(words in line for line in summary.problems)
    assert words in str(summary)


def test_sound_columns_are_not_called_wrong():
    lines = "\n".join(pdn.describe_nwb(HUMAN).problems)
    for name in ("boundary_type", "stimuli_type", "leftright", "boundary1_time", "accuracy"):
        assert name not in lines


def test_the_summary_shows_columns_types_units_missing_and_events():
    summary = pdn.describe_nwb(THALAMUS)
    (trials,) = summary.tables
    columns = {column.name: column for column in trials.columns}
    assert trials.n_rows == 412
    assert "cue_start_time" in trials.events
    assert "type" not in trials.events
    assert columns["cue_start_time"].n_missing == 70
    assert columns["photo_stim_power"].units == "mW"
    assert columns["photo_loc_galvo_x"].units == "mm"
    assert columns["is_good"].type == "int32 (yes/no)"
    assert columns["response"].n_missing == 70
    assert columns["response"].values == "correct (175), early lick (87), incorrect (80)"
    assert summary.neurons is not None
    assert summary.neurons.n_spikes == (12992, 3458, 2714, 14893)
    assert summary.schema == "2.1.0"


def test_values_stay_as_in_the_file():
    session = quietly(pdn.read_session, THALAMUS)
    with h5py.File(THALAMUS) as file:
        stored = file["intervals/trials"]
        for name in ("start_time", "stim_present", "photo_stim_power", "cue_start_time"):
            np.testing.assert_array_equal(session[name].values, stored[name][:])
            assert session[name].dtype == stored[name].dtype
        assert (session["photo_stim_period"].values == "N/A").sum() == 345
    assert session["response"].dtype.kind == "U"


def test_neurons_get_their_location_with_and_without_an_index():
    human = pdn.read_session(HUMAN, "encoding_table")
    assert sorted(set(human["location"].values)) == ["amygdala_right", "hippocampus_right"]
    assert (human["location"].values == "amygdala_right").sum() == 10
    alm = pdn.read_session(ALM["369963"])
    assert alm["brain_region"].values.tolist() == ["ALM"]
    assert alm["hemisphere"].values.tolist() == ["left"]
    assert alm["location"].values[0].startswith("brain_region: ALM; ")


def test_the_session_says_where_it_comes_from():
    session = pdn.read_session(ALM["369963"])
    assert session.attrs["source_id"] == "anm369963_2017-02-28_2"
    assert session.attrs["file"] == ALM["369963"].name
    assert session.attrs["source"] == "recording"
    (step,) = json.loads(session.attrs["popdyn"])
    assert step["step"] == "read_session"
    assert pdn.read_session(ALM["369963"], source_id="mouse a").attrs["source_id"] == "mouse a"


def test_reading_twice_gives_the_same_digest():
    digests = {pdn.read_session(HUMAN, "encoding_table").attrs["input_digest"] for _ in range(2)}
    assert len(digests) == 1


def test_spikes_and_trial_columns_are_read_once_each(monkeypatch):
    reads = []
    read = h5py.Dataset.__getitem__

    def counting(dataset, key, *more, **options):
        reads.append((dataset.name, key))
        return read(dataset, key, *more, **options)

    monkeypatch.setattr(h5py.Dataset, "__getitem__", counting)
    session = pdn.read_session(HUMAN, "encoding_table")
    names = [name for name, _ in reads]
    assert names.count("/units/spike_times") == 1
    assert dict(reads)["/units/spike_times"] == ()
    for column in ("boundary1_time", "stimCategory", "Clip_name"):
        assert names.count(f"/intervals/encoding_table/{column}") == 1
    assert not [name for name in names if "recognition_table/RT" in name]
    assert session.sizes["spike"] == 214_278


@pytest.mark.parametrize("path", beside("awkward"), ids=lambda path: path.name)
def test_awkward_files_beside_the_checkout_are_described(path):
    summary = pdn.describe_nwb(path)
    assert path.name in str(summary)
    assert path.name in summary._repr_html_()
    assert summary.to_dataset().attrs["method"] == "describe_nwb"
    if summary.neurons is None:
        assert any("no neurons" in line for line in summary.problems)
        with pytest.raises(SourceError, match=f"{path.name} has no neurons.*it holds"):
            pdn.read_session(path)
    else:
        assert pdn.read_session(path).sizes["neuron"] == 3


def test_codes_are_shown_with_what_the_file_says_of_them():
    assert "0 (90), 1 (90); target (ground truth) = 1, foil = 0" in str(described(HUMAN))
