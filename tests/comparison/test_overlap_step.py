"""Do two epochs, or two areas, use the same directions: as a step of a comparison."""

from __future__ import annotations

import json

import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import SpecError
from tests.comparison.conftest import LACKING

ALIGNMENT = "alignment of cue and delay"
OVERLAP = "overlap of cue and delay without noise (1: the same subspace)"
EPOCHS = {"cue": [0.0, 0.5], "delay": [0.5, 1.0]}


def saved(folder, *, same, areas=True, name="a"):
    """Save a tensor whose choice and stimulus turn in the delay, or stay in their directions."""
    rng = np.random.default_rng(5)
    stimulus, choice = np.repeat([-1.0, 0.0, 1.0], 20), np.tile([-1.0, 1.0], 30)
    axes, other = np.linalg.qr(rng.normal(size=(20, 4)))[0].reshape(20, 2, 2).transpose(1, 0, 2)
    task = np.stack([stimulus, choice])[:, None] * np.sin(np.linspace(0.3, 3, 5))[:, None]
    halves = [axes, axes if same else other]
    signal = np.concatenate([np.einsum("nk,ktr->ntr", one, task) for one in halves], axis=1)
    neurons = {"area": ["V1"] * 10 + ["MT"] * 10} if areas else None
    tensor = pdn.make_tensor(
        10 * signal + rng.normal(size=signal.shape),
        np.arange(10) * 0.1 + 0.05,
        {"stimulus": stimulus, "choice": choice},
        neurons,
        units="1",
        align="go_time",
    )
    pdn.save(tensor, folder / f"{name}.nc")
    return {"id": name, "kind": "tensor", "path": str(folder / f"{name}.nc"), "align": "go_time"}


def compared(source, **settings):
    overlap = {"n_components": 2, "n_draws": 99, "n_splits": 5, **settings}
    return pdn.compare(
        {
            "seed": 2,
            "alignment": {"window": [0.0, 1.0], "bin_width": 0.1},
            "conditions": {"by": ["stimulus", "choice"]},
            "analyses": {"subspace_overlap": overlap},
            "source": [source],
        }
    )


def row(tree, words, source="a"):
    return tree["comparison/scorecard"].to_dataset().sel(measure=words, source=source)


def test_epochs_that_share_their_directions_overlap_and_those_that_turn_do_not(tmp_path):
    same = compared(saved(tmp_path, same=True), epochs=EPOCHS)
    assert float(row(same, OVERLAP)["value"]) == pytest.approx(1, abs=0.05)
    turned = compared(saved(tmp_path, same=False), epochs=EPOCHS)
    assert float(row(turned, OVERLAP)["value"]) == pytest.approx(0, abs=0.05)
    low, high = row(turned, ALIGNMENT)["null_value"].values
    assert float(row(turned, ALIGNMENT)["value"]) < low < high
    assert float(row(turned, ALIGNMENT)["p"]) == pytest.approx(2 / 100)


def test_the_step_is_the_function_called_by_hand(tmp_path):
    tree = compared(saved(tmp_path, same=False), epochs=EPOCHS)
    result = tree["sources/a/subspace_overlap"].to_dataset()
    by_hand = pdn.subspace_overlap(
        pdn.load(tmp_path / "a.nc"), epochs=EPOCHS, by=["stimulus", "choice"], n_components=2,
        n_draws=99, n_splits=5, rng=int(result.attrs["seed"]),
    )  # fmt: skip
    for name in by_hand:
        np.testing.assert_array_equal(result[name], by_hand[name])


def test_areas_are_compared_by_their_courses(tmp_path):
    tree = compared(saved(tmp_path, same=True), areas="area")
    result = tree["sources/a/subspace_overlap"].to_dataset()
    assert (result.attrs["first"], result.attrs["second"]) == ("V1", "MT")
    assert json.loads(result.attrs["parameters"])["space"] == "sample"
    words = "overlap of V1 and MT without noise (1: the same subspace)"
    assert float(row(tree, words)["value"]) == pytest.approx(1, abs=0.05)


@LACKING
def test_areas_that_a_source_lacks_are_a_reason(tmp_path):
    card = compared(saved(tmp_path, same=True, areas=False), areas="area")["comparison/scorecard"]
    assert "there is no neuron column 'area'" in "".join(card["reason"].values.ravel())
    tree = compared(saved(tmp_path, same=True), areas="area", between=["V1", "LIP"])
    reasons = "".join(tree["comparison/scorecard"]["reason"].values.ravel())
    assert "expected V1 and LIP among the values of the neuron column 'area', found V1, MT" in (
        reasons
    )


def test_the_report_has_a_chapter_on_overlap(tmp_path):
    tree = compared(saved(tmp_path, same=False), epochs=EPOCHS)
    text = pdn.report(tree, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Overlap of subspaces" in text
    assert "cue and delay (20\u00a0neurons): alignment" in text
    assert "cue (0 to 0.5\u00a0s) and delay (0.5 to 1\u00a0s)" in text
    assert "99 subspaces of the first with signs of the neurons at random" in text
    figures = tmp_path / "report_files" / "figures"
    assert (figures / "subspace-overlap_a.svg").exists()
    areas = compared(saved(tmp_path, same=True), areas="area")
    text = pdn.report(areas, tmp_path / "areas.html").read_text(encoding="utf-8")
    assert "V1 (10\u00a0neurons) and MT (10\u00a0neurons): alignment" in text
    assert "compared by their courses over time and conditions" in text


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "compares two epochs or two areas"),
        ({"epochs": EPOCHS, "areas": "area"}, "one of them"),
        ({"epochs": {"cue": [0.0, 0.5]}}, "epochs should name two, found 1"),
        ({"areas": "area", "between": ["V1"]}, "between should name two, found 1"),
        ({"epochs": EPOCHS, "between": ["V1", "MT"]}, "between names two areas"),
        ({"epochs": {**EPOCHS, "delay": [0.5, 2]}}, "overlap.epochs.delay = .* reaches beyond"),
    ],
    ids=["nothing", "both", "one epoch", "one area", "between epochs", "outside"],
)
def test_a_pair_that_is_none_is_refused_before_anything_is_read(settings, words, tmp_path):
    with pytest.raises(SpecError, match=words):
        compared({"id": "a", "kind": "tensor", "path": __file__, "align": "x"}, **settings)
