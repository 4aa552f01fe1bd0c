"""Read stimuli from distances by a line found elsewhere, and compare what was read."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from popdyn.analysis.distance_shift import judged_distance
from popdyn.analysis.estimation_checks import check_alike
from popdyn.analysis.estimation_errors import line
from popdyn.analysis.estimation_input import read_question
from popdyn.analysis.estimation_noise import Array
from popdyn.errors import FitError, TensorError
from popdyn.resample import BOUND, percentile_bounds
from popdyn.tensor.result import make_result


def decode_then_compare(
    training: xr.Dataset | tuple[Any, Any],
    distance: xr.Dataset | Any,
    stimulus: Any = None,
    estimate: Any = None,
    *,
    sets: Any = None,
    covariance: Any = None,
    draws: Any = None,
) -> xr.Dataset:
    """Decode stimuli by a line fitted to other data, and compare them with truth and estimate.

    In `popdyn.estimation_test` both targets have a line of their own, and so only curvature
    tells them apart.  A line that comes from elsewhere keeps scale and offset.

    Parameters
    ----------
    training : Dataset or (distances, stimuli)
        Distances that are known to follow the true stimulus: of another epoch (while it is
        shown), another stimulus set, or a network that was told the truth; in the same space.
    distance, stimulus, estimate, sets, covariance, draws
        As in `popdyn.estimation_test`.

    Returns
    -------
    Dataset
        Method ``"decode_then_compare"``: ``decoded (condition)``, with ``decoded_bound (bound,
        condition)`` if there are draws; ``rmse_true``, ``rmse_estimate`` in units of the
        stimulus, and ``draw_rmse_true``, ``draw_rmse_estimate (resample)``; ``decoded_slope`` of
        decoded on true stimuli, below 1 where they are drawn together; ``slope`` and
        ``intercept`` of the line.

    Raises
    ------
    TensorError
        If arrays do not belong together.
    FitError
        If the training distances are all the same, or fewer than three.

    Notes
    -----
    A line fitted where distances follow the estimate takes the contraction out again, and then
    favors the truth.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> stimulus = 0.5 + 0.05 * np.arange(11)
    >>> observer = pdn.observer.Production(weber=0.1, prior=("uniform", 0.5, 1.0))
    >>> estimate = observer.estimate(stimulus)
    >>> shown = 3.0 * (stimulus - 0.75)  # distances while the stimulus was on
    >>> remembered = 3.0 * (estimate.values - 0.75)
    >>> result = pdn.decode_then_compare(
    ...     (shown, stimulus), remembered, stimulus, estimate, covariance=1e-6 * np.eye(11)
    ... )
    >>> result.rmse_true.round(4).item(), result.rmse_estimate.round(4).item()
    (0.0362, 0.0)
    """
    if estimate is None:
        message = "estimate= is needed: what an observer fitted to behavior makes of each stimulus"
        raise TensorError(message)
    learnt, shown = _training(training)
    intercept, slope = (float(value) for value in line(learnt, shown))
    asked = read_question(distance, stimulus, estimate, sets, covariance, draws)
    check_alike("stimuli of the training", shown, asked.stimulus)
    decoded = intercept + slope * asked.distance
    variables: dict[str, Any] = {
        "decoded": ("condition", decoded),
        "estimate": ("condition", asked.estimate),
        "rmse_true": float(_root_mean_square(decoded - asked.stimulus)),
        "rmse_estimate": float(_root_mean_square(decoded - asked.estimate)),
        "decoded_slope": float(line(asked.stimulus, decoded)[1]),
        "slope": slope,
        "intercept": intercept,
    }
    if asked.draws is not None:
        drawn, perceived = intercept + slope * asked.draws[0], asked.draws[1]
        low, high = percentile_bounds(drawn)
        variables |= {
            "decoded_bound": (
                ("bound", "condition"), np.stack([2 * decoded - high, 2 * decoded - low]),
            ),
            "draw_rmse_true": ("resample", _root_mean_square(drawn - asked.stimulus)),
            "draw_rmse_estimate": ("resample", _root_mean_square(drawn - perceived)),
        }  # fmt: skip
    result = make_result(
        variables,
        coords={
            "condition": asked.labels,
            "stimulus": ("condition", asked.stimulus),
            "bound": BOUND,
        },
        method="decode_then_compare",
        parameters={},
        source=distance if isinstance(distance, xr.Dataset) else None,
    )
    for name in map(str, result.data_vars):
        of_stimulus = "slope" not in name
        result[name].attrs["units"] = (asked.units or "unknown") if of_stimulus else "1"
    result["slope"].attrs["units"] = f"{asked.units or 'unknown'}/({asked.distance_units})"
    return result


def _training(training: Any) -> tuple[Array, Array]:
    """Distances and stimuli of the line."""
    if isinstance(training, xr.Dataset):
        if "mean_distance" not in training or "stimulus" not in training.coords:
            message = (
                "training is a result of relative_distance with ordered conditions, or a pair "
                f"(distances, stimuli); found method {training.attrs.get('method', 'none')!r}"
            )
            raise TensorError(message)
        training = judged_distance(training)[0], training["stimulus"].to_numpy()
    if not isinstance(training, (tuple, list)) or len(training) != 2:
        message = f"training is a result or a pair (distances, stimuli), found {training!r:.60}"
        raise TensorError(message)
    learnt, shown = (np.asarray(values, dtype=np.float64) for values in training)
    if learnt.shape != shown.shape or learnt.ndim != 1:
        message = (
            f"training distances of shape {learnt.shape} and stimuli of shape {shown.shape}: "
            "expected one of each per condition"
        )
        raise TensorError(message)
    known = np.isfinite(learnt) & np.isfinite(shown)
    if known.sum() < 3 or np.ptp(learnt[known]) == 0:
        message = f"{int(known.sum())} training distances that differ: a line takes three or more"
        raise FitError(message)
    return learnt[known], shown[known]


def _root_mean_square(values: Array) -> Array:
    return np.asarray(np.sqrt(np.mean(values**2, axis=-1)))
