import numpy as np
import pytest

import popdyn as pdn
from popdyn.errors import SpecError
from tests.comparison.conftest import LACKING

NETWORK = {
    "id": "network",
    "kind": "network",
    "align": "stimulus_on_time",
    "network": {"n_neurons": 30, "g": 1.0},
    "simulate": {"n_trials": 60, "noise_density": 0.2},
    "task": {"name": "PerceptualDecision", "stimuli": [-0.4, -0.2, 0.2, 0.4]},
}


def spec(**tdr):
    return {
        "seed": 3,
        "alignment": {"window": [-0.1, 0.5], "bin_width": 0.1},
        "conditions": {"by": ["stimulus"]},
        "analyses": {"tdr": {"n_draws": 39, "n_splits": 3, **tdr}},
        "source": [NETWORK],
    }


@pytest.fixture(scope="module")
def tree():
    return pdn.compare(spec(at={"stimulus": [0.2, 0.4]}))


def test_a_comparison_finds_axes_with_a_row_for_strength_and_one_for_halves(tree):
    result = tree["sources/network/tdr"].to_dataset()
    np.testing.assert_allclose(result["window"], [[0.2, 0.4]], atol=1e-9)
    card = tree["comparison/scorecard"].to_dataset()
    row = card.sel(measure="largest strength of stimulus in the population (about 1 by chance)")
    assert float(row["value"].item()) == pytest.approx(float(result["strength"].max()))
    assert float(row["p"].item()) == pytest.approx(0.025)
    row = card.sel(measure="axis of stimulus: cosine between halves of the trials")
    assert float(row["value"].item()) == pytest.approx(float(result["half_split_cosine"].item()))
    assert row["reason"].item() == ""


def test_the_report_has_a_chapter_on_axes(tree, tmp_path):
    text = pdn.report(tree, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Axes of task variables" in text
    assert "Targeted dimensionality reduction (Mante et al. 2013)" in text
    assert "permuted over trials (39 times" in text
    assert "stimulus: largest strength" in text
    assert (tmp_path / "report_files" / "figures" / "task-axes-strength_network.svg").exists()


@LACKING
def test_what_tdr_refuses_is_a_reason_and_an_unknown_column_a_mistake():
    tree = pdn.compare(spec(regressors=["stimulus", "target_choice"]))
    reasons = tree["comparison/scorecard"]["reason"].values.ravel()
    assert any("'target_choice' follows from the sign of 'stimulus'" in one for one in reasons)
    with pytest.raises(pdn.PopdynError, match="odor"):
        pdn.compare(spec(regressors=["odor"]))
    with pytest.raises(SpecError, match="n_components"):
        pdn.compare(spec(n_components="best"))
