"""Draw the angle between two axes over learning stages."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.errors import TensorError
from popdyn.plot.drawable import drawable
from popdyn.plot.style import GUIDE_COLOR, LINE_WIDTH, SMALL_FONT_SIZE, new_axes, plain

_COLOR = "#000000"


def epoch_axes(
    result: xr.Dataset, *, pair: tuple[str, str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the angle of two axes per session and per stage, in degrees.

    Parameters
    ----------
    result : Dataset
        From ``pdn.epoch_axes``.
    pair : tuple of two names, optional
        The axes; by default the first two.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    Axes
        Gray dots: sessions; black: angle of the mean overlap of each stage, with its 95 %
        interval over sessions; 90 degrees are orthogonal.

    Raises
    ------
    TensorError
        If this is no such result, or an axis is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> rng = np.random.default_rng(0)
    >>> trials = {"a": np.tile([0, 0, 1, 1], 5), "b": np.tile([0, 1], 10)}
    >>> x = pdn.make_tensor(rng.normal(size=(6, 2, 20)), [0.0, 0.1], trials, units="1")
    >>> axes = {"one": ("a", (0.0, 0.05)), "two": ("b", (0.1, 0.2))}
    >>> pdn.show(pdn.epoch_axes(x, axes, n_draws=20)).get_ylabel()
    'angle of one and two (degrees)'
    """
    result = drawable(result, "epoch_axes", "stage_angle", "overlap")
    known = [str(name) for name in result["axis"].to_numpy()]
    first, second = pair or (known[0], known[1])
    if first not in known or second not in known:
        message = f"pair names two of the axes {', '.join(known)}; found {first!r} and {second!r}"
        raise TensorError(message)
    ax = new_axes(ax)
    at = {"axis": first, "other_axis": second}
    stages = [str(stage) for stage in result["stage"].to_numpy()]
    overlap = result["overlap"].sel(at).to_numpy()
    angle = np.degrees(np.arccos(np.sqrt(np.clip(overlap, 0.0, 1.0))))
    where = np.array([stages.index(str(one)) for one in result["session_stage"].to_numpy()])
    # Sessions of a stage side by side, so that equal angles do not hide each other.
    beside = np.array([(where[:i] == stage).sum() for i, stage in enumerate(where)])
    size = np.array([(where == stage).sum() for stage in where])
    ax.plot(
        where + 0.25 * ((beside + 0.5) / size - 0.5), angle, "o", color=GUIDE_COLOR, markersize=3
    )
    center = np.degrees(result["stage_angle"].sel(at).to_numpy())
    bound = np.degrees(result["stage_angle_bound"].sel(at).transpose("bound", "stage").to_numpy())
    error = np.nan_to_num(np.clip([center - bound[0], bound[1] - center], 0.0, None))
    ax.errorbar(
        np.arange(len(stages)), center, error, color=_COLOR, linewidth=LINE_WIDTH, marker="o",
        markersize=4, elinewidth=0.9, capsize=2,
    )  # fmt: skip
    ax.axhline(90, color=GUIDE_COLOR, linestyle=":", linewidth=LINE_WIDTH)
    ax.set_ylim(-2, 95)
    ax.set_yticks([0, 30, 60, 90])
    ax.set_xlim(-0.5, len(stages) - 0.5)
    ax.set_xticks(np.arange(len(stages)), [plain(stage) for stage in stages])
    ax.set_xlabel("stage (1)")
    ax.set_ylabel(f"angle of {plain(first)} and {plain(second)} (degrees)")
    if len(stages) > 1:
        trend, p = (float(result[name].sel(at)) for name in ("trend", "p"))
        ax.set_title(
            f"overlap with stage: rank correlation {trend:.2f}, p = {p:.2g}",
            fontsize=SMALL_FONT_SIZE,
        )
    return ax
