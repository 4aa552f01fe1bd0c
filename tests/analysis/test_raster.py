from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.tensor.session import make_session

DATA = Path(__file__).parents[2] / "data"


def session_of(spikes, events, by, obs=None):
    return make_session(
        spikes,
        [0, len(spikes)],
        neurons={"id": ["neuron_7"]},
        trials={"go_time": events, "side": by},
        obs=obs,
    )


def test_rows_are_sorted_by_condition_then_by_time():
    session = session_of([0.1, 1.2, 2.3, 3.4], [3.0, 2.0, 1.0, 0.0], ["a", "b", "a", "b"])
    result = pdn.raster(session, "go_time", (0.0, 1.0), "neuron_7", "side")
    assert result["condition"].values.tolist() == ["a", "a", "b", "b"]
    assert result["trial"].values.tolist() == [2, 0, 3, 1]
    np.testing.assert_allclose(result["spike_time"], [0.2, 0.4, 0.1, 0.3])
    assert result["spike_trial"].values.tolist() == [0, 1, 2, 3]
    expected = {"method": "raster", "neuron": "neuron_7", "window_start": 0.0, "window_stop": 1.0}
    assert {key: result.attrs[key] for key in expected} == expected
    assert result.attrs["align"] == "go_time"


@pytest.mark.filterwarnings("ignore:bins of")
@given(
    spikes=st.lists(st.integers(0, 200), max_size=60).map(sorted),
    events=st.lists(st.integers(0, 200), min_size=1, max_size=6),
    window=st.tuples(st.integers(-30, 30), st.integers(1, 60)),
)
@settings(max_examples=40, deadline=None)
def test_spikes_are_those_that_align_counts(spikes, events, window):
    # Eighths of a second are exact, so that half-open windows can be held to the spike.
    session = session_of(np.array(spikes) / 8, np.array(events) / 8, ["a"] * len(events))
    start, stop = window[0] / 8, (window[0] + window[1]) / 8
    result = pdn.raster(session, "go_time", (start, stop), "neuron_7", "side")
    counts = pdn.align(session, "go_time", (start, stop), stop - start).sum("neuron")
    found = np.bincount(result["spike_trial"].values, minlength=len(events))
    np.testing.assert_array_equal(found, counts.sel(trial=result["trial"]).values[0])


def test_trials_not_observed_or_without_event_are_no_rows():
    session = session_of(
        [0.5, 1.5], [0.0, 1.0, 2.0, np.nan, 0.0], ["a", "a", "a", "a", ""], ([0.0], [2.0], [0])
    )
    with pytest.warns(pdn.PopdynWarning) as said:
        result = pdn.raster(session, "go_time", (0.0, 1.0), "neuron_7", "side")
    assert result["trial"].values.tolist() == [0, 1]
    words = "of 5: 1 without the event, 1 without a condition, 1 in which the neuron was not"
    assert words in str(said[0].message)
    assert said[0].filename == __file__


def test_a_silent_neuron_has_rows_and_no_spikes():
    session = session_of([], [0.0, 1.0], ["a", "b"])
    result = pdn.raster(session, "go_time", (0.0, 1.0), "neuron_7", "side")
    assert (result.sizes["spike"], result.sizes["trial"]) == (0, 2)


def test_trials_can_be_chosen_by_column():
    session = session_of([0.5, 1.5], [0.0, 1.0], ["a", "b"])
    result = pdn.raster(session, "go_time", (0.0, 1.0), "neuron_7", "side", trials={"side": "b"})
    assert result["condition"].values.tolist() == ["b"]


@pytest.mark.parametrize(
    ("window", "neuron", "words"),
    [
        ((0, 1), "neuron_8", r"'neuron_8'\. Did you mean 'neuron_7'\? The 1 ids are neuron_7"),
        ((1, 0), "neuron_7", r"window is \(start, stop\) in s .* found \(1, 0\)"),
        ((0, 50), "neuron_7", r"no trial is left of 2: 2 in which the neuron was not observed"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_words(window, neuron, words):
    session = session_of([0.5], [0.0, 1.0], ["a", "b"], ([0.0], [9.0], [0]))
    with pytest.raises(pdn.TensorError, match=words):
        pdn.raster(session, "go_time", window, neuron, "side")


def test_the_human_recording_has_thirty_rows_per_category():
    session = pdn.read_session(
        DATA / "human_mtl_boundaries_sub-4_ses-4.nwb", trials="encoding_table"
    )
    neuron = session["neuron"].values[0]
    result = pdn.raster(session, "boundary1_time", (-1, 1), neuron, "stimCategory")
    assert np.unique(result["condition"], return_counts=True)[1].tolist() == [30, 30, 30]
    time = result["spike_time"].values
    counts = pdn.align(session, "boundary1_time", (-1, 1), 0.5).sel(neuron=neuron)
    assert time.size == counts.sum()
    assert (time >= -1).all()
    assert (time < 1).all()
