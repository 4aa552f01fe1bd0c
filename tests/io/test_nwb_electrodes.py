"""Where neurons lie, and the layout of a timing recording."""

import itertools

import h5py
import numpy as np
import pandas as pd
import pynwb
import pytest

import popdyn as pdn
from popdyn.errors import TensorError
from tests.io.written import quietly, read_back, remarks, same_session, same_tensor

WHO = {"experimenter": "Sohn, Hansem", "institution": "Institute"}
N_NEURONS, N_TRIALS, N_CHANNELS = 54, 1160, 24
SECONDS = ("fix_on_time", "fix_time", "target_on_time", "target_acq_time", "ready_time")
SECONDS += ("set_time", "go_time", "reward_time", "bad_time")
MILLISECONDS = ("fix_time_dur", "target_time_dur", "iti", "reward_dur", "ts", "tp")
FLAGS = ("is_eye", "is_short", "is_outlier")


def small(**neurons):
    trials = {"start_time": [0.0, 1.0], "stop_time": [0.5, 1.5]}
    return pdn.make_session([0.1, 1.2, 0.3], [0, 1, 2, 3], neurons=neurons, trials=trials)


def electrodes_by_pynwb(path):
    with pynwb.NWBHDF5IO(str(path), "r") as reader:
        content = reader.read()
        table = content.electrodes.to_dataframe()
        table["device"] = [group.device.name for group in table["group"]]
        rows = [content.units["electrodes"][i] for i in range(len(content.units))]
        return table, [own.index.tolist() for own in rows], sorted(content.electrode_groups)


def test_places_become_electrodes_that_standard_tools_see(tmp_path):
    session = small(location=["V1", "V2", "V1"], group_name=["p0", "p0", "p1"])
    path = pdn.write_nwb(tmp_path / "a.nwb", session, **WHO)
    table, rows, groups = electrodes_by_pynwb(path)
    assert table["location"].tolist() == ["V1", "V2", "V1"]
    assert table["group_name"].tolist() == ["p0", "p0", "p1"]
    assert rows == [[0], [1], [2]]
    assert groups == ["p0", "p1"]
    with h5py.File(path) as file:
        assert "location" not in file["units"]
    assert remarks(path) == ([], [])
    same_session(read_back(path), session)


@pytest.mark.parametrize(
    "places",
    [
        {"location": ["V1", "", "a/b: c"]},
        {"group_name": ["p/0", "p:0", ""]},
        {"location": ["area: V1; layer: 2", "area: V2; layer: 3", "area: V1; layer: 2"]},
        {"location": ["", "", ""], "group_name": ["", "", ""]},
        {"location": [1, 2, 3]},
    ],
    ids=str,
)
def test_places_of_any_kind_come_back(tmp_path, places):
    session = small(**places)
    same_session(read_back(pdn.write_nwb(tmp_path / "a.nwb", session)), session)


def test_a_table_of_electrodes_is_written_as_given(tmp_path):
    table = pd.DataFrame(
        {"group": ["p0", "p0", "p1"], "x": [1.5, np.nan, 3.0], "impedance_ok": [True, False, True],
         "location": ["V1", "", "V2"], "device": ["Utah", "Utah", "NP"], "label": ["a", "b", "c"]},
        index=[10, 11, 12],
    )  # fmt: skip
    session = small(channel=[11, 12, 10])
    path = pdn.write_nwb(
        tmp_path / "a.nwb", session, electrodes=table, neuron_electrodes="channel", **WHO
    )
    found, rows, _ = electrodes_by_pynwb(path)
    assert found.index.tolist() == [10, 11, 12]
    np.testing.assert_array_equal(found["x"], [1.5, np.nan, 3.0])
    assert found["impedance_ok"].tolist() == [True, False, True]
    assert found["location"].tolist() == ["V1", "unknown", "V2"]
    assert found["device"].tolist() == ["Utah", "Utah", "NP"]
    assert rows == [[11], [12], [10]]
    assert remarks(path) == ([], [])
    again = read_back(path)
    assert again["location"].values.tolist() == ["unknown", "V2", "V1"]
    assert again["group_name"].values.tolist() == ["p0", "p1", "p0"]
    bare = again.drop_vars(["location", "group_name"])
    same_session(bare.assign_attrs(input_digest=session.attrs["input_digest"]), session)
    many = pdn.write_nwb(
        tmp_path / "b.nwb", small(), electrodes=table, neuron_electrodes=[[10, 12], 11, []]
    )
    assert electrodes_by_pynwb(many)[1] == [[10, 12], [11], []]
    alone = pdn.write_nwb(tmp_path / "c.nwb", small(), electrodes=table)
    same_session(read_back(alone), small())


REFUSED = [
    ({"electrodes": {"x": [1.0]}}, "need a column group"),
    ({"electrodes": {"groups": ["a"]}}, "is it 'groups'"),
    ({"electrodes": {"id": [1, 1], "group": ["a", "b"]}}, "unique whole numbers as ids"),
    ({"neuron_electrodes": [1, 2, 3]}, "give it as electrodes="),
    ({"electrodes": {"group": ["a"]}, "neuron_electrodes": [0, 0]}, "2 entries for 3 neurons"),
    ({"electrodes": {"group": ["a"]}, "neuron_electrodes": [0, 0, 7]}, "do not have: 7"),
    (
        {"electrodes": {"group": ["a"]}, "neuron_electrodes": "chanel"},
        "no column of neurons. Did you mean 'channel'",
    ),
]


@pytest.mark.parametrize(("options", "words"), REFUSED)
def test_electrodes_that_do_not_fit_are_refused(tmp_path, options, words):
    with pytest.raises(TensorError, match=words):
        pdn.write_nwb(tmp_path / "a.nwb", small(channel=[0, 0, 0]), **options)


def timing_trials(rng, n_trials):
    """Trials as the timing recording has them: seconds, milliseconds, flags and text."""
    start = np.cumsum(rng.uniform(4.0, 6.0, n_trials))
    is_short = rng.random(n_trials) < 0.5
    step = rng.integers(0, 5, n_trials)
    ts = np.where(is_short, 480.0 + 80 * step, 800.0 + 100 * step)
    tp = np.where(rng.random(n_trials) < 0.1, np.nan, ts * rng.normal(1, 0.1, n_trials))
    ready = start + rng.uniform(1.5, 2.0, n_trials)
    columns = {
        "start_time": start, "stop_time": start + 3.9, "fix_on_time": start + 0.1,
        "fix_time": start + 0.4, "target_on_time": start + 0.8, "target_acq_time": ready + 3,
        "ready_time": ready, "set_time": ready + ts / 1e3, "go_time": ready + (ts + tp) / 1e3,
        "reward_time": np.where(np.isnan(tp), np.nan, start + 3.5),
        "bad_time": np.where(np.isnan(tp), start + 3.5, np.nan),
        "theta": rng.choice([0.0, 180.0], n_trials), "split": rng.choice(["train", "val"], n_trials),
    }  # fmt: skip
    columns |= {name: rng.uniform(100, 900, n_trials) for name in MILLISECONDS[:4]}
    columns |= {"ts": ts, "tp": tp, "is_short": is_short}
    return columns | {name: rng.random(n_trials) < 0.5 for name in ("is_eye", "is_outlier")}


def timing_session(n_each=200, per_trial=False):
    """54 neurons on three probes, six observation intervals each, or one per trial."""
    rng = np.random.default_rng(11)
    n_trials = 283 if per_trial else N_TRIALS
    trials = timing_trials(rng, n_trials)
    if per_trial:
        names = ("start_time", "stop_time", "go_time", "split")
        trials = {name: trials[name] for name in names}
    start, stop = trials["start_time"], trials["stop_time"]
    if per_trial:
        parts = np.stack([start, stop], axis=1)
    else:
        edges = np.linspace(0, n_trials, 7).astype(int)
        parts = np.array([[start[a], stop[b - 1]] for a, b in itertools.pairwise(edges)])
    obs = (*np.tile(parts, (N_NEURONS, 1)).T, np.repeat(np.arange(N_NEURONS), len(parts)))
    pieces = rng.integers(0, len(parts), (N_NEURONS, n_each))
    share = rng.random((N_NEURONS, n_each))
    spikes = np.sort(parts[pieces, 0] + share * np.ptp(parts, axis=1)[pieces], axis=1)
    attrs = {name: {"units": "s", "clock": "session"} for name in ("start_time", *SECONDS)}
    attrs |= {name: {"units": "ms"} for name in MILLISECONDS}
    return pdn.make_session(
        spikes.ravel(), np.arange(N_NEURONS + 1) * n_each, trials=trials, obs=obs,
        neurons={
            "heldout": rng.random(N_NEURONS) < 0.25,
            "location": np.full(N_NEURONS, "dorsomedial frontal cortex"),
            "group_name": [f"probe{k // N_CHANNELS}" for k in range(N_NEURONS)],
        },
        column_attrs=attrs,
    )  # fmt: skip


def probes():
    n = 3 * N_CHANNELS
    probe, channel = np.divmod(np.arange(n), N_CHANNELS)
    return pd.DataFrame({
        "x": np.zeros(n), "y": probe * 1.0, "z": channel * 0.1, "imp": np.full(n, 1e6),
        "location": "dorsomedial frontal cortex", "filtering": "unknown",
        "group": [f"probe{k}" for k in probe],
    })  # fmt: skip


@pytest.fixture(scope="module", params=[False, True], ids=["six intervals", "one per trial"])
def timing(request, tmp_path_factory):
    session = timing_session(per_trial=request.param)
    path = tmp_path_factory.mktemp("timing") / "timing.nwb"
    owner = np.arange(N_NEURONS) % (3 * N_CHANNELS)
    pdn.write_nwb(
        path, session, electrodes=probes(), neuron_electrodes=owner.tolist(), resolution=1e-4,
        subject={"subject_id": "H", "species": "Macaca mulatta", "sex": "M", "age": "P8Y"}, **WHO,
    )  # fmt: skip
    return session, path, request.param


def test_the_timing_layout_has_every_column_with_its_type_and_shape(timing):
    session, path, per_trial = timing
    n_trials = session.sizes["trial"]
    n_intervals = N_NEURONS * (n_trials if per_trial else 6)
    text = h5py.string_dtype()
    with h5py.File(path) as file:
        units = file["units"]
        assert set(units.attrs["colnames"]) == {
            "heldout", "spike_times", "obs_intervals", "electrodes",
        }  # fmt: skip
        assert units["spike_times"].dtype == units["obs_intervals"].dtype == np.float64
        assert units["obs_intervals"].shape == (n_intervals, 2)
        assert per_trial or np.diff(units["obs_intervals_index"][:]).tolist() == [6] * 53
        assert units["heldout"][:].dtype == bool
        electrodes = file["general/extracellular_ephys/electrodes"]
        for name in ("x", "y", "z", "imp"):
            assert (electrodes[name].dtype, electrodes[name].shape) == (np.float64, (72,))
        for name in ("location", "filtering", "group_name"):
            assert electrodes[name].dtype == text
        assert len(file["general/extracellular_ephys"]) == 4
        trials = file["intervals/trials"]
        wanted = {"start_time", "stop_time", "go_time", "split"}
        if not per_trial:
            wanted |= {*SECONDS, *MILLISECONDS, *FLAGS, "theta"}
        assert set(trials.attrs["colnames"]) == wanted
        for name in wanted:
            kind = bool if name in FLAGS else object if name == "split" else np.float64
            assert trials[name][:].dtype == kind, name
            assert trials[name].shape == (n_trials,)


def test_the_timing_layout_reads_by_pynwb_as_it_was_made(timing):
    session, path, _ = timing
    with pynwb.NWBHDF5IO(str(path), "r") as reader:
        content = reader.read()
        assert sorted(content.electrode_groups) == ["probe0", "probe1", "probe2"]
        assert content.electrodes.to_dataframe().groupby("group_name").size().tolist() == [24] * 3
        assert content.units["electrodes"][30].index.tolist() == [30]
        assert content.units["heldout"][:].tolist() == session["heldout"].values.tolist()
        trials = content.trials.to_dataframe()
        for name in trials:
            np.testing.assert_array_equal(trials[name], session[name].values, err_msg=name)
        starts = session["neuron_start"].values
        for neuron in (0, 53):
            own = session["spike_time"].values[starts[neuron] : starts[neuron + 1]]
            assert content.units["spike_times"][neuron].tobytes() == own.tobytes()


def test_the_timing_layout_is_sound_and_gives_the_same_tensor(timing):
    session, path, _ = timing
    assert remarks(path) == ([], [])
    again = read_back(path)
    assert set(again["location"].values) == {"dorsomedial frontal cortex"}
    assert again["group_name"].values[[0, 24, 53]].tolist() == ["probe0", "probe1", "probe2"]
    cut = {"event": "go_time", "window": (-1.0, 1.0), "bin_width": 0.02}
    one, other = quietly(pdn.align, again, **cut), quietly(pdn.align, session, **cut)
    same_tensor(one, other)
    assert np.isnan(one.values).any()
