"""Specs and small saved tensors to compare."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import popdyn as pdn

ROOT = Path(__file__).parents[2]
# For tests of reasons: that compare warns of what it could not compute has a test of its own.
LACKING = pytest.mark.filterwarnings(r"ignore:source '[^']*'. no [a-z_]+. :popdyn.PopdynWarning")
WINDOW, BIN_WIDTH = (0.0, 0.4), 0.1
QUICK = {
    "raster": {},
    "condition_average": {},
    "pca": {"n_splits": 10, "n_draws": 10},
    "relative_distance": {"n_draws": 20},
    "decode": {"n_draws": 20},
}


def tensor(labels, *, n_neurons=12, seed=0, window=WINDOW, bin_width=BIN_WIDTH, **options):
    """Noise in Hz, plus 4 Hz on the first six neurons where the label is "right"."""
    rng = np.random.default_rng(seed)
    n_bins = round((window[1] - window[0]) / bin_width)
    time = window[0] + (np.arange(n_bins) + 0.5) * bin_width
    values = 10 + rng.normal(size=(n_neurons, n_bins, len(labels))).clip(-5, 5)
    values[:6] += 4.0 * (np.asarray(labels, dtype=str) == "right")
    options = {"units": "Hz", "align": "go_time", **options}
    return pdn.make_tensor(values, time, {"choice": labels}, bin_width=bin_width, **options)


@pytest.fixture
def saved(tmp_path):
    """Save a tensor and give the source table that names it."""

    def save(name, labels=("left", "right") * 12, align="go_time", **options):
        pdn.save(tensor(list(labels), **options), tmp_path / f"{name}.nc")
        return {"id": name, "kind": "tensor", "path": f"{tmp_path}/{name}.nc", "align": align}

    return save


@pytest.fixture
def spec_of():
    """Put sources into a whole spec."""

    def make(*sources, analyses=None, **tables):
        return {
            "alignment": {"window": list(WINDOW), "bin_width": BIN_WIDTH},
            "conditions": {"by": "choice"},
            "analyses": {"condition_average": {}} if analyses is None else analyses,
            "source": list(sources),
            **tables,
        }

    return make


@pytest.fixture
def network():
    """A small network that decides, observed through spikes."""
    return {
        "id": "network",
        "kind": "network",
        "align": "stimulus_on_time",
        "network": {"n_neurons": 30, "g": 0.9},
        "task": {"name": "PerceptualDecision", "stimuli": [-0.4, 0.4]},
        "train": {"n_trials": 40, "n_validation": 10, "regularization": 1.0},
        "simulate": {"n_trials": 40},
        "observe": {"n_neurons": 12},
        "roles": {"choice": {"column": "stimulus", "values": {"-0.4": "left", "0.4": "right"}}},
    }
