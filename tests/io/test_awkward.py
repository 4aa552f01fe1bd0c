"""Awkward files: what a user reads of each, word for word, and what popdyn makes of it."""

import json
import warnings

import h5py
import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import PopdynWarning, SourceError, TensorError
from tests.io import awkward_files as awkward
from tests.io.awkward_files import N_SPIKES, SPIKES
from tests.io.recordings import STARTS


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.nwb"


def read(path, trials="trials", **asked):
    """Read, and refuse warnings: what is awkward here changes no number."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", PopdynWarning)
        for known in ("neurons.spike_times: the last .* belong to no row", "obs_intervals reach"):
            warnings.filterwarnings("ignore", known, PopdynWarning)
        return pdn.read_session(path, trials, **asked)


def said(session):
    """What the file is said to have wrong, without what all files here have."""
    return list(json.loads(session.attrs["problems"]))


def refusal(path, **asked):
    """The one line that says why a file cannot be read; `describe_nwb` must not raise another."""
    with pytest.raises(SourceError) as caught:
        pdn.read_session(path, **asked)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(f"{path.parent}/", "")


def described(path):
    return list(pdn.describe_nwb(path).problems)


def is_sound(session):
    """Whether spikes and trials are those of the sound file."""
    spikes = np.array_equal(session["spike_time"], np.concatenate(SPIKES))
    return spikes and session["start_time"].values.tolist() == STARTS.tolist()


def test_the_sound_file_is_sound(path):
    session = read(awkward.sound(path))
    assert is_sound(session)
    assert said(session) == []
    assert session["location"].values.tolist() == ["ALM", "M1", "ALM"]


# Every line a file of one awkward thing brings, and that its spikes and trials are untouched.
SAID = {
    "one_value_per_ragged_row": [],
    "several_values_per_row": ["trials: left out lick_times (holds several values per row)"],
    "waveforms_of_spikes": [
        "neurons: left out waveforms (holds lists of lists, not one value per row)"
    ],
    "group_references": [
        "neurons.electrode_group: 1 of 3 references lead nowhere; empty there",
        "neurons: left out electrodes (is listed in colnames, but not stored)",
    ],
    "device_references": ["trials.device: 1 of 10 references lead nowhere; empty there"],
    "enumeration": [],
    "enumeration_without_words": [
        "trials.stimulus: is an enumeration whose words (elements) are not there; codes as stored"
    ],
    "enumeration_past_its_words": ["trials: left out stimulus (has codes from 1 to 2 for 2 words)"],
    "words_as_type": [],
    "flags_of_int8": [],
    "flags_of_matlab": [],
    "big_endian": [],
    "fixed_length_text": [
        "trials.color: 1 of 10 values are not UTF-8; \ufffd stands for what is lost"
    ],
    "listed_but_not_stored": ["trials: left out side (is listed in colnames, but not stored)"],
    "stored_but_not_listed": [
        "trials.reward: is stored in the table but missing from its colnames; read all the same"
    ],
    "padded_names": [],
    "empty_descriptions": [],
    "five_hundred_columns": [],
    "text_ids": [],
    "float_ids": [],
    "no_ids": [
        "neurons: the ids are not there; rows are numbered 0, 1, 2, ...",
        "trials: the ids are not there; rows are numbered 0, 1, 2, ...",
    ],
    "column_of_spikes": [],
    "row_of_spikes": [],
    "spikes_of_nobody": [
        "neurons.spike_times: the last 2 of 214 values belong to no row; left out"
    ],
    "column_that_claims_much": [
        "trials: left out huge (cannot be read: it claims 1,000,000,000,000 values, but only 0 "
        "bytes are stored)"
    ],
    "column_never_written": [
        "trials: left out pupil (cannot be read: its values were never written)"
    ],
    "column_of_unknown_filter": [
        "trials: left out go_time (cannot be read: it is compressed by Zstandard (filter 32015), "
        "which is not installed: `pip install hdf5plugin`, then `import hdf5plugin` before "
        "reading)"
    ],
    "link_to_spikes": [],
    "link_to_neurons": [],
    "link_to_trials": [],
    "soft_links": [],
    "groups_in_circles": [],
    "virtual_spikes": [],
    "spikes_in_a_binary_file": [],
    "neurons_in_processing_only": [
        "neurons: read from the table /processing/ecephys/units, not /units"
    ],
    "raw_and_curated": [
        "there are 2 tables of neurons: units, processing/ecephys/curated; the first is read "
        "unless neuron_table= names another (neuron_table='processing/ecephys/curated')"
    ],
    "two_electrode_tables": [],
    "group_name_as_reference": [],
    "electrodes_past_the_table": [
        "neurons.electrodes: 1 of 3 entries point past the 2 rows of electrodes; no location from "
        "them"
    ],
    "electrodes_of_a_lost_table": ["neurons: left out electrodes (points at rows of a lost table)"],
    "places_of_neurons_themselves": [],
    "tables_that_are_groups_of_data": [
        "trials: left out go_time (is listed in colnames, but not stored)"
    ],
    "two_tables_of_one_name": [],
    "without_version": ["the file does not state its nwb_version; read as NWB 2"],
    "version_of_the_future": [
        "NWB 9.9.0 is newer than what this popdyn knows: a name may mean something else"
    ],
    "after_a_user_block": [],
    "linked_file": [],
    "read_only_folder": [],
}


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """The session of a file by the name of its builder, made and read once."""
    sessions = {}

    def session_of(name):
        if name not in sessions:
            path = tmp_path_factory.mktemp("awkward") / "x.nwb"
            sessions[name] = read(getattr(awkward, name)(path))
        return sessions[name]

    return session_of


@pytest.mark.parametrize("name", SAID)
def test_what_is_awkward_is_said_and_the_rest_is_read(once, name):
    session = once(name)
    assert said(session) == SAID[name]
    assert is_sound(session)


DAMAGE = "the neurons of x.nwb cannot be read: /units/spike_times"
MEND = "Download the file again, or ask `pynwb-validate` what is wrong."
PLACE = "Put that file where this one expects it."
REFUSED = {
    "index_that_overflowed": f"{DAMAGE}_index does not fit: 3 entries for 3 rows, the last at 88 of "
    f"600 values; it falls, and uint8 ends at 255: written with too small a type. {MEND}",
    "index_longer_than_rows": f"{DAMAGE}_index does not fit: 4 entries for 3 rows, the last at 212 "
    f"of 212 values. {MEND}",
    "no_index": f"{DAMAGE}_index is not there: nothing says which of the 212 values belong to which "
    f"of the 3 neurons. {MEND}",
    "spikes_that_claim_much": f"{DAMAGE} cannot be read: it claims 1,000,000,000,000 values, but "
    f"only 0 bytes are stored. {MEND}",
    "spikes_never_written": f"{DAMAGE} cannot be read: 20 of its 22 pieces were never written. "
    f"{MEND}",
    "unknown_filter": f"{DAMAGE} cannot be read: it is compressed by Blosc (filter 32001), which is "
    "not installed: `pip install hdf5plugin`, then `import hdf5plugin` before reading. The file "
    "itself may be sound.",
    "private_filter": f"{DAMAGE} cannot be read: it is compressed by filter 40123, which is not "
    "installed: hdf5plugin may bring it, or whoever wrote the file. The file itself may be sound.",
    "virtual_spikes_with_a_gap": f"{DAMAGE} cannot be read: it is a view of other data that leaves "
    f"172 of 212 values open. {MEND}",
    "virtual_spikes_of_a_short_file": f"{DAMAGE} cannot be read: it is a view of spikes of the file "
    f"part.h5, which has only 40 values. {MEND}",
    "virtual_spikes_of_nothing": f"{DAMAGE} cannot be read: it is a view of lost, which is not "
    f"there. {MEND}",
    "spikes_are_a_group": f"{DAMAGE} are a group, not data. {MEND}",
    "neurons_are_a_data_set": "x.nwb has no neurons (no `units` table with spike times): /units is "
    f"a data set, not a table. {MEND}",
    "left_open": "x.nwb is marked as open for writing: its writer crashed, or still runs. Close it; "
    "if nothing writes, `h5clear -s x.nwb` on a copy takes the mark away (the last values may be "
    "lost).",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_in_one_line(path, name):
    assert refusal(getattr(awkward, name)(path)) == REFUSED[name]


@pytest.mark.parametrize(
    ("name", "asked", "words"),
    [
        (
            "link_to_spikes",
            {"present": False},
            f"{DAMAGE} is a link to /units/spike_times in the file processed.nwb, which is not "
            f"there. {PLACE}",
        ),
        (
            "link_to_neurons",
            {"present": False},
            "x.nwb has no neurons (no `units` table with spike times): /units is a link to /units "
            f"in the file processed.nwb, which is not there. {PLACE}",
        ),
        (
            "link_to_trials",
            {"present": False},
            "x.nwb has no interval tables, so no table 'trials'. /intervals/trials is a link to "
            "/intervals/trials in the file behavior.nwb, which is not there. Read it with "
            "trials=None and cut it with popdyn.from_spikes.",
        ),
        (
            "virtual_spikes",
            {"present": False},
            f"{DAMAGE} cannot be read: it is a view into the file part.h5, which is not there. "
            f"{PLACE}",
        ),
        (
            "spikes_in_a_binary_file",
            {"n_bytes": 100},
            f"{DAMAGE} cannot be read: its values are in the file spikes.bin, which has 100 of "
            f"1,696 bytes. {PLACE}",
        ),
        (
            "spikes_in_a_binary_file",
            {"n_bytes": 0},
            f"{DAMAGE} cannot be read: its values are in the file spikes.bin, which is not there. "
            f"{PLACE}",
        ),
    ],
)
def test_what_lies_in_a_lost_file_is_never_read_as_zeros(path, name, asked, words):
    file = getattr(awkward, name)(path, **asked)
    assert refusal(file) == words
    assert pdn.describe_nwb(file).neurons is None or "trials" in name


def test_neurons_are_read_without_lost_trials(path):
    session = read(awkward.link_to_trials(path, present=False), trials=None)
    assert session.sizes["spike"] == N_SPIKES
    assert said(session)[0].startswith("/intervals/trials is a link to /intervals/trials in the")


# What popdyn makes of the columns


@pytest.mark.parametrize(
    ("name", "column", "values"),
    [
        ("one_value_per_ragged_row", "choice", np.arange(10.0)),
        ("device_references", "device", ["probe"] * 9 + [""]),
        ("enumeration", "stimulus", ["grating", "blank"] * 5),
        ("enumeration_without_words", "stimulus", [0, 1] * 5),
        ("words_as_type", "choice", ["left", "right"] * 5),
        ("flags_of_int8", "is_correct", [0, 1] * 5),
        ("flags_of_matlab", "is_correct", [False, True] * 5),
        ("big_endian", "go_time", STARTS + 1.0),
        ("fixed_length_text", "color", ["gr\ufffdn", "a\0b", "red"] + ["left   "] * 7),
        ("stored_but_not_listed", "reward", np.arange(10.0)),
        ("group_references", "location", ["M1", "", "M1"]),
        ("group_references", "group_name", ["shank_b", "", "shank_b"]),
        ("group_references", "electrode_group", ["shank_b", "", "shank_b"]),
        ("two_electrode_tables", "location", ["S1", "V1", "S1"]),
        ("two_electrode_tables", "group_name", ["probe_b"] * 3),
        ("group_name_as_reference", "group_name", ["shank_a", "shank_b", "shank_a"]),
        ("electrodes_past_the_table", "location", ["ALM", "M1", ""]),
        ("places_of_neurons_themselves", "location", ["CA1", "CA1", "DG"]),
        ("text_ids", "neuron", ["shank0_1", "shank0_2", "shank1_1"]),
        ("float_ids", "neuron", [11, 12, 15]),
    ],
)
def test_columns_hold_what_was_meant(once, name, column, values):
    found = once(name)[column]
    assert found.values.tolist() == list(values)
    assert found.dtype.isnative
    assert found.dtype.kind == np.asarray(values).dtype.kind or name.startswith("enum")


def test_codes_of_flags_are_shown_as_yes_or_no(path):
    (table,) = pdn.describe_nwb(awkward.flags_of_int8(path)).tables
    assert table.columns[-1].type == "int8 (yes/no)"


def test_times_written_as_text_are_said_and_not_aligned_to(path):
    awkward.start_time_as_text(path)
    line = (
        "trials.start_time: holds text ('0.0'), not numbers: nothing can be aligned to it; store "
        "seconds as numbers"
    )
    assert described(path) == [line]
    words = (
        r"event 'start_time' holds no numbers.*Columns that can be events: stop_time, go_time\.$"
    )
    with pytest.raises(TensorError, match=words):
        pdn.read_nwb(path)
    assert pdn.read_nwb(path, "go_time").sizes["trial"] == 10


def test_columns_named_like_dims_and_variables_keep_their_values(path):
    session = read(awkward.names_of_dims(path))
    for name in ("time", "trial", "rate", "neuron", "spike_time", "obs_start"):
        own = session[f"trial_{name}"]
        assert (own.values.tolist(), own.attrs["file_name"]) == (list(range(100, 110)), name)
    for name in ("time", "trial", "rate", "neuron"):
        own = session[f"neuron_{name}"]
        assert (own.values.tolist(), own.attrs["file_name"]) == ([200, 201, 202], name)
    assert session["neuron_id"].values.tolist() == session["unit_id"].values.tolist()
    assert session["ID"].values.tolist() == session["trial_id"].values.tolist()
    assert session["trial"].values.tolist() == list(range(10))
    tensor = pdn.align(session, "start_time", (0.0, 1.0), 0.5)
    assert (tensor.dims, tensor["trial_rate"].values[0]) == (("neuron", "time", "trial"), 100)


def test_ids_that_repeat_beside_a_column_of_that_name_lose_neither(path):
    words = "1 of 3 ids repeat an earlier one.*the file's ids are in the column file_id_2"
    with pytest.warns(PopdynWarning, match=words):
        session = pdn.read_session(awkward.repeated_and_file_ids(path))
    assert session["file_id"].values.tolist() == ["a", "b", "c"]
    assert session["file_id_2"].values.tolist() == [4, 4, 5]


def test_five_hundred_columns_are_read(once):
    columns = once("five_hundred_columns").variables
    assert [columns[f"setting_{k:03d}"].values[0] for k in range(500)] == list(range(500))


def test_a_table_without_rows_is_no_trials(path):
    awkward.no_rows(path)
    assert described(path)[0] == "trials has no rows"
    assert read(path).sizes["trial"] == 0
    with pytest.raises(TensorError, match="no trials to align: .* no trial table, or no rows"):
        pdn.read_nwb(path)


def test_one_neuron_and_one_trial_stored_as_single_values_are_read(path):
    session = read(awkward.one_trial_one_neuron(path))
    assert dict(session.sizes)["neuron"], dict(session.sizes)["trial"] == (1, 1)
    assert session["neuron"].values.tolist() == [7]
    assert session["side"].values.tolist() == ["left"]
    assert session["spike_time"].values.tolist() == SPIKES[0].tolist()
    assert pdn.align(session, "go_time", (0.0, 1.0), 1.0).item() == 2.0


# Spike times


def test_spikes_of_float32_are_exact_and_early_ones_need_no_line(path):
    session = read(awkward.spikes_of_float32(path))
    assert said(session) == []
    assert np.array_equal(session["spike_time"], np.concatenate(SPIKES).astype("f4").astype("f8"))


def test_an_index_that_lost_65536_is_warned_of(path):
    words = (
        "the spikes of neurons 0 and 1 are mixed: the first entry of spike_times_index is 464, but "
        "times run on until 66,000"
    )
    with pytest.warns(PopdynWarning) as caught:
        session = pdn.read_session(awkward.index_short_of_65536(path))
    assert any(words in str(warning.message) for warning in caught)
    assert said(session)[0].startswith(words)


# Tables


def test_the_table_of_neurons_can_be_chosen_by_name(path):
    awkward.raw_and_curated(path)
    session = read(path, neuron_table="processing/ecephys/curated")
    assert session["neuron"].values.tolist() == [10, 11, 12]
    assert said(session) == ["neurons: read from the table /processing/ecephys/curated, not /units"]
    assert refusal(path, neuron_table="processing/ecephys/sorted") == (
        "x.nwb has no table of neurons 'processing/ecephys/sorted'; tables of neurons: units, "
        "processing/ecephys/curated."
    )


@pytest.mark.parametrize("cached", [True, False])
def test_an_extension_is_read_by_what_it_holds_whether_installed_or_not(path, cached):
    session = read(awkward.extension(path, cached))
    assert said(session) == []
    assert is_sound(session)
    assert [table.name for table in pdn.describe_nwb(path).tables] == ["trials"]


def test_tables_of_one_name_are_told_apart_by_their_group(path):
    awkward.two_tables_of_one_name(path)
    names = [table.name for table in pdn.describe_nwb(path).tables]
    assert names == ["trials", "presentations", "movies:presentations"]
    assert read(path, "presentations")["start_time"].values.tolist() == STARTS.tolist()
    assert read(path, "movies:presentations")["start_time"].values.tolist() == (STARTS + 1).tolist()


def test_epochs_keep_their_tags_and_name_what_they_lose(path):
    awkward.epochs_with_tags(path)
    session = read(path, "epochs")
    assert session["tags"].values.tolist() == ["run, dark"] * 2
    line = "epochs: left out timeseries (holds records of idx_start, count, timeseries)"
    assert said(session) == [line]
    assert refusal(path) == (
        "x.nwb has no interval table 'trials'; it has epochs (2 rows). Choose one, for example "
        "trials='epochs'."
    )


def test_groups_linked_into_each_other_are_walked_once(path):
    awkward.groups_in_circles(path)
    assert [table.name for table in pdn.describe_nwb(path).tables] == ["trials"]


def test_links_to_one_table_are_one_table(path):
    awkward.soft_links(path)
    assert [table.name for table in pdn.describe_nwb(path).tables] == ["trials"]


def test_a_file_of_three_thousand_groups_asks_for_each_once(path, monkeypatch):
    asked = []
    original = h5py.Group.__getitem__

    def count(group, name):
        asked.append((group.name, name))
        return original(group, name)

    awkward.three_thousand_groups(path)
    monkeypatch.setattr(h5py.Group, "__getitem__", count)
    assert is_sound(read(path))
    assert max(asked.count(("/acquisition", f"sweep_{k:04d}")) for k in range(0, 3000, 500)) == 1


# Observation intervals


def observed(path, rows, ends=(1, 2, 3), **asked):
    """Intervals of the first neuron, its bins of 2.5 s that are NaN, and what is said."""
    session = read(awkward.observed_by(path, rows, ends, asked.pop("dtype", float)), **asked)
    first = session["obs_neuron"] == 0
    intervals = np.stack([session["obs_start"][first], session["obs_stop"][first]], axis=1)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "no neuron was observed in any bin", PopdynWarning)
        tensor = pdn.align(session, "start_time", (0.0, 2.5), 2.5)
    unseen = np.flatnonzero(np.isnan(tensor.values[0, 0]))
    return intervals.tolist(), unseen.tolist(), said(session)


ALL = [0, 49]
OUTSIDE = "{} of 212 spikes lie outside the neurons' obs_intervals; bins there are NaN"
ALONE = (
    "neurons {} have no obs_intervals although others do; taken as observed for the whole session"
)
CASES = {
    "integers": (
        ([[0, 20], [30, 49], ALL, ALL], (2, 3, 4), int),
        ([[0, 20], [30, 49]], [4, 5], [OUTSIDE.format(20)]),
    ),
    "overlapping": (
        ([[0, 20], [10, 30], ALL, ALL], (2, 3, 4), float),
        ([[0, 20], [10, 30]], [6, 7, 8, 9], [OUTSIDE.format(38)]),
    ),
    "touching": (
        ([[0, 21], [21, 49], ALL, ALL], (2, 3, 4), float),
        ([[0, 21], [21, 49]], [], []),
    ),
    "empty": (
        ([[5, 5], ALL, ALL], (1, 2, 3), float),
        ([[5, 5]], list(range(10)), [OUTSIDE.format(98)]),
    ),
    "reversed and NaN": (
        ([[20, 0], [np.nan, 49], [0, 30], ALL, ALL], (3, 4, 5), float),
        (
            [[0, 30]],
            [6, 7, 8, 9],
            [
                "neurons.obs_intervals: 2 of 5 end before they start or are NaN; left out",
                OUTSIDE.format(38),
            ],
        ),
    ),
    "for some neurons only": (
        ([[0, 20], ALL], (1, 1, 2), float),
        ([[0, 20]], [4, 5, 6, 7, 8, 9], [ALONE.format(1), OUTSIDE.format(58)]),
    ),
    "infinite": (([[-np.inf, np.inf], ALL, ALL], (1, 2, 3), float), ([[-np.inf, np.inf]], [], [])),
    "none": (
        (np.zeros((0, 2)), (0, 0, 0), float),
        ([[0, 49]], [], ["neurons.obs_intervals is empty: as if it were not there"]),
    ),
    "with an index that does not fit": (
        ([ALL, ALL, ALL], (1, 2, 9), float),
        (
            [[0, 49]],
            [],
            [
                "neurons.obs_intervals cannot be used: /units/obs_intervals_index does not fit: 3 "
                "entries for 3 rows, the last at 9 of 3 values"
            ],
        ),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_observation_intervals(path, name):
    (rows, ends, dtype), expected = CASES[name]
    assert observed(path, rows, ends, dtype=dtype) == expected


def test_spikes_that_belong_to_nobody_are_warned_of(tmp_path):
    path = awkward.spikes_of_nobody(tmp_path / "x.nwb")
    with pytest.warns(PopdynWarning, match="the last 2 of 214 values belong to no row; left out"):
        pdn.read_session(path)


def test_observation_intervals_in_milliseconds_are_said_and_mended(path):
    rows = [[10_000, 49_000]] * 3
    _, unseen, lines = observed(path, rows)
    assert unseen == list(range(10))
    assert lines == [
        "obs_intervals reach 49,000, spikes and trials 49: in milliseconds? Read as they are; "
        "units={'obs_intervals': 'ms'} converts them",
        OUTSIDE.format(212),
    ]
    intervals, unseen, lines = observed(path, rows, units={"obs_intervals": "ms"})
    assert (intervals, unseen) == ([[10.0, 49.0]], [0, 1])
    assert len(lines) == 1


def test_one_interval_per_trial_and_neuron_is_used_as_it_is(path):
    session = read(awkward.observed_in_every_trial(path))
    assert session.sizes["interval"] == 11_320
    (line,) = said(session)
    outside = sum(int(((np.asarray(s) % 5.0) > 4.0).sum()) for s in _spikes_by_neuron(session))
    assert line.startswith(f"{outside} of {session.sizes['spike']} spikes lie outside the neurons'")
    tensor = pdn.align(session, "start_time", (3.0, 5.0), 1.0)
    assert np.isfinite(tensor.values[:, 0]).all()
    assert np.isnan(tensor.values[:, 1]).all()


def _spikes_by_neuron(session):
    return np.split(session["spike_time"].values, session["neuron_start"].values[1:-1])


# Names and places of files


@pytest.mark.parametrize(
    "name",
    ["two words.nwb", "\u00e4rger \u2013 \u00b5.nwb", "a#b?c%20d.nwb", "no_ending", "-x.nwb"],
)
def test_any_name_of_a_file_will_do(path, name):
    file = awkward.copied_to(path, name)
    path.unlink()
    session = read(file)
    assert is_sound(session)
    assert session.attrs["file"] == name
    assert repr(str(file)) in pdn.describe_nwb(file).suggestion
    assert name in refusal(file, trials="trails")


def test_a_link_to_a_file_is_named_as_the_link(path):
    assert read(awkward.linked_file(path)).attrs["file"] == "x.nwb"


def test_reading_leaves_nothing_in_a_folder(path):
    file = awkward.read_only_folder(path)
    assert is_sound(read(file))
    assert [other.name for other in file.parent.iterdir()] == [file.name]
    file.parent.chmod(0o755)
