"""Files as converters in the wild write them: one function each, one thing unusual each.

Each takes a path, writes a sound recording there, changes one thing and returns the path.  Its
docstring names the kind of writer that makes such files; addresses are of public reports.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pynwb

from tests.io.recordings import STARTS, add_intervals, add_units, empty_file, save, trials

N_TRIALS = STARTS.size
N_NEURONS = 3
# Spikes of three neurons, all along the session (s).
SPIKES = [np.arange(0.25 * (1 + row), 49.0, 0.5 + 0.25 * row) for row in range(N_NEURONS)]
N_SPIKES = sum(times.size for times in SPIKES)


def sound(path: Path) -> Path:
    """Three neurons on two probes and ten trials: nothing is wrong with it."""
    path.write_bytes(_sound_bytes())
    return path


@cache
def _sound_bytes() -> bytes:
    import tempfile

    content = empty_file()
    device = content.create_device("probe")
    for name, place in (("shank_a", "ALM"), ("shank_b", "M1")):
        group = content.create_electrode_group(name, "d", location=place, device=device)
        content.add_electrode(location=place, group=group)
    columns = {"electrodes": [[0], [1], [0]], "quality": ["good", "mua", "good"]}
    add_units(content, SPIKES, columns)
    table = trials(go_time=STARTS + 1.0, side=["left", "right"] * 5)
    add_intervals(content, "trials", table, {})
    with tempfile.TemporaryDirectory() as folder:
        return save(content, Path(folder) / "sound.nwb").read_bytes()


def edited(path: Path) -> h5py.File:
    """The sound recording, open for a change."""
    return h5py.File(sound(path), "r+")


def put(table: Any, name: str, values: Any, kind: str = "VectorData", listed: bool = True) -> Any:
    """Store a column in a table, in place of one of that name."""
    if name in table:
        del table[name]
    table[name] = values
    table[name].attrs["neurodata_type"] = kind
    table[name].attrs["namespace"] = "hdmf-common"
    table[name].attrs["description"] = f"about {name}"
    names = [word for word in table.attrs["colnames"] if word != name]
    table.attrs["colnames"] = [*names, name] if listed else names
    return table[name]


def put_index(table: Any, name: str, ends: Sequence[int], dtype: Any = np.int64) -> None:
    """Store where each row of a column ends."""
    put(table, f"{name}_index", np.asarray(ends, dtype), "VectorIndex", listed=False)
    table[f"{name}_index"].attrs["target"] = table[name].ref


# Columns


def one_value_per_ragged_row(path: Path) -> Path:
    """A converter that adds every per-trial cell array with an index: MatNWB's util.create_indexed_column."""
    with edited(path) as file:
        put(file["intervals/trials"], "choice", np.arange(10.0))
        put_index(file["intervals/trials"], "choice", np.arange(1, 11))
    return path


def several_values_per_row(path: Path) -> Path:
    """Lick times of each trial as a list in the trial table: neuroconv converters of behavior labs."""
    with edited(path) as file:
        put(file["intervals/trials"], "lick_times", np.arange(12.0))
        put_index(file["intervals/trials"], "lick_times", [0, 3, 3, 4, 5, 6, 8, 9, 11, 12])
    return path


def waveforms_of_spikes(path: Path) -> Path:
    """Waveforms per neuron, spike and channel, two indexes deep: MatNWB issue 772."""
    with edited(path) as file:
        put(file["units"], "waveforms", np.ones((6, 4)))
        put_index(file["units"], "waveforms", [1, 2, 3, 4, 5, 6])
        put(file["units"], "waveforms_index_index", np.array([2, 4, 6]), "VectorIndex", False)
        file["units/waveforms_index_index"].attrs["target"] = file["units/waveforms_index"].ref
    return path


def group_references(path: Path) -> Path:
    """Electrode groups per neuron, one never set, and no electrodes: DataJoint's array-ephys export."""
    with edited(path) as file:
        for name in ("electrodes", "electrodes_index"):
            del file["units"][name]
        group = file["general/extracellular_ephys/shank_b"].ref
        values = np.array([group, h5py.Reference(), group], dtype=h5py.ref_dtype)
        put(file["units"], "electrode_group", values)
    return path


def device_references(path: Path) -> Path:
    """A column of devices, one reference null: AllenSDK's optogenetic epochs."""
    with edited(path) as file:
        device = file["general/devices/probe"].ref
        values = np.array([device] * 9 + [h5py.Reference()], dtype=h5py.ref_dtype)
        put(file["intervals/trials"], "device", values)
    return path


def enumeration(path: Path) -> Path:
    """A column of codes with its words beside it: hdmf's EnumData."""
    with edited(path) as file:
        table = file["intervals/trials"]
        put(table, "stimulus", np.array([0, 1] * 5, np.uint8), "EnumData")
        put(table, "stimulus_elements", ["grating", "blank"], "VectorData", listed=False)
        table["stimulus"].attrs["elements"] = table["stimulus_elements"].ref
    return path


def enumeration_without_words(path: Path) -> Path:
    """EnumData after an export that dropped the words: hdmf before elements were copied."""
    enumeration(path)
    with h5py.File(path, "r+") as file:
        del file["intervals/trials/stimulus"].attrs["elements"]
        del file["intervals/trials/stimulus_elements"]
    return path


def enumeration_past_its_words(path: Path) -> Path:
    """EnumData whose codes count from one: MATLAB's categorical."""
    enumeration(path)
    with h5py.File(path, "r+") as file:
        file["intervals/trials/stimulus"][...] = np.array([1, 2] * 5, np.uint8)
    return path


def flags_of_int8(path: Path) -> Path:
    """Flags as int8, since HDF5 has no booleans: MatNWB issue 206."""
    with edited(path) as file:
        put(file["intervals/trials"], "is_correct", np.array([0, 1] * 5, np.int8))
    return path


def flags_of_matlab(path: Path) -> Path:
    """MATLAB's logical as an enumerated HDF5 type that is not h5py's own: MatNWB issues 206, 758."""
    with edited(path) as file:
        kind = h5py.enum_dtype({"false": 0, "true": 1}, basetype="u1")
        put(file["intervals/trials"], "is_correct", np.array([0, 1] * 5, dtype=kind))
    return path


def big_endian(path: Path) -> Path:
    """Everything big-endian: Java and Igor exports, and HDF5 from older Macs."""
    with edited(path) as file:
        for table in (file["units"], file["intervals/trials"]):
            for name in [n for n in table if table[n].dtype.kind in "iuf"]:
                attrs, values = dict(table[name].attrs), table[name][()]
                del table[name]
                table[name] = values.astype(values.dtype.newbyteorder(">"))
                table[name].attrs.update(attrs)
    return path


def fixed_length_text(path: Path) -> Path:
    """Text as padded bytes, in Latin-1, some with NUL inside: C and LabVIEW writers."""
    with edited(path) as file:
        words = [b"gr\xf6n", b"a\0b", b"red"] + [b"left   "] * 7
        put(file["intervals/trials"], "color", np.array(words, dtype="S10"))
    return path


def start_time_as_text(path: Path) -> Path:
    """Times written as text: a table that went through CSV and pandas' object columns."""
    with edited(path) as file:
        put(file["intervals/trials"], "start_time", [f"{start:.1f}" for start in STARTS])
    return path


def listed_but_not_stored(path: Path) -> Path:
    """A column in colnames that nobody wrote: files cut down by hand with h5py."""
    with edited(path) as file:
        del file["intervals/trials/side"]
    return path


def stored_but_not_listed(path: Path) -> Path:
    """A column added with h5py, colnames forgotten: labs that patch published files."""
    with edited(path) as file:
        put(file["intervals/trials"], "reward", np.arange(10.0), listed=False)
    return path


def padded_names(path: Path) -> Path:
    """Names of columns padded with blanks or NUL to one length: MatNWB issues 305 and 365."""
    with edited(path) as file:
        for end, table in ((b" ", file["intervals/trials"]), (b"\0", file["units"])):
            names = [name.encode().ljust(24, end) for name in table.attrs["colnames"]]
            kind = h5py.string_dtype("ascii", 24)
            table.attrs.create("colnames", np.array(names, dtype="S24"), dtype=kind)
    return path


def empty_descriptions(path: Path) -> Path:
    """Attributes that are there and empty: MatNWB (pynwb issue 1746)."""
    with edited(path) as file:
        for name in ("side", "go_time"):
            file["intervals/trials"][name].attrs["description"] = h5py.Empty("S1")
        file["units"].attrs["description"] = h5py.Empty("S1")
    return path


def words_as_type(path: Path) -> Path:
    """Words in the type of the data itself, an HDF5 enumeration: C++ rigs, MATLAB's H5T."""
    with edited(path) as file:
        kind = h5py.enum_dtype({"left": 1, "right": 2}, basetype="i4")
        put(file["intervals/trials"], "choice", np.array([1, 2] * 5, dtype=kind))
    return path


def five_hundred_columns(path: Path) -> Path:
    """Five hundred stimulus parameters per trial: psychophysics rigs that dump their settings."""
    with edited(path) as file:
        table = file["intervals/trials"]
        for number in range(500):
            data = table.create_dataset(f"setting_{number:03d}", data=np.full(10, float(number)))
            data.attrs["neurodata_type"] = "VectorData"
        table.attrs["colnames"] = sorted(set(table) - {"id"})
    return path


def names_of_dims(path: Path) -> Path:
    """Columns named like popdyn's own dims, variables and ids: any lab's trial table."""
    with edited(path) as file:
        for name in (
            "time",
            "trial",
            "rate",
            "neuron",
            "spike_time",
            "ID",
            "trial_id",
            "obs_start",
        ):
            put(file["intervals/trials"], name, np.arange(10) + 100)
        for name in ("time", "trial", "rate", "neuron", "neuron_id", "unit_id"):
            put(file["units"], name, np.arange(3) + 200)
    return path


def repeated_and_file_ids(path: Path) -> Path:
    """Ids that repeat beside a column already called file_id: two sortings put together."""
    with edited(path) as file:
        file["units/id"][...] = [4, 4, 5]
        put(file["units"], "file_id", ["a", "b", "c"])
    return path


def text_ids(path: Path) -> Path:
    """Neurons numbered by text: SpikeInterface sortings with names for ids."""
    with edited(path) as file:
        attrs = dict(file["units/id"].attrs)
        del file["units/id"]
        file["units/id"] = ["shank0_1", "shank0_2", "shank1_1"]
        file["units/id"].attrs.update(attrs)
    return path


def float_ids(path: Path) -> Path:
    """Ids as floating numbers: MATLAB, where every number is a double."""
    with edited(path) as file:
        attrs = dict(file["units/id"].attrs)
        del file["units/id"]
        file["units/id"] = np.array([11.0, 12.0, 15.0])
        file["units/id"].attrs.update(attrs)
    return path


def no_ids(path: Path) -> Path:
    """Tables without ids: first converters by hand, with h5py."""
    with edited(path) as file:
        del file["units/id"], file["intervals/trials/id"]
    return path


def no_rows(path: Path) -> Path:
    """A trial table that was declared and never filled: pynwb issue 844."""
    with edited(path) as file:
        table = file["intervals/trials"]
        for name in list(table):
            attrs, kind = dict(table[name].attrs), table[name].dtype
            del table[name]
            table.create_dataset(name, shape=(0,), dtype=kind).attrs.update(attrs)
    return path


def one_trial_one_neuron(path: Path) -> Path:
    """One neuron and one trial, stored as scalars: MATLAB, which drops dimensions of one."""
    with edited(path) as file:
        keep = {"id": 0, "start_time": 1.0, "stop_time": 4.0, "go_time": 2.0, "side": "left"}
        for name, value in keep.items():
            attrs = dict(file["intervals/trials"][name].attrs)
            del file["intervals/trials"][name]
            file["intervals/trials"][name] = value
            file["intervals/trials"][name].attrs.update(attrs)
        keep = {"id": 7, "spike_times": SPIKES[0], "spike_times_index": SPIKES[0].size}
        for name in list(file["units"]):
            del file["units"][name]
        for name, values in keep.items():
            file["units"][name] = values
        file["units"].attrs["colnames"] = ["spike_times"]
        file["units/spike_times_index"].attrs["neurodata_type"] = "VectorIndex"
    return path


# Spike times and their index


def column_of_spikes(path: Path) -> Path:
    """Spike times as an n x 1 array: MatNWB given a column vector."""
    with edited(path) as file:
        put(file["units"], "spike_times", file["units/spike_times"][()][:, None])
        put_index(file["units"], "spike_times", file["units/spike_times_index"][()])
    return path


def row_of_spikes(path: Path) -> Path:
    """Spike times as a 1 x n array: MATLAB's row vectors, stored by a writer in C order."""
    with edited(path) as file:
        put(file["units"], "spike_times", file["units/spike_times"][()][None, :])
        put_index(file["units"], "spike_times", file["units/spike_times_index"][()])
    return path


def index_that_overflowed(path: Path) -> Path:
    """An index of uint8 written with more than 255 spikes: hdmf, and MatNWB before it widened them."""
    with edited(path) as file:
        ends = np.cumsum([300, 200, 100]).astype(np.uint8)
        put(file["units"], "spike_times", np.linspace(0.0, 49.0, 600))
        put_index(file["units"], "spike_times", ends, np.uint8)
    return path


def index_short_of_65536(path: Path) -> Path:
    """The first entry lost 65,536 when the index was widened: hdmf issue 630."""
    with edited(path) as file:
        put(file["units"], "spike_times", np.tile(np.linspace(0.0, 49.0, 66_000), 3))
        put_index(file["units"], "spike_times", [66_000 - 65_536, 132_000, 198_000], np.uint32)
    return path


def index_longer_than_rows(path: Path) -> Path:
    """More index entries than neurons: neurons removed from the table by hand."""
    with edited(path) as file:
        ends = file["units/spike_times_index"][()].tolist()
        put_index(file["units"], "spike_times", [*ends, ends[-1]])
    return path


def spikes_of_nobody(path: Path) -> Path:
    """Spikes behind the last index entry: sorting curated after the spikes were written."""
    with edited(path) as file:
        put(file["units"], "spike_times", np.append(file["units/spike_times"][()], [1.0, 2.0]))
        put_index(file["units"], "spike_times", np.cumsum([s.size for s in SPIKES]))
    return path


def no_index(path: Path) -> Path:
    """Spike times of several neurons and no index: pynwb issue 1037."""
    with edited(path) as file:
        del file["units/spike_times_index"]
    return path


def spikes_of_float32(path: Path) -> Path:
    """Spike times in single precision: MATLAB's single, and sorters that save float32."""
    with edited(path) as file:
        put(file["units"], "spike_times", file["units/spike_times"][()].astype(np.float32))
        put_index(file["units"], "spike_times", np.cumsum([s.size for s in SPIKES]))
    return path


def spikes_that_claim_much(path: Path) -> Path:
    """A size that cannot be: resized for a stream that never came."""
    with edited(path) as file:
        del file["units/spike_times"]
        file["units"].create_dataset("spike_times", (10**12,), "f8", chunks=(10**6,))
    return path


def column_that_claims_much(path: Path) -> Path:
    """A column of 10^12 values, none written: an acquisition system that died."""
    with edited(path) as file:
        data = file["intervals/trials"].create_dataset("huge", (10**12,), "f8", chunks=(10**6,))
        data.attrs["neurodata_type"] = "VectorData"
    return path


def spikes_never_written(path: Path) -> Path:
    """Declared, and the program ended before it wrote: hdmf's DataChunkIterator cut short."""
    with edited(path) as file:
        del file["units/spike_times"]
        file["units"].create_dataset("spike_times", (N_SPIKES,), "f8", chunks=(10,))
        file["units/spike_times"][:20] = 1.0
    return path


def column_never_written(path: Path) -> Path:
    """A column that was declared and never written: the same."""
    with edited(path) as file:
        file["intervals/trials"].create_dataset("pupil", (10,), "f8")
    return path


def unknown_filter(path: Path) -> Path:
    """Compressed by Blosc, the plugin not installed here: neuroconv's backend configuration."""
    return _filtered(path, "units/spike_times", 32001)


def column_of_unknown_filter(path: Path) -> Path:
    """A column compressed by Zstandard, the plugin not installed here: neuroconv, hdf5plugin."""
    return _filtered(path, "intervals/trials/go_time", 32015)


def private_filter(path: Path) -> Path:
    """Compressed by a filter that nobody registered: a lab's own compressor."""
    return _filtered(path, "units/spike_times", 40123)


def _filtered(path: Path, name: str, number: int) -> Path:
    with edited(path) as file:
        values, attrs = file[name][()], dict(file[name].attrs)
        del file[name]
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk(values.shape)
        plan.set_filter(number, h5py.h5z.FLAG_OPTIONAL, (0,))
        space = h5py.h5s.create_simple(values.shape)
        data = h5py.h5d.create(file.id, name.encode(), h5py.h5t.IEEE_F64LE, space, plan)
        data.write_direct_chunk((0,), values.astype("<f8").tobytes(), 0)
        file[name].attrs.update(attrs)
    return path


# Links


def link_to_spikes(path: Path, present: bool = True) -> Path:
    """Spike times in a second file: pynwb's link_data, with raw and processed files apart."""
    other = sound(path.with_name("processed.nwb"))
    with edited(path) as file:
        del file["units/spike_times"]
        file["units/spike_times"] = h5py.ExternalLink("processed.nwb", "/units/spike_times")
    if not present:
        other.unlink()
    return path


def link_to_neurons(path: Path, present: bool = True) -> Path:
    """The whole table of neurons in a second file: pynwb's linking to the sorting of a raw file."""
    other = sound(path.with_name("processed.nwb"))
    with edited(path) as file:
        del file["units"]
        file["units"] = h5py.ExternalLink("processed.nwb", "/units")
    if not present:
        other.unlink()
    return path


def link_to_trials(path: Path, present: bool = True) -> Path:
    """Trials in a second file: behavior and recording written by two programs."""
    other = sound(path.with_name("behavior.nwb"))
    with edited(path) as file:
        del file["intervals/trials"]
        file["intervals/trials"] = h5py.ExternalLink("behavior.nwb", "/intervals/trials")
    if not present:
        other.unlink()
    return path


def soft_links(path: Path) -> Path:
    """The usual table is a link to one in a module: converters that keep both addresses."""
    with edited(path) as file:
        file.create_group("processing/ecephys").attrs["neurodata_type"] = "ProcessingModule"
        file.move("units", "processing/ecephys/sorted")
        file["units"] = h5py.SoftLink("/processing/ecephys/sorted")
        file["processing/ecephys/trials"] = h5py.SoftLink("/intervals/trials")
    return path


def groups_in_circles(path: Path) -> Path:
    """Links that lead back to where they are: files repacked by hand."""
    with edited(path) as file:
        module = file.create_group("processing/behavior")
        module.attrs["neurodata_type"] = "ProcessingModule"
        module["whole"] = file["/"]
        module["itself"] = module
        module["lost"] = h5py.SoftLink("/processing/behavior/lost")
        module["far"] = h5py.SoftLink("/processing/behavior/back")
        module["back"] = h5py.SoftLink("/processing/behavior/far")
    return path


def virtual_spikes(path: Path, present: bool = True) -> Path:
    """Spike times as a view into other files: recordings in parts, joined without a copy."""
    other = path.with_name("part.h5")
    with h5py.File(other, "w") as file:
        file["spikes"] = np.concatenate(SPIKES)
    with edited(path) as file:
        layout = h5py.VirtualLayout((N_SPIKES,), "f8")
        layout[:] = h5py.VirtualSource("part.h5", "spikes", (N_SPIKES,))
        del file["units/spike_times"]
        file["units"].create_virtual_dataset("spike_times", layout, fillvalue=0.0)
    if not present:
        other.unlink()
    return path


def virtual_spikes_with_a_gap(path: Path) -> Path:
    """A view that leaves a part open: one of the recordings was never mapped."""
    with h5py.File(path.with_name("part.h5"), "w") as file:
        file["spikes"] = np.concatenate(SPIKES)
    with edited(path) as file:
        layout = h5py.VirtualLayout((N_SPIKES,), "f8")
        layout[:40] = h5py.VirtualSource("part.h5", "spikes", (N_SPIKES,))[:40]
        del file["units/spike_times"]
        file["units"].create_virtual_dataset("spike_times", layout, fillvalue=0.0)
    return path


def virtual_spikes_of_a_short_file(path: Path) -> Path:
    """A view into a file that was written anew, and shorter: a part that was recorded again."""
    virtual_spikes(path)
    with h5py.File(path, "r+") as file:
        layout = h5py.VirtualLayout((N_SPIKES,), "f8")
        layout[:] = h5py.VirtualSource("part.h5", "spikes", (N_SPIKES,))[:N_SPIKES]
        del file["units/spike_times"]
        file["units"].create_virtual_dataset("spike_times", layout, fillvalue=0.0)
    with h5py.File(path.with_name("part.h5"), "w") as file:
        file["spikes"] = np.arange(40.0)
    return path


def virtual_spikes_of_nothing(path: Path) -> Path:
    """A view of data in the same file that was deleted: repacked by hand."""
    with edited(path) as file:
        layout = h5py.VirtualLayout((N_SPIKES,), "f8")
        layout[:] = h5py.VirtualSource(".", "lost", (N_SPIKES,))
        del file["units/spike_times"]
        file["units"].create_virtual_dataset("spike_times", layout, fillvalue=0.0)
    return path


def spikes_in_a_binary_file(path: Path, n_bytes: int | None = None) -> Path:
    """Values in a raw file beside: acquisition systems that write HDF5 headers only."""
    raw = np.concatenate(SPIKES).tobytes()
    path.with_name("spikes.bin").write_bytes(raw[:n_bytes])
    with edited(path) as file:
        del file["units/spike_times"]
        place = [(str(path.with_name("spikes.bin")), 0, len(raw))]
        file["units"].create_dataset("spike_times", (N_SPIKES,), "f8", external=place)
    if n_bytes == 0:
        path.with_name("spikes.bin").unlink()
    return path


# Tables of neurons and of electrodes


def neurons_in_processing_only(path: Path) -> Path:
    """Neurons in a processing module and none at the usual place: neuroconv for curated sortings."""
    with edited(path) as file:
        file.create_group("processing/ecephys").attrs["neurodata_type"] = "ProcessingModule"
        file.move("units", "processing/ecephys/units")
    return path


def raw_and_curated(path: Path) -> Path:
    """Two tables of neurons side by side: neuroconv, raw and curated."""
    with edited(path) as file:
        file.create_group("processing/ecephys").attrs["neurodata_type"] = "ProcessingModule"
        file.copy("units", "processing/ecephys/curated")
        curated = file["processing/ecephys/curated"]
        curated["id"][...] = [10, 11, 12]
        electrodes = file["general/extracellular_ephys/electrodes"]
        curated["electrodes"].attrs["table"] = electrodes.ref
    return path


def two_electrode_tables(path: Path) -> Path:
    """Neurons that point at an electrode table of their own: one table per probe, extensions."""
    with edited(path) as file:
        ephys = file["general/extracellular_ephys"]
        table = ephys.create_group("electrodes_probe_b")
        table.attrs.update({"colnames": ["location"], "neurodata_type": "DynamicTable"})
        table["id"] = [0, 1]
        put(table, "location", ["S1", "V1"])
        put(table, "group_name", ["probe_b", "probe_b"])
        file["units/electrodes"].attrs["table"] = table.ref
    return path


def group_name_as_reference(path: Path) -> Path:
    """The electrodes' group_name holds references, and group is missing: DANDI:000447."""
    with edited(path) as file:
        electrodes = file["general/extracellular_ephys/electrodes"]
        references = electrodes["group"][()]
        del electrodes["group"]
        put(electrodes, "group_name", references)
        electrodes.attrs["colnames"] = ["location", "group_name"]
    return path


def electrodes_past_the_table(path: Path) -> Path:
    """Electrodes by their channel number, not their row: neuroconv issue 330, and MATLAB's 1."""
    with edited(path) as file:
        file["units/electrodes"][...] = [0, 1, 300]
    return path


def electrodes_of_a_lost_table(path: Path) -> Path:
    """Electrodes of neurons, the table of electrodes taken out: files made small for sharing."""
    with edited(path) as file:
        del file["general/extracellular_ephys/electrodes"]
    return path


def places_of_neurons_themselves(path: Path) -> Path:
    """Columns location and group_name in the table of neurons: AllenSDK, IBL."""
    with edited(path) as file:
        put(file["units"], "location", ["CA1", "CA1", "DG"])
        put(file["units"], "group_name", ["p0", "p0", "p1"])
    return path


# Observation intervals


def observed_by(path: Path, rows: Any, ends: Sequence[int], dtype: Any = float) -> Path:
    """Observation intervals as given: (start, stop) of all, and where each neuron's end."""
    with edited(path) as file:
        put(file["units"], "obs_intervals", np.asarray(rows, dtype).reshape(-1, 2))
        put_index(file["units"], "obs_intervals", ends)
    return path


def observed_in_every_trial(path: Path) -> Path:
    """One interval per trial and neuron, 11,320 rows: the Neural Latents Benchmark (DANDI:000130)."""
    n_neurons, n_trials = 40, 283
    start = 5.0 * np.arange(n_trials)
    content = empty_file()
    stop = start[-1] + 4.0
    add_units(content, [np.arange(0.01 * row, stop, 0.4) for row in range(n_neurons)], {})
    add_intervals(content, "trials", {"start_time": start, "stop_time": start + 4.0}, {})
    save(content, path)
    with h5py.File(path, "r+") as file:
        rows = np.tile(np.stack([start, start + 4.0], axis=1), (n_neurons, 1))
        put(file["units"], "obs_intervals", rows)
        put_index(file["units"], "obs_intervals", n_trials * np.arange(1, n_neurons + 1))
    return path


# Extensions, versions, and whole files


def extension(path: Path, cached: bool) -> Path:
    """Subclasses of Units and TimeIntervals from an extension: ndx-types of a lab, often not published."""
    with edited(path) as file:
        for table, kind in (("units", "LabUnits"), ("intervals/trials", "LabTrials")):
            file[table].attrs["neurodata_type"] = kind
            file[table].attrs["namespace"] = "ndx-lab"
        file["general"].create_group("rig").attrs["neurodata_type"] = "LabRig"
        if cached:
            spec = file["specifications"].create_group("ndx-lab/0.1.0")
            spec["namespace"] = '{"namespaces": []}'
            spec["ndx-lab.extensions"] = '{"groups": []}'
    return path


def tables_that_are_groups_of_data(path: Path) -> Path:
    """A group where a column belongs, and a data set where the module does: repacked by hand."""
    with edited(path) as file:
        del file["intervals/trials/go_time"]
        file["intervals/trials"].create_group("go_time")
        if "processing" in file:
            del file["processing"]
        file["processing"] = np.arange(3)
    return path


def spikes_are_a_group(path: Path) -> Path:
    """A group where spike times belong, one data set per neuron: labs that know NWB 1."""
    with edited(path) as file:
        del file["units/spike_times"]
        for row, times in enumerate(SPIKES):
            file[f"units/spike_times/{row}"] = times
    return path


def neurons_are_a_data_set(path: Path) -> Path:
    """A data set where the table of neurons belongs: pandas' or PyTables' tables."""
    with edited(path) as file:
        del file["units"]
        file["units"] = np.zeros((3, 2))
    return path


def two_tables_of_one_name(path: Path) -> Path:
    """Tables of one name in two groups: stimuli of several protocols, one module each."""
    with edited(path) as file:
        for number, module in enumerate(("gratings", "movies")):
            group = file.create_group(f"processing/{module}")
            group.attrs["neurodata_type"] = "ProcessingModule"
            file.copy("intervals/trials", group, "presentations")
            group["presentations/start_time"][...] = STARTS + number
    return path


def epochs_with_tags(path: Path) -> Path:
    """Epochs with tags and references to time series: pynwb's own add_epoch."""
    content = empty_file()
    series = pynwb.TimeSeries(name="speed", data=np.arange(50.0), unit="m/s", rate=1.0)
    content.add_acquisition(series)
    add_units(content, SPIKES, {})
    for start in (0.0, 20.0):
        content.add_epoch(start, start + 20.0, tags=["run", "dark"], timeseries=[series])
    return save(content, path)


def without_version(path: Path) -> Path:
    """No nwb_version at the root: h5copy and repack scripts that drop attributes."""
    with edited(path) as file:
        del file.attrs["nwb_version"]
    return path


def version_of_the_future(path: Path) -> Path:
    """A schema this popdyn never saw: a newer pynwb."""
    with edited(path) as file:
        file.attrs["nwb_version"] = "9.9.0"
    return path


def left_open(path: Path) -> Path:
    """A file whose writer crashed: h5py with libver latest marks files that are open for writing."""
    inner = path.with_name("open.nwb")
    with h5py.File(inner, "w", libver="latest") as file:
        file.attrs["neurodata_type"] = "NWBFile"
        file.flush()
        path.write_bytes(inner.read_bytes())
    inner.unlink()
    return path


def after_a_user_block(path: Path) -> Path:
    """512 bytes before the HDF5 signature: MATLAB's -v7.3."""
    head = b"MATLAB 7.3 MAT-file, Platform: PCWIN64"
    path.write_bytes(head.ljust(512, b"\0") + _sound_bytes())
    return path


def three_thousand_groups(path: Path) -> Path:
    """One group per sweep, 3,000 of them: intracellular and imaging converters."""
    with edited(path) as file:
        for number in range(3000):
            group = file.create_group(f"acquisition/sweep_{number:04d}")
            group.attrs["neurodata_type"] = "TimeSeries"
    return path


def linked_file(path: Path) -> Path:
    """A symbolic link to the file: DataLad, and shared folders."""
    real = sound(path.with_name("content"))
    path.symlink_to(real)
    return path


def read_only_folder(path: Path) -> Path:
    """A folder one may not write to: published data on a server."""
    folder = path.parent / "published"
    folder.mkdir()
    inner = sound(folder / path.name)
    inner.chmod(0o444)
    folder.chmod(0o555)
    return inner


def copied_to(path: Path, name: str) -> Path:
    """A name with blanks, letters beyond ASCII, or characters that shells and addresses use."""
    return Path(shutil.copy(sound(path), path.with_name(name)))
