"""Tables made while reading answer like those of a file."""

import numpy as np
import pytest

from popdyn.io.tree.made_node import MadeData, MadeGroup


def test_a_made_group_is_a_node_like_any_other():
    data = MadeData("/g/x", [1.5], {"unit": "s"})
    root = MadeGroup("/", {"g": MadeGroup("/g", {"x": data}, {}, {"y": "is damaged"})})
    group = root.absolute("/g")
    assert group.names == ["x", "y"]
    assert root.absolute("/g/x") is data
    assert root.absolute("/g/z") is None
    assert group.child("y") is None
    assert group.why_absent("y") == "is damaged"
    assert (data.name, data.shape, data.dtype, data.holds) == ("x", (1,), np.float64, "numbers")
    assert (group.shape, group.dtype, group.holds) == ((), None, "other")
    assert data.attribute("unit") == "s"
    with pytest.raises(ValueError, match="/g is a group"):
        group.read()
