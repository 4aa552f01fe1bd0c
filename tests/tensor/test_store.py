import os

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.tensor.session import make_session
from tests.strategies import names, number_columns, text_columns


@given(
    words=text_columns,
    numbers=number_columns,
    note=st.text(max_size=8),
    name=names,
    flags=st.lists(st.booleans(), min_size=4, max_size=4),
)
@settings(max_examples=60, deadline=None)
def test_what_is_loaded_is_what_was_saved(tmp_path_factory, words, numbers, note, name, flags):
    folder = tmp_path_factory.mktemp("store")
    trials = {"words": words, "numbers": numbers, name: flags}
    x = pdn.make_tensor(
        np.array([numbers, numbers]).reshape(2, 1, 4),
        [0.0],
        trials=trials,
        neurons={"word": words[:2]},
        units="1",
        bin_width=0.1,
    )
    x.attrs["note"] = note
    session = make_session([0.1, 0.2], [0, 1, 2], trials=trials, attrs={"note": note})
    for obj in (x, x.astype(np.float32), session):
        before = obj.copy(deep=True)
        back = pdn.load(pdn.save(obj, folder / "x.nc"))
        assert back.identical(obj)
        assert obj.identical(before)
        for coord in obj.coords:
            assert back.coords[coord].dtype.kind == obj.coords[coord].dtype.kind
        assert {k: type(v) for k, v in back.attrs.items()} == {
            k: type(v) for k, v in obj.attrs.items()
        }


def test_trees_keep_their_nodes_and_attributes(tmp_path):
    x = pdn.make_tensor(np.ones((2, 3, 2)), [0.0, 0.1, 0.2], trials={"choice": ["l", "r"]})
    average = pdn.condition_average(x, "choice")
    tree = xr.DataTree.from_dict({"/sources/a/condition_average": average})
    tree.attrs["title"] = ""
    back = pdn.load(pdn.save(tree, tmp_path / "t.nc"))
    assert back.identical(tree)
    assert back["/sources/a/condition_average"].to_dataset().identical(average)


def test_the_same_object_gives_the_same_bytes(tmp_path):
    x = pdn.make_tensor(np.ones((2, 3, 2)), [0.0, 0.1, 0.2], trials={"choice": ["l", "r"]})
    first, second = pdn.save(x, tmp_path / "a.nc"), pdn.save(x, tmp_path / "b.nc")
    assert first.read_bytes() == second.read_bytes()


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    x = pdn.make_tensor(np.ones((2, 2, 2)), [0.0, 0.1])
    path = pdn.save(x, tmp_path / "x.nc")
    old = path.read_bytes()

    def broken(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(xr.DataTree, "to_netcdf", broken)
    with pytest.raises(KeyboardInterrupt):
        pdn.save(x * 2, path)
    assert path.read_bytes() == old
    assert os.listdir(tmp_path) == ["x.nc"]  # noqa: PTH208


def test_loading_says_what_is_wrong(tmp_path):
    with pytest.raises(pdn.SourceError, match="there is no file"):
        pdn.load(tmp_path / "missing.nc")
    (tmp_path / "text.nc").write_text("hello")
    with pytest.raises(pdn.SourceError, match="not a netCDF file"):
        pdn.load(tmp_path / "text.nc")
    xr.Dataset({"a": 1}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(pdn.SourceError, match="not written by popdyn"):
        pdn.load(tmp_path / "other.nc")
    with pytest.raises(pdn.SourceError, match="is a folder; name a file"):
        pdn.load(tmp_path)
    with pytest.raises(pdn.SourceError, match="is a folder; name a file"):
        pdn.save(xr.Dataset(), tmp_path)
    with pytest.raises(pdn.SourceError, match="path of a file, found NoneType"):
        pdn.load(None)
    (tmp_path / "x.nwb").write_text("")
    with pytest.raises(pdn.SourceError, match="popdyn.read_session"):
        pdn.load(tmp_path / "x.nwb")
    with pytest.raises(pdn.SourceError, match="folder .* does not exist"):
        pdn.save(xr.Dataset(), tmp_path / "no" / "x.nc")


def test_what_cannot_be_stored_is_named(tmp_path):
    x = pdn.make_tensor(np.ones((1, 2, 1)), [0.0, 0.1])
    x.attrs["bad"] = [1, 2]
    with pytest.raises(pdn.TensorError, match="attribute 'bad' is a list"):
        pdn.save(x, tmp_path / "x.nc")
    with pytest.raises(pdn.TensorError, match="cannot save a dict"):
        pdn.save({}, tmp_path / "x.nc")


def test_a_file_cannot_name_code_outside_popdyn(tmp_path):
    class Evil:
        def to_dataset(self):
            return xr.Dataset(attrs={"popdyn_class": "tensor.store:os.system"})

    path = pdn.save(Evil(), tmp_path / "x.nc")
    with pytest.raises(pdn.SourceError, match="does not know"):
        pdn.load(path)


def test_a_lazily_loaded_file_is_read_when_it_is_used_and_is_the_same(tmp_path):
    values = np.random.default_rng(0).random((3, 4, 5))
    x = pdn.make_tensor(values, np.arange(4) * 0.1, trials={"side": list("lrlrl")})
    path = pdn.save(x, tmp_path / "x.nc")
    there = pdn.load(path, lazy=True)
    assert not there.variable._in_memory
    assert there.isel(trial=[1]).load().identical(x.isel(trial=[1]))
    assert not there.variable._in_memory
    assert there.load().identical(x)
    session = make_session([0.1, 0.5, 0.2], [0, 2, 3], trials={"start_time": [0.0]})
    lazy = pdn.load(pdn.save(session, tmp_path / "s.nc"), lazy=True)
    assert lazy.load().identical(session)
    tree = xr.DataTree.from_dict({"/a": session})
    assert pdn.load(pdn.save(tree, tmp_path / "t.nc"), lazy=True)["a"]["spike_time"].size == 3
