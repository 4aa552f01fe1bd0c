"""A comparison without a computation: every variable a real tree holds, with planted numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

BIN_WIDTH = 0.05
WINDOW = (-0.5, 1.0)
BOUNDS = ["lower", "upper"]
ANALYSES = ("raster", "condition_average", "pca", "relative_distance", "decode")
MEASURES = {
    "mean accuracy of decoding stimCategory": ("1", "decode"),
    "mean squared distance between conditions": ("Hz^2", "relative_distance"),
    "held-out variance in 3 components": ("1", "pca"),
    "participation ratio": ("1", "pca"),
}


def _time():
    n_bins = round((WINDOW[1] - WINDOW[0]) / BIN_WIDTH)
    return WINDOW[0] + (np.arange(n_bins) + 0.5) * BIN_WIDTH


def _attrs(method, parameters, **more):
    return {
        "method": method,
        "parameters": json.dumps(parameters),
        "popdyn_version": "0.1.0",
        "input_digest": "0123456789abcdef",
        "units": "Hz",
        "align": "boundary1_time",
        "bin_width": BIN_WIDTH,
        "seed": "7",
        **more,
    }


def raster(rng, labels, neuron="neuron-3"):
    n_trials = 12 * len(labels)
    n_spikes = rng.poisson(8, n_trials)
    return xr.Dataset(
        {
            "spike_time": ("spike", rng.uniform(*WINDOW, n_spikes.sum())),
            "spike_trial": ("spike", np.repeat(np.arange(n_trials), n_spikes)),
            "condition": ("trial", np.repeat(labels, 12)),
        },
        coords={
            "trial": [f"t{index}" for index in range(n_trials)],
        },
        attrs=_attrs(
            "raster",
            {"event": "boundary1_time", "by": "stimCategory"},
            neuron=neuron,
            window_start=WINDOW[0],
            window_stop=WINDOW[1],
        ),
    )


def condition_average(rng, labels, neurons=("neuron-1", "neuron-3")):
    shape = (len(neurons), _time().size, len(labels))
    dims = ("neuron", "time", "condition")
    n_trials = np.full(shape, 12)
    n_trials[:, -6:] = 4
    return xr.Dataset(
        {
            "rate": (dims, 5 + rng.normal(size=shape).cumsum(axis=1)),
            "standard_error": (dims, 0.3 + 0.2 * rng.random(shape)),
            "n_trials": (dims, n_trials),
        },
        coords={
            "neuron": list(neurons),
            "time": _time(),
            "condition": labels,
            "stimCategory": ("condition", labels),
        },
        attrs=_attrs(
            "condition_average",
            {"by": ["stimCategory"], "min_trials": 2},
            variable="rate",
            by='["stimCategory"]',
            neuron=neurons[-1],
            popdyn='[{"step": "smooth", "parameters": {"sigma": 0.04}}]',
        ),
    )


def pca(rng, labels, n_neurons=12, n_components=3, n_draws=20):
    component = np.arange(1, n_components + 1)
    ratio = 0.5 ** (component - 1) * 0.5
    trajectory = rng.normal(size=(n_components, _time().size, len(labels))).cumsum(axis=1)
    cumulative = np.cumsum(0.9 * ratio)
    loading = np.linalg.qr(rng.normal(size=(n_neurons, n_components)))[0]
    over = ("component", "time", "condition")
    return xr.Dataset(
        {
            "loading": (("neuron", "component"), loading),
            "mean": ("neuron", rng.random(n_neurons)),
            "explained_variance_ratio": ("component", ratio),
            "cross_validated_ratio": ("component", 0.9 * ratio),
            "cross_validated_ratio_bound": (("bound", "component"), [0.8 * ratio, ratio]),
            "cumulative_cross_validated_ratio": ("component", cumulative),
            "cumulative_cross_validated_ratio_bound": (
                ("bound", "component"),
                [cumulative - 0.05, cumulative + 0.05],
            ),
            "null_cumulative_ratio": (
                ("draw", "component"),
                0.1 * component + 0.02 * rng.random((n_draws, n_components)),
            ),
            "signal_variance": ("component", ratio),
            "participation_ratio": ((), 2.34),
            "participation_ratio_bound": ("bound", [1.9, 2.8]),
            "trajectory": (over, trajectory),
            "trajectory_bound": (("bound", *over), [trajectory - 0.4, trajectory + 0.4]),
            "n_trials": ("condition", [12] * len(labels)),
        },
        coords={
            "neuron": [f"neuron-{index}" for index in range(n_neurons)],
            "component": component,
            "time": _time(),
            "condition": labels,
            "bound": BOUNDS,
        },
        attrs=_attrs("pca", {"n_components": n_components, "n_splits": 100, "n_draws": n_draws}),
    )


def relative_distance(rng, labels, n_draws=99):
    over = ("time", "condition")
    time = _time()[:, np.newaxis]
    squared = 6.0 * np.arange(len(labels)) * (time > 0) + rng.normal(size=(time.size, len(labels)))
    squared[:, 0] = 0.0
    naive = np.sqrt(np.abs(squared) + 1.0)
    naive[:, 0] = 0.0
    mean = squared.mean(axis=0)
    return xr.Dataset(
        {
            "distance": (over, naive, {"units": "Hz"}),
            "corrected_distance": (over, np.sqrt(np.maximum(squared, 0.0))),
            "distance_bound": (
                ("bound", *over),
                np.sqrt(np.maximum([squared - 1.5, squared + 1.5], 0.0)),
            ),
            "squared_distance": (over, squared, {"units": "Hz^2"}),
            "squared_distance_bound": (("bound", *over), [squared - 1.5, squared + 1.5]),
            "mean_distance": ("condition", naive.mean(axis=0), {"units": "Hz"}),
            "mean_squared_distance": ("condition", mean, {"units": "Hz^2"}),
            "mean_squared_distance_bound": (("bound", "condition"), [mean - 0.5, mean + 0.5]),
            "null_mean_squared_distance": (
                ("null_draw", "condition"),
                rng.normal(size=(n_draws, len(labels))),
            ),
            "draw_mean_squared_distance": (
                ("draw", "condition"),
                mean + rng.normal(size=(80, len(labels))),
            ),
            "p": ("condition", [np.nan, *[1 / (n_draws + 1)] * (len(labels) - 1)]),
        },
        coords={"time": _time(), "condition": labels, "bound": BOUNDS},
        attrs=_attrs(
            "relative_distance",
            {"by": "stimCategory", "method": "euclidean", "n_draws": 80, "n_shuffles": n_draws},
            reference=labels[0],
        ),
    )


def decode(rng, labels, n_draws=200):
    accuracy = 0.35 + 0.3 * (_time() > 0) + 0.03 * rng.normal(size=_time().size)
    null = 1 / 3 + 0.05 * rng.normal(size=(n_draws, _time().size))
    return xr.Dataset(
        {
            "accuracy": ("time", accuracy),
            "accuracy_bound": (("bound", "time"), [accuracy - 0.08, accuracy + 0.08]),
            "null_accuracy": (("draw", "time"), null),
            "p": ("time", np.where(_time() > 0, 1 / (n_draws + 1), 0.4)),
            "p_corrected": ("time", np.where(_time() > 0, 0.01, 0.9)),
            "mean_accuracy": ((), accuracy.mean()),
            "mean_accuracy_bound": ("bound", [accuracy.mean() - 0.05, accuracy.mean() + 0.05]),
            "null_mean_accuracy": ("draw", null.mean(axis=1)),
            "mean_p": ((), 1 / (n_draws + 1)),
            "chance": ((), 1 / len(labels)),
            "n_trials": ("condition", [12] * len(labels)),
        },
        coords={"time": _time(), "condition": labels, "bound": BOUNDS},
        attrs=_attrs(
            "decode",
            {"n_folds": 5, "n_draws": n_draws, "regularization": 1.0},
            label="stimCategory",
        ),
    )


MAKERS = {
    "raster": raster,
    "condition_average": condition_average,
    "pca": pca,
    "relative_distance": relative_distance,
    "decode": decode,
}


def summary(source_id, **attrs):
    return xr.Dataset(
        {
            "n_neurons": ((), 12),
            "n_trials": ((), 28),
            "n_source": ((), 200),
            "n_unselected": ((), 10),
            "n_dropped": ((), 2),
            "n_unmatched": ((), 160),
        },
        attrs={
            "source_id": source_id,
            "kind": "recording",
            "path": "file.nwb",
            "digest": "0123456789abcdef",
            "align": "boundary1_time",
            "problems": json.dumps(["no trials table: 3 interval tables were found"]),
            "text_summary": "units  35 neurons\n  trials 90",
            **attrs,
        },
    )


def scorecard(ids, missing=()):
    measures, units = list(MEASURES), [unit for unit, _ in MEASURES.values()]
    shape = (len(measures), len(ids))
    value = np.tile(np.array([0.62, 4.31, 0.78, 2.34])[:, np.newaxis], (1, len(ids)))
    width = np.tile(np.array([0.05, 0.5, 0.05, 0.4])[:, np.newaxis], (1, len(ids)))
    null = np.tile(np.array([0.33, 0.0, 0.3, np.nan])[:, np.newaxis], (1, len(ids)))
    p = np.tile(np.array([1 / 201, 0.01, 1 / 21, np.nan])[:, np.newaxis], (1, len(ids)))
    reason = np.full(shape, "", dtype="<U80")
    for measure, source, why in missing:
        at = measures.index(measure), ids.index(source)
        value[at] = width[at] = null[at] = p[at] = np.nan
        reason[at] = why
    over = ("measure", "source")
    return xr.Dataset(
        {
            "value": (over, value),
            "bound_value": (("bound", *over), [value - width, value + width]),
            "null_value": (("bound", *over), [null - width, null + width]),
            "p": (over, p),
            "n_neurons": ("source", [12] * len(ids)),
            "n_trials": (over, np.full(shape, 12)),
            "reason": (over, reason),
        },
        coords={
            "measure": measures,
            "source": list(ids),
            "bound": BOUNDS,
            "unit": ("measure", units),
            "analysis": ("measure", [analysis for _, analysis in MEASURES.values()]),
        },
        attrs={"method": "scorecard", "parameters": "{}"},
    )


def make_tree(
    ids=("human", "network"),
    *,
    labels=("0", "1", "2"),
    analyses=ANALYSES,
    without=(),
    missing=(),
    rng=0,
    **attrs,
):
    """A comparison; ``without`` holds (source, analysis), ``missing`` scorecard gaps."""
    generator, nodes = np.random.default_rng(rng), {}
    for position, source in enumerate(ids):
        branch = f"/sources/source_{position}"
        nodes[f"{branch}/summary"] = summary(source)
        for analysis in analyses:
            if (source, analysis) not in without:
                nodes[f"{branch}/{analysis}"] = MAKERS[analysis](generator, list(labels))
    nodes["/comparison/scorecard"] = scorecard(list(ids), missing)
    tree = xr.DataTree.from_dict(nodes)
    tree.attrs = {
        "title": "Boundaries in human memory, beside a network",
        "note": "Only the structure of conditions is shared.",
        "spec": 'title = "Boundaries"\nseed = 7\n',
        "seed": 7,
        "popdyn_version": "0.1.0",
        "versions": json.dumps({"numpy": "2.4.0"}),
        "input_digests": json.dumps(dict.fromkeys(ids, "0123456789abcdef")),
        "input_files": json.dumps({f"{ids[0]}: file.nwb": "ab" * 32}),
        **attrs,
    }
    return tree


@pytest.fixture
def tree():
    return make_tree()
