"""Columns of roles come in seconds, or are refused when they cannot be seconds."""

from __future__ import annotations

import numpy as np
import pytest

import popdyn as pdn
from popdyn.comparison.role_units import in_seconds
from popdyn.comparison.source_spec import Role
from popdyn.errors import TensorError
from popdyn.tensor.roles import assign_roles

MS = np.array([480.0, 560.0, 640.0, 720.0, 1100.0])


def named(values, roles, **attrs):
    """Make a tensor with the column ``ts``, and give it roles in seconds."""
    tensor = pdn.make_tensor(
        np.zeros((1, 2, values.size)), [0.0, 0.1], {"ts": values}, column_attrs={"ts": attrs}
    )
    given = {n: {k: v for k, v in r.model_dump().items() if v} for n, r in roles.items()}
    return in_seconds(assign_roles(tensor, given), roles)


@pytest.mark.parametrize("said", ["role", "file", "both"])
def test_ms_become_the_very_numbers_that_seconds_are(said):
    role = Role(column="ts", units=None if said == "file" else "ms")
    attrs = {} if said == "role" else {"units": "ms"}
    found = named(MS, {"stimulus": role}, **attrs)
    assert found["stimulus"].values.tolist() == [0.48, 0.56, 0.64, 0.72, 1.1]
    assert found["stimulus"].attrs["units"] == "s"
    assert found["ts"].values.tolist() == MS.tolist()
    assert named(1000 * MS, {"stimulus": Role(column="ts", units="us")})["stimulus"][0] == 0.48


def test_other_units_and_words_stay_as_they_are():
    assert named(MS, {"stimulus": Role(column="ts", units="Hz")})["stimulus"][0] == 480
    assert named(MS, {"stimulus": Role(column="ts")})["stimulus"][0] == 480
    words = named(np.array(["l", "r"]), {"choice": Role(column="ts", units="ms")})
    assert words["choice"].values.tolist() == ["l", "r"]


def test_intervals_that_cannot_be_seconds_are_refused():
    words = r"'response' has the column 'ts' in s, which holds 480 to 1100.*units = 'ms'"
    with pytest.raises(TensorError, match=words):
        named(MS, {"response": Role(column="ts", units="s")})
    # An event on the session's clock may be as late as it likes.
    found = named(MS, {"response": Role(column="ts", units="s")}, clock="session")
    assert found["response"][0] == 480


def test_a_spec_that_contradicts_the_file_is_refused():
    words = r"'stimulus' says units = 's', but the file says that its column 'ts' is in ms"
    with pytest.raises(TensorError, match=words):
        named(MS, {"stimulus": Role(column="ts", units="s")}, units="ms")
