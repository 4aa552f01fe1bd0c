"""The summary of a file: text, HTML and a Dataset that say the same."""

import dataclasses
import html

import numpy as np
import pytest

import popdyn as pdn
from tests.io.recordings import HUMAN, SHIPPED, make_file

EVIL = "<script>alert('x')</script>"


def evil_file(tmp_path):
    table = {"start_time": [0.0, 1.0], "stop_time": [0.5, 1.5], "note": [EVIL, "ok & fine"]}
    return make_file(
        tmp_path / "evil.nwb",
        trials=table,
        descriptions={"note": EVIL},
        neurons={"place": [EVIL, EVIL]},
        session_description=EVIL,
        lab=EVIL,
        identifier=EVIL,
        table="img_onerror_table",
    )


def test_everything_from_the_file_is_escaped_in_html(tmp_path):
    summary = pdn.describe_nwb(evil_file(tmp_path))
    page = summary._repr_html_()
    assert "<script" not in page
    assert html.escape(EVIL) in page
    assert "ok &amp; fine" in page
    assert EVIL in str(summary)
    assert (
        dataclasses.replace(summary, file="<b>.nwb", problems=("<i>",))._repr_html_().count("<b>")
        == 0
    )


def test_a_session_from_such_a_file_keeps_its_text_and_a_usable_name(tmp_path):
    session = pdn.read_session(evil_file(tmp_path), "img_onerror_table")
    assert session["note"].values[0] == EVIL
    assert "/" not in session.attrs["source_id"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_text_html_and_dataset_hold_the_same(path):
    summary = pdn.describe_nwb(path)
    page, words, data = summary._repr_html_(), str(summary), summary.to_dataset()
    for table in summary.tables:
        assert f"{table.name}: {table.n_rows} rows" in words
        for column in table.columns:
            assert column.name in words
            assert html.escape(column.values) in page
    for line in summary.problems:
        assert line in words
        assert html.escape(line) in page
    assert data["problem"].values.tolist() == list(summary.problems)
    assert data.sizes["column"] == sum(len(t.columns) for t in summary.tables) + len(
        summary.neurons.columns
    )
    assert int(data["n_spikes"].sum()) == sum(summary.neurons.n_spikes)
    assert (
        max(len(line) for line in words.splitlines() if line.startswith("  ") and "- " not in line)
        < 190
    )


def test_the_dataset_is_saved_and_loaded_unchanged(tmp_path):
    data = pdn.describe_nwb(HUMAN).to_dataset()
    pdn.save(data, tmp_path / "summary.nc")
    assert pdn.load(tmp_path / "summary.nc").identical(data)


def test_the_summary_is_frozen_and_equal_to_itself():
    summary = pdn.describe_nwb(HUMAN)
    assert summary == pdn.describe_nwb(HUMAN)
    with pytest.raises(dataclasses.FrozenInstanceError):
        summary.file = "x"


def test_rates_and_spans_are_right(tmp_path):
    path = make_file(tmp_path / "x.nwb", [np.arange(11) * 0.1, [2.0], []])
    neurons = pdn.describe_nwb(path).neurons
    np.testing.assert_allclose(neurons.rates, [11.0, np.nan, np.nan])
    assert neurons.first_spike[:2] == (0.0, 2.0)
    assert np.isnan(neurons.first_spike[2])
    assert neurons.n_spikes == (11, 1, 0)


def test_the_suggested_call_works(tmp_path, monkeypatch):
    path = make_file(tmp_path / "x.nwb", table="stimuli")
    monkeypatch.chdir(tmp_path)
    suggestion = pdn.describe_nwb(path).suggestion
    assert "trials='stimuli'" in suggestion
    tensor = eval(suggestion, {"pdn": pdn})
    assert tensor.sizes["trial"] == 3
