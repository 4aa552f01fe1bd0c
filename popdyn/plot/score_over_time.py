"""What pictures of decoding share: a score over time, its interval, its null, where it beats it."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.plot.style import (
    BAND_ALPHA,
    GUIDE_COLOR,
    LINE_WIDTH,
    NULL_COLOR,
    event_line,
    plain,
    time_label,
    window_limits,
)

_LEVEL = 0.05
_COLOR = "#0072B2"
_SESSION_ALPHA = 0.5


def draw_score(
    result: xr.Dataset,
    score: str,
    ax: Axes,
    color: str | None,
    *,
    guide: tuple[float, str],
    tested: tuple[str, str],
) -> None:
    """Draw a score, its interval, the null of shuffled labels, and a bar over significant bins.

    Parameters
    ----------
    result : Dataset
        With the score and, beside it, ``<score>_bound`` and ``null_<score>``; of sessions that
        were pooled also ``session_<score>``, drawn as thin lines.
    score : str
        Variable over time.
    ax : Axes
        Axes to draw on.
    color : str or None
        Color of the score.
    guide : tuple of float and str
        What a guess scores, and its name in the legend.
    tested : tuple of str and str
        Variable of p values over time, and how they are corrected, for the legend.
    """
    color = color or _COLOR
    time = result["time"].values
    null = np.quantile(result[f"null_{score}"].values, [0.025, 0.975], axis=0)
    ax.fill_between(time, *null, color=NULL_COLOR, alpha=0.6, linewidth=0, label="shuffled labels")
    lower, upper = result[f"{score}_bound"].values
    ax.fill_between(time, lower, upper, color=color, alpha=BAND_ALPHA, linewidth=0)
    for number, session in enumerate(result.get(f"session_{score}", ())):
        ax.plot(
            time,
            session,
            color=color,
            linewidth=0.6,
            alpha=_SESSION_ALPHA,
            label=None if number else "sessions",
        )
    ax.plot(
        time,
        result[score].values,
        color=color,
        linewidth=LINE_WIDTH,
        marker="o" if time.size == 1 else None,
        label=plain(f"{result.attrs.get('label', 'label')}"),
    )
    ax.axhline(guide[0], color=GUIDE_COLOR, linewidth=0.8, linestyle="--", label=guide[1])
    event_line(ax)
    p, corrected = tested
    significant = result[p].values < _LEVEL
    if significant.any():
        half = float(result.attrs.get("bin_width", 0.0)) / 2
        ax.hlines(
            np.full(int(significant.sum()), 1.03),
            time[significant] - half,
            time[significant] + half,
            color=color,
            linewidth=2.5,
            label=f"p < {_LEVEL} ({corrected})",
        )
    window_limits(ax, result)
    ax.set_xlabel(time_label(str(result.attrs.get("align", ""))))
