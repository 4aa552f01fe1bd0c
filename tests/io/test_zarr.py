"""NWB in Zarr stores, as hdmf-zarr writes them: the same Session as from the HDF5 original."""

import importlib.util
import json
import random
import shutil
import warnings
import zipfile

import h5py
import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import PopdynError, SourceError
from popdyn.io.tree.zarr_files import FolderFiles
from popdyn.io.tree.zarr_store import ZarrNode
from tests.io.recordings import ALM, described, problems
from tests.io.zarr_recordings import MOUSE, as_format_3, edit_json, sample, unpacked

pytest.importorskip("numcodecs", reason="Zarr is an extra")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return sample(tmp_path_factory.mktemp("hdf5") / "sample.nwb")


@pytest.fixture
def store(tmp_path):
    return unpacked("sample", tmp_path)


def refusal(path, read=pdn.read_session):
    with pytest.raises(SourceError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 700
    return message


def assert_same(one, other, lacking=()):
    assert set(one.variables) - set(lacking) == set(other.variables)
    for name in set(one.variables) - set(lacking):
        assert one[name].variable.identical(other[name].variable), name


@pytest.mark.parametrize("name", [MOUSE])
def test_a_shipped_recording_is_identical_in_zarr(tmp_path, name):
    path = unpacked(name, tmp_path)
    hdf5, zarr = (pdn.read_session(place) for place in (ALM["369963"], path))
    assert_same(hdf5, zarr)
    assert hdf5.attrs["problems"] == zarr.attrs["problems"]
    assert hdf5.attrs["input_digest"] == zarr.attrs["input_digest"]
    assert hdf5.attrs["session_start_time"] == zarr.attrs["session_start_time"]


def test_texts_booleans_ragged_columns_and_locations_are_identical_in_zarr(original, store):
    hdf5, zarr = pdn.read_session(original), pdn.read_session(store)
    assert_same(hdf5, zarr, lacking=["electrode_group"])
    assert zarr["quality"].values.tolist() == ["good", "mua", "größer", "good", "mua"]
    assert zarr["location"].values.tolist() == ["CA1", "CA1", "VISp", "VISp", "CA1"]
    assert zarr["is_single"].dtype == bool
    assert zarr.attrs["source_id"] == "zarr_sample"


@pytest.mark.parametrize("trials", ["stimuli", None])
def test_other_tables_are_identical_in_zarr(original, store, trials):
    hdf5, zarr = (pdn.read_session(place, trials) for place in (original, store))
    assert_same(hdf5, zarr, lacking=["electrode_group"])


def test_tensors_are_identical_in_zarr(original, store):
    hdf5, zarr = (pdn.read_nwb(p, "start_time", (-1, 1), 0.25) for p in (original, store))
    np.testing.assert_array_equal(hdf5.values, zarr.values)


def test_a_summary_names_the_store_and_its_content(store):
    summary = pdn.describe_nwb(store)
    words = str(summary)
    assert words.startswith("sample.nwb.zarr (NWB 2.")
    assert "5 with 160 spikes" in words
    assert "trials (11 rows)" in words
    assert "lick (TimeSeries)" in words
    assert "A; B" in words


def test_a_column_coded_by_pickle_is_left_out_and_never_decoded(store, monkeypatch):
    numcodecs = importlib.import_module("numcodecs")

    def never(*arguments):
        raise AssertionError

    monkeypatch.setattr(numcodecs.Pickle, "decode", never)
    monkeypatch.setattr(numcodecs.Pickle, "from_config", never)
    session = pdn.read_session(store)
    assert "electrode_group" not in session.coords
    line = "electrode_group (cannot be read: it is coded by Pickle, which can run any code"
    assert line in problems(session)


@pytest.mark.parametrize("codec", ["msgpack2", "categorize", "my-own"])
def test_a_column_of_another_codec_is_left_out_with_its_name(store, codec):
    edit_json(store / "units" / "quality" / ".zarray", filters=[{"id": codec}])
    assert f"quality (cannot be read: it is coded by {codec}, which is not read)" in described(
        store
    )


def test_texts_coded_as_json_are_read(store):
    numcodecs = importlib.import_module("numcodecs")
    codec = numcodecs.JSON()
    words = np.array(["x", "y", "z", "x", "y"], dtype=object)
    column = store / "units" / "quality"
    edit_json(column / ".zarray", filters=[codec.get_config()], compressor=None)
    (column / "0").write_bytes(codec.encode(words))
    assert pdn.read_session(store)["quality"].values.tolist() == words.tolist()


def test_references_coded_as_json_become_names(original, store):
    numcodecs = importlib.import_module("numcodecs")
    codec = numcodecs.JSON()
    values = np.empty(5, dtype=object)
    for k in range(5):
        path = f"/general/extracellular_ephys/shank{k % 4 // 2}"
        values[k] = {"source": ".", "path": path, "object_id": None}
    column = store / "units" / "electrode_group"
    edit_json(column / ".zarray", filters=[codec.get_config()], compressor=None)
    (column / "0").write_bytes(codec.encode(values))
    assert_same(pdn.read_session(original), pdn.read_session(store))


def test_values_in_several_pieces_of_any_order_are_put_together(store):
    column = store / "intervals" / "stimuli" / "start_time"
    expected = np.arange(12.0).reshape(3, 4)
    for order, separator in (("C", "."), ("F", "/")):
        shutil.rmtree(column)
        column.mkdir()
        about = {
            "shape": [3, 4], "chunks": [2, 3], "dtype": ">f8", "compressor": None, "order": order,
            "filters": None, "fill_value": None, "zarr_format": 2,
            "dimension_separator": separator,
        }  # fmt: skip
        (column / ".zarray").write_text(json.dumps(about))
        padded = np.zeros((4, 6), dtype=">f8")
        padded[:3, :4] = expected
        for i in range(2):
            for j in range(2):
                piece = padded[2 * i : 2 * i + 2, 3 * j : 3 * j + 3]
                place = column / f"{i}{separator}{j}"
                place.parent.mkdir(exist_ok=True)
                place.write_bytes(piece.tobytes(order=order))
        node = ZarrNode(FolderFiles(store), "/intervals/stimuli/start_time")
        np.testing.assert_array_equal(node.read(), expected)


def test_links_lead_to_their_target_or_say_why_not(store):
    links = [
        {"name": "near", "source": ".", "path": "/units/snr"},
        {"name": "far", "source": "../other.zarr", "path": "/units/snr"},
        {"name": "gone", "source": ".", "path": "/nowhere"},
        {"name": "out", "source": ".", "path": "/../../etc"},
    ]
    edit_json(store / "units" / ".zattrs", zarr_link=links)
    units = ZarrNode(FolderFiles(store), "/units")
    assert units.child("near").read().tolist() == [0.0, 1.5, 3.0, 4.5, 6.0]
    assert units.child("far") is None
    assert units.why_absent("far") == (
        "is a link to /units/snr in the store ../other.zarr, which is not read"
    )
    assert units.child("gone") is None
    assert units.child("out") is None
    assert units.why_absent("nothing of that name") == ""
    assert {"near", "far", "snr"} <= set(units.names)


@pytest.mark.parametrize("inner", ["", "folder/"])
def test_a_zip_archive_of_a_store_is_read(store, inner):
    path = store.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for part in sorted(store.rglob("*")):
            if part.is_file():
                archive.write(part, inner + part.relative_to(store).as_posix())
    assert_same(pdn.read_session(store), pdn.read_session(path))


def test_a_store_of_format_3_is_identical_too(original, tmp_path):
    pytest.importorskip("zarr", "3.0")
    path = as_format_3(original, tmp_path / "new.nwb.zarr")
    assert (path / "zarr.json").is_file()
    hdf5, zarr = pdn.read_session(original), pdn.read_session(path)
    assert_same(hdf5, zarr, lacking=["electrode_group"])


def test_a_missing_piece_of_format_3_is_said(original, tmp_path):
    pytest.importorskip("zarr", "3.0")
    path = as_format_3(original, tmp_path / "new.nwb.zarr")
    (path / "units" / "snr" / "c" / "0").unlink()
    assert "snr (cannot be read: 1 of its 3 pieces are not in the store)" in described(path)


def test_a_missing_piece_of_a_column_leaves_it_out(store):
    (store / "units" / "snr" / "0").unlink()
    line = "snr (cannot be read: 1 of its 1 pieces are not in the store)"
    session = pdn.read_session(store)
    assert line in problems(session)
    assert "snr" not in session.coords


def test_a_missing_piece_of_the_spikes_is_one_line(store):
    (store / "units" / "spike_times" / "0").unlink()
    message = refusal(store)
    assert "/units/spike_times cannot be read: 1 of its 1 pieces are not in the store" in message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dtype": "<M8[ns]"}, "a type that cannot be read"),
        ({"dtype": "nonsense"}, "a type that cannot be read"),
        ({"dtype": "<f4"}, "and 40 of values"),
        ({"shape": [10**15], "chunks": [10**15]}, "it claims 1,000,000,000,000,000 values"),
        ({"shape": [10**15]}, "it claims 200,000,000,000,000 pieces"),
        ({"shape": [30_000]}, "it claims 6,000 pieces, but its folder holds 3 things"),
        ({"shape": [7]}, "1 of its 2 pieces are not in the store"),
        ({"shape": [-5]}, "it has no shape"),
        ({"shape": ["5"]}, "it has no shape"),
        ({"shape": [5, 1]}, "do not fit its shape"),
        ({"chunks": [0]}, "do not fit its shape"),
        ({"compressor": None}, "a piece holds"),
        ({"compressor": {"id": "zlib"}}, "cannot be decoded"),
        ({"compressor": "blosc"}, "its codecs are not described"),
    ],
)
def test_wrong_metadata_of_a_column_leave_it_out_with_a_reason(store, changes, words):
    edit_json(store / "units" / "snr" / ".zarray", **changes)
    line = next(line for line in pdn.describe_nwb(store).problems if "left out" in line)
    assert "snr (" in line
    assert words in line
    assert pdn.read_session(store).sizes["neuron"] == 5


def test_a_piece_that_claims_billions_of_texts_takes_no_memory(store):
    column = store / "units" / "quality"
    edit_json(column / ".zarray", compressor=None)
    (column / "0").write_bytes(b"\xff\xff\xff\x7f" + bytes(40))
    assert "quality (cannot be read" in described(store)
    assert "a piece holds 2147483647 texts, not 5" in described(store)


@pytest.mark.parametrize("column", ["snr", "quality", "labels"])
@pytest.mark.parametrize("n_lost", [1, 7, 20])
def test_a_cut_off_piece_leaves_its_column_out(store, column, n_lost):
    place = store / "units" / column / "0"
    place.write_bytes(place.read_bytes()[:-n_lost])
    assert f"{column} (cannot be read: its pieces cannot be decoded" in described(store)


def test_a_cut_off_metadata_file_leaves_its_column_out(store):
    place = store / "units" / "snr" / ".zarray"
    place.write_bytes(place.read_bytes()[:40])
    assert "snr (is damaged (its .zarray is cut off or overwritten" in described(store)
    place.write_text("[1, 2]")
    assert "snr (is damaged (its .zarray holds no names" in described(store)
    place.unlink()
    assert "snr (is damaged (it has neither .zarray nor .zgroup" in described(store)


def test_a_damaged_root_is_one_line(store):
    (store / ".zgroup").write_bytes(b"{")
    (store / ".zattrs").write_bytes(b"{")
    assert "is a damaged Zarr store (its .z" in refusal(store)


def test_a_zarr_store_that_is_not_nwb_says_what_it_holds(tmp_path):
    (tmp_path / ".zgroup").write_text('{"zarr_format": 2}')
    (tmp_path / "images").mkdir()
    message = refusal(tmp_path, pdn.describe_nwb)
    assert "is a Zarr store but not NWB" in message
    assert "it holds images" in message


def test_a_cut_off_archive_is_one_line(store):
    path = store.with_suffix(".zip")
    shutil.make_archive(str(store.with_suffix("")), "zip", store)
    path.write_bytes(path.read_bytes()[:-100])
    assert "is a zip archive; unpack it" in refusal(path)


def test_without_the_extra_the_line_says_what_to_install(store, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "numcodecs" else find(name)
    )
    assert 'is a Zarr store: `pip install "popdyn[zarr]"`' in refusal(store)


def test_random_damage_gives_a_session_or_one_line(store, tmp_path):
    rng = random.Random(0)
    whole = tmp_path / "whole"
    shutil.copytree(store, whole)
    parts = [
        p.relative_to(store)
        for p in sorted(store.rglob("*"))
        if p.is_file() and p.parts[len(store.parts)] in ("units", "intervals", ".zattrs", "general")
    ]
    for _ in range(40):
        part = rng.choice(parts)
        place = store / part
        content = bytearray(place.read_bytes())
        how = rng.choice(["flip", "cut", "remove"])
        if how == "flip":
            for _ in range(rng.randint(1, 4)):
                content[rng.randrange(len(content))] = rng.randrange(256)
        elif how == "cut":
            content = content[: rng.randrange(len(content))]
        place.unlink() if how == "remove" else place.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                pdn.describe_nwb(store)
                pdn.read_session(store)
            except PopdynError as error:
                assert "\n" not in str(error)
        shutil.copy(whole / part, place)


def test_a_node_answers_like_one_of_hdf5(original, store):
    from popdyn.io.tree.hdf5 import HDF5Node

    zarr = ZarrNode(FolderFiles(store), "/")
    with h5py.File(original) as file:
        hdf5 = HDF5Node(file, "/")
        for path in ("/units", "/units/spike_times", "/units/quality", "/intervals/trials/correct"):
            one, other = hdf5.absolute(path), zarr.absolute(path)
            assert (one.name, one.is_group, one.shape) == (other.name, other.is_group, other.shape)
            assert one.holds == other.holds
            assert sorted(one.names) == sorted(other.names)
            for name in ("neurodata_type", "description", "colnames", "nothing"):
                assert one.attribute(name) == other.attribute(name)
        assert zarr.absolute("/units/electrodes").referred("table").path == (
            hdf5.absolute("/units/electrodes").referred("table").path
        )
    with pytest.raises(ValueError, match="/units is a group"):
        zarr.child("units").read()
