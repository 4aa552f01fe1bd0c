"""Groups that are rows become columns."""

import h5py

from popdyn.io.tree.gather import gather_columns, natural_order
from popdyn.io.tree.hdf5 import HDF5Node


def test_a_group_is_a_row_and_its_small_data_sets_are_values(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["a/depth"], file["a/kind"], file["a/mixed"] = 3, b"FS", 1.0
        file["b/depth"], file["b/mixed"], file["b/list"] = [4], b"one", [1, 2]
        rows = [HDF5Node(file[name], f"/{name}") for name in "ab"]
        columns, absent = gather_columns(rows, "/t")
    assert columns["depth"].read().tolist() == [3, 4]
    assert columns["kind"].read().tolist() == ["FS", ""]
    assert absent["list"] == "holds several values in 1 of 2 rows"
    assert absent["mixed"] == "is text in 1 row and a number in 1 row"


def test_names_are_sorted_as_people_number_them():
    assert natural_order(["b2", "a10", "a9", "a09", "1"]) == ["1", "a09", "a9", "a10", "b2"]
    assert natural_order(["x" + "9" * 9000, "x1"])[0] == "x1"
