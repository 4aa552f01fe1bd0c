"""One table of a comparison: a row per measure, a column per source, each with its doubt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from popdyn.comparison.measures import NO_BAND, Cell, Measure, Results, attribute_of, smallest
from popdyn.comparison.state_measures import state_measures
from popdyn.resample import BOUND, percentile_bounds, upper_p_value
from popdyn.tensor.result import make_result


def scorecard(
    results: Mapping[str, Results],
    reasons: Mapping[tuple[str, str], str],
    analyses: Sequence[str],
) -> xr.Dataset:
    """Set the measures of all sources side by side.

    Parameters
    ----------
    results : mapping
        Source id -> analysis -> result; every source has its "summary".
    reasons : mapping
        (source id, analysis) -> why there is no result.
    analyses : sequence of str
        The analyses that were asked for: only these make rows.

    Returns
    -------
    Dataset
        ``value``, ``p``, ``n_trials`` (of the smallest condition) and ``reason``, each
        ``(measure, source)``; ``bound_value`` and ``null_value (bound, measure, source)``;
        ``n_neurons (source)``; ``unit`` and ``analysis`` of each measure.

    Notes
    -----
    The largest decoding accuracy over time has a null (the largest over time of each
    shuffle) but no interval: the bin was chosen by the data.  Measures are never compared
    between sources here: two intervals side by side say more than an untested difference.
    """
    measures = list(_measures(results, analyses))
    ids = list(results)
    cells = [
        [_cell(m, results[i], reasons.get((i, m.analysis), "")) for i in ids] for m in measures
    ]
    table = np.array(cells, dtype=object).reshape(len(measures), len(ids), 2)
    both = ("measure", "source")
    bounds = ("bound", *both)

    def gathered(name: str) -> Any:
        rows = [[getattr(cell, name) for cell, _ in row] for row in table]
        array = np.array(rows)
        return np.moveaxis(array, -1, 0) if array.ndim == 3 else array

    summaries = [results[i]["summary"] for i in ids]
    return make_result(
        {
            "value": (both, gathered("value")),
            "bound_value": (bounds, gathered("bound")),
            "null_value": (bounds, gathered("null")),
            "p": (both, gathered("p")),
            "n_trials": (both, gathered("n_trials")),
            "n_neurons": ("source", [int(summary["n_neurons"]) for summary in summaries]),
            "reason": (both, np.array([[why for _, why in row] for row in table], dtype=np.str_)),
        },
        coords={
            "measure": np.array([m.words for m in measures], dtype=np.str_),
            "source": np.array(ids, dtype=np.str_),
            "bound": BOUND,
            "unit": ("measure", np.array([m.unit for m in measures], dtype=np.str_)),
            "analysis": ("measure", np.array([m.analysis for m in measures], dtype=np.str_)),
        },
        method="scorecard",
        parameters={"analyses": list(analyses)},
    )


def scorecard_text(card: xr.Dataset) -> str:
    """Write a scorecard as plain text, for a terminal.

    Parameters
    ----------
    card : Dataset
        From `scorecard`.

    Returns
    -------
    str
        A line per measure and source: value, 95 % interval, 95 % of the null, p, or the
        reason why there is no number.
    """
    lines = []
    for measure in card["measure"].values:
        row = card.sel(measure=measure)
        unit = "" if row["unit"].item() == "1" else f" ({row['unit'].item()})"
        lines.append(f"{measure}{unit}")
        for name in row["source"].values:
            lines.append(f"    {name}: {_cell_text(row.sel(source=name))}")
    return "\n".join(lines)


def _cell_text(cell: xr.Dataset) -> str:
    reason = str(cell["reason"].item())
    if reason and not np.isfinite(cell["value"].item()):
        return reason
    words = f"{cell['value'].item():.4g}" + (f", {reason}" if reason else "")
    for name, told in (("bound_value", "95 %"), ("null_value", "null")):
        low, high = cell[name].values
        words += f", {told} {low:.3g} {_end(high)}" if np.isfinite(low) else ""
    p = cell["p"].item()
    return words + (f", p = {p:.3g}" if np.isfinite(p) else "")


def _end(high: float) -> str:
    """Write the end of a band, which may have none."""
    return f"to {high:.3g}" if np.isfinite(high) else "or more"


def _cell(measure: Measure, results: Results, reason: str) -> tuple[Cell, str]:
    n_trials = int(results["summary"]["n_trials_condition"].min())
    if measure.analysis not in results:
        return Cell(n_trials=n_trials), reason or "not computed"
    unit = results["summary"]["mean_rate"].attrs["units"]
    if measure.words == "mean rate" and unit != measure.unit:
        return Cell(
            n_trials=n_trials
        ), f"rates without a unit are not comparable with {measure.unit}"
    cell = measure.read(results[measure.analysis], results)
    return cell, cell.reason


def _measures(results: Mapping[str, Results], analyses: Sequence[str]) -> Iterable[Measure]:
    """List the rows that the analyses asked for make possible."""
    summaries = [own["summary"] for own in results.values()]
    units = [str(summary["mean_rate"].attrs["units"]) for summary in summaries]
    yield Measure("neurons", "1", "summary", _neurons)
    yield Measure("trials in the smallest condition", "1", "summary", _trials)
    yield Measure("mean rate", "Hz" if "Hz" in units else "1", "summary", _mean_rate)
    if "pca" in analyses:
        yield Measure("participation ratio", "1", "pca", _participation)
        yield Measure(_variance_words(results), "1", "pca", _variance)
    if "relative_distance" in analyses:
        yield from _distances(results)
    if "decode" in analyses:
        label = attribute_of(results, "decode", "label", "the label")
        yield Measure(f"decoding accuracy of {label}, mean", "1", "decode", _mean_accuracy)
        yield Measure(f"decoding accuracy of {label}, largest", "1", "decode", _peak_accuracy)
    yield from state_measures(results, analyses)


def _neurons(summary: xr.Dataset, results: Results) -> Cell:  # noqa: ARG001
    return Cell(float(summary["n_neurons"]), n_trials=smallest(summary))


def _trials(summary: xr.Dataset, results: Results) -> Cell:  # noqa: ARG001
    return Cell(smallest(summary), n_trials=smallest(summary))


def _mean_rate(summary: xr.Dataset, results: Results) -> Cell:  # noqa: ARG001
    bound = summary["mean_rate_bound"].values
    return Cell(float(summary["mean_rate"]), bound, n_trials=smallest(summary))


def _participation(pca: xr.Dataset, results: Results) -> Cell:
    bound = pca["participation_ratio_bound"].values
    return Cell(float(pca["participation_ratio"]), bound, n_trials=smallest(results["summary"]))


def _variance_words(results: Mapping[str, Results]) -> str:
    sizes = [own["pca"].sizes["component"] for own in results.values() if "pca" in own]
    n = min(sizes) if sizes else 0
    return f"variance in {n} components, cross-validated" if n else "variance, cross-validated"


def _variance(pca: xr.Dataset, results: Results) -> Cell:
    value = float(pca["cumulative_cross_validated_ratio"][-1])
    null = pca["null_cumulative_ratio"].isel(component=-1).values
    bound = pca["cumulative_cross_validated_ratio_bound"].isel(component=-1).values
    p = float(upper_p_value(value, null))
    return Cell(value, bound, percentile_bounds(null), p, smallest(results["summary"]))


def _distances(results: Mapping[str, Results]) -> Iterable[Measure]:
    """Make a row for every condition but the reference: an average of them has no interval."""
    reference = attribute_of(results, "relative_distance", "reference", "")
    labels = [
        str(label) for own in results.values() for label in own["summary"]["condition"].values
    ]
    labels = list(dict.fromkeys(labels))
    found = [own["relative_distance"] for own in results.values() if "relative_distance" in own]
    unit = str(found[0]["mean_squared_distance"].attrs.get("units", "")) if found else ""
    unit = unit or (
        "Hz^2" if attribute_of(results, "relative_distance", "units", "Hz") == "Hz" else "1"
    )
    for label in labels:
        # Per neuron, so that the neurons leave the unit too.
        unit = unit.removesuffix("*neurons")
        if label != (reference or labels[0]):
            words = f"squared distance per neuron, {label} from {reference or labels[0]}"
            yield Measure(words, unit, "relative_distance", _distance_reader(label))


def _distance_reader(label: str) -> Callable[[xr.Dataset, Results], Cell]:
    def read(distance: xr.Dataset, results: Results) -> Cell:
        own = distance.sel(condition=label)
        n_neurons = int(results["summary"]["n_neurons"])
        null = own["null_mean_squared_distance"].values / n_neurons
        return Cell(
            float(own["mean_squared_distance"]) / n_neurons,
            own["mean_squared_distance_bound"].values / n_neurons,
            percentile_bounds(null),
            float(own["p"]),
            smallest(results["summary"]),
        )

    return read


def _mean_accuracy(decoding: xr.Dataset, results: Results) -> Cell:  # noqa: ARG001
    null = percentile_bounds(decoding["null_mean_accuracy"].values)
    bound = decoding["mean_accuracy_bound"].values
    n_trials = int(decoding["n_trials"].min())
    value, p = float(decoding["mean_accuracy"]), float(decoding["mean_p"])
    return Cell(value, bound, null, p, n_trials)


def _peak_accuracy(decoding: xr.Dataset, results: Results) -> Cell:  # noqa: ARG001
    accuracy = decoding["accuracy"].values
    largest = decoding["null_accuracy"].max("time").values
    at = int(np.nanargmax(accuracy))
    p = float(decoding["p_corrected"][at])
    n_trials = int(decoding["n_trials"].min())
    return Cell(float(accuracy[at]), NO_BAND, percentile_bounds(largest), p, n_trials)
