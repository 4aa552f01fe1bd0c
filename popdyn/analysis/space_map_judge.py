"""How well a map between two sources predicts what it has not seen."""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np
import xarray as xr

from popdyn.analysis.space_map_fit import dealt, held_out_share, mismatched
from popdyn.analysis.statespace_bounds import trials_left_out
from popdyn.analysis.statespace_splits import N_GROUPS, error_bounds
from popdyn.analysis.subspace_sides import Side
from popdyn.analysis.trials import Array
from popdyn.errors import FitError, TensorError, warn
from popdyn.resample import spawn, upper_p_value

_ONE = {"units": "1"}
_FEW_ORDERS = 200


def values_of(side: Side) -> Array:
    """Averages (neuron, time, condition)."""
    ordered = side.average.transpose("neuron", "time", "condition")
    return np.asarray(ordered.to_numpy(), dtype=np.float64)


def flat(values: xr.DataArray) -> Array:
    """Give (neuron or component, sample) of an array whose first dim these are."""
    matrix: Array = values.to_numpy().reshape(values.shape[0], -1)
    return matrix


def check_sizes(matrices: list[Array], n_components: int, n_all: int) -> None:
    """Refuse sources that cannot carry the components."""
    for name, matrix in zip(("source", "target"), matrices, strict=True):
        n_neurons, n_samples = matrix.shape
        if n_neurons < n_components or n_samples <= n_components + 1:
            message = (
                f"{n_components} components need as many neurons and more samples in which no "
                f"neuron of either is NaN; the {name} has {n_neurons} neurons and {n_samples} of "
                f"{n_all} samples: ask for fewer components"
            )
            raise FitError(message)
        if not np.ptp(matrix, axis=1).any():
            message = f"no neuron of the {name} varies over time and conditions"
            raise FitError(message)


class Judge:
    """How well a map predicts what it has not seen."""

    def __init__(
        self, n_components: int, method: str, hold_out: str, n_times: int, n_conditions: int
    ) -> None:
        self.settings = (n_components, method)
        self.hold_out, self.shape = hold_out, (n_times, n_conditions)
        if hold_out == "condition" and n_conditions < 2:
            message = "hold_out='condition' needs two conditions, found one: use 'time'"
            raise TensorError(message)

    def compare(
        self, averages: list[Array], null: str, n_draws: int, rng: np.random.Generator
    ) -> dict[str, Any]:
        """Held-out ratios, there and back, and the null."""
        self._warn_few_orders(null, n_draws)
        self.fold = dealt(*self.shape, self.hold_out, rng)
        source, target = averages
        there, back = self._both(source, target)
        draws = [
            held_out_share(mismatched(source, null, own), target, self.fold, *self.settings)
            for own in spawn(rng, n_draws)
        ]
        return {
            "held_out_ratio": ((), there, _ONE),
            "held_out_ratio_back": ((), back, _ONE),
            "null_held_out_ratio": ("draw", np.array(draws), _ONE),
            "p": ((), float(upper_p_value(there, np.array(draws))), _ONE),
        }

    def _warn_few_orders(self, null: str, n_draws: int) -> None:
        """Say so when the null holds so few different mismatches that no p can be small."""
        n_times, n_conditions = self.shape
        n_different = factorial(min(n_conditions, 20)) * (n_times if null == "time" else 1)
        if n_different >= min(_FEW_ORDERS, n_draws):
            return
        advice = "use more conditions"
        if null == "condition":
            advice += ", or null='time', which breaks the match of the times, too"
        message = (
            f"{n_conditions} conditions over {n_times} bins can be mismatched in only "
            f"{n_different} ways by null={null!r}: p cannot fall below about "
            f"{1 / n_different:.2g}, however good the map; {advice}"
        )
        warn(message)

    def bounds(
        self, sides: tuple[Side, Side], variables: dict[str, Any], rng: np.random.Generator
    ) -> dict[str, Any]:
        """Bounds from leaving out trials of both in turn."""
        estimate = [variables[name][1] for name in ("held_out_ratio", "held_out_ratio_back")]
        bound = np.full((2, 2), np.nan)
        averages = [values_of(side) for side in sides]
        variance, n_least = np.zeros(2), N_GROUPS
        for number, own in enumerate(spawn(rng, 2)):
            rows = []
            for part, _ in trials_left_out(sides[number].trials or (), own):
                pair = [*averages[:number], part, *averages[number + 1 :]]
                rows.append(self._both(pair[0], pair[1]))
            n_least = min(n_least, len(rows))
            # The trials of the two sources are others, so that their errors add up.
            variance += (len(rows) - 1) * np.var(rows, axis=0) if len(rows) >= 4 else np.nan
        if n_least >= 4:
            bound = error_bounds(np.array(estimate), np.sqrt(variance), n_least)
        return {
            "held_out_ratio_bound": ("bound", bound[:, 0], _ONE),
            "held_out_ratio_back_bound": ("bound", bound[:, 1], _ONE),
        }

    def _both(self, source: Array, target: Array) -> tuple[float, float]:
        """Held-out ratios there and back."""
        there = held_out_share(source, target, self.fold, *self.settings)
        return there, held_out_share(target, source, self.fold, *self.settings)
