"""Refusing what distances, stimuli, estimates and draws cannot be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from popdyn.analysis.trials import Array
from popdyn.errors import FitError, TensorError, warn

_FEWEST = 4
_FEW = 5


def check_sizes(
    stimulus: Array, distance: Array, draws: Array | None, sets: NDArray[np.str_] | None
) -> None:
    """Refuse arrays that are not of the same conditions, and sets that are not two."""
    if distance.ndim != 1 or stimulus.shape != distance.shape:
        message = (
            f"distances of shape {distance.shape} and stimuli of shape {stimulus.shape}: expected "
            "one of each per condition"
        )
        raise TensorError(message)
    if draws is not None and draws.shape[1:] != distance.shape:
        message = (
            f"draws must be of shape (draw, condition), here (…, {distance.size}), found "
            f"{draws.shape}"
        )
        raise TensorError(message)
    if sets is None and np.unique(stimulus).size < stimulus.size:
        message = (
            "some stimuli come twice: name the stimulus set of each condition (sets=), as the same "
            "stimulus under two priors is what tells perceived from true"
        )
        raise TensorError(message)
    if sets is None:
        return
    if sets.shape != distance.shape or np.unique(sets).size != 2:
        message = (
            f"expected two stimulus sets, one name per condition, found {np.unique(sets).size} in "
            f"{sets.size} of {distance.size} conditions"
        )
        raise TensorError(message)


def check_draws(drawn: Array, distance: Array) -> None:
    """Refuse draws that do not lie around the distances: of another scale, sign or measure."""
    away = float(np.abs(np.nanmedian(drawn, axis=0) - distance).mean())
    if away > max(np.abs(distance - distance.mean()).mean(), 2.0 * np.nanstd(drawn, axis=0).mean()):
        message = (
            f"draws lie {away:.3g} away from the distances, which are {distance.min():.3g} to "
            f"{distance.max():.3g}: they are no draws of these distances; give draws of the same "
            "measure, in the same unit"
        )
        raise TensorError(message)


def check_alike(name: str, values: Array, stimulus: Array, other: str = "stimuli") -> None:
    """Refuse numbers that are not in the unit of the stimuli, as ms beside s."""
    ratio = np.abs(values).mean() / max(np.abs(stimulus).mean(), 1e-300)
    if not 0.05 < ratio < 20.0:
        message = (
            f"{name} are {ratio:.3g} times as large as {other}: are both in the same unit, "
            "seconds or hertz?"
        )
        raise TensorError(message)


def check_numbers(stimulus: Array, distance: Array, estimate: Array) -> None:
    """Refuse what has no curve to compare."""
    if np.unique(stimulus).size < _FEWEST:
        message = (
            f"{np.unique(stimulus).size} stimuli with a distance: a straight line and a curve are "
            f"compared, which takes {_FEW} or more"
        )
        raise FitError(message)
    if np.unique(stimulus).size < _FEW:
        warn(f"{_FEW - 1} stimuli: fewer than {_FEW} tell very little about a curve")
    for name, values in (("distances", distance), ("estimates", estimate)):
        if np.ptp(values) <= 1e-12 * np.abs(values).max():
            message = f"all {name} are the same, {values[0]:g}: nothing can be told from them"
            raise FitError(message)
    check_alike("estimates", estimate, stimulus)
    if np.corrcoef(stimulus, estimate)[0, 1] <= 0:
        message = (
            "estimates fall with the stimulus: they are those of other conditions, or in another "
            "order; give one per condition, in the order of the distances"
        )
        raise TensorError(message)
