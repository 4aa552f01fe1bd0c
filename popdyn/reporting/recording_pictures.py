"""The pictures of a recording's page: drawn from the overview of its session."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn import plot
from popdyn.plot.style import style_axes
from popdyn.reporting import figure
from popdyn.reporting.page import Figure, Header, Panel, Section

_FEWEST_NEURONS = 3  # of fewer a distribution says no more than the table


def session_section(overview: xr.Dataset) -> Section:
    """Draw the session: rates, a stretch of spikes, drift.

    Parameters
    ----------
    overview : Dataset
        Result of ``popdyn.session_overview``.

    Returns
    -------
    Section
    """
    with figure.settings():
        drawn = [_rates(overview), _population(overview), _raster(overview)]
        if overview.sizes["neuron"] >= _FEWEST_NEURONS:
            drawn.append(_distribution(overview))
    return Section("The session", tuple(drawn))


def trial_figure(overview: xr.Dataset, event: str | None) -> Figure | None:
    """Draw the trials: their structure, and rates around their events; None without trials.

    Parameters
    ----------
    overview : Dataset
        Result of ``popdyn.session_overview``.
    event : str, optional
        The one event around which rates are drawn; all of them without.

    Returns
    -------
    Figure or None
    """
    if not overview.sizes["trial"] or not overview.sizes["around"]:
        return None
    one = event if event in {str(name) for name in overview["around"].values} else None
    with figure.settings():
        panels = (_structure(overview), _around(overview, one))
    around = f"around {one}, with its 95 % band over trials" if one else "around each event"
    notes = (
        "Structure: each row is a trial, from its start (line at zero) to its stop (end of gray "
        "bar); arrow heads are events beyond the axis." + _lengths(overview),
        f"Rates: {around}, mean over neurons in bins of 50 ms, from at most 200 trials taken "
        "evenly over the session; an event that neurons follow bends its line at zero.",
    )
    return Figure("The trials.", panels, (), notes)


def _drawn(
    draw: Callable[..., Axes],
    overview: xr.Dataset,
    size: tuple[float, float],
    alt: str,
    name: str = "",
) -> Panel:
    """Draw one picture into a panel."""
    own, ax = figure.new_figure(*size)
    draw(overview, ax=style_axes(ax))
    figure.legend_below(own, ax)
    svg, png = figure.smaller(own)
    return Panel(Header(name), svg, alt, png=png)


def _rates(overview: xr.Dataset) -> Figure:
    n_neurons = overview.sizes["neuron"]
    height = float(np.clip(0.9 + 0.12 * n_neurons, 1.5, 3.2))
    alt = f"Rates of {n_neurons} neurons over the session as an image."
    panel = _drawn(plot.session_overview, overview, (figure.PAGE_WIDTH, height), alt)
    width = f"{overview.attrs['bin_width']:g} s"
    caption = (
        f"Each row is a neuron, the highest mean rate on top, in bins of {width}; gray is not "
        f"observed{_strip(overview)}; colors follow the square root of the rate, up to its 99th "
        "percentile.",
    )
    return Figure("Rates over the session.", (panel,), caption, wide=True)


def _strip(overview: xr.Dataset) -> str:
    if not overview.sizes["trial"]:
        return ""
    name = str(overview.attrs.get("trials") or "trials")
    return ", the strip on top marks the trials" + ("" if name == "trials" else f" of {name}")


def _population(overview: xr.Dataset) -> Figure:
    panel = _drawn(
        plot.population_rate, overview, (figure.PAGE_WIDTH, 1.9), "Mean rate over the session."
    )
    counted = overview["n_observed"].values
    told = " (dashed: how many)" if np.ptp(counted) else ""
    caption = (f"Spikes in each bin by the time its neurons were observed{told}.",)
    return Figure("Mean rate over the session.", (panel,), caption, wide=True)


def _raster(overview: xr.Dataset) -> Figure:
    n_rows, n_spikes = overview.sizes["row"], overview.sizes["spike"]
    height = float(np.clip(1.0 + 0.1 * n_rows, 1.6, 4.0))
    alt = f"Raster of {n_spikes} spikes of {n_rows} neurons."
    panel = _drawn(plot.session_raster, overview, (figure.PAGE_WIDTH, height), alt)
    which = "All neurons" if n_rows == overview.sizes["neuron"] else f"{n_rows} of the neurons"
    trials = "gray spans are trials, lines their events; " if overview.sizes["trial"] else ""
    caption = (
        f"{which} from {overview.attrs['raster_start']:.1f} to "
        f"{overview.attrs['raster_stop']:.1f} s, a stretch with nearly all neurons observed and "
        f"of usual length; {trials}a tick is a spike.",
    )
    return Figure("Spikes.", (panel,), caption, wide=True)


def _distribution(overview: xr.Dataset) -> Figure:
    alt = "Mean rates of the neurons, sorted, with their drift."
    panel = _drawn(plot.rate_distribution, overview, (figure.WIDTH, figure.HEIGHT), alt)
    caption = (
        "A dot is the mean of a neuron; a line leads from the rate in the first third of the time "
        "it was observed to that in the last (triangle), orange where so large a change "
        "is rare (p < .01) among random orders of its blocks.",
    )
    return Figure("Rates and their drift.", (panel,), caption)


def _structure(overview: xr.Dataset) -> Panel:
    alt = f"Events of {overview.sizes['trial']} trials after the start."
    return _drawn(plot.trial_structure, overview, (figure.WIDTH, 3.1), alt, "Structure")


def _lengths(overview: xr.Dataset) -> str:
    """Say how long trials last and what lies between them."""
    told = []
    for name, words in (("duration", "Trials last"), ("gap", "gaps between them")):
        values = overview[name].values
        values = values[np.isfinite(values)]
        if values.size:
            told.append(f"{words} {_range(values)}")
    return f" {'; '.join(told)}." if told else " The trials have no stop."


def _range(values: np.ndarray) -> str:
    low, middle, high = values.min(), np.median(values), values.max()
    if high - low < 1e-6:
        return f"{abs(middle):.3g} s"
    return f"{low:.4g} to {high:.4g} s (median {middle:.3g} s)"


def _around(overview: xr.Dataset, event: str | None) -> Panel:
    def draw(result: xr.Dataset, *, ax: Axes) -> Axes:
        return plot.event_rate(result, ax=ax, event=event)

    alt = "Mean rate around the events of the trials."
    return _drawn(draw, overview, (figure.WIDTH, 3.1), alt, "Rates around events")
