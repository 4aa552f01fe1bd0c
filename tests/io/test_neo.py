"""neo's Blocks and Segments in: times in seconds, segments on one clock, nothing lost unsaid."""

import subprocess
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import popdyn as pdn
from popdyn.errors import PopdynWarning, TensorError
from popdyn.tensor.session import neuron_spikes
from tests.io.recordings import ALM, HUMAN, THALAMUS

neo = pytest.importorskip("neo")
pq = pytest.importorskip("quantities")


def quietly(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


def messages(function, *args, **kwargs):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        result = function(*args, **kwargs)
    return result, [str(one.message) for one in seen if one.category is PopdynWarning]


def train(times, units="s", start=0.0, stop=10.0, **kwargs):
    return neo.SpikeTrain(np.array(times), units=units, t_start=start, t_stop=stop, **kwargs)


def segment(trains, epochs=(), events=(), signals=(), **kwargs):
    made = neo.Segment(**kwargs)
    made.spiketrains.extend(trains)
    made.epochs.extend(epochs)
    made.events.extend(events)
    made.analogsignals.extend(signals)
    return made


def block(segments, **kwargs):
    made = neo.Block(**kwargs)
    made.segments.extend(segments)
    return made


def epoch(start, length, **kwargs):
    return neo.Epoch(np.array(start) * pq.s, np.array(length) * pq.s, **kwargs)


def as_segment(session):
    """A Session as a neo Segment, written by hand."""
    trains = []
    for position, neuron in enumerate(session["neuron"].values):
        own = session["obs_neuron"].values == position
        start, stop = session["obs_start"].values[own][0], session["obs_stop"].values[own][0]
        trains.append(
            train(neuron_spikes(session, position), start=start, stop=stop, name=str(neuron))
        )
    starts = session["start_time"].values
    stops = session["stop_time"].values
    return segment(trains, epochs=[epoch(starts, stops - starts, name="trials")])


# --- real recordings, through neo's own objects -----------------------------------------------


@pytest.mark.parametrize(
    ("path", "table"),
    [(HUMAN, "encoding_table"), (THALAMUS, "trials"), (ALM["369963"], "trials")],
    ids=["human", "thalamus", "alm"],
)
def test_a_shipped_recording_comes_through_neo_with_the_same_counts(path, table):
    direct = quietly(pdn.read_session, path, table)
    session = pdn.from_neo(as_segment(direct))
    for name in ("spike_time", "neuron_start", "obs_start", "obs_stop", "start_time"):
        np.testing.assert_array_equal(session[name], direct[name])
    np.testing.assert_allclose(session["stop_time"], direct["stop_time"], rtol=1e-12)
    ours = pdn.align(session, "start_time", (0.0, 0.5), 0.1)
    np.testing.assert_array_equal(ours, pdn.align(direct, "start_time", (0.0, 0.5), 0.1))


def test_align_counts_what_neos_time_slice_does():
    session = quietly(pdn.read_session, HUMAN, "encoding_table")
    made = as_segment(session)
    ours = pdn.align(pdn.from_neo(made), "start_time", (0.0, 1.0), 0.5)
    starts = session["start_time"].values
    for trial in (0, 1, 44, 89):
        for k in range(2):
            left = (starts[trial] + 0.5 * k) * pq.s
            sliced = [one.time_slice(left, left + 0.5 * pq.s) for one in made.spiketrains]
            counts = [(one.magnitude < float(left) + 0.5).sum() for one in sliced]
            np.testing.assert_array_equal(ours.values[:, k, trial], counts)
    assert ours.values[:, :, [0, 1, 44, 89]].sum() > 100


# --- units ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("units", "factor"), [("s", 1.0), ("ms", 1e3), ("us", 1e6), ("min", 1 / 60)]
)
def test_times_come_in_seconds_from_whatever_units(units, factor):
    times = np.array([0.3, 0.7, 1.1])
    made = train(times * factor, units, stop=10.0 * factor)
    session = pdn.from_neo(segment([made]))
    np.testing.assert_allclose(session["spike_time"], times, rtol=1e-15)
    np.testing.assert_allclose(session["spike_time"], made.rescale("s").magnitude, rtol=1e-15)
    np.testing.assert_allclose(session["obs_stop"], [10.0], rtol=1e-15)


def test_milliseconds_become_the_nearest_seconds_there_are():
    """A product with 0.001 rounds twice: 0.7000000000000001, past the edge of a bin."""
    times = np.arange(0, 10_000)
    session = pdn.from_neo(segment([train(times, "ms", 0, 10_000)]))
    np.testing.assert_array_equal(session["spike_time"], times / 1000)


def test_samples_without_a_dimension_need_a_sampling_rate():
    ticks = neo.SpikeTrain(
        np.array([300, 600]), units="dimensionless", t_start=0 * pq.dimensionless,
        t_stop=9000 * pq.dimensionless,
    )  # fmt: skip
    made = segment([ticks])
    with pytest.raises(TensorError, match=r"times of spike train 0 of segment 0 are dimensionless"):
        pdn.from_neo(made)
    for rate in (30_000, 30 * pq.kHz):
        session = pdn.from_neo(made, sampling_rate=rate)
        assert session["spike_time"].values.tolist() == [0.01, 0.02]
        assert session["obs_stop"].values.tolist() == [0.3]
    with pytest.raises(TensorError, match="sampling_rate must be a number of samples per second"):
        pdn.from_neo(made, sampling_rate=-1.0)
    ticks.sampling_rate = 3000 * pq.Hz
    assert pdn.from_neo(segment([ticks]))["spike_time"].values.tolist() == [0.1, 0.2]


def test_units_that_are_no_time_and_no_units_are_refused():
    volts = SimpleNamespace(times=[1.0] * pq.mV, t_start=0.0 * pq.s, t_stop=1.0 * pq.s)
    with pytest.raises(TensorError, match="times of spike train 0 of segment 0 are in mV"):
        pdn.from_neo(SimpleNamespace(spiketrains=[volts]))
    bare = SimpleNamespace(times=[1.0], t_start=0.0, t_stop=1.0)
    with pytest.raises(TensorError, match=r"have no units: found list. Give them some"):
        pdn.from_neo(SimpleNamespace(spiketrains=[bare]))


# --- one segment ------------------------------------------------------------------------------


def test_trains_of_different_length_and_annotations_become_neurons():
    made = segment([
        train([1.0, 2.0], stop=5.0, name="a", area="ALM", depth=300 * pq.um, good=True),
        train([500.0], "ms", 0, 9000, name="b", area="M1"),
    ])  # fmt: skip
    session = pdn.from_neo(made)
    assert session["neuron"].values.tolist() == ["a", "b"] and "name" not in session.coords
    assert session["obs_stop"].values.tolist() == [5.0, 9.0]
    assert session["area"].values.tolist() == ["ALM", "M1"]
    np.testing.assert_array_equal(session["depth"], [300.0, np.nan])
    assert session["depth"].attrs["units"] == "um"
    assert session.attrs["source_id"] == "neo" and session.sizes["trial"] == 0


def test_an_annotation_can_be_the_id_and_a_block_names_the_source():
    made = segment([train([1.0], unit_id=7), train([2.0], unit_id=3)])
    session = pdn.from_neo(block([made], name="mouse/1"), match="unit_id")
    assert session["neuron"].values.tolist() == [7, 3]
    assert session.attrs["source_id"] == "mouse_1"
    assert pdn.from_neo(made)["neuron"].values.tolist() == [0, 1]
    assert pdn.from_neo(made, observed="session")["obs_stop"].values.tolist() == [np.inf, np.inf]


def test_an_epoch_makes_the_trials_with_labels_and_annotations():
    stim = neo.Epoch(
        np.array([0, 4000]) * pq.ms, np.array([2, 3]) * pq.s, labels=["l", "r"], name="stim",
        array_annotations={"contrast": np.array([0.5, 1.0])},
    )  # fmt: skip
    made = segment([train([1.0])], epochs=[stim])
    session = pdn.from_neo(made, trials="stim")
    assert session["start_time"].values.tolist() == [0.0, 4.0]
    assert session["stop_time"].values.tolist() == [2.0, 7.0]
    assert session["start_time"].attrs == {"units": "s", "clock": "session"}
    assert session["label"].values.tolist() == ["l", "r"]
    assert session["contrast"].values.tolist() == [0.5, 1.0]
    assert pdn.from_neo(made, trials=stim)["label"].values.tolist() == ["l", "r"]
    frame = pd.DataFrame({"start": [1.0], "end": [2.0]})
    assert quietly(pdn.from_neo, made, frame)["start_time"].values.tolist() == [1.0]
    _, said = messages(pdn.from_neo, made)
    assert said == [
        "no trials were taken: name the Epoch that holds them, trials='stim' (Epochs: stim)."
    ]


def test_events_once_in_each_trial_are_columns_and_others_behavior():
    trials = epoch([0.0, 5.0], [4.0, 4.0], name="trials")
    go = neo.Event(np.array([6.0, 1.0]) * pq.s, name="go")
    licks = neo.Event(np.array([1.5, 2.5, 8.0]) * pq.s, labels=["left", "right", "left"])
    session = pdn.from_neo(segment([train([1.0])], [trials], [go, licks]))
    assert session["go_time"].values.tolist() == [1.0, 6.0]
    assert session["go_time"].attrs == {"units": "s", "clock": "session"}
    assert session["left_time"].values.tolist() == [1.5, 8.0]
    np.testing.assert_array_equal(session["right_time"], [2.5, np.nan])
    twice = neo.Event(np.array([1.5, 2.5]) * pq.s, name="lick")
    outside = neo.Event(np.array([4.5]) * pq.s, name="reward")
    session = pdn.from_neo(segment([train([1.0])], [trials], [twice, outside]))
    assert session.attrs["behavior"] == '["lick", "reward"]'
    assert session["lick"].attrs["kind"] == "events"
    assert session["lick_time"].values.tolist() == [1.5, 2.5]


def test_an_event_where_two_trials_touch_is_in_the_one_that_begins():
    trials = epoch([0.0, 4.0, 8.0], [4.0, 4.0, 1.0], name="trials")
    cue = neo.Event(np.array([0.0, 4.0, 8.0]) * pq.s, name="cue")
    session = pdn.from_neo(segment([train([1.0])], [trials], [cue]))
    assert session["cue_time"].values.tolist() == [0.0, 4.0, 8.0]
    assert "behavior" not in session.attrs
    late = neo.Event(np.array([4.0, 9.0]) * pq.s, name="end")
    session = pdn.from_neo(segment([train([1.0])], [trials], [late]))
    assert session.attrs["behavior"] == '["end"]'


def test_annotations_keep_the_units_they_have():
    own = {
        "go_time": np.array([1000.0, 6000.0]) * pq.ms,
        "gain": np.array([1, 2]) * pq.dimensionless,
    }
    stim = epoch([0.0, 5.0], [4.0, 4.0], name="trials", array_annotations=own)
    session = pdn.from_neo(segment([train([1.0])], [stim]))
    assert session["go_time"].attrs == {"units": "ms", "clock": "session"}
    assert session["gain"].attrs["units"] == "1"
    counts = pdn.align(session, "go_time", (-0.5, 0.5), 1.0)
    assert counts.values.tolist() == [[[1.0, 0.0]]]
    parts = [segment([train([1.0])], cue_time=300.0 * pq.ms) for _ in range(2)]
    session = quietly(pdn.from_neo, block(parts), segments="trials")
    assert session["cue_time"].attrs["units"] == "ms"
    parts[1].annotations["cue_time"] = 0.3 * pq.s
    with pytest.raises(TensorError, match="'cue_time' is in ms here and in s there: rescale one"):
        quietly(pdn.from_neo, block(parts), segments="trials")


def test_signals_asked_for_become_behavior_and_the_others_are_named():
    pupil = neo.AnalogSignal(
        np.arange(6).reshape(3, 2) * pq.mm, sampling_rate=10 * pq.Hz, name="pupil",
        t_start=1 * pq.s, array_annotations={"channel_names": np.array(["x", "y"])},
    )  # fmt: skip
    lfp = neo.AnalogSignal(np.zeros((3, 1)) * pq.uV, sampling_rate=1 * pq.kHz, name="lfp")
    made = segment([train([1.0])], signals=[pupil, lfp])
    session, said = messages(pdn.from_neo, made, behavior=["pupil"])
    np.testing.assert_allclose(session["pupil_time"], [1.0, 1.1, 1.2])
    assert session["pupil"].dims == ("pupil_time", "pupil_channel")
    assert session["pupil"].attrs["units"] == "mm"
    assert session["pupil_channel"].values.tolist() == ["x", "y"]
    assert said == ["signals not taken: lfp; name those that are behavior, behavior=[...]."]
    with pytest.raises(TensorError, match=r"no signal 'pupl'. Did you mean 'pupil'\?"):
        pdn.from_neo(made, behavior=["pupl"])


def test_unsorted_trains_and_what_a_session_cannot_hold_are_said():
    waves = train([2.0, 1.0], waveforms=np.zeros((2, 1, 3)) * pq.mV, left_sweep=1 * pq.ms,
                  array_annotations={"amplitude": np.ones(2)}, positions=[1, 2])  # fmt: skip
    session, said = messages(pdn.from_neo, segment([waves]))
    assert session["spike_time"].values.tolist() == [1.0, 2.0]
    assert "annotations that are not one number or word were left out: positions." in said
    assert (
        "left behind, a Session has no place for them: waveforms of 1 spike trains; annotations "
        "per spike (amplitude)." in said
    )
    assert "1 spike times are earlier than the one before: sorted" in said


# --- several segments -------------------------------------------------------------------------


def trials_block():
    segments = []
    for k in range(3):
        trains = [
            train([-0.2, 0.1 * (k + 1)], start=-0.5, stop=1.0, name="a"),
            train([0.5], start=-0.5, stop=1.0, name="b"),
        ]
        events = [neo.Event(np.array([0.25]) * pq.s, name="go")] if k != 1 else []
        segments.append(segment(trains, events=events, name=f"t{k}", index=k + 5, side="lrl"[k]))
    return block(segments)


def test_several_segments_need_a_word_on_what_they_are():
    with pytest.raises(TensorError, match=r"has 3 segments: say whether each is a trial"):
        pdn.from_neo(trials_block())
    with pytest.raises(TensorError, match="segments must be 'trials' or 'parts', got 'sweeps'"):
        pdn.from_neo(trials_block(), segments="sweeps")


def test_segments_as_trials_are_laid_one_after_another_and_keep_their_zero():
    session = pdn.from_neo(trials_block(), segments="trials")
    assert session["start_time"].values.tolist() == [0.0, 2.5, 5.0]
    assert session["stop_time"].values.tolist() == [1.5, 4.0, 6.5]
    assert session["zero_time"].values.tolist() == [0.5, 3.0, 5.5]
    assert session["segment_index"].values.tolist() == [5, 6, 7]
    assert session["side"].values.tolist() == ["l", "r", "l"]
    np.testing.assert_array_equal(session["go_time"], [0.75, np.nan, 5.75])
    assert "the clocks of the 3 segments overlap" in session.attrs["problems"]
    tensor = pdn.align(session, "zero_time", (-0.5, 1.0), 0.5)
    np.testing.assert_array_equal(tensor.sel(neuron="a"), [[1, 1, 1], [1, 1, 1], [0, 0, 0]])
    wide = pdn.align(session, "zero_time", (-1.0, 1.5), 0.5)
    assert np.isnan(wide.values[:, [0, -1]]).all() and np.isfinite(wide.values[:, 1:-1]).all()


def test_segments_of_one_recording_keep_its_clock():
    made = block([
        segment([train([12.0], start=10.0, stop=20.0)]),
        segment([train([1.0], start=0.0, stop=9.0)]),
    ])  # fmt: skip
    session, said = messages(pdn.from_neo, made, segments="parts")
    assert session["spike_time"].values.tolist() == [1.0, 12.0]
    assert session["obs_start"].values.tolist() == [0.0, 10.0]
    assert session["obs_stop"].values.tolist() == [9.0, 20.0]
    assert said[0].startswith("spike trains have no names of their own: the k-th of every segment")


def test_trials_on_one_clock_stay_where_they_are():
    made = block([segment([train([k + 0.5], start=k, stop=k + 1, name="a")]) for k in range(3)])
    session = pdn.from_neo(made, segments="trials")
    assert session["start_time"].values.tolist() == [0.0, 1.0, 2.0]
    assert "zero_time" not in session.coords


def test_parts_that_overlap_are_refused():
    with pytest.raises(
        TensorError, match=r"segments 0 \(-0.5 to 1 s\) and 1 \(-0.5 to 1 s\) overlap"
    ):
        pdn.from_neo(trials_block(), segments="parts")


def test_a_neuron_missing_from_a_segment_is_not_observed_there():
    made = block([
        segment([train([1.0], name="a"), train([2.0], name="b")]),
        segment([train([3.0], name="b")]),
    ])  # fmt: skip
    session = pdn.from_neo(made, segments="trials")
    tensor = pdn.align(session, "start_time", (0.0, 4.0), 2.0, neurons=["a"])
    np.testing.assert_array_equal(tensor.values[0, 0], [1.0, np.nan])


def test_trains_that_cannot_be_told_apart_are_refused():
    made = block([
        segment([train([1.0], unit=1), train([2.0], unit=1)]), segment([train([3.0], unit=1)]),
    ])  # fmt: skip
    with pytest.raises(TensorError, match=r"different numbers of spike trains \(2, 1\).* \(unit\)"):
        pdn.from_neo(made, segments="trials")
    with pytest.raises(TensorError, match=r"annotation 'unit' is not unique in segment 0 \(1\)"):
        pdn.from_neo(made, segments="trials", match="unit")
    with pytest.raises(TensorError, match=r"annotation 'id' is missing in 2 of 2 .*: unit\."):
        pdn.from_neo(made, segments="trials", match="id")


def test_annotations_that_change_between_segments_are_said():
    made = block([
        segment([train([1.0], name="a", snr=2.0)]), segment([train([3.0], name="a", snr=3.0)]),
    ])  # fmt: skip
    session, said = messages(pdn.from_neo, made, segments="trials")
    assert session["snr"].values.tolist() == [2.0]
    assert said == [
        "annotations differ between the segments of a neuron: snr; those of its first segment "
        "were kept."
    ]


def test_events_and_epochs_that_come_twice_in_a_trial_are_series_or_said():
    segments = [
        segment(
            [train([1.0], name="a")],
            events=[neo.Event(np.array([1.0, 2.0]) * pq.s, name="lick")],
            epochs=[epoch([1.0], [2.0], name="cue"), epoch([1.0, 3.0], [1.0, 1.0], name="blink")],
        )
        for _ in range(2)
    ]
    session, said = messages(pdn.from_neo, block(segments), segments="trials")
    assert session["lick_time"].values.tolist() == [1.0, 2.0, 12.0, 13.0]
    assert session["cue_start_time"].values.tolist() == [1.0, 12.0]
    assert session["cue_stop_time"].values.tolist() == [3.0, 14.0]
    assert said == ["Epoch 'blink' comes more than once in a segment and was left out."]


# --- in the right words -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ([neo.Block()], r"found list. Take one of them: from_neo\(blocks\[0\]\)"),
        ("file.plx", "found str"),
        (neo.Block(), "the Block has no segments"),
        (neo.Segment(), "there are no spike trains; the first segment has 0 analogsignals"),
        (SimpleNamespace(spiketrains=[1.0]), "must be a SpikeTrain .* found float"),
    ],
)
def test_what_is_no_block_is_refused(wrong, words):
    with pytest.raises(TensorError, match=words):
        pdn.from_neo(wrong)


def test_epochs_that_cannot_be_trials_are_refused():
    back = epoch([0.0, 5.0], [1.0, -1.0], name="stim")
    made = segment([train([1.0])], epochs=[back])
    with pytest.raises(TensorError, match=r"1 of 2 epochs stop before they start \(rows 1"):
        pdn.from_neo(made, trials="stim")
    lost = epoch([np.nan, 5.0], [1.0, 1.0], name="trials")
    with pytest.raises(TensorError, match=r"1 of 2 epochs have no start \(NaN; rows 0\)"):
        pdn.from_neo(segment([train([1.0])], epochs=[lost]))
    with pytest.raises(TensorError, match=r"no Epoch 'stin'. Did you mean 'stim'\? Epochs: stim"):
        pdn.from_neo(made, trials="stin")
    with pytest.raises(TensorError, match="trials must be the name of an Epoch.* found int"):
        pdn.from_neo(made, trials=3)
    with pytest.raises(TensorError, match="each segment is a trial"):
        pdn.from_neo(made, trials="stim", segments="trials")
    with pytest.raises(TensorError, match="observed must be 'auto' or 'session'; got 'own'"):
        pdn.from_neo(made, observed="own")


def test_reading_neos_objects_needs_no_neo():
    code = """
import sys
sys.modules["neo"] = sys.modules["quantities"] = None
import numpy as np
import popdyn as pdn

class Seconds(np.ndarray):
    units = property(lambda self: self)
    magnitude = property(lambda self: np.asarray(self))
    dimensionality = "s"
    def rescale(self, units):
        return np.ones(()).view(Seconds)

def s(x):
    return np.asarray(x, dtype=float).view(Seconds)

class Train:
    times, t_start, t_stop = s([0.5, 1.5]), s(0.0), s(2.0)

class Segment:
    spiketrains = [Train()]

print(pdn.from_neo(Segment())["spike_time"].values.tolist())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[0.5, 1.5]"
