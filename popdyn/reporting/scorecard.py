"""The scorecard as a table: a row for each measure, a column for each source."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from popdyn.reporting import page
from popdyn.reporting.sources import Source
from popdyn.reporting.wording import (
    NOT_ESTIMATED,
    band,
    counted,
    listed,
    open_band,
    p_value,
    quantity,
    unit_text,
)

Draws = Mapping[tuple[str, str], int | None]
_ALPHA = 0.05


def scorecard_table(scorecard: xr.Dataset, sources: list[Source], n_draws: Draws) -> page.Table:
    """Lay the scorecard out: a row for each measure, a column for each source.

    Parameters
    ----------
    scorecard
        The result ``/comparison/scorecard``.
    sources
        The sources, in order.
    n_draws
        Number of null draws by analysis and source id.

    Returns
    -------
    page.Table
    """
    measures = [str(measure) for measure in scorecard["measure"].values]
    rows = [] if "neurons" in measures else [_sizes_row(scorecard, sources)]
    for measure in measures:
        unit = _coord(scorecard, "unit", measure)
        head = page.Cell(measure, (f"in {unit_text(unit)}",) if unit_text(unit) else ())
        analysis = _coord(scorecard, "analysis", measure)
        cells = (
            _cell(scorecard, measure, source.id, n_draws.get((analysis, source.id)))
            for source in sources
        )
        rows.append((head, *cells))
    return page.Table(
        "Scorecard: value, 95 % interval, central 95 % of the null distribution, p.",
        (page.Header("Measure"), *(source.header for source in sources)),
        tuple(rows),
    )


def has_answer(scorecard: xr.Dataset) -> bool:
    """Tell whether any measure was tested against a null distribution, or is missing."""
    return bool(np.isfinite(scorecard["p"]).any() or not np.isfinite(scorecard["value"]).all())


def answer(scorecard: xr.Dataset, sources: list[Source]) -> page.Items:
    """Say which measures leave their null distribution, sources with the same answer together.

    Parameters
    ----------
    scorecard
        The result ``/comparison/scorecard``.
    sources
        The sources, in order.

    Returns
    -------
    page.Items
    """
    verdicts: dict[str, list[str]] = {}
    for source in sources:
        verdicts.setdefault(_verdict(scorecard, source.id), []).append(source.id)
    return page.Items(
        tuple(f"{listed(names)}: {verdict}." for verdict, names in verdicts.items()),
        label="Which measures differ from their null distribution (p < .05, each tested on its "
        "own)?",
    )


def _verdict(scorecard: xr.Dataset, source: str) -> str:
    """Write the answer for one source."""
    outside: list[str] = []
    inside: list[str] = []
    missing = 0
    for measure in [str(measure) for measure in scorecard["measure"].values]:
        p = _value(scorecard, "p", measure, source)
        if not np.isfinite(_value(scorecard, "value", measure, source)):
            missing += 1
        elif np.isfinite(p):
            (outside if p < _ALPHA else inside).append(measure)
    tested = len(outside) + len(inside)
    # A measure may hold commas: semicolons part them.
    parts = [f"{len(outside)} of {tested} do" if tested else "no measure was tested"]
    parts[0] += f" ({'; '.join(outside)})" if outside else ""
    parts += [f"not: {'; '.join(inside)}"] if inside and outside else []
    parts += [f"{counted(missing, 'measure')} could not be estimated"] if missing else []
    return " – ".join(parts)


def reason(scorecard: xr.Dataset | None, analysis: str, source: str) -> str:
    """Find why an analysis has no number for a source.

    Parameters
    ----------
    scorecard
        The scorecard, or None.
    analysis
        Name of the analysis.
    source
        Id of the source.

    Returns
    -------
    str
        The first reason given for a measure of that analysis, or ``""``.

    Examples
    --------
    >>> reason(None, "pca", "human")
    ''
    """
    if scorecard is not None and "analysis" in scorecard.coords:
        measures = zip(scorecard["measure"].values, scorecard["analysis"].values, strict=True)
        for measure in [str(measure) for measure, name in measures if str(name) == analysis]:
            told = _text(scorecard, "reason", measure, source)
            if told:
                return told
    return ""


def _sizes_row(scorecard: xr.Dataset, sources: list[Source]) -> tuple[page.Cell, ...]:
    """Make the first row: how many neurons and trials the measures rest on."""
    cells = []
    for source in sources:
        known = "n_neurons" in scorecard and source.id in _ids(scorecard)
        neurons = float(scorecard["n_neurons"].sel(source=source.id)) if known else np.nan
        main = counted(int(neurons), "neuron") if np.isfinite(neurons) else "–"
        cells.append(page.Cell(main, _trial_sizes(scorecard, source.id)))
    return (page.Cell("Size", ("trials: smallest condition",)), *cells)


def _trial_sizes(scorecard: xr.Dataset, source: str) -> tuple[str, ...]:
    """Tell the trials of the smallest condition, over all measures."""
    if "n_trials" not in scorecard or source not in _ids(scorecard):
        return ()
    counts = np.asarray(scorecard["n_trials"].sel(source=source).values, dtype=float)
    counts = counts[np.isfinite(counts)]
    if not counts.size:
        return ()
    low, high = int(counts.min()), int(counts.max())
    return (counted(high, "trial") if low == high else f"{low:,} to {high:,}\u00a0trials",)


def _cell(scorecard: xr.Dataset, measure: str, source: str, draws: int | None) -> page.Cell:
    """Write one number of the scorecard, or why there is none."""
    value = _value(scorecard, "value", measure, source)
    reason = _text(scorecard, "reason", measure, source)
    if not np.isfinite(value):
        return page.Cell(reason or NOT_ESTIMATED, quiet=True)
    unit = _coord(scorecard, "unit", measure)
    lower, upper = _band(scorecard, "bound_value", measure, source)
    null = _band(scorecard, "null_value", measure, source)
    spread = next((b - a for a, b in ((lower, upper), null) if np.isfinite(b - a)), None)
    details = []
    if np.isfinite(lower) and not np.isnan(upper):
        details.append(f"95 %: {open_band(lower, upper)}")
    if np.isfinite(null[1] - null[0]):
        details.append(f"null: {band(*null, spread=spread)}")
    p = _value(scorecard, "p", measure, source)
    if np.isfinite(p):
        details.append(p_value(p, draws))
    elif details and not np.isfinite(null[1] - null[0]):
        details.append("no null distribution")
    details += _fewer_trials(scorecard, measure, source)
    return page.Cell(
        quantity(value, unit, spread=spread), (*details, *([reason] if reason else []))
    )


def _fewer_trials(scorecard: xr.Dataset, measure: str, source: str) -> list[str]:
    """Say on how many trials a measure rests, where they are not those of the whole comparison."""
    n = _value(scorecard, "n_trials", measure, source)
    usual = {
        _value(scorecard, "n_trials", str(other), source)
        for other in scorecard["measure"].values
        if _coord(scorecard, "analysis", str(other)) == "summary"
    }
    if not np.isfinite(n) or not usual or n in usual:
        return []
    return [f"{counted(int(n), 'trial')} in the smallest class"]


def _ids(scorecard: xr.Dataset) -> list[str]:
    """List the sources of the scorecard."""
    return [str(source) for source in scorecard["source"].values]


def _coord(scorecard: xr.Dataset, name: str, measure: str) -> str:
    """Read a text that belongs to a measure."""
    return str(scorecard[name].sel(measure=measure).item()) if name in scorecard.coords else ""


def _value(scorecard: xr.Dataset, name: str, measure: str, source: str) -> float:
    """Read a number of the scorecard, NaN when it is not there."""
    if name not in scorecard or source not in _ids(scorecard):
        return np.nan
    return float(scorecard[name].sel(measure=measure, source=source).item())


def _band(scorecard: xr.Dataset, name: str, measure: str, source: str) -> tuple[float, float]:
    """Read an interval of the scorecard, NaN when it is not there."""
    if name not in scorecard or source not in _ids(scorecard):
        return np.nan, np.nan
    found = scorecard[name].sel(measure=measure, source=source)
    return float(found.sel(bound="lower").item()), float(found.sel(bound="upper").item())


def _text(scorecard: xr.Dataset, name: str, measure: str, source: str) -> str:
    """Read a text of the scorecard, empty when it is not there."""
    if name not in scorecard or source not in _ids(scorecard):
        return ""
    return str(scorecard[name].sel(measure=measure, source=source).item())
