"""Weights of files: as the programs that wrote them say, and never by running what a file asks."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from scipy import sparse

import popdyn as pdn
from popdyn.errors import PopdynWarning, SourceError, TensorError
from popdyn.io.weight_files.array_tree import flatten
from popdyn.network import Rate
from popdyn.simulation.steps import evolve

# Made with PyTorch by make.py in that folder; answers.npz is what the module returns.
TORCH = Path(__file__).with_name("torch_files")
MATLAB = Path(scipy.io.__file__).parent / "matlab" / "tests" / "data"


def torch_network(name="rnn.pt"):
    return Rate.from_weights(pdn.read_weights(TORCH / name), dt=0.02)


@pytest.mark.parametrize("name", ["rnn.pt", "rnn_legacy.pt"])
def test_a_network_of_pytorch_answers_here_as_it_did_there(name):
    net = torch_network(name)
    answers = np.load(TORCH / "answers.npz")
    rates = list(evolve(net, answers["inputs"].astype(float), np.zeros((4, 8))))[1:]
    assert np.abs(rates - answers["hidden"]).max() < 3e-7
    outputs = np.array(rates) @ net.output.T + net.output_bias
    assert np.abs(outputs - answers["output"]).max() < 3e-7
    assert np.abs(net.output_bias).min() > 0.01
    assert (net.dt, net.tau, net.nonlinearity) == (0.02, 0.02, "tanh")


def test_all_kinds_of_tensors_have_the_values_they_were_given():
    found = pdn.read_weights(TORCH / "kinds.pt")
    base = np.arange(12.0).reshape(3, 4)
    assert np.array_equal(found["turned"], base.T)
    assert np.array_equal(found["part"], base[1:, ::2])
    assert found["half"].dtype == np.float16
    assert found["brain"].dtype == np.float32
    for name in ("half", "brain", "parameter"):
        assert np.array_equal(found[name], base)
    assert found["whole"].tolist() == [0, 1, 2, 3, 4]
    assert found["yes"].tolist() == [True, False]
    assert (found["one"].shape, found["one"].item()) == ((), 2.5)
    assert found["complex"].tolist() == [1 + 2j]
    assert found["empty"].shape == (0, 3)
    assert found["byte"].tolist() == [-1]
    assert found["training.epoch"] == 3
    assert found["training.losses.1"] == 0.25
    assert not {"training.note", "training.nothing", "training.device"} & set(found)


class Harm:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def archive(path, content, members=()):
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("net/data.pkl", content)
        for name, raw in members:
            made.writestr(name, raw)
    return path


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_file_that_would_run_code_is_refused_and_does_not_run(tmp_path, protocol):
    made = tmp_path / "harmed"
    content = pickle.dumps({"weight": Harm(made)}, protocol)
    file = archive(tmp_path / "net.pt", content)
    with pytest.raises(
        SourceError, match=r"refused: it asks to call (posix|nt).mkdir: popdyn runs no"
    ):
        pdn.read_weights(file)
    assert not made.exists()
    plain = tmp_path / "net.pkl"
    plain.write_bytes(content)
    with pytest.raises(SourceError, match=r"net.pkl is a pickle: popdyn runs no code of files"):
        pdn.read_weights(plain)
    arrays = tmp_path / "net.npz"
    np.savez(arrays, weight=np.array([Harm(made)], dtype=object))
    with pytest.raises(SourceError, match="an array of Python objects, a pickle: popdyn runs no"):
        pdn.read_weights(arrays)
    legacy = tmp_path / "legacy.pt"
    start = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
    legacy.write_bytes(start + pickle.dumps(1001, 2) + pickle.dumps(Harm(made), 2))
    with pytest.raises(SourceError, match=r"refused: it asks to call (posix|nt).mkdir"):
        pdn.read_weights(legacy)
    assert not made.exists()
    pickle.loads(content)
    assert made.is_dir()


HARMFUL = {
    "INST": b"(S'x'\nios\nmkdir\n.",
    "OBJ": b"(cos\nmkdir\nS'x'\no.",
    "NEWOBJ": b"\x80\x02cos\nmkdir\nX\x01\x00\x00\x00x\x85\x81.",
    "a member of what is known": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2.__globals__\n)R.",
    "a call of a call": b"\x80\x02ccollections\nOrderedDict\n)R)R.",
    "state of a name": b"\x80\x02cos\nenviron\n}X\x01\x00\x00\x00aK\x01sb.",
    "item of a name": b"\x80\x02cos\nenviron\nX\x01\x00\x00\x00aK\x01s.",
    "registered code": b"\x80\x02\x82\x01)R.",
}


@pytest.mark.parametrize("content", HARMFUL.values(), ids=HARMFUL)
def test_every_way_to_make_objects_is_refused(tmp_path, content):
    file = archive(tmp_path / "net.pt", content)
    with pytest.raises(
        SourceError, match=r"net\.pt is refused: .*torch.save\(model.state_dict\(\)"
    ):
        pdn.read_weights(file)


def test_a_whole_module_is_refused_with_what_to_save():
    with pytest.raises(SourceError, match=r"module.pt is refused: .*model.state_dict\(\), path"):
        pdn.read_weights(TORCH / "module.pt")


def rebuilt(size, stride, offset=0, kind="FloatStorage", n=4, key="0"):
    """A pickle of one tensor, written by hand."""

    def whole(*numbers):
        return b"(" + b"".join(b"J" + struct.pack("<i", number) for number in numbers) + b"t"

    def text(value):
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    storage = (
        b"(" + text("storage") + f"ctorch\n{kind}\n".encode() + text(key) + text("cpu")
        + b"J" + struct.pack("<i", n) + b"tQ"
    )  # fmt: skip
    return (
        b"\x80\x02}" + text("w") + b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage
        + b"J" + struct.pack("<i", offset) + whole(*size) + whole(*stride) + b"\x89}tRs."
    )  # fmt: skip


def test_a_tensor_may_not_reach_beyond_its_numbers(tmp_path):
    numbers = [("net/data/0", np.arange(4, dtype="<f4").tobytes())]
    fits = archive(tmp_path / "net.pt", rebuilt((2, 2), (2, 1)), numbers)
    assert pdn.read_weights(fits)["w"].tolist() == [[0, 1], [2, 3]]
    for size, stride, offset in [
        ((2, 2), (2, 1), 1),
        ((5,), (1,), 0),
        ((1000, 1000), (0, 0), 0),
        ((2,), (2**30,), 0),
        ((2**30, 2**30), (1, 1), 0),
    ]:
        broken = archive(tmp_path / "net.pt", rebuilt(size, stride, offset), numbers)
        with pytest.raises(SourceError, match="does not fit the 4 numbers stored for it"):
            pdn.read_weights(broken)
    for content, words in [
        (rebuilt((-1,), (1,)), "a tensor without storage, or of impossible shape"),
        (rebuilt((2,), (1, 1)), "a tensor without storage, or of impossible shape"),
        (
            rebuilt((2,), (1,), kind="QUInt8Storage"),
            "refused: its tensors are of the kind torch.QUInt8Storage, .* tensor.float",
        ),
        (rebuilt((2,), (1,), key="7"), "no item named 'net/data/7'"),
        (rebuilt((2, 2), (2, 1))[:-3], "damaged PyTorch file"),
        (b"\x80\x02}(K\x01u.", "damaged"),
        (b"\x80\x02K\x01Q.", "stores something outside of its pickle that is no tensor"),
        (b"\x80\x02}K\x01\x85K\x01s.", "a dict with a key of type tuple"),
        (b"\x80\x02h\x05.", "damaged"),
        (b"\x80\x02t.", "damaged"),
        (b"\x80\x02.", "damaged"),
    ]:
        broken = archive(tmp_path / "net.pt", content, numbers)
        with pytest.raises(SourceError, match=words):
            pdn.read_weights(broken)


def test_a_program_of_pytorch_is_refused_as_one(tmp_path):
    program = [("net/code/__torch__.py", b"class Net(Module): pass")]
    with pytest.raises(
        SourceError, match=r"net.pt is refused: it is a TorchScript program: .*dict"
    ):
        pdn.read_weights(archive(tmp_path / "net.pt", rebuilt((2,), (1,)), program))


def test_a_tree_made_to_exhaust_the_reader_is_refused(tmp_path):
    doubled = b"\x80\x02]q\x00" + b"".join(
        b"](h" + bytes([i]) + b"h" + bytes([i]) + b"eq" + bytes([i + 1]) for i in range(40)
    )
    with pytest.raises(SourceError, match="more values within each other than weights can"):
        pdn.read_weights(archive(tmp_path / "net.pt", doubled + b"."))
    circle = b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s."
    with pytest.raises(SourceError, match="more values within each other than weights can"):
        pdn.read_weights(archive(tmp_path / "net.pt", circle))
    with zipfile.ZipFile(tmp_path / "net.pt", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("net/data.pkl", rebuilt((2,), (1,)))
        made.writestr("net/data/0", bytes(10**6))
    with pytest.raises(SourceError, match="it is compressed, which PyTorch does not do"):
        pdn.read_weights(tmp_path / "net.pt")


def test_two_values_of_one_name_are_refused():
    with pytest.raises(ValueError, match=r"two of its values are named a\.b"):
        flatten({"a.b": 1.0, "a": {"b": 2.0}}, np.asarray)
    assert list(flatten(3.0, np.asarray)) == ["values"]


@pytest.mark.parametrize("cut", [40, 400, 1200, 1500])
def test_files_cut_off_are_named_as_damaged(tmp_path, cut):
    for name in ("rnn.pt", "rnn_legacy.pt"):
        broken = tmp_path / name
        broken.write_bytes((TORCH / name).read_bytes()[:cut])
        with pytest.raises(SourceError, match=f"{name}.*(damaged|cut off)"):
            pdn.read_weights(broken)


def test_random_damage_never_gets_past_the_reader(tmp_path):
    rng = np.random.default_rng(0)
    whole = (TORCH / "rnn_legacy.pt").read_bytes()
    broken, n_refused = tmp_path / "net.pt", 0
    for _ in range(300):
        raw = bytearray(whole)
        for place in rng.integers(15, len(raw), 3):
            raw[place] = rng.integers(256)
        broken.write_bytes(raw)
        try:
            pdn.read_weights(broken)
        except SourceError:
            n_refused += 1
    assert n_refused > 100


def test_npz_holds_a_network_whole(tmp_path):
    net = Rate.random(12, n_outputs=2, excitatory=0.75, feedback=1.0, tau=(0.02, 0.1),
                      nonlinearity="softplus", rng=3)  # fmt: skip
    file = pdn.write_weights(tmp_path / "net.npz", net)
    with np.load(file, allow_pickle=False) as plain:
        assert plain["recurrent"].shape == (12, 12)
    again = Rate.from_weights(pdn.read_weights(file))
    assert again.to_dataset().identical(net.to_dataset())
    whole = pdn.write_weights(tmp_path / "net.nc", net)
    assert pdn.load(whole).to_dataset().identical(net.to_dataset())
    again = Rate.from_weights(pdn.read_weights(whole))
    assert again.to_dataset().identical(net.to_dataset())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.nc", "net.npz"]


def test_arrays_by_name_go_to_npz_and_one_array_is_values(tmp_path):
    file = pdn.write_weights(tmp_path / "w.npz", {"a": [[1, 2]], "name": "x"})
    found = pdn.read_weights(file)
    assert found["a"].tolist() == [[1, 2]]
    assert found["name"] == "x"
    np.save(tmp_path / "one.npy", np.eye(2))
    assert np.array_equal(pdn.read_weights(tmp_path / "one.npy")["values"], np.eye(2))


@pytest.mark.parametrize(
    ("name", "weights", "words"),
    [
        ("w.npz", {"a": [None]}, "a must be an array of numbers or text, found one of object"),
        ("w.npz", 3, "expected a network or arrays by name, found int"),
        ("w.npz", {"file": 1}, "cannot store an array named 'file'"),
        ("w.pt", {"a": 1}, r"written as .npz, or a network as .nc; found w.pt"),
        ("none/w.npz", {"a": 1}, "the folder .*none does not exist"),
    ],
)
def test_what_cannot_be_written_is_said(tmp_path, name, weights, words):
    with pytest.raises((SourceError, TensorError), match=words):
        pdn.write_weights(tmp_path / name, weights)
    assert not list(tmp_path.iterdir())


def test_a_path_is_asked_for_first(tmp_path):
    net = Rate.random(3)
    with pytest.raises(SourceError, match=r"found Rate: the path comes first, write_weights\(path"):
        pdn.write_weights(net, tmp_path / "w.npz")
    with pytest.raises(
        SourceError, match=r"expected the path of a file to write, found NoneType\.$"
    ):
        pdn.write_weights(None, net)


def test_safetensors_are_read_by_their_published_layout(tmp_path):
    parts = {
        "a": ("F32", [2, 2], np.arange(4, dtype="<f4").tobytes()),
        "b": ("BF16", [2], b"\x80\x3f\x00\xc0"),
        "c": ("I64", [], np.int64(7).tobytes()),
    }
    header, place = {"__metadata__": {"format": "pt"}}, 0
    for name, (kind, shape, raw) in parts.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [place, place + len(raw)]}
        place += len(raw)
    numbers = b"".join(raw for _, _, raw in parts.values())

    def file(header):
        text = json.dumps(header).encode()
        (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + numbers)
        return tmp_path / "w.safetensors"

    found = pdn.read_weights(file(header))
    assert found["a"].tolist() == [[0, 1], [2, 3]]
    assert found["b"].tolist() == [1.0, -2.0]
    assert found["c"] == 7
    for change, words in [
        ({"shape": [3, 2]}, r"a has 16 bytes, expected shape \[3, 2\]"),
        ({"dtype": "F8_E4M3"}, "a is of the kind F8_E4M3"),
        ({"data_offsets": [-4, 12]}, "a has"),
    ]:
        with pytest.raises(SourceError, match=words):
            pdn.read_weights(file(header | {"a": header["a"] | change}))


def test_matlab_files_of_scipy_have_the_shapes_and_names_of_matlab(tmp_path):
    net = Rate.random(6, n_outputs=1, rng=1)
    struct_ = {"W": net.recurrent, "cells": np.array([np.eye(2), "x"], dtype=object)}
    file = tmp_path / "net.mat"
    scipy.io.savemat(file, {
        "recurrent": net.recurrent, "input": net.input, "output": net.output, "bias": net.bias,
        "tau": 0.1, "dt": 0.01, "nonlinearity": "tanh", "net": struct_,
        "sparse": sparse.csc_array(np.diag([1.0, 2.0])),
    })  # fmt: skip
    found = pdn.read_weights(file)
    assert found["bias"].shape == (1, 6)
    assert np.array_equal(found["net.W"], net.recurrent)
    assert np.array_equal(found["net.cells.0"], np.eye(2))
    assert np.array_equal(found["sparse"], np.diag([1.0, 2.0]))
    with pytest.warns(PopdynWarning, match="no such field: net.W, net.cells.0, net.cells.1, spar"):
        again = Rate.from_weights(found)
    assert again.to_dataset().identical(net.to_dataset())


@pytest.mark.skipif(not MATLAB.is_dir(), reason="this scipy comes without its test files")
def test_files_that_matlab_wrote_are_read_alike_in_all_its_versions():
    theta = np.linspace(0, 2 * np.pi, 9)[None]
    names = ["4.2c_SOL2", "6.1_SOL2", "6.5.1_GLNX86", "7.1_GLNX86", "7.4_GLNX86"]
    for name in names:
        found = pdn.read_weights(MATLAB / f"testdouble_{name}.mat")["testdouble"]
        assert found == pytest.approx(np.linspace(0, 2 * np.pi, 9)[None])
        assert found.dtype.isnative
    # HDF5, version 7.3 of the format.
    assert pdn.read_weights(MATLAB / "testhdf5_7.4_GLNX86.mat")["testdouble"] == pytest.approx(
        theta
    )
    nested = pdn.read_weights(MATLAB / "teststructnest_7.4_GLNX86.mat")
    assert nested["teststructnest.two.three"].tolist() == ["number 3"]
    with pytest.raises(SourceError, match="damaged MATLAB file"):
        pdn.read_weights(MATLAB / "corrupted_zlib_data.mat")
    with pytest.raises(SourceError, match="holds no arrays"):
        pdn.read_weights(MATLAB / "testfunc_7.4_GLNX86.mat")


def test_matlab_7_3_structs_cells_text_and_sparse_matrices(tmp_path):
    file = tmp_path / "net.mat"
    with h5py.File(file, "w", userblock_size=512) as root:

        def put(group, name, values, kind):
            group[name] = np.asarray(values).T
            group[name].attrs["MATLAB_class"] = np.bytes_(kind)

        put(root, "W", [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "double")
        put(root, "f", np.array([[ord(letter) for letter in "tanh"]], dtype="u2"), "char")
        put(root, "on", np.array([[1, 0]], dtype="u1"), "logical")
        root["none"] = np.array([0, 3], dtype="u8")
        root["none"].attrs["MATLAB_class"] = np.bytes_("double")
        root["none"].attrs["MATLAB_empty"] = np.uint8(1)
        net = root.create_group("net")
        net.attrs["MATLAB_class"] = np.bytes_("struct")
        put(net, "b", [[7.0]], "double")
        kept = root.create_group("#refs#")
        put(kept, "a", [[8.0, 9.0]], "double")
        root["cell"] = np.array([[kept["a"].ref], [kept["a"].ref]], dtype=h5py.ref_dtype)
        root["cell"].attrs["MATLAB_class"] = np.bytes_("cell")
        thin = root.create_group("thin")
        thin.attrs["MATLAB_class"], thin.attrs["MATLAB_sparse"] = np.bytes_("double"), 3
        thin["data"], thin["ir"], thin["jc"] = [5.0, 6.0], [0, 2], [0, 1, 2]
    with file.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file")
    found = pdn.read_weights(file)
    assert found["W"].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert found["f"].tolist() == ["tanh"]
    assert found["on"].tolist() == [[True, False]]
    assert found["none"].shape == (0, 3)
    assert found["net.b"].tolist() == [[7]]
    assert found["cell.1"].tolist() == [[8, 9]]
    assert found["thin"].tolist() == [[5, 0], [0, 0], [0, 6]]
    assert not [name for name in found if "#" in name]


def test_any_other_hdf5_file_is_read_as_it_is_stored(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as root:
        root["layer/kernel"] = np.arange(6.0).reshape(2, 3)
        root["layer/name"] = "x"
    found = pdn.read_weights(tmp_path / "w.h5")
    assert list(found) == ["layer.kernel"]
    assert found["layer.kernel"].shape == (2, 3)
    x = pdn.make_tensor(np.ones((1, 2, 2)), [0.0, 0.1])
    with pytest.raises(SourceError, match="holds no network but a DataArray: read it with"):
        pdn.read_weights(pdn.save(x, tmp_path / "x.nc"))


def test_what_is_no_file_of_weights_is_said(tmp_path):
    (tmp_path / "words.txt").write_text("hello, these are words")
    with pytest.raises(SourceError, match=r"none of the files of weights known: .npz, .npy"):
        pdn.read_weights(tmp_path / "words.txt")
    with pytest.raises(SourceError, match=r"missing.npz does not exist"):
        pdn.read_weights(tmp_path / "missing.npz")
    with pytest.raises(SourceError, match="is a folder; name a file in it"):
        pdn.read_weights(tmp_path)
    with pytest.raises(SourceError, match="expected the path of a file of weights, found int"):
        pdn.read_weights(3)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as made:
        made.writestr("a.txt", "x")
    with pytest.raises(SourceError, match="a zip archive without weights"):
        pdn.read_weights(tmp_path / "other.zip")
    raw = io.BytesIO()
    np.savez(raw, a=np.arange(1000))
    (tmp_path / "cut.npz").write_bytes(raw.getvalue()[:500])
    with pytest.raises(SourceError, match="cut.npz is cut off or damaged"):
        pdn.read_weights(tmp_path / "cut.npz")
