"""Decoding averaged over sources that are sessions, as part of a comparison."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.errors import SpecError
from tests.comparison.conftest import LACKING, tensor

DECODE = {"n_draws": 20, "n_folds": 3}


def session(folder, name, *, n_trials=12, n_neurons=6):
    made = tensor(["left", "right"] * n_trials, window=(0.0, 0.5), n_neurons=n_neurons)
    made.coords["rt"] = ("trial", np.linspace(0.2, 0.8, made.sizes["trial"]), {"units": "s"})
    made[:3] += 20 * made.coords["rt"]
    made += np.random.default_rng(len(name)).normal(size=made.shape)
    pdn.save(made, folder / f"{name}.nc")
    return {"id": name, "kind": "tensor", "path": str(folder / f"{name}.nc"), "align": "go_time"}


def compared(sources, pooling, **analyses):
    return pdn.compare(
        {
            "seed": 2,
            "alignment": {"window": [0.0, 0.5], "bin_width": 0.1},
            "conditions": {"by": ["choice"]},
            "analyses": analyses or {"decode": DECODE},
            "comparison": {"pool_decoding": pooling},
            "source": sources,
        }
    )


@pytest.fixture
def days(tmp_path):
    return [session(tmp_path, "day" + "s" * n) for n in range(3)]


def test_recordings_are_pooled_as_by_hand(days):
    tree = compared(days, {})
    pooled = tree["comparison/pool_decoding/recordings"].to_dataset()
    own = {one["id"]: tree[f"sources/{one['id']}/decode"].to_dataset() for one in days}
    by_hand = pdn.pool_decoding(own, rng=int(pooled.attrs["seed"]))
    xr.testing.assert_equal(pooled, by_hand)
    each = [one["accuracy"].values for one in own.values()]
    np.testing.assert_allclose(pooled["accuracy"], np.mean(each, axis=0))
    assert pdn.show(pooled).get_ylabel().startswith("balanced accuracy")


def test_groups_that_are_named_are_pooled_apart(days):
    tree = compared(
        days, {"sessions": {"first two": ["day", "days"], "last two": ["days", "dayss"]}}
    )
    found = tree["comparison/pool_decoding"].children
    assert list(found) == ["first two", "last two"]
    assert found["last two"]["session"].values.tolist() == ["days", "dayss"]


def test_a_number_is_pooled_too_and_the_report_shows_it(days, tmp_path):
    quantity = {"label": "rt", "n_draws": 20}
    tree = compared(days, {"analysis": "decode_quantity"}, decode_quantity=quantity)
    assert tree["comparison/pool_decoding/recordings"].attrs["method"] == "decode_quantity"
    text = pdn.report(tree, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Sessions together" in text
    assert "label rt, 3\u00a0sessions (day, days and dayss); mean R² 0." in text
    assert "20 draws that average one shuffle of every session" in text
    files = tmp_path / "report_files"
    assert (files / "figures" / "pooled-decoding_recordings.svg").exists()
    assert (files / "tables" / "pooled-decoding_recordings_session-time.csv").exists()


@LACKING
def test_a_session_without_a_result_is_left_out_and_said(days, tmp_path):
    few = session(tmp_path, "short", n_trials=2)
    pooled = compared([*days, few], {})["comparison/pool_decoding/recordings"]
    assert pooled.sizes["session"] == 3
    assert pooled.attrs["left_out"] == "short"
    tree = compared([days[0], few], {})
    node = tree["comparison/pool_decoding/recordings"]
    reason = "an average over sessions needs two of them, only 'day' has a result"
    assert node.attrs["reason"] == reason
    assert not node.data_vars
    text = pdn.report(tree, tmp_path / "report.html").read_text(encoding="utf-8")
    assert reason.replace("'", "&#39;") in text


def test_without_the_table_nothing_is_pooled(days):
    spec = {
        "alignment": {"window": [0.0, 0.5], "bin_width": 0.1},
        "conditions": {"by": ["choice"]},
        "analyses": {"decode": DECODE},
        "source": days,
    }
    assert list(pdn.compare(spec)["comparison"].children) == ["scorecard"]


@pytest.mark.parametrize(
    ("pooling", "words"),
    [
        ({"sessions": {"all": ["day", "dais"]}}, "no source 'dais'; did you mean 'days'"),
        ({"sessions": {"all": ["day"]}}, "sessions.all should name two or more sources"),
        ({"sessions": {"all": ["day", "day"]}}, "sessions.all should name two or more sources"),
        ({"analysis": "decode_quantity"}, "averages decode_quantity: ask for it in"),
        ({"sesions": {}}, "did you mean 'sessions'"),
        ({"sessions": {"a/b": ["day", "days"]}}, "letters, digits"),
    ],
    ids=["unknown", "one", "twice", "not asked", "misspelled", "slash"],
)
def test_what_cannot_be_pooled_is_refused_at_once(days, pooling, words):
    with pytest.raises(SpecError, match=words):
        compared(days, pooling)


def test_a_single_recording_is_no_group(days):
    with pytest.raises(SpecError, match="needs two recordings or two networks"):
        compared(days[:1], {})
